//! A data directory with very many tasks: filled through the store, which is faster than the API, while no server
//! runs on it.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::Context;
use clearml_documents::{
    Bson, Collection, DateTime, Document, DocumentStore, Filter, Find, SqliteStore, Write, doc,
};
use clearml_driver::{Credentials, DataDir};
use serde_json::{Value, json};

use super::Size;

/// Tasks of the one large project.
pub(super) const LARGE_PROJECT_TASKS: usize = 10_000;

/// Documents in one transaction.
const BATCH: usize = 2_000;

/// The time of the oldest task, in milliseconds.
const START: i64 = 1_700_000_000_000;

/// The data directory in the folder, loaded if it is not yet; or one that is thrown away.
pub(super) async fn data_directory(
    binary: &Path,
    size: Size,
    folder: Option<PathBuf>,
) -> anyhow::Result<DataDir> {
    let Some(folder) = folder else {
        let mut data = DataDir::beside(binary)?;
        load(binary, size, &mut data).await?;
        return Ok(data);
    };
    let notes = folder.join("bench.json");
    if let Ok(text) = std::fs::read_to_string(&notes) {
        let known: Value = serde_json::from_str(&text)?;
        let (tasks, projects) = (known["tasks"].as_u64(), known["projects"].as_u64());
        anyhow::ensure!(
            tasks == Some(size.tasks as u64) && projects == Some(size.projects as u64),
            "{} holds other numbers of tasks and projects",
            folder.display()
        );
        let text = |name: &str| known[name].as_str().unwrap_or_default().to_owned();
        let credentials = Credentials { key: text("key"), secret: text("secret") };
        return DataDir::kept(folder, Some(credentials));
    }
    let mut data = DataDir::kept(folder, None)?;
    load(binary, size, &mut data).await?;
    let pair = data.credentials.as_ref().context("the server printed no key pair")?;
    let known =
        json!({"tasks": size.tasks, "projects": size.projects, "key": pair.key, "secret": pair.secret});
    std::fs::write(notes, known.to_string())?;
    Ok(data)
}

async fn load(binary: &Path, size: Size, data: &mut DataDir) -> anyhow::Result<()> {
    // A first start makes the company and the user.
    drop(data.start(binary).await?);
    let loading = Instant::now();
    let store = SqliteStore::open(data.path())?;
    let any_id = async |collection| {
        let mut found = store.find(collection, Find::new(Filter::Everything).limit(1)).await?;
        let id = found.pop().and_then(|document| document.get_str("_id").ok().map(ToOwned::to_owned));
        id.context("the server made none")
    };
    let owner = Owner { company: any_id(Collection::Company).await?, user: any_id(Collection::User).await? };
    let projects = (0..size.projects).map(|number| Write::Insert(owner.project(number, size)));
    store.write(Collection::Project, projects.collect()).await?;
    for first in (0..size.tasks).step_by(BATCH) {
        let numbers = first..(first + BATCH).min(size.tasks);
        let writes = numbers.map(|number| Write::Insert(owner.task(number, size))).collect();
        store.write(Collection::Task, writes).await?;
        print!("\r{first} tasks");
        std::io::stdout().flush()?;
    }
    let seconds = loading.elapsed().as_secs_f64();
    println!("\rloaded {} tasks: {:.0} tasks/s through the store", size.tasks, size.tasks as f64 / seconds);
    store.ping().await?;
    Ok(())
}

/// Whose documents these are.
struct Owner {
    company: String,
    user: String,
}

impl Owner {
    /// Half of the projects lie at the top, each with one below; the first one is the large one.
    fn project(&self, number: usize, size: Size) -> Document {
        let top = size.projects.div_ceil(2);
        let updated = DateTime::from_millis(START + (number * 7_919 % size.projects) as i64 * 1000);
        let (basename, parent) = match number.checked_sub(top) {
            None => (format!("project {number}"), None),
            Some(above) => ("part".to_owned(), Some(above)),
        };
        let name = parent.map_or_else(|| basename.clone(), |above| format!("project {above}/{basename}"));
        let path: Vec<String> = parent.map(project_id).into_iter().collect();
        let mut project = doc! {
            "_id": project_id(number), "company": &self.company, "user": &self.user, "name": name,
            "basename": basename, "description": "", "created": updated, "last_update": updated, "tags": [],
            "system_tags": [], "path": path, "featured": 9999,
        };
        if let Some(above) = parent {
            project.insert("parent", project_id(above));
        }
        project
    }

