//! Files that users upload: artifacts, models, debug images, data sets (spec 06 §1).
//!
//! A file has a [`FilePath`], the same text that the client sent and that links contain. Everything streams:
//! no call holds a whole file in memory.

mod local;
pub mod object;
mod path;
#[cfg(feature = "suite")]
pub mod suite;

use std::{ops::Range, time::SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

pub use local::LocalFiles;
pub use object::ObjectFiles;
pub use path::{FilePath, InvalidPath};

/// Why a file operation failed.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is no such file.
    #[error("File not found")]
    NotFound,
    /// The target is a folder, or lies below a file.
    #[error("Not a file")]
    NotAFile,
    /// No room left.
    #[error("No space left on device")]
    NoSpace,
    /// This kind of store can't keep a file of this name.
    #[error("Unsupported file name")]
    UnsupportedName,
    /// The store does not answer, or is overloaded: the same call may succeed later.
    #[error("Storage unavailable: {0}")]
    Unavailable(String),
    /// Anything else, with the operating system's words.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// Result of a file operation.
pub type FileResult<T> = Result<T, FileError>;

/// Content of a file, piece by piece.
pub type ByteStream = BoxStream<'static, FileResult<Bytes>>;

/// What lies at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A file with its size in bytes, the time of its last change and, where the store keeps one, a tag of its
    /// content.
    File { size: u64, modified: SystemTime, tag: Option<Box<str>> },
    /// A folder.
    Folder,
}

/// A file being written. It becomes visible, whole and durable, when [`FileWriter::finish`] returns; dropped
/// before that, it leaves nothing behind.
#[async_trait]
pub trait FileWriter: Send {
    /// Appends content.
    async fn write(&mut self, content: Bytes) -> FileResult<()>;

    /// Makes the file durable and puts it in place of whatever file had its name.
    async fn finish(self: Box<Self>) -> FileResult<()>;
}

/// A place for files.
#[async_trait]
pub trait FileStore: Send + Sync + 'static {
    /// Starts to write a file; folders on the way are made as needed.
    async fn create(&self, path: &FilePath) -> FileResult<Box<dyn FileWriter>>;

    /// What lies at the path.
    async fn entry(&self, path: &FilePath) -> FileResult<Entry>;

    /// The bytes of a range of a file.
    async fn read(&self, path: &FilePath, range: Range<u64>) -> FileResult<ByteStream>;

    /// Deletes a file.
    async fn delete_file(&self, path: &FilePath) -> FileResult<()>;

    /// Deletes a folder with all that is in it.
    async fn delete_folder(&self, path: &FilePath) -> FileResult<()>;

    /// Deletes files and folders, whatever they are; one result for each, in order.
    async fn delete_all(&self, paths: &[FilePath]) -> Vec<FileResult<()>> {
        let mut results = Vec::with_capacity(paths.len());
        for path in paths {
            results.push(match self.entry(path).await {
                Ok(Entry::File { .. }) => self.delete_file(path).await,
                Ok(Entry::Folder) => self.delete_folder(path).await,
                Err(error) => Err(error),
            });
        }
        results
    }

    /// All files with their sizes in bytes, in any order: for a copy of the store.
    fn list(&self) -> BoxStream<'static, FileResult<(FilePath, u64)>>;

    /// Whether the place can be read now.
    async fn check(&self) -> FileResult<()>;

    /// Waits until what uploads that were given up have left is removed; for the end of a process.
    async fn close(&self) {}
}
