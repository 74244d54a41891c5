//! The data of an official server 2.3, as it was dumped, read through the store.
//!
//! `CLEARML_COMPAT_DATA` names the folder of the dump.

use std::{collections::BTreeMap, io::Read, path::PathBuf};

use bson::Document;
use clearml_events::{
    BucketRange, Event, EventStore, EventType, KeyField, MetricFilter, Order, ScalarSampling, ScrollQuery,
    Selection, ServingAggregate, ServingField, ServingQuery, Source, StatisticsStore, UrlKind, Window,
    WindowKind, WorkerStatsQuery,
};
use elasticsearch::http::Method;
use flate2::read::GzDecoder;
use serde_json::{Map, Value, json};

use super::{Sandbox, in_sandbox};
use crate::suite::{self, Setup, reference::Reference};

const COMPANY: &str = "d1bd92a3b039400cbafc60a7a5b1e52b";

fn dump() -> Option<PathBuf> {
    let folder = std::env::var_os("CLEARML_COMPAT_DATA").map(|folder| PathBuf::from(folder).join("elastic"));
    if folder.is_none() {
        println!("skipped: CLEARML_COMPAT_DATA is not set");
    }
    folder
}

fn read_json(path: PathBuf) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The documents of an index: id and source.
fn documents(folder: &std::path::Path, index: &str) -> Vec<(String, Value)> {
    let file = std::fs::File::open(folder.join(format!("{index}.ndjson.gz"))).unwrap();
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let line = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        (line["_id"].as_str().unwrap().to_owned(), line["_source"].take())
    };
    text.lines().map(line).collect()
}

/// Makes an index as it was and fills it.
async fn load(sandbox: &Sandbox, folder: &std::path::Path, index: &str) -> Vec<(String, Value)> {
    let documents = documents(folder, index);
    let form = read_json(folder.join(format!("{index}.index.json")));
    let name = format!("{}{index}", sandbox.prefix());
    let body = json!({
        "mappings": form["mappings"],
        "settings": {"index": {"number_of_shards": 1, "number_of_replicas": 0}},
    });
    let (status, answer) = sandbox.send(Method::Put, &format!("/{name}"), body.to_string()).await;
    assert_eq!(status, 200, "{answer}");
    for chunk in documents.chunks(5000) {
        let mut lines = String::new();
        for (id, source) in chunk {
            lines += &format!("{}\n{source}\n", json!({"index": {"_id": id}}));
        }
        let (_, answer) = sandbox.send(Method::Post, &format!("/{name}/_bulk?refresh=true"), lines).await;
        assert_eq!(answer["errors"], json!(false));
    }
    documents
}

fn index_of(kind: EventType) -> String {
    format!("events-{kind}-{COMPANY}")
}

/// An event as the store should give it.
fn event(source: &Value) -> Event {
    Event::try_from(document(source)).unwrap()
}

fn document(source: &Value) -> Document {
    let value = |value: &Value| -> bson::Bson { to_bson(value) };
    source.as_object().unwrap().iter().map(|(name, found)| (name.clone(), value(found))).collect()
}

fn to_bson(value: &Value) -> bson::Bson {
    match value {
        Value::Number(number) if number.is_i64() => number.as_i64().unwrap().into(),
        Value::Number(number) => number.as_f64().unwrap().into(),
        Value::Array(items) => items.iter().map(to_bson).collect::<Vec<_>>().into(),
        Value::Object(_) => document(value).into(),
        Value::String(text) => text.as_str().into(),
        Value::Bool(value) => (*value).into(),
        Value::Null => bson::Bson::Null,
    }
}