    fn task(&self, number: usize, size: Size) -> Document {
        let statuses = ["created", "completed", "completed", "failed", "stopped", "published", "in_progress"];
        let kinds = ["training", "testing", "inference", "data_processing"];
        let project = match number.checked_sub(LARGE_PROJECT_TASKS) {
            None => 0,
            Some(other) => 1 + other % (size.projects - 1),
        };
        // Neighbours in the file are no neighbours in time.
        let created = START + (number * 7_919 % size.tasks) as i64 * 60_000;
        let date = |seconds: i64| DateTime::from_millis(created + seconds * 1000);
        let rate = format!("0.{:03}", number % 1000);
        let parameter =
            |name: &str, value: &str| doc! {"section": "Args", "name": name, "value": value, "type": "float"};
        let mut task = doc! {
            "_id": task_id(number), "company": &self.company, "user": &self.user,
            "name": format!("run {number} adam lr={rate}"),
            "type": kinds[number / 7 % kinds.len()], "status": statuses[number % statuses.len()],
            "status_changed": date(10), "comment": "Auto-generated at 2026-01-01 12:00:00 by somebody@somewhere",
            "created": date(0), "started": date(5), "last_update": date(1000), "last_change": date(1000),
            "project": project_id(project),
            "tags": [format!("seed-{}", number % 7), "sweep"],
            "system_tags": if number.is_multiple_of(10) { vec!["archived"] } else { vec![] },
            "script": {
                "binary": "python", "repository": "https://example.com/team/repository.git", "entry_point": "train.py",
                "working_dir": ".", "branch": "main", "version_num": task_id(number / 100),
                "requirements": {"pip": "numpy==1.26.0\ntorch==2.1.0\nclearml==1.13.2\n".repeat(8)},
            },
            "execution": {"queue": "", "parameters": {}, "artifacts": {}},
            "hyperparams": {"Args": {
                "lr": parameter("lr", &rate), "epochs": parameter("epochs", "90"),
                "batch": parameter("batch", "256"), "decay": parameter("decay", "0.01"),
            }},
            "configuration": {}, "runtime": {"progress": "0"},
            "models": {"input": [], "output": []},
            "last_worker": "worker:gpu0", "last_iteration": (number % 1000) as i64,
            "last_metrics": metrics(number),
        };
        if !number.is_multiple_of(7) {
            task.insert("completed", date(900));
            task.insert("active_duration", 895_i64);
        }
        task
    }
}

/// Metrics as clients report them: two with three series each, and a rare one.
fn metrics(number: usize) -> Document {
    let value_of = |metric: &str, variant: usize| {
        let value = (number * 7_919 % 100_003 + variant) as f64 / 7.0;
        doc! {
            "metric": metric, "variant": format!("series {variant}"), "value": value, "min_value": value - 1.0,
            "min_value_iteration": 3_i64, "max_value": value + 1.0, "max_value_iteration": 9_i64,
            "first_value": 0.5, "first_value_iteration": 0_i64, "count": 100_i64, "mean_value": value,
        }
    };
    let mut metrics = Document::new();
    for metric in ["loss", "accuracy"] {
        let series: Document =
            (0..3).map(|variant| (key(variant), Bson::from(value_of(metric, variant)))).collect();
        metrics.insert(metric_key(metric), series);
    }
    if number.is_multiple_of(50) {
        metrics.insert(metric_key("rare"), doc! {key(0): value_of("rare", 0)});
    }
    metrics
}

/// The path of a metric's last value.
pub(super) fn metric_path(metric: &str) -> String {
    format!("last_metrics.{}.{}.value", metric_key(metric), key(1))
}

/// Keys are as long as the hashes that real ones are.
fn metric_key(metric: &str) -> String {
    format!("{metric:f<32}")
}

fn key(variant: usize) -> String {
    format!("{:032x}", variant as u128 + (1 << 120))
}

fn task_id(number: usize) -> String {
    format!("{:032x}", (number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

/// The id of a project by its number.
pub(super) fn project_id(number: usize) -> String {
    format!("{:032x}", (number as u128 + 1).wrapping_mul(0x2545_f491_4f6c_dd1d_9e37_79b9_7f4a_7c15))
}

/// The id of a task by its number.
pub(super) fn known_task(number: usize) -> String {
    task_id(number)
}
