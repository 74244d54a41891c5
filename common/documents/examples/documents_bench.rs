//! Speed of the document stores on 100 000 tasks:
//! `cargo run --release --example documents_bench -p clearml-documents [tasks]`.
//! The embedded one always; MongoDB, in databases of its own, where `CLEARML_MONGODB_URL` is set.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use clearml_documents::{
    Accumulator, Bson, Change, Collection, DateTime, Document, DocumentStore, DocumentStoreExt, Filter, Find,
    GroupBy, GroupKey, MongoSettings, MongoStore, Projection, Returned, Sort, SqliteStore, StoreError,
    StoreResult, Write, doc,
};

const PROJECTS: usize = 200;
const PAGE_FIELDS: &[&str] = &[
    "name",
    "type",
    "status",
    "project",
    "user",
    "tags",
    "system_tags",
    "last_update",
    "started",
    "last_iteration",
    "parent",
    "comment",
    "active_duration",
    "last_metrics",
    "hyperparams.Args.lr",
];

type Store = Arc<dyn DocumentStore>;

#[tokio::main]
async fn main() -> StoreResult<()> {
    let tasks: usize = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(100_000);
    embedded(tasks).await?;
    match std::env::var("CLEARML_MONGODB_URL") {
        Ok(url) => mongo(url, tasks).await,
        Err(_) => Ok(()),
    }
}

async fn mongo(url: String, tasks: usize) -> StoreResult<()> {
    println!("\nMongoDB");
    let name = format!("clearml_bench_{}", std::process::id());
    let settings = MongoSettings {
        backend_uri: url.clone(),
        auth_uri: url.clone(),
        backend_database: format!("{name}_backend"),
        auth_database: format!("{name}_auth"),
        ..MongoSettings::default()
    };
    let store = MongoStore::connect(settings).await?;
    store.ensure_indexes().await?;
    let store: Store = Arc::new(store);
    let result = all(&store, tasks).await;
    let failed = |error: mongodb::error::Error| StoreError::Backend(error.to_string());
    let client = mongodb::Client::with_uri_str(url).await.map_err(failed)?;
    for database in ["backend", "auth"] {
        client.database(&format!("{name}_{database}")).drop().await.map_err(failed)?;
    }
    result
}

async fn all(store: &Store, tasks: usize) -> StoreResult<()> {
    load(store, tasks).await?;
    reads(store, tasks).await?;
    println!("  resident {} MB", resident_megabytes());
    writes(store).await
}

async fn embedded(tasks: usize) -> StoreResult<()> {
    println!("SQLite");
    let directory = tempfile::tempdir().map_err(|error| StoreError::Backend(error.to_string()))?;
    let store = SqliteStore::open(directory.path())?;
    store.ping().await?;
    println!("empty, resident {} MB", resident_megabytes());
    let store: Store = Arc::new(store);
    all(&store, tasks).await?;
    let bytes = |name: &str| std::fs::metadata(directory.path().join(name)).map_or(0, |file| file.len());
    println!("file {} MB, resident {} MB", bytes("documents.sqlite") >> 20, resident_megabytes());
    drop(store);
    let start = Instant::now();
    let store = SqliteStore::open(directory.path())?;
    println!("open {:?}", start.elapsed());
    store.ping().await
}

async fn load(store: &Store, tasks: usize) -> StoreResult<()> {
    let start = Instant::now();
    for first in (0..tasks).step_by(500) {
        let writes = (first..(first + 500).min(tasks)).map(|number| Write::Insert(task(number))).collect();
        store.write(Collection::Task, writes).await?;
    }
    let size = task(1).to_vec().map_or(0, |bytes| bytes.len());
    report_rate("load in batches of 500", tasks, start.elapsed());
    println!("  a task has {size} bytes, resident {} MB", resident_megabytes());
    Ok(())
}

fn visible() -> Filter {
    Filter::is_in("company", ["company", ""]).and(Filter::ne("system_tags", "hidden"))
}

fn page(filter: Filter, sort: Sort) -> Find {
    let fields = PAGE_FIELDS.iter().map(|field| (*field).to_owned()).collect();
    let find = Find { projection: Projection::Include(fields), ..Find::new(filter) };
    find.sort(sort).sort(Sort::ascending("_id")).limit(15)
}

