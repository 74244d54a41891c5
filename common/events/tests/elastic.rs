//! The Elasticsearch store: the common suite, and what concerns only a cluster.
//!
//! The test cluster is a real node without scripts and without the modules of a full package; `_delete_by_query` is a
//! replacement there, with one worker. Nothing else that the store needs is missing.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

mod elastic_support;
mod suite;

use std::time::Duration;

use clearml_events::{
    ElasticEvents, ElasticProbing, Event, EventError, EventStore, EventType, IterationChoice, KeyField,
    KeyQuery, LatestScalars, LogDeletion, MetricFilter, Order, Pace, PlotStep, ScalarSampling, ScrollQuery,
    Selection, Source, UrlKind, UrlPage, Window, WindowKind,
};
use elastic_support::{
    fake::{FakeNode, settings_of},
    in_sandbox,
};
use elasticsearch::http::Method;
use serde_json::{Value, json};
use suite::{Setup, event, log, only, scalar};

/// Makes a test of each function of the suite.
macro_rules! events_suite {
    ($($module:ident { $($name:ident)* })*) => {
        $(mod $module {
            $(#[tokio::test]
            async fn $name() {
                super::in_sandbox(async |sandbox| {
                    let store = sandbox.connect().await;
                    let setup = super::Setup { store: &store, company: "Company".to_owned() };
                    super::suite::$module::$name(&setup).await;
                })
                .await;
            })*
        })*
    };
}

suite::all!(events_suite);

#[tokio::test]
async fn statistics() {
    in_sandbox(async |sandbox| {
        // As if they had a cluster of their own.
        let mut settings = sandbox.settings.clone();
        settings.workers = Some(settings.events.clone());
        let store = ElasticEvents::connect(settings).await.unwrap();
        store.ping().await.unwrap();
        suite::statistics::workers(&store).await;
        suite::statistics::queues(&store).await;
        suite::statistics::serving(&store).await;
        suite::statistics::copies(&store).await;
    })
    .await;
}

#[tokio::test]
async fn random_events_agree_with_the_reference() {
    in_sandbox(async |sandbox| {
        let store = sandbox.connect().await;
        for seed in 0..3 {
            let setup = Setup { store: &store, company: format!("company{seed}") };
            suite::random::agrees_with_the_reference(&setup, seed).await;
        }
    })
    .await;
}

#[tokio::test]
async fn pages_are_exact_over_several_shards() {
    in_sandbox(async |sandbox| {
        let mut settings = sandbox.settings.clone();
        settings.event_indices.shards = 3;
        let store = ElasticEvents::connect(settings).await.unwrap();
        // Many events share time and `_seq_no`, in one index and between two.
        let mut events: Vec<_> = (0..100).map(|index| log("t", 5 + index / 60, &index.to_string())).collect();
        events.extend(
            (0..20).map(|index| Event { timestamp: 5, ..scalar("t", "m", &index.to_string(), 1, 1.0) }),
        );
        store.append("c", events).await.unwrap();
        let query = ScrollQuery {
            selection: Selection::new(Source::new("c", "t"), None),
            field: KeyField::Timestamp,
            order: Order::Descending,
            limit: 7,
        };
        let setup = Setup { store: &store, company: "c".to_owned() };
        let pages = suite::paging::scroll_pages(&setup, &query).await;
        let mut shown: Vec<String> = pages.concat().iter().map(|event| format!("{event:?}")).collect();
        assert!(pages.concat().is_sorted_by_key(|event| -event.timestamp));
        shown.sort();
        shown.dedup();
        assert_eq!((pages.concat().len(), shown.len()), (120, 120));

        let query = KeyQuery {
            source: Source::new("c", "t"),
            event_type: None,
            metrics: MetricFilter::all(),
            field: KeyField::Timestamp,
            order: Order::Ascending,
            limit: 7,
            after: None,
        };
        let pages = suite::paging::key_pages(&setup, query).await;
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [80, 40]);
    })
    .await;
}

