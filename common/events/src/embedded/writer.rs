//! The one writing thread. It takes all work that is waiting, does it in one transaction and answers after
//! the commit, so that concurrent callers share one `fsync`.

use std::{collections::HashMap, thread};

use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::{mpsc, oneshot};

use super::{catalog::SeriesCache, deletion};
use crate::{EventError, EventResult};

/// Work that may wait before callers have to.
const QUEUE_LENGTH: usize = 256;

/// A transaction takes no more work when it has so many events.
const MAX_TRANSACTION_WEIGHT: usize = 50_000;

/// Names that are remembered with their numbers.
const MAX_CACHED_NAMES: usize = 10_000;

/// What the work of the writing thread has at hand: a connection within a transaction, caches, the sequence.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) series: SeriesCache,
    pub(super) names: NameCache,
    pub(super) sequence: Sequence,
}

/// Numbers rows in the order of insertion.
pub(super) struct Sequence(i64);

impl Sequence {
    /// The next number.
    pub(super) fn next(&mut self) -> i64 {
        self.0 += 1;
        self.0
    }
}

/// Numbers of names.
#[derive(Default)]
pub(super) struct NameCache(HashMap<String, i64>);

impl NameCache {
    /// The number of a name, which is stored if it is new.
    pub(super) fn id(&mut self, connection: &Connection, name: &str) -> rusqlite::Result<i64> {
        if let Some(id) = self.0.get(name) {
            return Ok(*id);
        }
        let mut find = connection.prepare_cached("SELECT id FROM names WHERE name = ?1")?;
        let id = match find.query_row([name], |row| row.get(0)).optional()? {
            Some(id) => id,
            None => connection.prepare_cached("INSERT INTO names (name) VALUES (?1)")?.insert([name])?,
        };
        if self.0.len() >= MAX_CACHED_NAMES {
            self.0.clear();
        }
        self.0.insert(name.to_owned(), id);
        Ok(id)
    }
}

impl Writer {
    /// Forgets everything that a rollback may have undone.
    fn forget(&mut self) {
        self.series.clear();
        self.names.0.clear();
    }

    fn load(connection: Connection) -> EventResult<Self> {
        let sequence =
            connection
                .query_row("SELECT value FROM counters WHERE name = 'sequence'", [], |row| row.get(0))?;
        Ok(Self {
            connection,
            series: SeriesCache::default(),
            names: NameCache::default(),
            sequence: Sequence(sequence),
        })
    }

    /// Does the work in one transaction; answers callers after the commit.
    fn transact(&mut self, mut work: Vec<Box<dyn Work>>) {
        let outcome = self.try_transact(&mut work).map_err(EventError::from);
        if let Err(error) = &outcome {
            tracing::error!(%error, "failed to write events");
            // Nothing is known about the transaction's state; if it is over, there is nothing to roll back.
            if !self.connection.is_autocommit() {
                let _ = self.connection.execute_batch("ROLLBACK");
            }
            self.forget();
        }
        for work in work {
            work.answer(outcome.clone());
        }
    }

    fn try_transact(&mut self, work: &mut [Box<dyn Work>]) -> rusqlite::Result<()> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for work in work.iter_mut() {
            self.connection.prepare_cached("SAVEPOINT work")?.execute([])?;
            if !work.perform(self) {
                self.connection.execute_batch("ROLLBACK TO work")?;
                self.forget();
            }
            self.connection.prepare_cached("RELEASE work")?.execute([])?;
        }
        self.connection
            .prepare_cached("UPDATE counters SET value = ?1 WHERE name = 'sequence'")?
            .execute(params![self.sequence.0])?;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }
}

/// Something to write, and somebody who waits for it.
trait Work: Send {
    /// Number of events, roughly.
    fn weight(&self) -> usize;

    /// Does the work; false if it failed and must be rolled back.
    fn perform(&mut self, writer: &mut Writer) -> bool;

    /// Answers the caller.
    fn answer(self: Box<Self>, committed: EventResult<()>);
}

struct Call<F, T> {
    weight: usize,
    function: Option<F>,
    outcome: Option<EventResult<T>>,
    answer: oneshot::Sender<EventResult<T>>,
}