async fn reads(store: &Store, tasks: usize) -> StoreResult<()> {
    let newest = || Sort::descending("last_update");
    let active = || visible().and(Filter::ne("system_tags", "archived"));
    let project = || active().and(Filter::eq("project", project_id(7)));
    let find = |find: Find| move || store.find(Collection::Task, find.clone());
    report("first page, 15 of all, newest", find(page(active(), newest()))).await?;
    report("first page, 500 of all, newest", find(page(active(), newest()).limit(500))).await?;
    let whole = Find::new(active()).sort(newest()).sort(Sort::ascending("_id")).limit(500);
    report("first page, 500 whole documents", find(whole)).await?;
    report("first page, 500 of a project", find(page(project(), newest()).limit(500))).await?;
    let twenty = active().and(Filter::is_in("project", (0..20).map(project_id)));
    report("first page, 15 of 20 projects", find(page(twenty, newest()))).await?;
    report("page 100 of all", find(Find { skip: 50_000, ..page(active(), newest()).limit(500) })).await?;
    let archived = visible().and(Filter::eq("system_tags", "archived"));
    report("first page, 15 of the archived", find(page(archived, newest()))).await?;
    let tagged = active().and(Filter::eq("tags", "tag1"));
    report("first page, 15 with a common tag", find(page(tagged, newest()))).await?;
    let by_metric = Sort::descending("last_metrics.m1.v1.value");
    report("first page, 15 of all by a metric", find(page(active(), by_metric))).await?;
    let by_parameter =
        Find { numeric_collation: true, ..page(project(), Sort::ascending("hyperparams.Args.lr.value")) };
    report("15 of a project by a parameter", find(by_parameter)).await?;
    let name = |pattern: &str| Filter::Regex {
        path: "name".into(),
        pattern: pattern.into(),
        case_insensitive: true,
    };
    report("search of all names, 15 newest", find(page(active().and(name("run 777")), newest()))).await?;
    let words = active().and(Filter::Text("quick fox 4242".to_owned()));
    report("full text, 15 newest", find(page(words, newest()))).await?;
    let ids = (0..500).map(|number| task_id(number * tasks / 500));
    report("500 by id, three fields", find(Find::new(Filter::ids(ids)).include(["name", "status", "tags"])))
        .await?;
    report("one by id", find(Find::new(Filter::id(task_id(tasks / 2))))).await?;
    let old = Filter::eq("status", "in_progress").and(Filter::lt("last_update", Bson::DateTime(date(1000))));
    report("watchdog", find(Find::new(old).include(["_id"]))).await?;
    report("count of all visible", || store.count(Collection::Task, active(), false)).await?;
    report("statistics of 200 projects", || store.group(Collection::Task, statistics())).await?;
    report("distinct tags", || store.distinct(Collection::Task, "tags", active())).await?;
    report("parameters of a project", || store.map_keys(Collection::Task, "hyperparams", 2, project()))
        .await?;
    Ok(())
}

fn statistics() -> GroupBy {
    GroupBy {
        filter: visible().and(Filter::is_in("project", (0..PROJECTS).map(project_id))),
        keys: vec![
            ("project".to_owned(), GroupKey::Field("project".to_owned())),
            ("archived".to_owned(), GroupKey::Matches(Filter::eq("system_tags", "archived"))),
            ("status".to_owned(), GroupKey::Field("status".to_owned())),
        ],
        values: vec![
            ("count".to_owned(), Accumulator::Count),
            (
                "runtime".to_owned(),
                Accumulator::SumSeconds { from: "started".into(), to: "completed".into() },
            ),
            ("last".to_owned(), Accumulator::Max("started".to_owned())),
        ],
    }
}

async fn writes(store: &Store) -> StoreResult<()> {
    for clients in [1, 4, 16, 64] {
        let seconds = Duration::from_secs(2);
        let start = Instant::now();
        let mut running = Vec::new();
        for client in 0..clients {
            let store = Arc::clone(store);
            running.push(tokio::spawn(async move {
                let mut done = 0;
                while start.elapsed() < seconds {
                    let number = (client * 13 + done * 7919) % 1000;
                    store.update_one(Collection::Task, Filter::id(task_id(number)), ping(done)).await?;
                    done += 1;
                }
                StoreResult::Ok(done)
            }));
        }
        let mut done = 0;
        for task in running {
            done += task.await.map_err(|error| StoreError::Backend(error.to_string()))??;
        }
        report_rate(&format!("updates of 1000 tasks, {clients} clients"), done, start.elapsed());
    }
    println!("  resident {} MB", resident_megabytes());
    let queue = doc! {"_id": "q", "name": "q", "company": "", "entries": (0..1000).map(|n| doc! {"task": n.to_string()}).collect::<Vec<_>>()};
    store.insert(Collection::Queue, queue).await?;
    let start = Instant::now();
    let pops = (0..1000).map(|_| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            let update = vec![Change::PopFirst("entries".to_owned())];
            store.find_and_update(Collection::Queue, Filter::id("q"), update, Returned::Before).await
        })
    });
    for pop in pops.collect::<Vec<_>>() {
        pop.await.map_err(|error| StoreError::Backend(error.to_string()))??;
    }
    report_rate("pops of a queue of 1000", 1000, start.elapsed());
    Ok(())
}

