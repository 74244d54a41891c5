//! The key iterator and scrolls.

use clearml_events::{
    Event, EventError, EventType, IterationChoice, KeyField, KeyPosition, KeyQuery, MetricFilter, Number,
    Order, ScrollQuery, Selection,
};

use super::{Setup, T0, event, log, messages, only, plot, scalar};

fn key_query(
    setup: &Setup<'_>,
    event_type: EventType,
    field: KeyField,
    order: Order,
    limit: usize,
) -> KeyQuery {
    KeyQuery {
        source: setup.source("t"),
        event_type: Some(event_type),
        metrics: MetricFilter::all(),
        field,
        order,
        limit,
        after: None,
    }
}

/// All pages of a key iterator.
pub(crate) async fn key_pages(setup: &Setup<'_>, mut query: KeyQuery) -> Vec<Vec<Event>> {
    let mut pages = Vec::new();
    loop {
        let page = setup.store.key_page(query.clone()).await.unwrap();
        if page.events.is_empty() {
            assert_eq!(page.next, None);
            return pages;
        }
        pages.push(page.events);
        query.after = page.next;
        assert!(query.after.is_some());
    }
}

/// All pages of a scroll.
pub(crate) async fn scroll_pages(setup: &Setup<'_>, query: &ScrollQuery) -> Vec<Vec<Event>> {
    let (mut pages, mut after): (_, Option<String>) = (Vec::new(), None);
    loop {
        let page = setup.store.scroll(query, after.as_deref()).await.unwrap();
        if page.events.is_empty() {
            return pages;
        }
        pages.push(page.events);
        after = page.next;
    }
}

pub(crate) async fn equal_keys_complete_the_page(setup: &Setup<'_>) {
    let events = [(1, "a"), (2, "b"), (2, "c"), (2, "d"), (3, "e")];
    setup.append(events.iter().map(|(time, text)| log("t", *time, text)).collect()).await;
    let query = |order| key_query(setup, EventType::Log, KeyField::Timestamp, order, 2);
    let pages = key_pages(setup, query(Order::Ascending)).await;
    let pages: Vec<_> = pages.iter().map(|page| messages(page)).collect();
    assert_eq!(pages, [vec!["a", "b", "c", "d"], vec!["e"]]);
    let pages = key_pages(setup, query(Order::Descending)).await;
    let pages: Vec<_> = pages.iter().map(|page| messages(page)).collect();
    assert_eq!(pages, [vec!["e", "b", "c", "d"], vec!["a"]]);
}

pub(crate) async fn position_is_a_key_and_zero_is_a_real_one(setup: &Setup<'_>) {
    setup.append([-1, 0, 0, 1].iter().map(|time| log("t", *time, "x")).collect()).await;
    let mut query = key_query(setup, EventType::Log, KeyField::Timestamp, Order::Ascending, 10);
    query.after = Some(KeyPosition::Key(0));
    let page = setup.store.key_page(query.clone()).await.unwrap();
    assert_eq!(page.events.iter().map(|event| event.timestamp).collect::<Vec<_>>(), [1]);
    assert_eq!(page.next, Some(KeyPosition::Key(1)));
    query.order = Order::Descending;
    let page = setup.store.key_page(query).await.unwrap();
    assert_eq!(page.events.iter().map(|event| event.timestamp).collect::<Vec<_>>(), [-1]);
}

pub(crate) async fn logs_are_filtered_by_metric(setup: &Setup<'_>) {
    let labelled = |time, metric: &str| Event { metric: metric.to_owned(), ..log("t", time, metric) };
    setup.append(vec![log("t", 1, "plain"), labelled(2, "a"), labelled(3, "b"), labelled(4, "a")]).await;
    let mut query = key_query(setup, EventType::Log, KeyField::Timestamp, Order::Descending, 1);
    query.metrics = only("a", &[]);
    let pages = key_pages(setup, query).await;
    assert_eq!(pages.iter().flatten().map(|event| event.timestamp).collect::<Vec<_>>(), [4, 2]);
}

pub(crate) async fn all_types_merge_by_iteration(setup: &Setup<'_>) {
    setup
        .append(vec![
            scalar("t", "m", "v", 2, 0.0),
            plot("t", "m", "v", 1),
            event(EventType::Log, "t", "", "", 2),
            log("t", 7, "without"),
            scalar("t", "m", "w", 2, 0.0),
            Event { iter: None, ..scalar("t", "m", "v", 0, 0.0) },
            Event { iter: None, ..plot("t", "m", "v", 0) },
            log("t", 5, "without"),
        ])
        .await;
    let (scalar, plot, log) = (EventType::Scalar, EventType::Plot, EventType::Log);
    for limit in [1, 2, 3, 100] {
        let mut query = key_query(setup, EventType::Log, KeyField::Iter, Order::Descending, limit);
        query.event_type = None;
        let events: Vec<_> = key_pages(setup, query).await.into_iter().flatten().collect();
        let iterations: Vec<_> = events.iter().map(|event| event.iter).collect();
        let without = [None; 4];
        assert_eq!(iterations[..4], [Some(2), Some(2), Some(2), Some(1)], "limit {limit}");
        // Those without iteration come last, none is lost. Between types, the order is open.
        assert_eq!(iterations[4..], without, "limit {limit}");
        let kinds = |events: &[Event]| {
            let mut kinds: Vec<_> = events.iter().map(|event| event.event_type).collect();
            kinds.sort_unstable();
            kinds
        };
        assert_eq!(kinds(&events[..3]), [scalar, scalar, log], "limit {limit}");
        assert_eq!(kinds(&events[3..4]), [plot]);
        assert_eq!(kinds(&events[4..]), [scalar, plot, log, log], "limit {limit}");
        let variants = events.iter().filter(|event| event.event_type == scalar && event.iter.is_some());
        assert_eq!(variants.map(|event| event.variant.as_str()).collect::<Vec<_>>(), ["v", "w"]);
    }
}

