//! A lane that deletes and resets tasks with events as soon as they are there: wherever the server is killed,
//! no events may be left without their task.

use std::{collections::HashSet, fmt::Write, path::Path, time::Duration};

use anyhow::{Context, bail};
use async_trait::async_trait;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use super::{Lane, Scope, Session, answered};

/// How long the server may take to finish what was interrupted: its job runs a second after the start, and
/// once a minute.
const PATIENCE: Duration = Duration::from_secs(90);

#[derive(Default)]
pub(crate) struct Removals {
    deleted: u64,
    reset: u64,
}

impl Removals {
    /// Makes a task with events and removes them; `None`: the server is gone.
    async fn step(&mut self, session: &Session) -> anyhow::Result<Option<()>> {
        let request = json!({"name": "to be removed", "type": "training"});
        let Some(created) = answered(session.api.call("tasks.create", &request).await)? else {
            return Ok(None);
        };
        let task = created["id"].as_str().context("no id")?;
        let mut body = String::new();
        for line in 0..50 {
            let event = json!({"type": "log", "task": task, "msg": "words", "timestamp": line});
            let _ = writeln!(body, "{event}");
        }
        let reported = session.api.post("events.add_batch", "application/json-lines", body).await;
        let Some(_) = answered(reported)? else { return Ok(None) };
        if (self.deleted + self.reset) % 4 == 3 {
            let Some(_) = self.call(session, "tasks.reset", task).await? else { return Ok(None) };
            self.reset += 1;
        } else {
            let Some(_) = self.call(session, "tasks.delete", task).await? else { return Ok(None) };
            self.deleted += 1;
        }
        Ok(Some(()))
    }

    async fn call(&self, session: &Session, endpoint: &str, task: &str) -> anyhow::Result<Option<Value>> {
        answered(session.api.call(endpoint, &json!({"task": task, "force": true})).await)
    }
}

#[async_trait]
impl Lane for Removals {
    async fn write(&mut self, session: &Session) -> anyhow::Result<()> {
        while self.step(session).await?.is_some() {}
        Ok(())
    }

    async fn verify(&mut self, _: &Session, _: Scope) -> anyhow::Result<()> {
        Ok(())
    }

    fn summary(&self) -> String {
        format!("removals: {} tasks deleted and {} reset with their events", self.deleted, self.reset)
    }
}

/// Waits until no task or model has events that is not there, with the server running on the data directory.
pub(crate) async fn no_orphans(data: &Path) -> anyhow::Result<()> {
    let wait = async {
        while !orphans(data)?.is_empty() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::Ok(())
    };
    match tokio::time::timeout(PATIENCE, wait).await {
        Ok(outcome) => outcome,
        Err(_) => bail!("events are left of tasks that are gone: {:?}", orphans(data)?),
    }
}

/// Tasks and models in the event store that the document store does not have.
fn orphans(data: &Path) -> anyhow::Result<Vec<String>> {
    let read = |file: &str, queries: &[&str]| -> anyhow::Result<HashSet<String>> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(data.join(file), flags).context(file.to_owned())?;
        let mut found = HashSet::new();
        for query in queries {
            let mut statement = connection.prepare(query)?;
            let ids = statement.query_map([], |row| row.get(0))?;
            found.extend(ids.collect::<rusqlite::Result<Vec<String>>>()?);
        }
        Ok(found)
    };
    // Events first: a task that is deleted in between would look like an orphan otherwise.
    let with_events = read("events.db", &["SELECT task FROM tasks WHERE company IS NOT NULL"])?;
    let present = read("documents.sqlite", &["SELECT _id FROM task", "SELECT _id FROM model"])?;
    Ok(with_events.difference(&present).cloned().collect())
}