#[tokio::test]
async fn what_is_not_there_is_empty() {
    in_sandbox(async |sandbox| {
        let store = sandbox.connect().await;
        assert!(store.was_empty());
        assert!(!sandbox.connect().await.was_empty());
        store.ping().await.unwrap();
        let source = Source::new("nobody", "t");
        let sources = std::slice::from_ref(&source);
        let all = MetricFilter::all();
        assert_eq!(store.count(&Selection::new(source.clone(), None), None).await.unwrap(), 0);
        assert_eq!(store.metrics_with_iterations(&source, None).await.unwrap(), [""; 0]);
        assert_eq!(store.metric_variants(sources, None).await.unwrap(), []);
        assert_eq!(store.last_iterations(sources, None, &all, 3).await.unwrap(), []);
        assert_eq!(store.last_iterations_per_metric(sources, None, &all, 3).await.unwrap(), []);
        let sampling = ScalarSampling {
            source: source.clone(),
            metrics: all.clone(),
            field: KeyField::Timestamp,
            samples: 10,
        };
        assert_eq!(store.sample_scalars(sampling).await.unwrap(), []);
        assert_eq!(store.single_values(sources, &all).await.unwrap(), []);
        assert_eq!(store.latest_scalars(&source).await.unwrap(), LatestScalars::default());
        assert_eq!(store.latest_plots(&source, &all, 2).await.unwrap(), []);
        assert_eq!(store.metric_states(&source, WindowKind::Images, &all).await.unwrap(), []);
        let window = Window {
            source: source.clone(),
            kind: WindowKind::Plots,
            metrics: vec!["m".to_owned()],
            order: Order::Descending,
            beyond: None,
            iters: 2,
        };
        assert_eq!(store.window(&window).await.unwrap(), []);
        assert_eq!(store.image_ranges(&source, None).await.unwrap(), []);
        assert_eq!(store.plot_ranges(&source, None).await.unwrap(), []);
        assert_eq!(store.plot_sample(&source, "m", None).await.unwrap(), None);
        let step = PlotStep {
            iteration: 1,
            metric: "m".to_owned(),
            order: Order::Ascending,
            same_metric: false,
            next_iteration: false,
        };
        assert_eq!(store.next_plot_sample(&source, &step).await.unwrap(), None);
        assert_eq!(store.delete("nobody", &["t".to_owned()], Pace::Fast).await.unwrap(), 0);
        assert_eq!(store.clear_log(&source, &LogDeletion::default()).await.unwrap(), 0);
        for kind in [UrlKind::Images, UrlKind::Plots] {
            let page = store.urls("nobody", &["t".to_owned()], kind, None, 10).await.unwrap();
            assert_eq!(page, UrlPage::default());
        }
        // A name that is a pattern would reach the events of others.
        let foreign = Selection::new(Source::new("*", "t"), None);
        assert!(matches!(store.count(&foreign, None).await, Err(EventError::Backend(_))));
    })
    .await;
}

#[tokio::test]
async fn refused_events_are_named_and_all_others_stored() {
    in_sandbox(async |sandbox| {
        let store = sandbox.connect().await;
        let odd = |iter, value: bson::Bson| {
            let mut event = scalar("t", "m", "v", iter, 1.0);
            event.fields.insert("extra", value);
            event
        };
        store.append("c", vec![odd(0, 5_i64.into())]).await.unwrap();
        let events =
            vec![scalar("t", "m", "v", 1, 1.0), odd(2, "no number".into()), scalar("t", "m", "v", 3, 1.0)];
        let Err(EventError::Rejected(rejected)) = store.append("c", events).await else { panic!("accepted") };
        assert_eq!((rejected.len(), rejected[0].place), (1, 1));
        assert!(rejected[0].reason.contains("failed to parse field [extra]"), "{}", rejected[0].reason);
        let selection = Selection::new(Source::new("c", "t"), None);
        assert_eq!(store.count(&selection, None).await.unwrap(), 3);
    })
    .await;
}

#[tokio::test]
async fn calls_at_the_same_time_see_their_own_events() {
    in_sandbox(async |sandbox| {
        let store = sandbox.connect().await;
        let calls = (0..24).map(|task| {
            let store = store.clone();
            async move {
                let task = format!("t{task}");
                for call in 0..4 {
                    store
                        .append("c", vec![scalar(&task, "m", "v", call, 1.0), log(&task, call, "x")])
                        .await
                        .unwrap();
                    let selection = Selection::new(Source::new("c", &task), None);
                    assert_eq!(store.count(&selection, None).await.unwrap(), 2 * (call as u64 + 1));
                }
            }
        });
        futures::future::join_all(calls).await;
    })
    .await;
}

