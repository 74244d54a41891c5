//! The embedded store: documents as BSON in SQLite.
//!
//! Each collection is a table; the paths that hot queries use are kept in columns and side tables of their
//! own, maintained by the writer, so that indexes answer them. Why BSON and not JSON: it holds every kind of
//! value without loss, a path or a projection is read out of the bytes without decoding the rest, and it is
//! what MongoDB's own back end speaks.
//!
//! One thread writes; it commits the work of all callers that wait in one durable transaction. Readers have
//! connections of their own and never wait for the writer.

mod compile;
mod derived;
mod error;
mod group;
mod irregular;
mod layout;
mod order;
mod prospect;
mod reader;
mod row;
mod schema;
mod search;
mod session;
mod text;
mod writer;

#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use async_trait::async_trait;
use bson::{Bson, Document};
use tokio::sync::{Semaphore, mpsc, oneshot};

use self::{
    error::sqlite_error,
    irregular::Irregular,
    reader::Reader,
    session::{Access, Session},
    writer::{Command, Writer},
};
use crate::{
    Collection, DocumentStore, Filter, Find, GroupBy, Returned, StoreError, StoreResult, Update, Write,
    WriteOutcome,
};

/// Name of the file in the data directory.
const FILE_NAME: &str = "documents.sqlite";

/// Callers that may wait for the writer before others wait to be queued.
const WRITE_QUEUE: usize = 1024;

/// A document store in one file. Clones share it; it is closed with the last one.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    file: PathBuf,
    irregular: Arc<Irregular>,
    /// Idle reading connections.
    readers: Mutex<Vec<Session>>,
    /// One permit per reading connection that may be open.
    reading: Arc<Semaphore>,
    /// Taken when the store is closed.
    commands: Option<mpsc::Sender<Command>>,
    writer: Option<JoinHandle<()>>,
}

impl SqliteStore {
    /// Opens the store in a directory, which is created when missing, and brings its file up to date.
    /// Blocks: to be called at start.
    ///
    /// Errors: [`StoreError::Unavailable`] when the directory can't be used, [`StoreError::Backend`] when the
    /// file is damaged or was written by a newer version of this program.
    pub fn open(directory: impl AsRef<Path>) -> StoreResult<Self> {
        let directory = directory.as_ref();
        let file = directory.join(FILE_NAME);
        create_private(directory, &file).map_err(|error| {
            StoreError::Unavailable(format!("cannot use the directory {}: {error}", directory.display()))
        })?;
        let mut session = Session::open(&file, Access::Write)?;
        let irregular = Arc::new(Irregular::default());
        schema::prepare(&mut session.connection, &irregular)?;
        irregular.load(&session.connection).map_err(sqlite_error)?;

        let (commands, queue) = mpsc::channel(WRITE_QUEUE);
        let writer = Writer::new(session, Arc::clone(&irregular));
        let thread = std::thread::Builder::new()
            .name("documents-writer".to_owned())
            .spawn(move || writer.run(queue))
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let readers = std::thread::available_parallelism().map_or(4, usize::from).clamp(4, 16);
        Ok(Self {
            shared: Arc::new(Shared {
                file,
                irregular,
                readers: Mutex::new(Vec::new()),
                reading: Arc::new(Semaphore::new(readers)),
                commands: Some(commands),
                writer: Some(thread),
            }),
        })
    }

    /// Runs a read on a blocking thread with a connection of its own.
    async fn read<T: Send + 'static>(
        &self,
        collection: Collection,
        work: impl FnOnce(Reader<'_>) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let permit = Arc::clone(&self.shared.reading)
            .acquire_owned()
            .await
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let shared = Arc::clone(&self.shared);
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let session = shared.reader()?;
            let result = work(Reader::new(&session, collection, &shared.irregular));
            shared.readers.lock().unwrap_or_else(PoisonError::into_inner).push(session);
            result
        });
        task.await.map_err(|error| StoreError::Backend(format!("a read was broken off: {error}")))?
    }

    async fn command<T>(
        &self,
        command: Command,
        answer: oneshot::Receiver<StoreResult<T>>,
    ) -> StoreResult<T> {
        let gone = || StoreError::Unavailable("the document store is closed".to_owned());
        let commands = self.shared.commands.as_ref().ok_or_else(gone)?;
        commands.send(command).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl Shared {
    fn reader(&self) -> StoreResult<Session> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| Session::open(&self.file, Access::Read), Ok)
    }
}

impl Drop for Shared {
    /// Lets the writer finish what waits and close the file.
    fn drop(&mut self) {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        drop(self.commands.take());
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the writer of the document store had panicked");
        }
    }
}

/// Makes the directory and the file, readable by the owner alone: it holds credentials. SQLite gives its
/// side files the same mode.
fn create_private(directory: &Path, file: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).map(drop)
}

#[async_trait]
impl DocumentStore for SqliteStore {
    async fn find(&self, collection: Collection, find: Find) -> StoreResult<Vec<Document>> {
        self.read(collection, move |reader| reader.find(&find)).await
    }

    async fn count(
        &self,
        collection: Collection,
        filter: Filter,
        numeric_collation: bool,
    ) -> StoreResult<u64> {
        self.read(collection, move |reader| reader.count(&filter, numeric_collation)).await
    }

    async fn distinct(&self, collection: Collection, path: &str, filter: Filter) -> StoreResult<Vec<Bson>> {
        let path = path.to_owned();
        self.read(collection, move |reader| reader.distinct(&path, &filter)).await
    }

    async fn group(&self, collection: Collection, group: GroupBy) -> StoreResult<Vec<Document>> {
        self.read(collection, move |reader| reader.group(&group)).await
    }

    async fn map_keys(
        &self,
        collection: Collection,
        path: &str,
        depth: usize,
        filter: Filter,
    ) -> StoreResult<Vec<Document>> {
        let path = path.to_owned();
        self.read(collection, move |reader| reader.map_keys(&path, depth, &filter)).await
    }

    async fn write(&self, collection: Collection, writes: Vec<Write>) -> StoreResult<WriteOutcome> {
        let (answer, receiver) = oneshot::channel();
        self.command(Command::Write { collection, writes, answer }, receiver).await
    }

    async fn find_and_update(
        &self,
        collection: Collection,
        filter: Filter,
        update: Update,
        returned: Returned,
    ) -> StoreResult<Option<Document>> {
        let (answer, receiver) = oneshot::channel();
        self.command(Command::FindAndUpdate { collection, filter, update, returned, answer }, receiver).await
    }

    async fn ping(&self) -> StoreResult<()> {
        self.read(Collection::Settings, |reader| {
            reader.session.connection.query_row("SELECT 1", [], |_| Ok(())).map_err(sqlite_error)
        })
        .await
    }
}
