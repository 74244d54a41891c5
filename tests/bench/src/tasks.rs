//! The first page of a long list of tasks.

use std::{path::Path, time::Instant};

use clearml_driver::Server;
use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};

use crate::measure::{Times, usage};

pub(crate) async fn run(binary: &Path, count: usize) -> anyhow::Result<()> {
    let server = Server::start(binary).await?;
    let api = server.login().await?;
    let project = api.call("projects.create", &json!({"name": "bench"})).await?["id"].clone();
    let loading = Instant::now();
    futures::stream::iter(0..count)
        .map(|index| {
            let (api, request) = (api.clone(), task(&project, index));
            async move { api.call("tasks.create", &request).await }
        })
        .buffer_unordered(64)
        .try_for_each(async |_| Ok(()))
        .await?;
    let seconds = loading.elapsed().as_secs_f64();
    println!("tasks.create, 64 at once: {:.0} tasks/s", count as f64 / seconds);

    let fields =
        ["name", "type", "status", "tags", "user.name", "project.name", "last_update", "last_iteration"];
    let whole = json!({"order_by": ["-last_update"], "page": 0, "page_size": 50});
    let projected = json!({"order_by": ["-last_update"], "page": 0, "page_size": 50, "only_fields": fields});
    let in_project = json!({
        "project": [project], "system_tags": ["-archived"], "order_by": ["-last_update"], "page": 0, "page_size": 50,
        "only_fields": fields,
    });
    for (name, request) in
        [("all fields", whole), ("as the Web-App", projected), ("of a project", in_project)]
    {
        let mut times = Times::default();
        for _ in 0..300 {
            let started = Instant::now();
            let page = api.call("tasks.get_all_ex", &request).await?;
            times.add(started.elapsed());
            anyhow::ensure!(page["tasks"].as_array().is_some_and(|tasks| tasks.len() == 50.min(count)));
        }
        println!(
            "first page of {count} tasks by last_update, {name}: {}, {}",
            times.summary(),
            usage(&server)?
        );
    }
    Ok(())
}

pub(crate) fn task(project: &Value, index: usize) -> Value {
    let kinds = ["training", "testing", "inference", "data_processing"];
    json!({
        "name": format!("run {index} adam lr=0.{}", index % 1000),
        "type": kinds[index % kinds.len()],
        "project": project,
        "tags": [format!("seed-{}", index % 7), "sweep"],
        "comment": "created by the benchmark",
        "script": {"repository": "https://example.com/team/repository.git", "entry_point": "train.py", "branch": "main"},
        "hyperparams": {"Args": {
            "lr": {"section": "Args", "name": "lr", "value": format!("0.{}", index % 1000), "type": "float"},
            "optimizer": {"section": "Args", "name": "optimizer", "value": "adam", "type": "str"},
            "epochs": {"section": "Args", "name": "epochs", "value": "90", "type": "int"},
        }},
    })
}