pub(crate) async fn raw_scalars_by_either_field(setup: &Setup<'_>) {
    // Time runs against the iterations, and the value is not a 32-bit float.
    let raw = |iter: i64| Event { timestamp: T0 - iter, ..scalar("t", "m", "v", iter, 0.1 + iter as f64) };
    setup.append((0..50).map(raw).collect()).await;
    setup.append(vec![scalar("t", "m", "other", 3, 9.0)]).await;
    for (field, first) in [(KeyField::Iter, 0), (KeyField::Timestamp, 49)] {
        let mut query = key_query(setup, EventType::Scalar, field, Order::Ascending, 20);
        query.metrics = only("m", &["v"]);
        let pages = key_pages(setup, query).await;
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [20, 20, 10]);
        assert_eq!(pages[0][0].iter, Some(first));
        assert_eq!(pages[0][0].value, Some(Number::Float(0.1 + first as f64)));
    }
}

pub(crate) async fn scrolls_are_exact(setup: &Setup<'_>) {
    let events = [(1, "a"), (2, "b"), (2, "c"), (2, "d"), (3, "e")];
    setup.append(events.iter().map(|(time, text)| log("t", *time, text)).collect()).await;
    let mut query = ScrollQuery {
        selection: Selection::new(setup.source("t"), EventType::Log),
        field: KeyField::Timestamp,
        order: Order::Descending,
        limit: 2,
    };
    let pages = scroll_pages(setup, &query).await;
    let pages: Vec<_> = pages.iter().map(|page| messages(page)).collect();
    assert_eq!(pages, [vec!["e", "b"], vec!["c", "d"], vec!["a"]]);
    query.order = Order::Ascending;
    let pages = scroll_pages(setup, &query).await;
    assert_eq!(pages.concat().len(), 5);
    let error = setup.store.scroll(&query, Some("nonsense")).await.unwrap_err();
    assert!(matches!(error, EventError::InvalidPosition));
}

pub(crate) async fn scrolls_over_chosen_iterations_of_many_tasks(setup: &Setup<'_>) {
    let mut events = Vec::new();
    for iter in 0..10 {
        for task in ["t", "u"] {
            events.extend(["m", "n"].map(|metric| plot(task, metric, "v", iter)));
        }
    }
    setup.append(events).await;
    let sources = [setup.source("t"), setup.source("u")];
    let choices = setup
        .store
        .last_iterations_per_metric(&sources[..1], Some(EventType::Plot), &only("m", &[]), 2)
        .await
        .unwrap();
    let all_of_u = IterationChoice { task: "u".to_owned(), metric: None, iters: vec![0] };
    let choices = choices.into_iter().chain([all_of_u]).collect();
    let query = ScrollQuery {
        selection: Selection::of(sources.to_vec(), EventType::Plot).iterations(choices),
        field: KeyField::Iter,
        order: Order::Descending,
        limit: 3,
    };
    let pages = scroll_pages(setup, &query).await;
    let found: Vec<_> = pages
        .iter()
        .flatten()
        .map(|event| (event.task.as_str(), event.metric.as_str(), event.iter.unwrap()))
        .collect();
    assert_eq!(found, [("t", "m", 9), ("t", "m", 8), ("u", "m", 0), ("u", "n", 0)]);
    assert_eq!(pages.len(), 2);
    // The query can be kept as JSON between calls.
    let kept: ScrollQuery = serde_json::from_str(&serde_json::to_string(&query).unwrap()).unwrap();
    assert_eq!(kept, query);
}

pub(crate) async fn vectors_by_iteration(setup: &Setup<'_>) {
    let vector = |iter: i64| {
        let mut event = event(EventType::Vector, "t", "m", "v", iter);
        event.fields.insert("value", vec![iter as f64, 0.5]);
        event
    };
    setup.append([5, 1, 3].map(vector).to_vec()).await;
    let query = ScrollQuery {
        selection: Selection::new(setup.source("t"), EventType::Vector).metrics(only("m", &["v"])),
        field: KeyField::Iter,
        order: Order::Ascending,
        limit: 10_000,
    };
    let page = setup.store.scroll(&query, None).await.unwrap();
    assert_eq!(page.events, [1, 3, 5].map(vector));
}
