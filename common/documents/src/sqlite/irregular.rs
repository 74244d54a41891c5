//! Columns that can't be trusted.
//!
//! A column expresses texts, numbers or dates. Documents of the API hold nothing else there, but documents
//! written by others might (a list where a text belongs). The first such document marks its column for good,
//! and conditions on it are then answered from the documents themselves: slower, never wrong.

use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;

use super::layout::Layout;
use crate::Collection;

/// One bit per column, per collection.
#[derive(Debug, Default)]
pub(super) struct Irregular([AtomicU64; Collection::ALL.len()]);

impl Irregular {
    pub(super) fn load(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement = connection.prepare("SELECT path FROM irregular WHERE collection = ?")?;
        for collection in Collection::ALL {
            let layout = Layout::of(collection);
            let mut rows = statement.query([layout.table])?;
            while let Some(row) = rows.next()? {
                if let Some((position, _)) = layout.column(row.get_ref(0)?.as_str()?) {
                    self.0[collection as usize].fetch_or(1 << position, Ordering::AcqRel);
                }
            }
        }
        Ok(())
    }

    /// The marked columns of a collection.
    pub(super) fn of(&self, collection: Collection) -> u64 {
        self.0[collection as usize].load(Ordering::Acquire)
    }

    /// Marks columns, in the file and here. Here it takes effect at once and stays when the transaction is
    /// rolled back: that costs speed, never truth.
    pub(super) fn note(
        &self,
        connection: &Connection,
        layout: &Layout,
        columns: u64,
    ) -> rusqlite::Result<()> {
        if columns == 0 {
            return Ok(());
        }
        self.0[layout.collection as usize].fetch_or(columns, Ordering::AcqRel);
        for (position, column) in layout.columns.iter().enumerate() {
            if columns & (1 << position) != 0 {
                connection
                    .prepare_cached("INSERT OR IGNORE INTO irregular (collection, path) VALUES (?, ?)")?
                    .execute([layout.table, column.name])?;
            }
        }
        Ok(())
    }
}