impl<F, T> Work for Call<F, T>
where
    F: FnOnce(&mut Writer) -> EventResult<T> + Send,
    T: Send,
{
    fn weight(&self) -> usize {
        self.weight
    }

    fn perform(&mut self, writer: &mut Writer) -> bool {
        let outcome = self.function.take().map(|function| function(writer));
        let succeeded = matches!(outcome, Some(Ok(_)));
        self.outcome = outcome;
        succeeded
    }

    fn answer(self: Box<Self>, committed: EventResult<()>) {
        let not_performed = || Err(EventError::Backend("write was not performed".to_owned()));
        let outcome = match committed {
            Ok(()) => self.outcome.unwrap_or_else(not_performed),
            Err(error) => Err(error),
        };
        // The caller may have gone; what it wanted is done nevertheless.
        let _ = self.answer.send(outcome);
    }
}

/// The way to the writing thread.
pub(super) struct WriterHandle {
    work: Option<mpsc::Sender<Box<dyn Work>>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl WriterHandle {
    /// Starts the thread.
    pub(super) fn start(connection: Connection) -> EventResult<Self> {
        let writer = Writer::load(connection)?;
        let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
        let thread = thread::Builder::new()
            .name("events-writer".to_owned())
            .spawn(move || write_until_closed(writer, receiver))
            .map_err(|error| EventError::Unavailable(error.to_string()))?;
        Ok(Self { work: Some(sender), thread: Some(thread) })
    }

    /// Lets the thread do something; returns after the commit. `weight` is the number of events, roughly.
    pub(super) async fn run<T, F>(&self, weight: usize, function: F) -> EventResult<T>
    where
        F: FnOnce(&mut Writer) -> EventResult<T> + Send + 'static,
        T: Send + 'static,
    {
        let stopped = || EventError::Unavailable("the event store is closed".to_owned());
        let (answer, outcome) = oneshot::channel();
        let call = Call { weight, function: Some(function), outcome: None, answer };
        let work = self.work.as_ref().ok_or_else(stopped)?;
        work.send(Box::new(call)).await.map_err(|_| stopped())?;
        outcome.await.map_err(|_| stopped())?
    }
}

impl Drop for WriterHandle {
    fn drop(&mut self) {
        self.work = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer of events panicked");
        }
    }
}

fn write_until_closed(mut writer: Writer, mut queue: mpsc::Receiver<Box<dyn Work>>) {
    let mut leftovers = deletion::leftovers(&writer.connection).unwrap_or_else(|error| {
        tracing::error!(%error, "failed to look for unfinished deletions");
        Vec::new()
    });
    while let Some(first) = next_work(&mut writer, &mut queue, &mut leftovers) {
        let mut weight = first.weight();
        let mut work = vec![first];
        while weight < MAX_TRANSACTION_WEIGHT
            && let Ok(next) = queue.try_recv()
        {
            weight += next.weight();
            work.push(next);
        }
        writer.transact(work);
    }
}

/// Waits for work, meanwhile going on with deletions that an earlier run of the server left unfinished.
fn next_work(
    writer: &mut Writer,
    queue: &mut mpsc::Receiver<Box<dyn Work>>,
    leftovers: &mut Vec<i64>,
) -> Option<Box<dyn Work>> {
    while let Some(task) = leftovers.last().copied() {
        match queue.try_recv() {
            Ok(work) => return Some(work),
            Err(mpsc::error::TryRecvError::Disconnected) => return None,
            Err(mpsc::error::TryRecvError::Empty) => {
                let (answer, mut outcome) = oneshot::channel();
                let function = move |writer: &mut Writer| deletion::purge_slice(writer, task);
                let call = Call { weight: 0, function: Some(function), outcome: None, answer };
                writer.transact(vec![Box::new(call)]);
                // A failure is logged; the next start tries again.
                if !matches!(outcome.try_recv(), Ok(Ok(slice)) if !slice.finished) {
                    leftovers.pop();
                }
            }
        }
    }
    queue.blocking_recv()
}
