//! Embedded stores with much in them.

use std::{fmt, path::Path};

use anyhow::Context;
use clearml_documents::{Bson, Collection, DateTime, Document, Write, doc};
use clearml_events::{Event, EventType, NameLimits, Number, Samples, WorkerSample};
use clearml_files::{FilePath, FileStore, LocalFiles};
use clearml_stores::Stores;

const COMPANY: &str = "d1bd92a3b039400cbafc60a7a5b1e52b";
const T0: i64 = 1_750_000_000_000;
/// Tasks written at once, with their events.
const TOGETHER: u64 = 20;
/// Samples of workers.
const SAMPLES: u64 = 100_000;

/// How much there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amount {
    pub(crate) tasks: u64,
    pub(crate) events: u64,
    pub(crate) files: u64,
}

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tasks, events, files } = self;
        write!(formatter, "{tasks} tasks, {events} events, {files} files, {SAMPLES} samples")
    }
}

/// Fills the stores of a data directory.
pub(crate) async fn fill(data: &Path, amount: Amount) -> anyhow::Result<()> {
    std::fs::create_dir_all(data)?;
    let stores = Stores::embedded(data, NameLimits::default())?;
    let others = [
        (Collection::Company, doc! {"_id": COMPANY, "name": "clearml"}),
        (Collection::Settings, doc! {"_id": "server.uuid", "value": "1b4e28ba-2fa1-11d2-883f-0016d3cca427"}),
        (Collection::User, doc! {"_id": "ada", "company": COMPANY, "name": "Ada"}),
        (Collection::AuthUser, doc! {"_id": "ada", "company": COMPANY, "email": "ada@example.com"}),
        (Collection::Project, doc! {"_id": "project", "company": COMPANY, "name": "project"}),
    ];
    for (collection, document) in others {
        stores.documents.write(collection, vec![Write::Insert(document)]).await?;
    }
    let mut first = 0;
    while first < amount.tasks {
        let numbers = first..(first + TOGETHER).min(amount.tasks);
        let tasks = numbers.clone().map(task).map(Write::Insert).collect();
        stores.documents.write(Collection::Task, tasks).await?;
        // The last task has what is left over.
        let share = |number: u64| amount.events * number / amount.tasks;
        let events = numbers.flat_map(|number| events(number, share(number + 1) - share(number))).collect();
        stores.events.append(COMPANY, events).await?;
        first += TOGETHER;
    }
    for first in (0..SAMPLES).step_by(5_000) {
        let samples = (first..first + 5_000).map(sample).collect();
        stores.statistics.add_samples(COMPANY, Samples::Workers(samples)).await?;
    }
    let files = LocalFiles::open(&data.join("files"))?;
    for number in 0..amount.files {
        let name = format!("project/task {number}.{}/artifacts/model/model {number}.pt", id(number));
        let path = FilePath::parse(&name).ok().context("no name of a file")?;
        let mut writer = files.create(&path).await?;
        let content: Vec<u8> = (0..number * 256).map(|place| (place ^ (place >> 8) ^ number) as u8).collect();
        writer.write(content.into()).await?;
        writer.finish().await?;
    }
    Ok(())
}

fn id(number: u64) -> String {
    format!("{number:032x}")
}

fn task(number: u64) -> Document {
    let time = DateTime::from_millis(T0 + number.cast_signed());
    let parameters: Document = (0..30)
        .map(|parameter| {
            let name = format!("parameter {parameter}");
            let value = doc! {"section": "Args", "name": &name, "value": format!("{}", number * parameter)};
            (name, Bson::from(value))
        })
        .collect();
    doc! {
        "_id": id(number), "company": COMPANY, "user": "ada", "project": "project", "name": format!("task {number}"),
        "type": "training", "status": "completed", "created": time, "last_update": time, "last_iteration": 100_i64,
        "hyperparams": {"Args": parameters}, "tags": ["a", "b"], "system_tags": [],
        "last_metrics": {"m": {"v": {"metric": "loss", "variant": "train", "value": 1.0 / (number + 1) as f64}}},
    }
}

/// A plot, an image, and of what is left four scalars for each line of the log.
fn events(number: u64, count: u64) -> impl Iterator<Item = Event> {
    let task = id(number);
    (0..count).map(move |place| {
        let kind = match place {
            0 => EventType::Plot,
            1 => EventType::Image,
            _ if place % 5 == 0 => EventType::Log,
            _ => EventType::Scalar,
        };
        let time = T0 + (number * 1_000 + place).cast_signed();
        let mut event = Event::new(kind, task.as_str(), time, time + 5);
        event.worker = Some("worker".to_owned());
        match kind {
            EventType::Scalar => {
                event.metric = "loss".into();
                event.variant = format!("variant {}", place % 5);
                event.iter = Some((place / 5).cast_signed());
                event.value = Some(Number::Float(1.0 / (number * 7 + place) as f64));
            }
            EventType::Log => {
                event
                    .fields
                    .insert("msg", format!("epoch {place}: loss {:.6}, all is well", 1.0 / place as f64));
                event.fields.insert("level", "INFO");
            }
            EventType::Plot => {
                event.metric = "figure".into();
                event.iter = Some(0);
                event.fields.insert("plot_str", format!("{{\"data\": [{}]}}", "0.125, ".repeat(200)));
            }
            _ => {
                event.metric = "image".into();
                event.iter = Some(0);
                event.url = Some(format!("http://127.0.0.1:8081/project/{task}/image.png"));
            }
        }
        event
    })
}

fn sample(number: u64) -> WorkerSample {
    WorkerSample {
        timestamp: T0 + (number / 4 * 1_000).cast_signed(),
        worker: format!("worker {}", number % 4),
        task: Some(id(number % 100)),
        category: "cpu".to_owned(),
        metric: "cpu_usage".to_owned(),
        variant: "total".to_owned(),
        value: (number % 1_000) as f64 / 7.0,
    }
}
