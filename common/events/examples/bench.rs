//! Measures an event store: `cargo run --release -p clearml-events --example bench [directory | url]`.
//!
//! With a url, for example `http://127.0.0.1:9200`, that of Elasticsearch, in indices of its own, which are deleted in
//! the end; otherwise the embedded one, in a folder below the directory. A number behind it divides the amount of
//! data, for small machines. Prints the rate of durable appends from 1, 4 and 16 writers with 1 000 scalars per call, and the latency of
//! histograms, raw pages and log pages over a million events.

use std::{sync::Arc, time::Instant};

use clearml_events::{
    ElasticCluster, ElasticEvents, ElasticSettings, EmbeddedEvents, Event, EventStore, EventType, KeyField,
    KeyQuery, MetricFilter, NameLimits, Number, Order, Pace, ScalarSampling, Selection, Source,
};

const BATCH: i64 = 1000;

fn scalars(task: &str, series: i64, first: i64, count: i64) -> Vec<Event> {
    let event = |index: i64| {
        let iter = first + index / series;
        let mut event = Event::new(EventType::Scalar, task, 1_700_000_000_000 + iter * 10, 1_700_000_000_000);
        event.metric = format!("metric {}", index % series / 5);
        event.variant = format!("variant {}", index % series % 5);
        event.worker = Some("machine:0".to_owned());
        event.iter = Some(iter);
        event.value = Some(Number::Float((iter as f64 * 0.01).sin()));
        event
    };
    (0..count).map(event).collect()
}

fn logs(task: &str, first: i64, count: i64) -> Vec<Event> {
    let event = |index: i64| {
        let mut event = Event::new(EventType::Log, task, 1_700_000_000_000 + (first + index) / 3, 0);
        event.worker = Some("machine:0".to_owned());
        event
            .fields
            .insert("msg", format!("step {} of many, loss is going down as it should", first + index));
        event.fields.insert("level", "info");
        event
    };
    (0..count).map(event).collect()
}

async fn append_rate(store: &Arc<dyn EventStore>, writers: i64, calls: i64, series: i64) {
    let start = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let store = Arc::clone(store);
            tokio::spawn(async move {
                let task = format!("rate-{writers}-{series}-{writer}");
                for call in 0..calls {
                    let events = scalars(&task, series, call * BATCH / series, BATCH);
                    store.append("company", events).await.expect("append");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("writer");
    }
    let rate = (writers * calls * BATCH) as f64 / start.elapsed().as_secs_f64();
    println!("append {writers:>2} writers, {series:>3} series each: {rate:>9.0} scalars/s");
}

async fn time<T, F: Future<Output = T>>(name: &str, mut call: impl FnMut() -> F) -> T {
    let mut best = f64::MAX;
    let mut last = None;
    for _ in 0..5 {
        let start = Instant::now();
        last = Some(call().await);
        best = best.min(start.elapsed().as_secs_f64() * 1e3);
    }
    println!("{name:<44} {best:>8.1} ms");
    last.expect("five runs")
}

#[tokio::main]
async fn main() {
    let place = std::env::args().nth(1);
    let part: i64 = std::env::args().nth(2).map_or(1, |part| part.parse().expect("a number"));
    if let Some(url) = place.filter(|place| place.starts_with("http")) {
        let prefix = format!("bench-{:08x}-", rand::random::<u32>());
        let settings = ElasticSettings {
            events: ElasticCluster { hosts: vec![url.clone()], ..ElasticCluster::default() },
            index_prefix: prefix.clone(),
            ..ElasticSettings::default()
        };
        measure(Arc::new(ElasticEvents::connect(settings).await.expect("connect")), part).await;
        clean_up(&url, &prefix).await;
    } else {
        let directory = std::env::args().nth(1).map_or_else(std::env::temp_dir, Into::into);
        let directory = tempfile::tempdir_in(directory).expect("temporary directory");
        let store = EmbeddedEvents::open(directory.path(), NameLimits::default()).expect("open");
        measure(Arc::new(store), part).await;
    }
}

async fn clean_up(url: &str, prefix: &str) {
    use elasticsearch::http::{Method, headers::HeaderMap, transport::Transport};

    let transport = Transport::single_node(url).expect("a url");
    let kinds = EventType::ALL.map(|kind| format!("/{prefix}events-{kind}-company?ignore_unavailable=true"));
    let templates = ["_index_template", "_component_template"].map(|kind| format!("/{kind}/{prefix}*"));
    for path in kinds.iter().chain(&templates) {
        let deletion =
            transport.send(Method::Delete, path, HeaderMap::new(), None::<&()>, None::<&str>, None);
        if let Err(error) = deletion.await {
            eprintln!("failed to delete {path}: {error}");
        }
    }
}

async fn measure(store: Arc<dyn EventStore>, part: i64) {
    for series in [10, 100] {
        append_rate(&store, 1, 200 / part, series).await;
        append_rate(&store, 4, 100 / part, series).await;
        append_rate(&store, 16, 50 / part, series).await;
    }

    for (task, series) in [("one", 1), ("ten", 10)] {
        for call in 0..1000 / part {
            let events = scalars(task, series, call * BATCH / series, BATCH);
            store.append("company", events).await.expect("append");
        }
        let source = Source::new("company", task);
        for field in [KeyField::Iter, KeyField::Timestamp] {
            let query =
                ScalarSampling { source: source.clone(), metrics: MetricFilter::all(), field, samples: 2000 };
            let name = format!("histogram of {}k points, {series} series, {field:?}", 1000 / part);
            let sampled = time(&name, || store.sample_scalars(query.clone())).await.expect("sample");
            assert_eq!(sampled.len() as i64, series);
            let query = KeyQuery {
                source: source.clone(),
                event_type: Some(EventType::Scalar),
                metrics: MetricFilter::all(),
                field,
                order: Order::Ascending,
                limit: 10_000,
                after: None,
            };
            let name = format!("page of 10k scalars, {series} series, {field:?}");
            time(&name, || store.key_page(query.clone())).await.expect("page");
        }
        let selection = Selection::new(source, EventType::Scalar);
        time("exact count of all", || store.count(&selection, None)).await.expect("count");
    }

    for call in 0..300 / part {
        store.append("company", logs("log", call * BATCH, BATCH)).await.expect("append");
    }
    let query = KeyQuery {
        source: Source::new("company", "log"),
        event_type: Some(EventType::Log),
        metrics: MetricFilter::all(),
        field: KeyField::Timestamp,
        order: Order::Descending,
        limit: 5000,
        after: None,
    };
    time("last 5 000 log events", || store.key_page(query.clone())).await.expect("page");

    let start = Instant::now();
    let deleted = store.delete("company", &["one".to_owned()], Pace::Fast).await.expect("delete");
    println!("deleted {deleted} events in {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
}
