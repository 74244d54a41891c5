//! Makes the tables, brings older files up to date, refuses newer ones.
//!
//! Two kinds of change: what documents *are* in the file (their encoding, their base tables) changes by an
//! ordered [migration](MIGRATIONS); what is *derived* from them (columns, side tables, indexes, full text)
//! is compared with the [`Layout`] at every start and rebuilt where it differs.

use std::collections::HashSet;

use bson::RawDocument;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::{
    derived::{insert_side, insert_text},
    error::sqlite_error,
    irregular::Irregular,
    layout::{Layout, column_name, quoted},
    row::Derived,
};
use crate::{Collection, StoreError, StoreResult, projection::damaged};

/// "clml", so that tools can tell what the file is.
const APPLICATION_ID: i32 = 0x636c_6d6c;

type Migration = fn(&Transaction<'_>) -> rusqlite::Result<()>;

/// Steps from version to version; the length is the version that this program writes. Only ever append.
const MIGRATIONS: &[Migration] = &[create_base_tables, add_pending_removals];

/// Version 1: one table per collection with the documents, and the list of irregular columns.
fn create_base_tables(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.execute_batch(
        "CREATE TABLE irregular (collection TEXT, path TEXT, PRIMARY KEY (collection, path)) WITHOUT ROWID",
    )?;
    for collection in Collection::ALL {
        create_tables(transaction, collection)?;
    }
    Ok(())
}

/// Version 2: the collection [`Collection::PendingRemoval`], which new files have from the start.
fn add_pending_removals(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    create_tables(transaction, Collection::PendingRemoval)
}

fn create_tables(transaction: &Transaction<'_>, collection: Collection) -> rusqlite::Result<()> {
    // No column types: SQLite would convert values to them.
    let layout = Layout::of(collection);
    let columns: String = layout.columns.iter().map(|column| format!(", {}", quoted(column.name))).collect();
    transaction.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS {} (seq INTEGER PRIMARY KEY, \"_id\" NOT NULL UNIQUE{columns});
         CREATE TABLE IF NOT EXISTS {} (seq INTEGER PRIMARY KEY, doc BLOB NOT NULL)",
        layout.quoted_table(),
        layout.quoted_document_table()
    ))
}

/// Makes the file ready for this program.
///
/// Errors: [`StoreError::Backend`] when a newer program wrote it.
pub(super) fn prepare(connection: &mut Connection, irregular: &Irregular) -> StoreResult<()> {
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sqlite_error)?;
    let found: u32 =
        transaction.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(sqlite_error)?;
    let found = found as usize;
    if found > MIGRATIONS.len() {
        return Err(StoreError::Backend(format!(
            "the data was written by a newer version of this program (its version is {found}, this program \
             knows {}): please upgrade",
            MIGRATIONS.len()
        )));
    }
    for (version, migrate) in (1..).zip(MIGRATIONS).skip(found) {
        migrate(&transaction).map_err(sqlite_error)?;
        transaction.pragma_update(None, "user_version", version).map_err(sqlite_error)?;
        tracing::info!(version, "migrated the document store");
    }
    for collection in Collection::ALL {
        reconcile(&transaction, Layout::of(collection), irregular)?;
    }
    transaction.commit().map_err(sqlite_error)
}

/// Makes what is derived from the documents as the layout says.
fn reconcile(transaction: &Transaction<'_>, layout: &Layout, irregular: &Irregular) -> StoreResult<()> {
    let stale = reconcile_tables(transaction, layout).map_err(sqlite_error)?;
    if stale {
        derive_all(transaction, layout, irregular)?;
    }
    reconcile_indexes(transaction, layout).map_err(sqlite_error)
}

