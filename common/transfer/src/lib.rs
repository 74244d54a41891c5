//! Moves everything that a server keeps from one set of stores to another: from one process on one machine to a
//! cluster, and back.
//!
//! [`export`] writes an archive, a folder of checked parts; [`import`] reads one into stores that are not in use yet.
//! Both go on where they were interrupted, and hold a bounded part of the data in memory. What comes and goes by itself
//! (workers that are alive, positions of scrolls, locks) is no part of an archive, and neither is the configuration.

mod archive;
mod documents;
mod events;
mod export;
mod files;
mod import;
mod statistics;

use std::{fmt, sync::Arc};

use clearml_documents::{DocumentStore, StoreError};
use clearml_events::{EventError, EventStore, StatisticsStore};
use clearml_files::{FileError, FileStore};
use serde::{Deserialize, Serialize};

pub use archive::{Archive, Content, Manifest, Part};
pub use export::export;
pub use import::{Imported, import};

/// The stores of a server, on either side.
#[derive(Clone)]
pub struct Stores {
    pub documents: Arc<dyn DocumentStore>,
    pub events: Arc<dyn EventStore>,
    pub statistics: Arc<dyn StatisticsStore>,
    pub files: Arc<dyn FileStore>,
}

/// What is being moved; in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    Documents,
    Events,
    Statistics,
    Files,
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Documents => "documents",
            Self::Events => "events",
            Self::Statistics => "statistics",
            Self::Files => "files",
        })
    }
}

/// How far a transfer has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    pub stage: Stage,
    /// Documents, events, samples or files of this stage so far.
    pub done: u64,
    /// How much of this stage is done, from 0 to 1, where it is known.
    pub share: Option<f64>,
}

/// Is told of progress.
pub type Watcher<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// Why a transfer failed. What was moved so far stays: the same call again goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    #[error("documents: {0}")]
    Documents(#[from] StoreError),
    #[error("events: {0}")]
    Events(#[from] EventError),
    #[error("files: {0}")]
    Files(#[from] FileError),
    /// One file can't be copied.
    #[error("the file {path}: {error}")]
    File { path: String, error: FileError },
    #[error("{path}: {error}")]
    Archive { path: String, error: std::io::Error },
    /// The folder holds something else than an archive that this version can read.
    #[error("{0} is neither empty nor an archive that this version can read")]
    NoArchive(String),
    #[error("{0} holds a complete archive; hint: export into another folder")]
    Complete(String),
    #[error("{0} holds the beginning of an export of another server; hint: export into another folder")]
    OtherServer(String),
    #[error("{0} is not complete; hint: export into the same folder again to complete it")]
    Incomplete(String),
    /// A part's content is not what was written.
    #[error("{0} is damaged: its checksum is another than in the manifest; hint: copy the archive again")]
    Damaged(String),
    #[error("{part}, line {line}: {reason}")]
    Line { part: String, line: u64, reason: String },
    /// Somebody uses the stores already.
    #[error(
        "the stores are in use: there are {count} documents in {collection}; hint: import into a new server"
    )]
    InUse { count: u64, collection: &'static str },
    /// The stores hold the beginning of another import.
    #[error(
        "the import of another archive ({0}) into these stores was interrupted; hint: complete that one, or empty them"
    )]
    OtherImport(String),
    /// The stores to export from hold the beginning of an import.
    #[error("an import into these stores was interrupted; hint: complete it with the same command")]
    HalfImported,
    /// There is a file that an import would replace.
    #[error("there is another file {0} already; hint: move it away")]
    FileExists(String),
}

/// Result of a transfer.
pub type TransferResult<T> = Result<T, TransferError>;
