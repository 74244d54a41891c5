//! What can be wrong with a configuration.

use std::path::PathBuf;

use crate::value::Origin;

/// A configuration that can't be used. The text names the place, the key and what is expected there.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that can't be read.
    #[error("{}: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: std::io::Error },
    /// A file that is not HOCON.
    #[error("{origin}: {reason}")]
    Syntax { origin: Origin, reason: String },
    /// A value of another type than its key takes.
    #[error("{origin}: {key}: expected {expected}, found {found}")]
    WrongType { origin: Origin, key: String, expected: String, found: String },
    /// An environment variable with a value that makes no sense.
    #[error("environment variable {name}: {reason}")]
    Environment { name: String, reason: String },
    /// The file of generated secrets can't be read or written.
    #[error("{}: {reason}", path.display())]
    Secrets { path: PathBuf, reason: String },
    /// The data directory can't be used.
    #[error("data directory {}: {reason}", path.display())]
    DataDir { path: PathBuf, reason: String },
}
