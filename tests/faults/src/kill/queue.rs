//! A lane with two producers and two consumers of one queue.

use std::{collections::HashMap, sync::Mutex};

use anyhow::{Context, bail, ensure};
use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Lane, Scope, Session, answered};

/// Consumers leave this many entries.
const LEFT: usize = 20;

#[derive(Default)]
pub(crate) struct Queue {
    id: Option<String>,
    ledger: Mutex<Ledger>,
}

#[derive(Default)]
struct Ledger {
    entries: HashMap<String, Fate>,
    /// The last number each producer used.
    last: [u64; 2],
    waiting: usize,
    handed_out: u64,
    /// Calls of `get_next_task` without an answer since the last verification.
    open_takes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Sent, not acknowledged.
    Offered,
    /// Acknowledged.
    Waiting,
    /// Handed out.
    Taken,
    /// Sent without an answer, and not there after the restart.
    Lost,
}

/// Entries name a task: here its producer and a number.
fn entry_name(producer: usize, number: u64) -> String {
    format!("{producer:08x}{number:024x}")
}

impl Queue {
    fn ledger(&self) -> std::sync::MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The queue, made if it is missing.
    async fn open(&mut self, session: &Session) -> anyhow::Result<Option<String>> {
        if self.id.is_none() {
            self.id = self.find(session).await?;
        }
        if self.id.is_none() {
            let Some(made) = answered(session.api.call("queues.create", &json!({"name": "killed"})).await)?
            else {
                return Ok(None);
            };
            self.id = Some(made["id"].as_str().context("no id")?.to_owned());
        }
        Ok(self.id.clone())
    }

    async fn find(&self, session: &Session) -> anyhow::Result<Option<String>> {
        let found = answered(session.api.call("queues.get_all", &json!({"name": "^killed$"})).await)?;
        let id = found.as_ref().and_then(|found| found["queues"][0]["id"].as_str());
        Ok(id.map(str::to_owned))
    }

    async fn produce(&self, session: &Session, queue: &str, producer: usize) -> anyhow::Result<()> {
        loop {
            let entry = {
                let mut ledger = self.ledger();
                ledger.last[producer] += 1;
                let entry = entry_name(producer, ledger.last[producer]);
                ledger.entries.insert(entry.clone(), Fate::Offered);
                entry
            };
            let request = json!({"queue": queue, "task": entry});
            let Some(_) = answered(session.api.call("queues.add_task", &request).await)? else {
                return Ok(());
            };
            let mut ledger = self.ledger();
            ledger.waiting += 1;
            // A consumer may have been faster than the answer.
            if let Some(fate @ Fate::Offered) = ledger.entries.get_mut(&entry) {
                *fate = Fate::Waiting;
            }
        }
    }

    async fn consume(&self, session: &Session, queue: &str) -> anyhow::Result<()> {
        loop {
            if self.ledger().waiting < LEFT {
                let Some(_) = answered(session.api.call("debug.ping", &Value::Null).await)? else {
                    return Ok(());
                };
                continue;
            }
            let taken = session.api.call("queues.get_next_task", &json!({"queue": queue})).await;
            let Some(taken) = answered(taken)? else {
                self.ledger().open_takes += 1;
                return Ok(());
            };
            let Some(entry) = taken["entry"]["task"].as_str() else { continue };
            self.ledger().take(entry)?;
        }
    }
}

impl Ledger {
    fn take(&mut self, entry: &str) -> anyhow::Result<()> {
        match self.entries.insert(entry.to_owned(), Fate::Taken) {
            Some(Fate::Offered | Fate::Waiting) => {
                self.waiting = self.waiting.saturating_sub(1);
                self.handed_out += 1;
                Ok(())
            }
            Some(fate) => bail!("queue entry {entry} was handed out, but it is {fate:?}"),
            None => bail!("queue entry {entry} was handed out, but nobody added it"),
        }
    }

    /// Compares with what the queue holds after a restart.
    fn compare(&mut self, found: &[String]) -> anyhow::Result<()> {
        for entry in found {
            match self.entries.get(entry) {
                Some(Fate::Offered | Fate::Waiting) => {}
                Some(fate) => bail!("queue entry {entry} is there, but it is {fate:?}"),
                None => bail!("queue entry {entry} is there, but nobody added it"),
            }
        }
        for producer in ["00000000", "00000001"] {
            let own: Vec<_> = found.iter().filter(|entry| entry.starts_with(producer)).collect();
            ensure!(own.is_sorted(), "queue entries out of order: {own:?}");
        }
        let gone = |(entry, fate): (&String, &Fate)| {
            (*fate == Fate::Waiting && !found.contains(entry)).then(|| entry.clone())
        };
        let gone: Vec<_> = self.entries.iter().filter_map(gone).collect();
        ensure!(
            gone.len() <= self.open_takes,
            "queue entries are gone: {gone:?}; {} calls that take one got no answer",
            self.open_takes
        );
        self.open_takes = 0;
        for fate in self.entries.values_mut().filter(|fate| **fate == Fate::Offered) {
            *fate = Fate::Lost;
        }
        for entry in gone {
            self.entries.insert(entry, Fate::Taken);
        }
        for entry in found {
            self.entries.insert(entry.clone(), Fate::Waiting);
        }
        self.waiting = found.len();
        Ok(())
    }
}

#[async_trait]
impl Lane for Queue {
    async fn write(&mut self, session: &Session) -> anyhow::Result<()> {
        let Some(queue) = self.open(session).await? else { return Ok(()) };
        let lane = &*self;
        tokio::try_join!(
            lane.produce(session, &queue, 0),
            lane.produce(session, &queue, 1),
            lane.consume(session, &queue),
            lane.consume(session, &queue),
        )?;
        Ok(())
    }

    async fn verify(&mut self, session: &Session, _scope: Scope) -> anyhow::Result<()> {
        if self.id.is_none() {
            self.id = self.find(session).await?;
        }
        let Some(id) = &self.id else { return Ok(()) };
        let answer = session.api.call("queues.get_by_id", &json!({"queue": id})).await?;
        let entries = answer["queue"]["entries"].as_array().context("no entries")?;
        let name = |entry: &Value| entry["task"].as_str().map(str::to_owned).context("an entry without task");
        let found = entries.iter().map(name).collect::<anyhow::Result<Vec<_>>>()?;
        self.ledger().compare(&found)
    }

    fn summary(&self) -> String {
        let ledger = self.ledger();
        let added: u64 = ledger.last.iter().sum();
        format!("queue: {added} entries, {} handed out, {} waiting", ledger.handed_out, ledger.waiting)
    }
}