#[tokio::test]
async fn many_chosen_iterations_are_found_by_several_searches() {
    in_sandbox(async |sandbox| {
        let store = sandbox.connect().await;
        let plots = (0..1200).map(|index| suite::plot("t", &format!("m{index:04}"), "v", index));
        store.append("c", plots.collect()).await.unwrap();
        let choice = |index: i64| IterationChoice {
            task: "t".to_owned(),
            metric: Some(format!("m{index:04}")),
            iters: vec![index],
        };
        let selection = Selection::new(Source::new("c", "t"), EventType::Plot)
            .iterations((0..1200).filter(|index| index % 3 != 1).map(choice).collect());
        assert_eq!(store.count(&selection, None).await.unwrap(), 800);
        let query = ScrollQuery { selection, field: KeyField::Iter, order: Order::Ascending, limit: 150 };
        let setup = Setup { store: &store, company: "c".to_owned() };
        let pages = suite::paging::scroll_pages(&setup, &query).await;
        let found: Vec<_> = pages.concat().iter().map(|event| event.iter.unwrap()).collect();
        assert_eq!(found, (0..1200).filter(|index| index % 3 != 1).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn vectors_of_an_official_server_are_read() {
    in_sandbox(async |sandbox| {
        // There is no template for them there: names become texts.
        let index = format!("{}events-training_stats_vector-c", sandbox.prefix());
        let document = json!({
            "timestamp": 1_795_486_054_634_i64, "type": "training_stats_vector", "task": "97b3bcccb9744378aa9e52942d2af08e",
            "iter": 3, "metric": "layer one", "variant": "Weights", "value": [1.5, 2.5], "model_event": false,
            "@timestamp": "2026-11-24T02:07:34.978Z", "worker": "vm",
        });
        let (status, _) =
            sandbox.send(Method::Put, &format!("/{index}/_doc/1?refresh=true"), document.to_string()).await;
        assert_eq!(status, 201);
        let store = sandbox.connect().await;
        let task = "97b3bcccb9744378aa9e52942d2af08e";
        let mut other = event(EventType::Vector, task, "layer", "Weights", 4);
        other.fields.insert("value", vec![1.0]);
        store.append("c", vec![other, scalar(task, "layer one", "Weights", 9, 1.0)]).await.unwrap();

        let source = Source::new("c", task);
        for (kind, metrics) in [(Some(EventType::Vector), vec!["layer", "layer one"]), (None, vec!["layer", "layer one"])] {
            let listed = store.metric_variants(std::slice::from_ref(&source), kind).await.unwrap();
            assert_eq!(listed.iter().map(|entry| entry.metric.as_str()).collect::<Vec<_>>(), metrics);
            assert_eq!(store.metrics_with_iterations(&source, kind).await.unwrap(), metrics);
        }
        let one = only("layer one", &["Weights"]);
        let selection = Selection::new(source.clone(), EventType::Vector).metrics(one.clone());
        let query = ScrollQuery { selection, field: KeyField::Iter, order: Order::Ascending, limit: 10 };
        let events = store.scroll(&query, None).await.unwrap().events;
        assert_eq!(suite::places(&events), [("layer one", "Weights", 3)]);
        let any = Selection::new(source.clone(), None).metrics(one.clone());
        assert_eq!(store.count(&any, None).await.unwrap(), 2);
        let last = store.last_iterations(std::slice::from_ref(&source), None, &one, 5).await.unwrap();
        assert_eq!(last[0].iters, [9, 3]);
        assert_eq!(store.delete("c", &[task.to_owned()], Pace::Fast).await.unwrap(), 3);
    })
    .await;
}

fn fast() -> ElasticProbing {
    ElasticProbing { max_retries: 0, interval: Duration::ZERO }
}

async fn fake_store(answers: impl IntoIterator<Item = (u16, Value)>) -> (FakeNode, ElasticEvents) {
    let (node, address) = FakeNode::start(answers).await;
    let store = ElasticEvents::connect(settings_of(&[&address])).await.unwrap();
    (node, store)
}

fn refused(status: u16, kind: &str) -> Value {
    json!({"index": {"status": status, "error": {"type": kind, "reason": format!("a {kind}")}}})
}

#[tokio::test]
async fn a_busy_cluster_gets_the_rest_again() {
    let stored = json!({"index": {"status": 201}});
    let busy = refused(429, "es_rejected_execution_exception");
    let answers = [
        (429, json!({"error": {"type": "circuit_breaking_exception", "reason": "too much"}, "status": 429})),
        (200, json!({"errors": true, "items": [stored, busy, stored, busy]})),
        (200, json!({"errors": true, "items": [busy, refused(400, "document_parsing_exception")]})),
        (200, json!({"errors": false, "items": [stored]})),
    ];
    let (node, store) = fake_store(answers).await;
    let events = (0..4).map(|iter| scalar("t", "m", "v", iter, iter as f64)).collect();
    let Err(EventError::Rejected(rejected)) = store.append("c", events).await else { panic!("accepted") };
    assert_eq!((rejected.len(), rejected[0].place), (1, 3));
    let iterations = |body: &str| -> Vec<i64> {
        let documents = body.lines().skip(1).step_by(2);
        documents.map(|line| serde_json::from_str::<Value>(line).unwrap()["iter"].as_i64().unwrap()).collect()
    };
    let sent: Vec<_> = node.asked().iter().map(|(_, _, body)| iterations(body)).collect();
    assert_eq!(sent, [vec![0, 1, 2, 3], vec![0, 1, 2, 3], vec![1, 3], vec![1]]);
}

#[tokio::test]
async fn a_cluster_that_stays_busy_is_unavailable() {
    let busy =
        (429, json!({"error": {"type": "es_rejected_execution_exception", "reason": "full"}, "status": 429}));
    let (node, address) = FakeNode::start(vec![busy; 10]).await;
    let mut settings = settings_of(&[&address]);
    settings.bulk.max_retries = 2;
    let store = ElasticEvents::connect(settings).await.unwrap();
    let outcome = store.append("c", vec![scalar("t", "m", "v", 1, 1.0)]).await;
    assert!(matches!(outcome, Err(EventError::Unavailable(_))), "{outcome:?}");
    assert_eq!(node.asked().len(), 3);
}

#[tokio::test]
async fn a_full_disk_is_told() {
    let reason =
        "index [events-training_stats_scalar-c] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded];";
    let blocked =
        json!({"index": {"status": 429, "error": {"type": "cluster_block_exception", "reason": reason}}});
    let (node, store) = fake_store([(200, json!({"errors": true, "items": [blocked]}))]).await;
    let outcome = store.append("c", vec![scalar("t", "m", "v", 1, 1.0)]).await;
    let Err(EventError::DiskFull(reason)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(reason, "blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded];");
    assert_eq!(node.asked().len(), 1);
}

#[tokio::test]
async fn large_appends_are_cut_into_requests() {
    let (node, address) = FakeNode::start(vec![(200, json!({"errors": false})); 4]).await;
    let mut settings = settings_of(&[&address]);
    settings.bulk.max_events = 40;
    settings.bulk.max_bytes = 20_000;
    let store = ElasticEvents::connect(settings).await.unwrap();
    let mut events: Vec<_> = (0..60).map(|iter| scalar("t", "m", "v", iter, 1.0)).collect();
    events[50].fields.insert("extra", "x".repeat(30_000));
    store.append("c", events).await.unwrap();
    let sizes: Vec<_> = node.asked().iter().map(|(_, _, body)| body.lines().count() / 2).collect();
    assert_eq!(sizes, [40, 10, 1, 9]);
}

#[tokio::test]
async fn names_are_counted_where_buckets_would_be_too_many() {
    let too_many = json!({"status": 400, "error": {
        "type": "search_phase_execution_exception", "reason": "all shards failed",
        "caused_by": {"type": "too_many_buckets_exception", "reason": "Trying to create too many buckets."},
    }});
    let names =
        json!([{"key": "m", "doc_count": 1, "variants": {"buckets": [{"key": "v", "doc_count": 1}]}}]);
    let found =
        |aggregations: Value| (200, json!({"responses": [{"status": 200, "aggregations": aggregations}]}));
    let answers = [
        (200, json!({"responses": [too_many]})),
        found(json!({"metrics": {"value": 20}})),
        found(json!({"metrics": {"buckets": names}})),
    ];
    let (node, store) = fake_store(answers).await;
    let listed = store.metric_variants(&[Source::new("c", "t")], Some(EventType::Scalar)).await.unwrap();
    assert_eq!((listed.len(), listed[0].metric.as_str()), (1, "m"));
    let (_, _, last) = node.asked().pop().unwrap();
    let body: Value = serde_json::from_str(last.lines().nth(1).unwrap()).unwrap();
    let metrics = &body["aggs"]["metrics"];
    assert_eq!(
        (&metrics["terms"]["size"], &metrics["aggs"]["variants"]["terms"]["size"]),
        (&json!(20), &json!(400))
    );
}

#[tokio::test]
async fn another_node_takes_over() {
    let (_, address) = FakeNode::start(vec![(200, json!({"errors": false})); 6]).await;
    // Nobody listens there.
    let dead = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let store = ElasticEvents::connect(settings_of(&[&dead, &address])).await.unwrap();
    for iter in 0..6 {
        store.append("c", vec![scalar("t", "m", "v", iter, 1.0)]).await.unwrap();
    }
    let mut alone = settings_of(&[&dead]);
    alone.probing = fast();
    let Err(error) = ElasticEvents::connect(alone).await else { panic!("connected") };
    assert!(matches!(error, EventError::Unavailable(_)), "{error:?}");
}

#[tokio::test]
async fn a_silent_node_is_unavailable_after_the_time_out() {
    let (node, address) = FakeNode::start([]).await;
    let mut settings = settings_of(&[&address]);
    settings.events.timeout = Duration::from_millis(300);
    let store = ElasticEvents::connect(settings).await.unwrap();
    let outcome = store.count(&Selection::new(Source::new("c", "t"), EventType::Log), None).await;
    assert!(matches!(outcome, Err(EventError::Unavailable(_))), "{outcome:?}");
    // A slow question is not asked twice of the same node.
    assert_eq!(node.asked().len(), 1);
}