#[tokio::test]
async fn templates_are_the_official_ones() {
    let Some(folder) = dump() else { return };
    in_sandbox(async |sandbox| {
        sandbox.connect().await;
        let prefix = sandbox.prefix();
        let official = |file: &str, key: &str| -> Map<String, Value> {
            let templates = read_json(folder.join(file)).as_array().unwrap().clone();
            templates
                .iter()
                .map(|entry| (entry["name"].as_str().unwrap().to_owned(), entry[key].clone()))
                .collect()
        };
        let ours = async |path: &str, list: &str, key: &str| -> Map<String, Value> {
            let (_, answer) = sandbox.send(Method::Get, &format!("/{path}/{prefix}*"), "").await;
            // Without the prefix, wherever it stands.
            let answer: Value = serde_json::from_str(&answer.to_string().replace(prefix, "")).unwrap();
            let entries = answer[list].as_array().unwrap().iter();
            entries.map(|entry| (entry["name"].as_str().unwrap().to_owned(), entry[key].clone())).collect()
        };
        let components = ours("_component_template", "component_templates", "component_template").await;
        assert_eq!(components, official("component_templates.json", "component_template"));
        let mut indices = ours("_index_template", "index_templates", "index_template").await;
        let vectors = indices.remove("events_training_stats_vector").unwrap();
        assert_eq!(vectors["index_patterns"], json!(["events-training_stats_vector-*"]));
        assert_eq!(indices, official("index_templates.json", "index_template"));

        // Put again they are left alone; legacy ones go.
        let legacy = json!({"index_patterns": [format!("{prefix}nothing-*")]}).to_string();
        sandbox.send(Method::Put, &format!("/_template/{prefix}events_log"), legacy).await;
        assert!(!sandbox.connect().await.was_empty());
        let (_, answer) = sandbox.send(Method::Get, &format!("/_template/{prefix}*"), "").await;
        assert_eq!(answer, json!({}));
    })
    .await;
}

#[tokio::test]
async fn events_are_read_as_they_were_stored() {
    let Some(folder) = dump() else { return };
    in_sandbox(async |sandbox| {
        let mut stored: BTreeMap<EventType, Vec<Event>> = BTreeMap::new();
        for kind in EventType::ALL {
            let documents = load(sandbox, &folder, &index_of(kind)).await;
            stored.insert(kind, documents.iter().map(|(_, source)| event(source)).collect());
        }
        let store = sandbox.connect().await;
        let setup = Setup { store: &store, company: COMPANY.to_owned() };

        for (kind, events) in &stored {
            let tasks: std::collections::BTreeSet<&str> =
                events.iter().map(|event| event.task.as_str()).collect();
            let sources = tasks.iter().map(|task| Source::new(COMPANY, *task)).collect::<Vec<_>>();
            let query = ScrollQuery {
                selection: Selection::of(sources, *kind),
                field: KeyField::Timestamp,
                order: Order::Ascending,
                limit: 9000,
            };
            let found = suite::paging::scroll_pages(&setup, &query).await.concat();
            let mut expected = events.clone();
            expected.sort_by_key(|event| event.timestamp);
            assert!(found == expected, "{kind}");
            // The same events get the same ids.
            if *kind != EventType::Log && !events.is_empty() {
                store.append(COMPANY, events.iter().take(500).cloned().collect()).await.unwrap();
                assert_eq!(store.count(&query.selection, None).await.unwrap(), events.len() as u64, "{kind}");
            }
        }
        histograms(&setup, stored.remove(&EventType::Scalar).unwrap()).await;
        windows(&setup, stored.remove(&EventType::Image).unwrap(), WindowKind::Images).await;
        windows(&setup, stored.remove(&EventType::Plot).unwrap(), WindowKind::Plots).await;
        let urls = store.urls(COMPANY, &["none".to_owned()], UrlKind::Images, None, 10).await.unwrap();
        assert_eq!(urls.urls, [""; 0]);
    })
    .await;
}

