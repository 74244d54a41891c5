//! Reading connections, each used by one blocking thread at a time.

use std::{
    cell::RefCell,
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, OptionalExtension};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::schema;
use crate::{EventError, EventResult};

/// Connections, opened when first needed.
const MAX_READERS: usize = 4;

/// Names that a connection remembers.
const MAX_CACHED_NAMES: usize = 10_000;

/// A reading connection.
pub(super) struct Reader {
    pub(super) connection: Connection,
    names: RefCell<HashMap<i64, String>>,
}

impl Reader {
    /// The name with a number.
    pub(super) fn name(&self, id: i64) -> rusqlite::Result<Option<String>> {
        if let Some(name) = self.names.borrow().get(&id) {
            return Ok(Some(name.clone()));
        }
        let mut find = self.connection.prepare_cached("SELECT name FROM names WHERE id = ?1")?;
        let name: Option<String> = find.query_row([id], |row| row.get(0)).optional()?;
        if let Some(name) = &name {
            let mut names = self.names.borrow_mut();
            if names.len() >= MAX_CACHED_NAMES {
                names.clear();
            }
            names.insert(id, name.clone());
        }
        Ok(name)
    }

    /// The number of a name, if it was ever used.
    pub(super) fn name_id(&self, name: &str) -> rusqlite::Result<Option<i64>> {
        let mut find = self.connection.prepare_cached("SELECT id FROM names WHERE name = ?1")?;
        find.query_row([name], |row| row.get(0)).optional()
    }

    /// Whether the file can be read.
    pub(super) fn ping(&self) -> EventResult<()> {
        self.connection.prepare_cached("SELECT value FROM counters LIMIT 1")?.query_row([], |_| Ok(()))?;
        Ok(())
    }

    /// Runs `work` on one state of the store.
    fn in_snapshot<T>(&self, work: impl FnOnce(&Self) -> EventResult<T>) -> EventResult<T> {
        let snapshot = self.connection.unchecked_transaction()?;
        let outcome = work(self);
        snapshot.finish()?;
        outcome
    }
}

/// The pool of readers.
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Reader>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    /// Connections to this file, which exists.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::default(), permits: Arc::new(Semaphore::new(MAX_READERS)) }
    }

    /// Runs `work` on a blocking thread, on one state of the store.
    pub(super) async fn run<T, F>(self: &Arc<Self>, work: F) -> EventResult<T>
    where
        F: FnOnce(&Reader) -> EventResult<T> + Send + 'static,
        T: Send + 'static,
    {
        let broken = |error: String| EventError::Backend(error);
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|e| broken(e.to_string()))?;
        let readers = Arc::clone(self);
        let blocking = tokio::task::spawn_blocking(move || readers.with(permit, work));
        blocking.await.map_err(|error| broken(error.to_string()))?
    }

    /// Runs `work` here if a reader is free, on a state of the store that may differ from the caller's.
    pub(super) fn try_here<T>(&self, work: impl FnOnce(&Reader) -> EventResult<T>) -> Option<EventResult<T>> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        Some(self.with(permit, work))
    }

    fn with<T>(
        &self,
        permit: OwnedSemaphorePermit,
        work: impl FnOnce(&Reader) -> EventResult<T>,
    ) -> EventResult<T> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let reader = match idle {
            Some(reader) => reader,
            None => Reader { connection: schema::open_for_reading(&self.path)?, names: RefCell::default() },
        };
        let outcome = reader.in_snapshot(work);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
        drop(permit);
        outcome
    }
}
