//! Deletion and urls.

use clearml_events::{
    Event, EventType, KeyField, LogDeletion, MetricFilter, Order, Pace, ScalarSampling, ScrollQuery,
    Selection, UrlKind,
};

use super::{Setup, image, log, messages, plot, scalar};

async fn count(setup: &Setup<'_>, task: &str) -> u64 {
    setup.store.count(&Selection::new(setup.source(task), None), None).await.unwrap()
}

pub(crate) async fn deletes_everything_of_the_tasks(setup: &Setup<'_>) {
    let mut events: Vec<_> = (0..25_000).map(|iter| scalar("t", "m", "v", iter, 1.0)).collect();
    events.extend((0..1200).map(|iter| plot("t", "m", "v", iter)));
    events.extend((0..300).map(|time| log("t", time, "x")));
    events.extend((0..10).map(|iter| image("u", "m", "v", iter, "x")));
    events.push(scalar("kept", "m", "v", 0, 1.0));
    setup.append(events).await;
    let tasks = ["t", "u", "unknown", "t"].map(str::to_owned);
    let deleted = setup.store.delete(&setup.company, &tasks, Pace::Fast).await.unwrap();
    assert_eq!(deleted, 25_000 + 1200 + 300 + 10);
    for (task, left) in [("t", 0), ("u", 0), ("kept", 1)] {
        assert_eq!(count(setup, task).await, left, "{task}");
    }
    assert_eq!(setup.store.metric_variants(&[setup.source("t")], None).await.unwrap(), []);

    // The same names begin anew.
    setup.append(vec![scalar("t", "m", "v", 3, 5.0)]).await;
    let query = ScalarSampling {
        source: setup.source("t"),
        metrics: MetricFilter::all(),
        field: KeyField::Iter,
        samples: 10,
    };
    assert_eq!(setup.store.sample_scalars(query).await.unwrap()[0].x, [3]);
}

pub(crate) async fn deletes_at_a_pace(setup: &Setup<'_>) {
    setup.append((0..200).map(|iter| scalar("t", "m", "v", iter, 1.0)).collect()).await;
    let pace = Pace::EventsPerSecond(1_000_000);
    assert_eq!(setup.store.delete(&setup.company, &["t".to_owned()], pace).await.unwrap(), 200);
}

pub(crate) async fn clears_logs(setup: &Setup<'_>) {
    let labelled = |time, metric: &str| Event { metric: metric.to_owned(), ..log("t", time, metric) };
    let fill =
        || vec![log("t", 1, ""), labelled(2, "a"), labelled(3, "b"), labelled(4, "a"), log("t", 5, "")];
    let rest = async || {
        let query = ScrollQuery {
            selection: Selection::new(setup.source("t"), EventType::Log),
            field: KeyField::Timestamp,
            order: Order::Ascending,
            limit: 100,
        };
        let events = setup.store.scroll(&query, None).await.unwrap().events;
        messages(&events).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let clear = async |which: LogDeletion| setup.store.clear_log(&setup.source("t"), &which).await.unwrap();
    setup.append(vec![scalar("t", "m", "v", 1, 1.0)]).await;

    setup.append(fill()).await;
    let some = LogDeletion {
        before: Some(4),
        include_metrics: vec!["a".to_owned(), "b".to_owned()],
        exclude_metrics: vec!["b".to_owned()],
    };
    assert_eq!(clear(some).await, 1);
    assert_eq!(rest().await, ["", "b", "a", ""]);
    let unlabelled = LogDeletion { include_metrics: vec![String::new()], ..LogDeletion::default() };
    assert_eq!(clear(unlabelled).await, 2);
    assert_eq!(rest().await, ["b", "a"]);
    assert_eq!(clear(LogDeletion::default()).await, 2);
    assert_eq!(rest().await, [""; 0]);
    assert_eq!(clear(LogDeletion::default()).await, 0);
    let names = setup.store.metric_variants(&[setup.source("t")], Some(EventType::Log)).await.unwrap();
    assert_eq!(names, []);
    assert_eq!(count(setup, "t").await, 1);
    setup.append(fill()).await;
    assert_eq!(rest().await.len(), 5);
    assert_eq!(setup.store.clear_log(&setup.source("nobody"), &LogDeletion::default()).await.unwrap(), 0);
}

pub(crate) async fn collects_urls(setup: &Setup<'_>) {
    let mut events: Vec<_> =
        (0..7).map(|iter| image("t", "m", "v", iter, &format!("i{}", iter % 4))).collect();
    events.push(image("u", "m", "v", 0, "i9"));
    events.push(image("u", "m", "w", 0, "i0"));
    for iter in 0..5 {
        let mut event = plot("t", "m", ["v", "w"][iter % 2], iter as i64);
        if iter != 2 {
            event.fields.insert("source_urls", vec![format!("p{iter}"), "shared".to_owned()]);
        }
        events.push(event);
    }
    setup.append(events).await;
    let tasks = ["t", "u", "nobody"].map(str::to_owned);
    let collect = async |kind, limit| {
        let (mut urls, mut after): (_, Option<String>) = (Vec::new(), None);
        loop {
            let page = setup.store.urls(&setup.company, &tasks, kind, after.as_deref(), limit).await.unwrap();
            urls.extend(page.urls);
            after = page.next;
            if after.is_none() {
                return urls;
            }
        }
    };
    for limit in [1, 2, 5, 1000] {
        assert_eq!(collect(UrlKind::Images, limit).await, ["i0", "i1", "i2", "i3", "i9"]);
        let mut plots = collect(UrlKind::Plots, limit).await;
        plots.sort();
        plots.dedup();
        assert_eq!(plots, ["p0", "p1", "p3", "p4", "shared"]);
    }
}
