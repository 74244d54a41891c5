//! What SQLite's errors mean to callers.

use bson::{Bson, Document};
use rusqlite::ErrorCode;

use super::layout::Layout;
use crate::{StoreError, apply::lookup, regex::TOO_SLOW};

/// An error without a document in play.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
pub(super) fn sqlite_error(error: rusqlite::Error) -> StoreError {
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::OutOfMemory
            | ErrorCode::FileLockingProtocolFailed,
        ) => StoreError::Unavailable(text),
        // The one thing that our own functions refuse.
        _ if text.contains(TOO_SLOW) => StoreError::InvalidRegex(TOO_SLOW.to_owned()),
        Some(ErrorCode::TooBig) => StoreError::InvalidValue(text),
        _ => StoreError::Backend(text),
    }
}

/// An error while a document was written: a unique index names its fields and the document's values.
pub(super) fn write_error(layout: &Layout, document: &Document, error: rusqlite::Error) -> StoreError {
    let rusqlite::Error::SqliteFailure(failure, Some(message)) = &error else { return sqlite_error(error) };
    if failure.code != ErrorCode::ConstraintViolation {
        return sqlite_error(error);
    }
    // "UNIQUE constraint failed: project.name, project.company"
    let Some((_, columns)) = message.split_once(": ") else { return sqlite_error(error) };
    let prefix = format!("{}.", layout.table);
    let key = columns.split(", ").map(|column| {
        let path = column.strip_prefix(&prefix).unwrap_or(column);
        (path.to_owned(), lookup(document, path).cloned().unwrap_or(Bson::Null))
    });
    StoreError::Duplicate { collection: layout.collection.name(), key: key.collect() }
}
