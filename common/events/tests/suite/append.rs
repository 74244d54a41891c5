//! Appending, identity and what comes back.

use bson::{Bson, doc};
use clearml_events::{
    Event, EventType, IterationChoice, KeyField, MetricFilter, Number, Order, ScrollQuery, Selection,
};

use super::{Setup, event, image, log, places, plot, scalar};

async fn all(setup: &Setup<'_>, task: &str, event_type: Option<EventType>) -> Vec<Event> {
    let query = ScrollQuery {
        selection: Selection::new(setup.source(task), event_type),
        field: KeyField::Timestamp,
        order: Order::Ascending,
        limit: 1000,
    };
    setup.store.scroll(&query, None).await.unwrap().events
}

pub(crate) async fn events_come_back_as_sent(setup: &Setup<'_>) {
    let mut sent = Vec::new();
    for (index, event_type) in EventType::ALL.into_iter().enumerate() {
        let mut full = event(event_type, "t", "m", "v", index as i64);
        full.model_event = index % 2 == 0;
        full.value = Some(if index == 0 { Number::Int(3) } else { Number::Float(0.1) });
        full.key = Some("k".to_owned());
        full.url = Some("http://u".to_owned());
        full.fields = doc! {"extra": {"list": [1_i64, Bson::Null, 2_i64], "text": "ü\u{0}"}, "plot_str": "{}", "msg": "x"};
        sent.push(full);

        let mut bare = Event::new(event_type, "t", super::T0 + 100 + index as i64, 5);
        bare.fields = doc! {"value": [1_i64, 2_i64], "iter": Bson::Null};
        sent.push(bare);
    }
    setup.append(sent.clone()).await;
    let mut got = all(setup, "t", None).await;
    sent.sort_by_key(|event| event.timestamp);
    got.sort_by_key(|event| event.timestamp);
    assert_eq!(got, sent);
}

pub(crate) async fn same_identity_replaces(setup: &Setup<'_>) {
    let old = vec![
        scalar("t", "m", "v", 1, 0.5),
        scalar("t", "m", "v", 2, 0.6),
        image("t", "m", "v", 1, "a"),
        plot("t", "m", "v", 1),
    ];
    setup.append(old).await;
    let mut newer_image = image("t", "m", "v", 1, "b");
    newer_image.timestamp += 50;
    // Twice within one call: the last wins.
    let new = vec![
        scalar("t", "m", "v", 1, 7.0),
        newer_image,
        plot("t", "m", "v", 1),
        scalar("t", "m", "v", 1, 8.0),
    ];
    setup.append(new).await;

    let scalars = all(setup, "t", Some(EventType::Scalar)).await;
    let values: Vec<_> = scalars.iter().map(|event| (event.iter.unwrap(), event.value.unwrap())).collect();
    assert_eq!(values, [(1, Number::Float(8.0)), (2, Number::Float(0.6))]);
    let images = all(setup, "t", Some(EventType::Image)).await;
    assert_eq!(images.iter().map(|event| event.url.as_deref().unwrap()).collect::<Vec<_>>(), ["b"]);
    assert_eq!(all(setup, "t", Some(EventType::Plot)).await.len(), 1);
}

pub(crate) async fn key_and_missing_iteration_are_part_of_the_identity(setup: &Setup<'_>) {
    for event_type in [EventType::Scalar, EventType::Image, EventType::Plot, EventType::Vector] {
        let plain = event(event_type, "t", "m", "v", 0);
        let keyed = Event { key: Some("k".to_owned()), ..plain.clone() };
        let other_key = Event { key: Some(String::new()), ..plain.clone() };
        let iterless = Event { iter: None, ..plain.clone() };
        let iterless_keyed = Event { iter: None, ..keyed.clone() };
        let events = vec![plain, keyed, other_key, iterless, iterless_keyed];
        setup.append(events.clone()).await;
        setup.append(events.clone()).await;
        assert_eq!(all(setup, "t", Some(event_type)).await, events, "{event_type}");
    }
}

pub(crate) async fn logs_are_never_replaced(setup: &Setup<'_>) {
    setup.append(vec![log("t", 5, "a"), log("t", 5, "a")]).await;
    setup.append(vec![log("t", 5, "a")]).await;
    let selection = Selection::new(setup.source("t"), EventType::Log);
    assert_eq!(setup.store.count(&selection, None).await.unwrap(), 3);
}

