//! A connection with the functions that queries call.

use std::{
    path::Path as FilePath,
    sync::{Arc, Mutex, PoisonError},
};

use bson::{RawBsonRef, RawDocument};
use rusqlite::{Connection, OpenFlags, functions::FunctionFlags};

use super::error::sqlite_error;
use crate::{
    Matcher, StoreResult,
    collation::compare_collated,
    path::{Path, elements},
    regex::{Pattern, TOO_SLOW},
    value::{Class, Collation, order_key},
};

/// Something that SQL can't say, named in a statement by its number.
#[derive(Debug)]
pub(super) enum Slot {
    /// For `matches(doc, slot)`.
    Matcher(Matcher),
    /// For `has_match(text, slot)`.
    Pattern(Pattern),
    /// For `order_key(doc, slot)`.
    Order { path: Path, descending: bool, collation: Collation },
}

/// A connection, and the slots of the statement that it runs.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) connection: Connection,
    slots: Arc<Mutex<Vec<Slot>>>,
}

/// Whether a connection writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

impl Session {
    pub(super) fn open(file: &FilePath, access: Access) -> StoreResult<Self> {
        Self::connect(file, access).map_err(sqlite_error)
    }

    fn connect(file: &FilePath, access: Access) -> rusqlite::Result<Self> {
        let mode = match access {
            Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
            Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        };
        let connection = Connection::open_with_flags(file, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(std::time::Duration::from_secs(10))?;
        connection.set_prepared_statement_cache_capacity(128);
        // Small caches: the system's page cache holds the file anyway, and an idle server should be small.
        match access {
            Access::Read => connection.execute_batch("PRAGMA cache_size = -2000; PRAGMA query_only = ON;")?,
            Access::Write => connection.execute_batch(
                "PRAGMA journal_mode = WAL;
                 PRAGMA synchronous = FULL;
                 PRAGMA cache_size = -8000;
                 PRAGMA wal_autocheckpoint = 2000;
                 PRAGMA journal_size_limit = 67108864;",
            )?,
        }
        let slots = Arc::new(Mutex::new(Vec::new()));
        register(&connection, &slots)?;
        Ok(Self { connection, slots })
    }

    /// Makes the slots of the next statement known to the functions.
    pub(super) fn set_slots(&self, slots: Vec<Slot>) {
        *self.slots.lock().unwrap_or_else(PoisonError::into_inner) = slots;
    }
}

fn register(connection: &Connection, slots: &Arc<Mutex<Vec<Slot>>>) -> rusqlite::Result<()> {
    // Not deterministic in SQLite's sense: the same slot number means another thing in the next statement.
    // It is constant while one statement runs, which is all that `ORDER BY` needs.
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;

    let known = Arc::clone(slots);
    connection.create_scalar_function("matches", 2, flags, move |context| {
        let slots = known.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Slot::Matcher(matcher)) = slots.get(context.get::<u32>(1)? as usize) else {
            return Err(unknown_slot());
        };
        let is_match = matcher.matches_raw(document(context.get_raw(0).as_blob()?)?);
        matcher.check().map_err(|error| rusqlite::Error::UserFunctionError(Box::new(error)))?;
        Ok(is_match)
    })?;

    let known = Arc::clone(slots);
    connection.create_scalar_function("has_match", 2, flags, move |context| {
        let slots = known.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Slot::Pattern(pattern)) = slots.get(context.get::<u32>(1)? as usize) else {
            return Err(unknown_slot());
        };
        let is_match = context.get_raw(0).as_str().is_ok_and(|text| pattern.is_match(text));
        if pattern.is_exhausted() {
            return Err(rusqlite::Error::UserFunctionError(TOO_SLOW.into()));
        }
        Ok(is_match)
    })?;

    let known = Arc::clone(slots);
    connection.create_scalar_function("order_key", 2, flags, move |context| {
        let slots = known.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Slot::Order { path, descending, collation }) = slots.get(context.get::<u32>(1)? as usize)
        else {
            return Err(unknown_slot());
        };
        let document = document(context.get_raw(0).as_blob()?)?;
        Ok(sort_key(document, path, *descending, *collation))
    })?;

    connection.create_collation("numeric", compare_collated)
}

fn unknown_slot() -> rusqlite::Error {
    rusqlite::Error::UserFunctionError("unknown slot".into())
}

fn document(bytes: &[u8]) -> rusqlite::Result<&RawDocument> {
    RawDocument::from_bytes(bytes).map_err(|error| rusqlite::Error::UserFunctionError(Box::new(error)))
}

/// An array is ordered by its least element, or by its greatest when descending; an empty one comes before
/// null, a missing field is null.
fn sort_key(document: &RawDocument, path: &Path, descending: bool, collation: Collation) -> Vec<u8> {
    let mut best: Option<Vec<u8>> = None;
    let mut offer = |key: Vec<u8>| {
        let better = best.as_ref().is_none_or(|best| if descending { key > *best } else { key < *best });
        if better {
            best = Some(key);
        }
    };
    let _ = path.visit(RawBsonRef::Document(document), &mut |value| {
        match value {
            Some(RawBsonRef::Array(array)) if array.is_empty() => offer(vec![Class::Undefined as u8]),
            Some(RawBsonRef::Array(array)) => {
                elements(array).for_each(|element| offer(order_key(element, collation)));
            }
            Some(value) => offer(order_key(value, collation)),
            None => offer(order_key(RawBsonRef::Null, collation)),
        }
        std::ops::ControlFlow::Continue(())
    });
    best.unwrap_or_else(|| order_key(RawBsonRef::Null, collation))
}
