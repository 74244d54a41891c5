//! Lists, searches, counts and statistics over very many tasks.

mod load;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clearml_driver::{Api, Server};
use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};

use self::load::{data_directory, known_task, metric_path, project_id};
use crate::measure::{Times, usage};

/// How long tasks are created.
const CREATING: Duration = Duration::from_secs(10);

/// Longest time for the repetitions of one call.
const MOST: Duration = Duration::from_secs(20);

/// How much there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) tasks: usize,
    pub(crate) projects: usize,
}

/// One call that is measured.
struct Measured {
    name: &'static str,
    endpoint: &'static str,
    request: Value,
}

pub(crate) async fn run(binary: &Path, size: Size, folder: Option<PathBuf>, runs: u32) -> anyhow::Result<()> {
    anyhow::ensure!(size.projects > 1 && size.tasks > load::LARGE_PROJECT_TASKS, "too few");
    let mut data = data_directory(binary, size, folder).await?;
    let bytes = std::fs::metadata(data.path().join("documents.sqlite"))?.len();
    println!("{} tasks in {} projects, file {} MB", size.tasks, size.projects, bytes >> 20);
    let starting = Instant::now();
    let server = data.start(binary).await?;
    let api = server.login().await?;
    println!("start: {:.0} ms, {}", starting.elapsed().as_secs_f64() * 1000.0, usage(&server)?);
    for call in calls() {
        let mut times = Times::default();
        let mut length = 0;
        let started = Instant::now();
        // The first one brings the pages into memory.
        for run in 0..=runs {
            let calling = Instant::now();
            let answer = api.call(call.endpoint, &call.request).await?;
            if run > 0 || started.elapsed() > MOST {
                times.add(calling.elapsed());
            }
            length = items(&answer);
            if started.elapsed() > MOST {
                break;
            }
        }
        println!("{}: {}, {length} found, {}", call.name, times.summary(), usage(&server)?);
    }
    create(&api, &server).await
}

fn items(answer: &Value) -> u64 {
    let lists = ["tasks", "projects"].into_iter().filter_map(|name| answer[name].as_array());
    let counts = ["tasks", "projects"].into_iter().filter_map(|name| answer[name].as_u64());
    lists.map(|list| list.len() as u64).chain(counts).sum()
}

