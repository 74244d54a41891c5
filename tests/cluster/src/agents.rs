//! Many agents on one queue: each task is handed out once.

use std::collections::HashMap;

use anyhow::{Context, ensure};
use bson::doc;
use clearml_driver::{Api, Cluster, Programs, Report, Server};
use futures::{StreamExt, TryStreamExt, future::try_join_all, stream};
use serde_json::json;
use tokio::sync::Semaphore;

const AGENTS: usize = 16;
const TASKS: usize = 2000;
/// Calls at the same time while the queue is filled.
const PRODUCERS: usize = 8;

/// Agents that poll as the real one does (they register, take a task, start and complete it), first on the embedded
/// stores, then on replicas.
pub(crate) async fn run(programs: &Programs, cluster: &Cluster, report: &mut Report) {
    report.note("agents on the embedded stores", on_embedded(programs).await);
    report.note("agents on replicas", on_replicas(cluster).await);
}

async fn on_embedded(programs: &Programs) -> anyhow::Result<()> {
    let server = Server::start(&programs.path("clearml-server")).await?;
    hand_out("embedded stores", &server.login().await?, AGENTS).await
}

/// A queue rests on MongoDB's atomic `findAndModify`, which the stand-in of MongoDB lacks: there, the agents use the
/// queue in turns.
async fn on_replicas(cluster: &Cluster) -> anyhow::Result<()> {
    let is_stand_in = is_stand_in(&cluster.stores.database_url("backend")).await?;
    if is_stand_in {
        println!(
            "  findAndModify of the stand-in for MongoDB is not atomic: the agents use the queue in turns"
        );
    }
    hand_out("replicas", &cluster.login().await?, if is_stand_in { 1 } else { AGENTS }).await
}

/// Fills and empties a queue, which so many clients may use at the same time.
async fn hand_out(stores: &str, api: &Api, at_once: usize) -> anyhow::Result<()> {
    let created = api.call("queues.create", &json!({"name": "many agents"})).await?;
    let queue = Queue {
        api: api.clone(),
        id: created["id"].as_str().context("no id")?.to_owned(),
        turns: Semaphore::new(at_once),
    };
    let tasks: Vec<String> = stream::iter(0..TASKS)
        .map(|number| queue.fill(number))
        .buffer_unordered(PRODUCERS)
        .try_collect()
        .await?;

    let taken = try_join_all((0..AGENTS).map(|agent| queue.work(agent))).await?;
    let busy = taken.iter().filter(|tasks| !tasks.is_empty()).count();
    let mut times: HashMap<&str, usize> = HashMap::new();
    for task in taken.iter().flatten() {
        *times.entry(task).or_default() += 1;
    }
    let missing = tasks.iter().filter(|task| !times.contains_key(task.as_str())).count();
    let repeated = times.values().filter(|times| **times > 1).count();
    println!("agents on {stores}: {TASKS} tasks for {busy} of {AGENTS} agents");
    ensure!(missing == 0, "{missing} tasks were never handed out");
    ensure!(repeated == 0, "{repeated} tasks were handed out more than once");
    Ok(())
}

/// Whether it is a stand-in of MongoDB that answers.
async fn is_stand_in(url: &str) -> anyhow::Result<bool> {
    let client = mongodb::Client::with_uri_str(url).await?;
    let hello = client.database("admin").run_command(doc! { "hello": 1 }).await?;
    Ok(hello.get_str("setName").is_ok_and(|name| name == "secantus"))
}

struct Queue {
    api: Api,
    id: String,
    turns: Semaphore,
}

impl Queue {
    /// Queues a new task; its id.
    async fn fill(&self, number: usize) -> anyhow::Result<String> {
        let task = json!({"name": format!("queued {number}"), "type": "training"});
        let task = self.api.call("tasks.create", &task).await?;
        let task = task["id"].as_str().context("no id")?.to_owned();
        let _turn = self.turns.acquire().await?;
        self.api.call("tasks.enqueue", &json!({"task": task, "queue": self.id})).await?;
        Ok(task)
    }

    /// Works as an agent until the queue is empty; the tasks taken.
    async fn work(&self, agent: usize) -> anyhow::Result<Vec<String>> {
        let (api, worker) = (&self.api, format!("host:agent-{agent}"));
        let register = json!({"worker": worker, "queues": [self.id], "timeout": 600});
        api.call("workers.register", &register).await?;
        let mut taken = Vec::new();
        while let Some(task) = self.take().await? {
            let report = json!({"worker": worker, "timestamp": 0, "task": task, "queue": self.id,
                "queues": [self.id]});
            api.call("workers.status_report", &report).await?;
            let request = json!({"task": task, "force": true});
            api.call("tasks.started", &request).await?;
            api.call("tasks.completed", &request).await?;
            taken.push(task);
        }
        api.call("workers.unregister", &json!({"worker": worker})).await?;
        Ok(taken)
    }

    async fn take(&self) -> anyhow::Result<Option<String>> {
        let _turn = self.turns.acquire().await?;
        let answer = self.api.call("queues.get_next_task", &json!({"queue": self.id})).await?;
        Ok(answer["entry"]["task"].as_str().map(str::to_owned))
    }
}