pub(crate) async fn companies_and_tasks_are_apart(setup: &Setup<'_>) {
    let other = format!("{}-other", setup.company);
    setup.append(vec![scalar("t", "m", "v", 1, 1.0), scalar("t2", "m", "v", 1, 2.0)]).await;
    setup.store.append(&other, vec![scalar("t", "m", "v", 1, 3.0)]).await.unwrap();
    let own = all(setup, "t", None).await;
    assert_eq!(own[0].value, Some(Number::Float(1.0)));
    assert_eq!(own.len(), 1);
}

pub(crate) async fn counts_are_exact_or_capped(setup: &Setup<'_>) {
    let mut events: Vec<_> = (0..30).map(|iter| scalar("t", "m", "v", iter, 1.0)).collect();
    events.extend((0..20).map(|iter| scalar("t", "m2", "v", iter, 1.0)));
    events.extend((0..7).map(|time| log("t", time, "x")));
    let mut labelled = log("t", 9, "y");
    labelled.metric.push('m');
    events.push(labelled);
    setup.append(events).await;
    let count = async |selection: Selection, cap| setup.store.count(&selection, cap).await.unwrap();
    let source = setup.source("t");
    assert_eq!(count(Selection::new(source.clone(), None), None).await, 58);
    assert_eq!(count(Selection::new(source.clone(), None), Some(40)).await, 40);
    assert_eq!(count(Selection::new(source.clone(), EventType::Log), None).await, 8);
    let only_m = MetricFilter::metrics(["m"]);
    assert_eq!(count(Selection::new(source.clone(), None).metrics(only_m.clone()), None).await, 31);
    let logs = Selection::new(source.clone(), EventType::Log).metrics(only_m);
    assert_eq!(count(logs, None).await, 1);
    let some = IterationChoice { task: "t".to_owned(), metric: Some("m2".to_owned()), iters: vec![3, 4, 99] };
    assert_eq!(count(Selection::new(source, EventType::Scalar).iterations(vec![some]), None).await, 2);
    let twice = Selection::of(vec![setup.source("t"), setup.source("t")], EventType::Log);
    assert_eq!(count(twice, None).await, 8);
    assert_eq!(count(Selection::new(setup.source("nobody"), None), None).await, 0);
}

pub(crate) async fn names_and_last_iterations(setup: &Setup<'_>) {
    let mut events = vec![
        scalar("t", "b", "y", clearml_events::SINGLE_VALUE_ITERATION, 1.0),
        scalar("t", "a", "z", 4, 1.0),
        scalar("t", "a", "x", 9, 1.0),
        scalar("t", "a", "x", 3, 1.0),
        plot("t", "p", "v", 12),
        scalar("u", "c", "v", 1, 1.0),
        log("t", 1, "no iteration"),
    ];
    events.push(Event { iter: None, ..scalar("t", "n", "v", 0, 1.0) });
    setup.append(events).await;
    let (store, t, u) = (setup.store, setup.source("t"), setup.source("u"));

    let names = async |kind| store.metrics_with_iterations(&t, kind).await.unwrap();
    assert_eq!(names(Some(EventType::Scalar)).await, ["a"]);
    assert_eq!(names(None).await, ["a", "p"]);
    assert_eq!(names(Some(EventType::Log)).await, [""; 0]);

    let both = [t.clone(), u.clone()];
    let listed = store.metric_variants(&both, Some(EventType::Scalar)).await.unwrap();
    let listed: Vec<_> =
        listed.iter().map(|entry| (entry.metric.as_str(), entry.variants.join(","))).collect();
    let expected = [("a", "x,z"), ("b", "y"), ("c", "v"), ("n", "v")].map(|(m, v)| (m, v.to_owned()));
    assert_eq!(listed, expected);

    let all = MetricFilter::all();
    let last = store.last_iterations(&both, None, &all, 2).await.unwrap();
    let last: Vec<_> = last.into_iter().map(|choice| (choice.task, choice.iters)).collect();
    assert_eq!(last, [("t".to_owned(), vec![12, 9]), ("u".to_owned(), vec![1])]);

    let per_metric = store.last_iterations_per_metric(&both[..1], Some(EventType::Scalar), &all, 2).await;
    let per_metric: Vec<_> =
        per_metric.unwrap().into_iter().map(|choice| (choice.metric.unwrap(), choice.iters)).collect();
    let single = clearml_events::SINGLE_VALUE_ITERATION;
    assert_eq!(per_metric, [("a".to_owned(), vec![9, 4]), ("b".to_owned(), vec![single])]);
    assert_eq!(places(&[]), []);
}