fn calls() -> Vec<Measured> {
    let mut calls = Vec::new();
    let mut add =
        |name, endpoint, request: Value| calls.push(Measured { name, endpoint, request: page(request) });
    add(
        "projects with statistics",
        "projects.get_all_ex",
        json!({
            "shallow_search": true, "include_stats": true, "check_own_contents": true,
            "order_by": ["featured", "-last_update"],
        }),
    );
    let large = json!([project_id(0)]);
    let three = |order: String, extra: Value| {
        let mut request = json!({
            "project": large, "status": ["completed", "published", "failed", "stopped"],
            "type": ["training", "testing"], "tags": ["sweep"], "system_tags": ["-archived"], "order_by": [order],
            "only_fields": list_fields(),
        });
        if let (Some(request), Value::Object(extra)) = (request.as_object_mut(), extra) {
            request.extend(extra);
        }
        request
    };
    let loss = metric_path("loss");
    let tasks = "tasks.get_all_ex";
    add("three filters by a metric, descending", tasks, three(format!("-{loss}"), json!({})));
    add("three filters by a metric, ascending", tasks, three(loss.clone(), json!({})));
    add("three filters by a rare metric, ascending", tasks, three(metric_path("rare"), json!({})));
    add(
        "three filters and a range of a metric, by it",
        tasks,
        three(format!("-{loss}"), json!({loss.clone(): [100, 5000]})),
    );
    add(
        "three filters by a hyperparameter",
        tasks,
        three("-hyperparams.Args.lr.value".to_owned(), json!({})),
    );
    let newest = || "-last_update";
    let search = |extra: Value| {
        let mut request =
            json!({"order_by": [newest()], "system_tags": ["-archived"], "only_fields": list_fields()});
        if let (Some(request), Value::Object(extra)) = (request.as_object_mut(), extra) {
            request.extend(extra);
        }
        request
    };
    add("first page of all", tasks, search(json!({})));
    for (name, pattern) in [
        ("name pattern, one match", "run 777771 "),
        ("name pattern, 1 in 1 000", r"adam lr=0\.77[1]$"),
        ("name pattern, 1 in 9", "run 7.*lr="),
        ("name pattern, all match", "adam"),
        ("name pattern, none", "nothing like this"),
        ("name pattern without three letters", "^r.n 7{5}1 "),
    ] {
        add(name, tasks, search(json!({"name": pattern})));
    }
    add("name pattern, natural order", tasks, json!({"name": "run 777771 ", "only_fields": list_fields()}));
    let fields = ["id", "name", "comment", "system_tags", "models.output.model", "models.input.model"];
    let any = |pattern: &str| json!({"_any_": {"fields": fields, "pattern": pattern}});
    add("search bar, one match", tasks, search(any("RUN 777771 ")));
    add("search bar, part of an id", tasks, search(any(&known_task(12_345)[4..16])));
    add("search bar, all match", tasks, search(any("adam")));
    add("search bar, none", tasks, search(any("nothing like this")));
    let mut in_project = any("run 77");
    in_project["project"] = large.clone();
    add("search bar in the large project", tasks, search(in_project));
    add("search_text, one match", tasks, search(json!({"search_text": "777771"})));
    add("search_text, all match", tasks, search(json!({"search_text": "adam"})));
    add(
        "search_text by score, one match",
        tasks,
        json!({"search_text": "777771", "order_by": ["@text_score"], "only_fields": list_fields()}),
    );
    add(
        "search_text by score, 1 in 1 000",
        tasks,
        json!({"search_text": "\"lr 0 771\"", "order_by": ["@text_score"], "only_fields": list_fields()}),
    );
    add("page 1 000 of all", tasks, search(json!({"page": 1000})));
    add("page 100 of the large project", tasks, search(json!({"page": 100, "project": large})));
    let count = "organization.get_entities_count";
    add("count of all", count, json!({"tasks": {}}));
    add(
        "count of the active",
        count,
        json!({"tasks": {"system_tags": ["-archived", "-pipeline", "-dataset"]}}),
    );
    add("count of a project", count, json!({"tasks": {"project": large}}));
    add("count of a name pattern", count, json!({"tasks": {"name": "run 77777"}}));
    add("count of a common name pattern", count, json!({"tasks": {"name": "run 7"}}));
    add(
        "search of projects",
        "projects.get_all_ex",
        json!({"_any_": {"fields": ["id", "basename", "description"], "pattern": "ject 77"}}),
    );
    calls
}

/// The request with a page of 50, if it names none.
fn page(mut request: Value) -> Value {
    if request.get("page").is_none() {
        request["page"] = json!(0);
    }
    request["page_size"] = json!(50);
    request
}

/// What the Web-App shows in a list of tasks.
fn list_fields() -> Value {
    json!(["name", "type", "status", "tags", "user.name", "project.name", "last_update", "last_iteration"])
}

async fn create(api: &Api, server: &Server) -> anyhow::Result<()> {
    let started = Instant::now();
    let created = futures::stream::iter(0..usize::MAX)
        .take_while(|_| futures::future::ready(started.elapsed() < CREATING))
        .map(|index| {
            let (api, request) = (api.clone(), crate::tasks::task(&json!(project_id(1)), index));
            async move { api.call("tasks.create", &request).await }
        })
        .buffer_unordered(64)
        .try_fold(0_u32, async |count, _| Ok(count + 1))
        .await?;
    let rate = f64::from(created) / started.elapsed().as_secs_f64();
    println!("tasks.create, 64 at once: {rate:.0} tasks/s, {}", usage(server)?);
    Ok(())
}