/// Adds and drops columns, side tables and the text index; answers whether any of them has to be filled.
fn reconcile_tables(transaction: &Transaction<'_>, layout: &Layout) -> rusqlite::Result<bool> {
    let table = layout.quoted_table();
    let mut stale = false;
    let present: HashSet<String> = transaction
        .prepare("SELECT name FROM pragma_table_info(?)")?
        .query_map([layout.table], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for column in layout.columns.iter().filter(|column| !present.contains(column.name)) {
        transaction.execute_batch(&format!("ALTER TABLE {table} ADD COLUMN {}", quoted(column.name)))?;
        stale = true;
    }
    let unknown: Vec<_> = present
        .iter()
        .filter(|name| !matches!(name.as_str(), "seq" | "_id") && layout.column(name).is_none())
        .collect();
    if !unknown.is_empty() {
        // Indexes may name the columns: they are made anew below.
        drop_indexes(transaction, layout, &HashSet::new())?;
        for name in unknown {
            transaction.execute_batch(&format!("ALTER TABLE {table} DROP COLUMN {}", quoted(name)))?;
        }
    }

    let mut wanted: HashSet<String> = layout.sides.iter().map(|side| side.table.clone()).collect();
    wanted.insert(layout.quoted_document_table());
    if !layout.text.is_empty() {
        wanted.insert(layout.quoted_text_table());
    }
    let pattern = format!("{}:*", layout.table);
    let present: HashSet<String> = transaction
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB ?")?
        .query_map([pattern], |row| Ok(quoted(&row.get::<_, String>(0)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let text_shadow = format!("{}:text_", layout.table);
    for name in present.difference(&wanted).filter(|name| !name[1..].starts_with(&text_shadow)) {
        transaction.execute_batch(&format!("DROP TABLE {name}"))?;
    }
    for side in layout.sides.iter().filter(|side| !present.contains(&side.table)) {
        transaction.execute_batch(&format!(
            "CREATE TABLE {} (value, seq INTEGER NOT NULL, PRIMARY KEY (value, seq)) WITHOUT ROWID",
            side.table
        ))?;
        stale = true;
    }
    if !layout.text.is_empty() && !present.contains(&layout.quoted_text_table()) {
        let fields: String = (0..layout.text.len()).map(|field| format!("f{field}, ")).collect();
        // Words as MongoDB cuts them in English: stems, without accents, joined by underscores.
        transaction.execute_batch(&format!(
            "CREATE VIRTUAL TABLE {} USING fts5({fields}content = '', contentless_delete = 1,
             tokenize = \"porter unicode61 tokenchars '_'\")",
            layout.quoted_text_table()
        ))?;
        stale = true;
    }
    Ok(stale)
}

/// Fills columns, side tables and the text index from the documents.
fn derive_all(transaction: &Transaction<'_>, layout: &Layout, irregular: &Irregular) -> StoreResult<()> {
    let table = layout.quoted_table();
    let mut clear: String = layout.sides.iter().map(|side| format!("DELETE FROM {};", side.table)).collect();
    if !layout.text.is_empty() {
        let text = layout.quoted_text_table();
        clear += &format!("INSERT INTO {text}({text}) VALUES ('delete-all');");
    }
    let assignments: Vec<_> = layout
        .columns
        .iter()
        .enumerate()
        .map(|(position, column)| format!("{} = ?{}", quoted(column.name), position + 2))
        .collect();
    let update = format!("UPDATE {table} SET {} WHERE seq = ?1", assignments.join(", "));
    let mut last = 0;
    drop_indexes(transaction, layout, &HashSet::new()).map_err(sqlite_error)?;
    transaction.execute_batch(&clear).map_err(sqlite_error)?;
    let mut next = transaction
        .prepare(&format!(
            "SELECT seq, doc FROM {} WHERE seq > ? ORDER BY seq LIMIT 1",
            layout.quoted_document_table()
        ))
        .map_err(sqlite_error)?;
    loop {
        let row = next.query_row([last], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)));
        let (seq, bytes) = match row {
            Ok(row) => row,
            Err(rusqlite::Error::QueryReturnedNoRows) => return Ok(()),
            Err(error) => return Err(sqlite_error(error)),
        };
        last = seq;
        let derived = Derived::of(layout, RawDocument::from_bytes(&bytes).map_err(damaged)?);
        irregular.note(transaction, layout, derived.irregular).map_err(sqlite_error)?;
        if !layout.columns.is_empty() {
            let values = std::iter::once(rusqlite::types::Value::Integer(seq)).chain(derived.columns);
            transaction
                .prepare_cached(&update)
                .and_then(|mut update| update.execute(rusqlite::params_from_iter(values)))
                .map_err(sqlite_error)?;
        }
        for (side, values) in layout.sides.iter().zip(&derived.sides) {
            insert_side(transaction, side, seq, values).map_err(sqlite_error)?;
        }
        insert_text(transaction, layout, seq, &derived.texts).map_err(sqlite_error)?;
    }
}

fn reconcile_indexes(transaction: &Transaction<'_>, layout: &Layout) -> rusqlite::Result<()> {
    let wanted: HashSet<&str> = layout.indexes.iter().map(|index| index.name.as_str()).collect();
    drop_indexes(transaction, layout, &wanted)?;
    for index in &layout.indexes {
        let fields: Vec<_> = index
            .fields
            .iter()
            .map(|field| {
                let direction = if field.starts_with('-') { " DESC" } else { "" };
                quoted(column_name(field)) + direction
            })
            .collect();
        let unique = if index.unique { "UNIQUE " } else { "" };
        transaction.execute_batch(&format!(
            "CREATE {unique}INDEX IF NOT EXISTS {} ON {} ({})",
            quoted(&index.name),
            layout.quoted_table(),
            fields.join(", ")
        ))?;
    }
    Ok(())
}

fn drop_indexes(
    transaction: &Transaction<'_>,
    layout: &Layout,
    keep: &HashSet<&str>,
) -> rusqlite::Result<()> {
    let present: Vec<String> = transaction
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL")?
        .query_map(params![layout.table], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for name in present.iter().filter(|name| !keep.contains(name.as_str())) {
        transaction.execute_batch(&format!("DROP INDEX {}", quoted(name)))?;
    }
    Ok(())
}