/// What a report of metrics changes.
fn ping(number: usize) -> Vec<Change> {
    let now = DateTime::now();
    vec![
        Change::set("last_update", now),
        Change::set("last_worker_report", now),
        Change::Max("last_iteration".to_owned(), Bson::Int64(number as i64)),
        Change::set("last_metrics.m1.v1.value", number as f64),
        Change::Increment("last_metrics.m1.v1.count".to_owned(), 1),
    ]
}

fn task_id(number: usize) -> String {
    format!("{:032x}", (number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

fn project_id(number: usize) -> String {
    format!("{:032x}", number as u128 + (1 << 100))
}

fn date(seconds: usize) -> DateTime {
    DateTime::from_millis(1_700_000_000_000 + seconds as i64 * 1000)
}

fn task(number: usize) -> Document {
    let statuses = ["created", "completed", "completed", "failed", "stopped", "published", "in_progress"];
    let created = number * 60;
    let mut parameters = Document::new();
    for parameter in 0..15 {
        let value = (number * (parameter + 1) % 97).to_string();
        parameters.insert(
            if parameter == 0 { "lr".to_owned() } else { format!("parameter_{parameter}") },
            doc! {"section": "Args", "name": format!("parameter_{parameter}"), "value": value, "type": "int"},
        );
    }
    let mut metrics = Document::new();
    for metric in 0..3 {
        let mut variants = Document::new();
        for variant in 0..3 {
            let value = (number * 31 + variant) as f64 / 7.0;
            variants.insert(
                format!("v{variant}"),
                doc! {"metric": format!("metric {metric}"), "variant": format!("variant {variant}"), "value": value,
                    "min_value": value - 1.0, "min_value_iteration": 3_i64, "max_value": value + 1.0,
                    "max_value_iteration": 9_i64, "count": 100_i64, "mean_value": value, "first_value": 0.5},
            );
        }
        metrics.insert(format!("m{metric}"), variants);
    }
    let mut task = doc! {
        "_id": task_id(number),
        "company": if number.is_multiple_of(50) { "" } else { "company" },
        "user": format!("user{}", number % 20),
        "name": format!("training run {number} of the quick fox"),
        "type": if number.is_multiple_of(30) { "controller" } else { "training" },
        "status": statuses[number % statuses.len()],
        "status_changed": date(created + 10),
        "comment": "Auto-generated at 2024-01-01 12:00:00 by somebody@somewhere",
        "created": date(created),
        "started": date(created + 5),
        "last_update": date(created + (number * 7919 % 100_000)),
        "last_change": date(created + 20),
        "project": project_id(number / 3 % PROJECTS),
        "parent": if number.is_multiple_of(3) { Bson::String(task_id(number / 3)) } else { Bson::Null },
        "tags": [format!("tag{}", number % 3), format!("rare{}", number % 1000)],
        "system_tags": if number.is_multiple_of(10) { vec!["archived"] } else { vec![] },
        "script": {"binary": "python", "repository": "https://github.com/someone/something.git",
            "entry_point": "train.py", "working_dir": ".", "version_num": "0123456789012345678901234567890123456789",
            "requirements": {"pip": "numpy==1.26.0\ntorch==2.1.0\nclearml==1.13.2\n".repeat(6)}},
        "execution": {"queue": "queue1", "test_split": 0, "parameters": {}, "artifacts": {}},
        "hyperparams": {"Args": parameters},
        "configuration": {},
        "runtime": {"progress": "0"},
        "models": {"input": [], "output": [{"name": "best", "model": task_id(number + 1_000_000)}]},
        "last_worker": "worker:gpu0",
        "last_iteration": (number % 1000) as i64,
        "last_metrics": metrics,
    };
    if !number.is_multiple_of(7) {
        task.insert("completed", date(created + 3600));
        task.insert("active_duration", 3595_i64);
    }
    task
}

/// Median and worst of repeated runs; or why the store can not.
async fn report<T, F: Future<Output = StoreResult<T>>>(name: &str, run: impl Fn() -> F) -> StoreResult<()> {
    let mut times = Vec::new();
    let start = Instant::now();
    while times.len() < 5 || (times.len() < 100 && start.elapsed() < Duration::from_secs(1)) {
        let start = Instant::now();
        if let Err(error) = run().await {
            println!("{name:36} {error}");
            return Ok(());
        }
        times.push(start.elapsed());
    }
    times.sort_unstable();
    println!("{name:36} median {:>10.2?}  worst {:>10.2?}", times[times.len() / 2], times[times.len() - 1]);
    Ok(())
}

fn report_rate(name: &str, count: usize, time: Duration) {
    println!("{name:36} {:>8.0}/s", count as f64 / time.as_secs_f64());
}

fn resident_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .map_or(0, |kilobytes: u64| kilobytes >> 10)
}