async fn histograms(setup: &Setup<'_>, events: Vec<Event>) {
    let mut tasks: BTreeMap<String, Reference> = BTreeMap::new();
    for event in events {
        tasks.entry(event.task.clone()).or_default().events.push(event);
    }
    assert!(tasks.len() > 5);
    for (task, reference) in &tasks {
        for (field, samples) in [(KeyField::Iter, 30), (KeyField::Timestamp, 200)] {
            let source = setup.source(task);
            let metrics = MetricFilter::all();
            let expected = reference.histogram(task, &metrics, field, samples);
            let found =
                setup.store.sample_scalars(ScalarSampling { source, metrics, field, samples }).await.unwrap();
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                assert_eq!(
                    (&found.metric, &found.variant, &found.x),
                    (&expected.metric, &expected.variant, &expected.x)
                );
                for (found, expected) in found.y.iter().zip(&expected.y) {
                    let (found, expected) = (found.unwrap(), expected.unwrap());
                    assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{found} {expected}");
                }
            }
        }
    }
}

async fn windows(setup: &Setup<'_>, events: Vec<Event>, kind: WindowKind) {
    let task = events[0].task.clone();
    let reference = Reference { events };
    let states = setup.store.metric_states(&setup.source(&task), kind, &MetricFilter::all()).await.unwrap();
    assert!(!states.is_empty());
    let metrics: Vec<String> = states.into_iter().map(|state| state.metric).collect();
    let query = Window {
        source: setup.source(&task),
        kind,
        metrics: metrics.clone(),
        order: Order::Descending,
        beyond: None,
        iters: 4,
    };
    let found = setup.store.window(&query).await.unwrap();
    assert_eq!(found, reference.window(&task, kind, &metrics, Order::Descending, None, 4));
}

#[tokio::test]
async fn statistics_are_read_as_they_were_stored() {
    let Some(folder) = dump() else { return };
    in_sandbox(async |sandbox| {
        let mut stored = Vec::new();
        for kind in ["worker_stats", "queue_metrics", "serving_stats"] {
            stored.push(load(sandbox, &folder, &format!("{kind}_{COMPANY}_2026-11")).await);
        }
        let store = sandbox.connect().await;
        let times = |documents: &[(String, Value)]| {
            let times = documents.iter().map(|(_, source)| source["timestamp"].as_i64().unwrap());
            BucketRange { from: times.clone().min().unwrap(), to: times.max().unwrap(), interval: 60_000 }
        };
        let keys = store.worker_metric_keys(COMPANY, &[]).await.unwrap();
        assert!(
            keys.iter().any(|keys| keys.name == "cpu" && keys.metric_keys.contains(&"cpu_usage".to_owned()))
        );
        let query = WorkerStatsQuery {
            range: times(&stored[0]),
            metrics: vec!["cpu_usage".to_owned()],
            workers: Vec::new(),
            split_by_variant: true,
        };
        assert!(!store.worker_series(COMPANY, &query).await.unwrap().is_empty());
        let activity = store.worker_activity(COMPANY, query.range).await.unwrap().unwrap();
        assert!(activity.iter().any(|bucket| bucket.active > 0));
        // A fine grid is sampled in slices; the sums agree.
        let fine = WorkerStatsQuery { range: BucketRange { interval: 1000, ..query.range }, ..query };
        let series = store.worker_series(COMPANY, &fine).await.unwrap();
        let distinct = stored[0].iter().filter(|(_, source)| source["metric"] == "cpu_usage").count();
        assert!(series.iter().map(|series| series.buckets.len()).sum::<usize>() <= distinct);

        let queues = store.queue_buckets(COMPANY, times(&stored[1]), &[]).await.unwrap().unwrap();
        assert!(!queues.is_empty());
        let serving = ServingQuery {
            endpoint_url: "http://serving.example/webtour".to_owned(),
            range: times(&stored[2]),
            field: ServingField::RequestsNum,
            aggregate: ServingAggregate::Maximum,
        };
        let history = store.serving_buckets(COMPANY, &serving).await.unwrap();
        let containers: usize = history.iter().map(|bucket| bucket.containers.len()).sum();
        assert_eq!(containers, 2);
    })
    .await;
}
