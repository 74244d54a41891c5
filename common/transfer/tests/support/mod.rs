//! Stores with something of everything in them.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bson::{Bson, DateTime, doc};
use bytes::Bytes;
use clearml_documents::{Collection, DocumentStoreExt, Filter, SqliteStore};
use clearml_events::{
    EmbeddedEvents, Event, EventType, NameLimits, Number, QueueSample, Samples, ServingSample, WorkerSample,
};
use clearml_files::{FilePath, LocalFiles};
use clearml_transfer::{Archive, Progress, Stores, export, import};

pub(crate) const TASKS: i64 = 130;
/// Of a task.
pub(crate) const EVENTS: i64 = 42;
pub(crate) const COMPANY: &str = "d1bd92a3b039400cbafc60a7a5b1e52b";
const T0: i64 = 1_700_000_000_000;

/// The embedded stores in a folder.
pub(crate) fn embedded(folder: &Path) -> Stores {
    std::fs::create_dir_all(folder).unwrap();
    let events = Arc::new(EmbeddedEvents::open(folder, NameLimits::default()).unwrap());
    Stores {
        documents: Arc::new(SqliteStore::open(folder).unwrap()),
        statistics: events.clone(),
        events,
        files: Arc::new(LocalFiles::open(&folder.join("files")).unwrap()),
    }
}

/// Puts something of everything into stores.
pub(crate) async fn fill(stores: &Stores) {
    let settings = [
        (Collection::Company, doc! {"_id": COMPANY, "name": "clearml"}),
        (Collection::Settings, doc! {"_id": "server.uuid", "value": "1b4e28ba-2fa1-11d2-883f-0016d3cca427"}),
        (Collection::Versions, doc! {"_id": "v", "num": "1.9.0", "created": DateTime::from_millis(5)}),
        (
            Collection::User,
            doc! {"_id": "u", "company": COMPANY, "name": "Ada", "preferences": {"a": {"b": [1, 2.5]}}},
        ),
        (
            Collection::AuthUser,
            doc! {
                "_id": "u", "company": COMPANY, "email": "a@b", "credentials": [{"key": "k", "secret": "s"}],
            },
        ),
        (Collection::AuthUser, doc! {"_id": "w", "company": COMPANY, "email": "c@d"}),
        (Collection::Project, doc! {"_id": "p", "company": COMPANY, "name": "a/b", "path": ["q"]}),
        (Collection::Queue, doc! {"_id": "q", "company": COMPANY, "name": "default", "entries": []}),
        (Collection::TaskTrash, doc! {"_id": "gone", "company": COMPANY}),
    ];
    for (collection, document) in settings {
        stores.documents.insert(collection, document).await.unwrap();
    }
    for number in 0..TASKS {
        fill_task(stores, number).await;
    }
    let model =
        doc! {"_id": "m", "company": "", "company_origin": COMPANY, "name": "Public", "uri": "s3://a/b"};
    stores.documents.insert(Collection::Model, model).await.unwrap();
    let mut event = Event::new(EventType::Scalar, "m", T0, T0);
    event.model_event = true;
    stores.events.append(COMPANY, vec![event]).await.unwrap();
    fill_statistics(stores).await;
}

async fn fill_statistics(stores: &Stores) {
    let worker = |value| WorkerSample {
        timestamp: T0,
        worker: "worker".to_owned(),
        task: None,
        category: "cpu".to_owned(),
        metric: "cpu_usage".to_owned(),
        variant: "total".to_owned(),
        value,
    };
    // Equal ones count.
    let workers = vec![worker(0.1), worker(0.1), worker(7.0), worker(0.1), worker(1.0 / 3.0)];
    let queue =
        QueueSample { timestamp: T0, queue: "queue".to_owned(), average_waiting_time: 1.5, queue_length: 3 };
    let serving = |cpu_usage| ServingSample {
        timestamp: T0,
        container_id: "container".to_owned(),
        endpoint_url: "http://a".to_owned(),
        cpu_usage,
        ..ServingSample::default()
    };
    let serving = vec![serving(Some(0.3)), serving(None)];
    for samples in [Samples::Workers(workers), Samples::Queues(vec![queue]), Samples::Serving(serving)] {
        stores.statistics.add_samples(COMPANY, samples).await.unwrap();
    }
}

