//! Many agents on one queue: each task is handed out once.

use std::collections::HashMap;

use anyhow::{Context, ensure};
use clearml_driver::{Api, Cluster, Report};
use futures::{StreamExt, TryStreamExt, future::try_join_all, stream};
use serde_json::json;

const AGENTS: usize = 16;
const TASKS: usize = 2000;
/// Calls at the same time while the queue is filled.
const PRODUCERS: usize = 8;

/// Agents that poll as the real one does: they register, take a task, start and complete it.
pub(crate) async fn run(cluster: &Cluster, report: &mut Report) {
    report.note("agents", hand_out(cluster).await);
}

async fn hand_out(cluster: &Cluster) -> anyhow::Result<()> {
    let api = cluster.login().await?;
    let created = api.call("queues.create", &json!({"name": "many agents"})).await?;
    let queue = created["id"].as_str().context("no id")?;
    let tasks: Vec<String> = stream::iter(0..TASKS)
        .map(|number| enqueue(&api, queue, number))
        .buffer_unordered(PRODUCERS)
        .try_collect()
        .await?;

    let taken = try_join_all((0..AGENTS).map(|agent| work(&api, queue, agent))).await?;
    let busy = taken.iter().filter(|tasks| !tasks.is_empty()).count();
    let mut times: HashMap<&str, usize> = HashMap::new();
    for task in taken.iter().flatten() {
        *times.entry(task).or_default() += 1;
    }
    let missing = tasks.iter().filter(|task| !times.contains_key(task.as_str())).count();
    let repeated = times.values().filter(|times| **times > 1).count();
    println!(
        "agents: {TASKS} tasks for {busy} of {AGENTS} agents, {missing} missing, {repeated} handed out more than once"
    );
    ensure!(missing == 0, "{missing} tasks were never handed out");
    ensure!(repeated == 0, "{repeated} tasks were handed out more than once");
    Ok(())
}

async fn enqueue(api: &Api, queue: &str, number: usize) -> anyhow::Result<String> {
    let task =
        api.call("tasks.create", &json!({"name": format!("queued {number}"), "type": "training"})).await?;
    let task = task["id"].as_str().context("no id")?.to_owned();
    api.call("tasks.enqueue", &json!({"task": task, "queue": queue})).await?;
    Ok(task)
}

/// Works until the queue is empty; the tasks taken.
async fn work(api: &Api, queue: &str, agent: usize) -> anyhow::Result<Vec<String>> {
    let worker = format!("host:agent-{agent}");
    api.call("workers.register", &json!({"worker": worker, "queues": [queue], "timeout": 600})).await?;
    let mut taken = Vec::new();
    loop {
        let answer = api.call("queues.get_next_task", &json!({"queue": queue})).await?;
        let Some(task) = answer["entry"]["task"].as_str() else { break };
        taken.push(task.to_owned());
        let report =
            json!({"worker": worker, "timestamp": 0, "task": task, "queue": queue, "queues": [queue]});
        api.call("workers.status_report", &report).await?;
        let request = json!({"task": task, "force": true});
        api.call("tasks.started", &request).await?;
        api.call("tasks.completed", &request).await?;
    }
    api.call("workers.unregister", &json!({"worker": worker})).await?;
    Ok(taken)
}