async fn fill_task(stores: &Stores, number: i64) {
    let id = format!("{number:032x}");
    let task = doc! {
        "_id": &id, "company": COMPANY, "name": format!("Task {number} ☃"), "type": "training",
        "created": DateTime::from_millis(number), "last_iteration": number as i32, "active_duration": number,
        "last_metrics": {"z": {"b": {"value": 0.1 + number as f64}}, "a": {}}, "comment": Bson::Null,
        "execution": {"parameters": {"x%2Ey": "$1"}, "artifacts": []},
    };
    stores.documents.insert(Collection::Task, task).await.unwrap();
    let event = |kind| Event::new(kind, id.as_str(), T0, T0);
    let mut events = Vec::new();
    for iteration in 0..20 {
        let mut scalar = event(EventType::Scalar);
        scalar.timestamp += iteration;
        scalar.metric = "loss".into();
        scalar.variant = "train".into();
        scalar.iter = Some(iteration);
        scalar.value = Some(Number::Float(0.1 * iteration as f64));
        events.push(scalar);
        let mut log = event(EventType::Log);
        log.fields.insert("msg", if iteration < 2 { "twice".to_owned() } else { format!("{iteration}\n☃") });
        events.push(log);
    }
    let mut plot = event(EventType::Plot);
    plot.metric = "figure".into();
    plot.iter = Some(1);
    plot.fields.insert("plot_str", "{\"data\": []}");
    plot.fields.insert("odd", doc! {"$date": [0.1, 2.5, Bson::Null]});
    events.push(plot);
    let mut image = event(EventType::Image);
    image.metric = "image".into();
    image.url = Some("http://files/a.png".to_owned());
    image.key = Some("key".to_owned());
    events.push(image);
    assert_eq!(events.len() as i64, EVENTS);
    stores.events.append(COMPANY, events).await.unwrap();
    let path = FilePath::parse(&format!("project/task {number}.{id}/a%20b ä.txt")).unwrap();
    let mut writer = stores.files.create(&path).await.unwrap();
    writer.write(Bytes::from(vec![number as u8; number as usize * 1000])).await.unwrap();
    writer.finish().await.unwrap();
}

/// Does not tell anybody.
pub(crate) fn silent(_: Progress) {}

/// Exports everything.
pub(crate) async fn exported(stores: &Stores, folder: &Path) -> Archive {
    export(stores, folder, "archive", "1.0.0", &silent).await.unwrap()
}

/// Imports everything.
pub(crate) async fn imported(stores: &Stores, folder: &Path) {
    assert_eq!(import(stores, folder, &silent).await.unwrap().rejected, 0);
}

/// Waits for what interrupted work has left to the writers of embedded stores, as the end of a process would.
pub(crate) async fn settle(stores: &Stores) {
    let none = Filter::id("nobody");
    stores.documents.delete(Collection::Settings, none).await.unwrap();
    let sample =
        QueueSample { timestamp: T0, queue: "queue".to_owned(), average_waiting_time: 0.0, queue_length: 0 };
    stores.statistics.add_samples("nobody", Samples::Queues(vec![sample])).await.unwrap();
}

/// Drops the work after so many reports of progress; `None`: it was not done by then.
pub(crate) async fn interrupted<T>(
    after: usize,
    work: impl AsyncFnOnce(&(dyn Fn(Progress) + Send + Sync)) -> T,
) -> Option<T> {
    let reports = AtomicUsize::new(0);
    let stop = tokio::sync::Notify::new();
    let watcher = |_: Progress| {
        if reports.fetch_add(1, Ordering::Relaxed) + 1 >= after {
            stop.notify_one();
        }
    };
    tokio::select! {
        biased;
        () = stop.notified() => None,
        done = work(&watcher) => Some(done),
    }
}
