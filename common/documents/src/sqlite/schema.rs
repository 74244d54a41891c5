//! Makes the tables, brings older files up to date, refuses newer ones.
//!
//! Two kinds of change: what documents *are* in the file (their encoding, their base tables) changes by an
//! ordered [migration](MIGRATIONS); what is *derived* from them (columns, side tables, indexes, full text)
//! is compared with the [`Layout`] at every start and rebuilt where it differs.

use std::collections::HashSet;

use bson::RawDocument;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::{
    derived::{insert_side, insert_text, insert_trigrams},
    error::sqlite_error,
    irregular::Irregular,
    layout::{Layout, Side, column_name, quoted},
    row::Derived,
};
use crate::{Collection, StoreError, StoreResult, projection::damaged};

/// "clml", so that tools can tell what the file is.
const APPLICATION_ID: i32 = 0x636c_6d6c;

type Migration = fn(&Transaction<'_>) -> rusqlite::Result<()>;

/// Steps from version to version; the length is the version that this program writes. Only ever append.
const MIGRATIONS: &[Migration] = &[create_base_tables, add_pending_removals, allow_trigrams];

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

/// Version 3: files have indexes of trigrams, which programs that know only version 2 fail to drop. They are made
/// and filled as all that is derived.
#[expect(clippy::unnecessary_wraps, reason = "a migration like the others")]
fn allow_trigrams(_: &Transaction<'_>) -> rusqlite::Result<()> {
    Ok(())
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
    if stale.anything() {
        derive_all(transaction, layout, irregular, &stale)?;
    }
    reconcile_indexes(transaction, layout).map_err(sqlite_error)
}

/// What of the derived data of a collection has to be filled.
#[derive(Debug, Default)]
struct Stale<'a> {
    columns: bool,
    sides: Vec<(usize, &'a Side)>,
    text: bool,
    trigrams: bool,
}

impl Stale<'_> {
    fn anything(&self) -> bool {
        self.columns || !self.sides.is_empty() || self.text || self.trigrams
    }
}

/// Adds and drops columns, side tables and the text indexes; answers which of them have to be filled.
fn reconcile_tables<'a>(transaction: &Transaction<'_>, layout: &'a Layout) -> rusqlite::Result<Stale<'a>> {
    let mut stale = Stale { columns: reconcile_columns(transaction, layout)?, ..Stale::default() };
    let mut wanted: HashSet<String> = layout.sides.iter().map(|side| side.table.clone()).collect();
    wanted.insert(layout.quoted_document_table());
    if !layout.text.is_empty() {
        wanted.insert(layout.quoted_text_table());
    }
    if !layout.trigrams.is_empty() {
        wanted.insert(layout.quoted_trigram_table());
    }
    let pattern = format!("{}:*", layout.table);
    let mut present: HashSet<String> = transaction
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB ?")?
        .query_map([pattern], |row| Ok(quoted(&row.get::<_, String>(0)?)))?
        .collect::<rusqlite::Result<_>>()?;
    if drop_other_trigrams(transaction, layout)? {
        present.remove(&layout.quoted_trigram_table());
    }
    let shadows = ["text", "trigrams"].map(|index| format!("\"{}:{index}_", layout.table));
    let is_shadow = |name: &str| shadows.iter().any(|shadow| name.starts_with(shadow.as_str()));
    for name in present.difference(&wanted).filter(|name| !is_shadow(name)) {
        transaction.execute_batch(&format!("DROP TABLE {name}"))?;
    }
    for (position, side) in layout.sides.iter().enumerate() {
        if present.contains(&side.table) {
            continue;
        }
        transaction.execute_batch(&format!(
            "CREATE TABLE {} (value, seq INTEGER NOT NULL, PRIMARY KEY (value, seq)) WITHOUT ROWID",
            side.table
        ))?;
        stale.sides.push((position, side));
    }
    if !layout.text.is_empty() && !present.contains(&layout.quoted_text_table()) {
        let fields: String = (0..layout.text.len()).map(|field| format!("f{field}, ")).collect();
        // Words as MongoDB cuts them in English: stems, without accents, joined by underscores.
        transaction.execute_batch(&format!(
            "CREATE VIRTUAL TABLE {} USING fts5({fields}content = '', contentless_delete = 1,
             tokenize = \"porter unicode61 tokenchars '_'\")",
            layout.quoted_text_table()
        ))?;
        stale.text = true;
    }
    if !layout.trigrams.is_empty() && !present.contains(&layout.quoted_trigram_table()) {
        transaction.execute_batch(&trigram_definition(layout))?;
        stale.trigrams = true;
    }
    Ok(stale)
}

/// The index of trigrams says which documents have a trigram anywhere, no more: the pattern itself is asked about
/// these. The name of its one column tells which fields are in it.
fn trigram_definition(layout: &Layout) -> String {
    format!(
        "CREATE VIRTUAL TABLE {} USING fts5({}, content = '', contentless_delete = 1, detail = none, \
         tokenize = 'trigram case_sensitive 1')",
        layout.quoted_trigram_table(),
        quoted(&layout.trigram_fields())
    )
}

/// Drops an index of trigrams that was made for other fields; answers whether there was one.
fn drop_other_trigrams(transaction: &Transaction<'_>, layout: &Layout) -> rusqlite::Result<bool> {
    let table = layout.quoted_trigram_table();
    let name = format!("{}:trigrams", layout.table);
    let mut definitions = transaction.prepare("SELECT sql FROM sqlite_schema WHERE name = ?")?;
    let definition = definitions.query_row([name], |row| row.get::<_, String>(0)).optional()?;
    let is_other = definition.is_some_and(|definition| definition != trigram_definition(layout));
    if is_other {
        transaction.execute_batch(&format!("DROP TABLE {table}"))?;
    }
    Ok(is_other)
}

/// Adds and drops columns; answers whether any of them has to be filled.
fn reconcile_columns(transaction: &Transaction<'_>, layout: &Layout) -> rusqlite::Result<bool> {
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
    let known = |name: &str| layout.columns.iter().any(|column| column.name == name);
    let unknown: Vec<_> =
        present.iter().filter(|name| !matches!(name.as_str(), "seq" | "_id") && !known(name)).collect();
    if !unknown.is_empty() {
        // Indexes may name the columns: they are made anew below.
        drop_indexes(transaction, layout, &HashSet::new())?;
        for name in unknown {
            transaction.execute_batch(&format!("ALTER TABLE {table} DROP COLUMN {}", quoted(name)))?;
        }
    }
    Ok(stale)
}

/// Fills columns, side tables and the text indexes from the documents, where they are stale.
fn derive_all(
    transaction: &Transaction<'_>,
    layout: &Layout,
    irregular: &Irregular,
    stale: &Stale<'_>,
) -> StoreResult<()> {
    let table = layout.quoted_table();
    let count: i64 = transaction
        .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
        .map_err(sqlite_error)?;
    if count == 0 {
        return Ok(());
    }
    tracing::info!(collection = layout.table, documents = count, "indexing the documents anew");
    let assignments: Vec<_> = layout
        .columns
        .iter()
        .enumerate()
        .map(|(position, column)| format!("{} = ?{}", quoted(column.name), position + 2))
        .collect();
    let update = format!("UPDATE {table} SET {} WHERE seq = ?1", assignments.join(", "));
    let mut last = 0;
    if stale.columns {
        drop_indexes(transaction, layout, &HashSet::new()).map_err(sqlite_error)?;
    }
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
        if stale.columns {
            irregular.note(transaction, layout, derived.irregular).map_err(sqlite_error)?;
            let values = std::iter::once(rusqlite::types::Value::Integer(seq)).chain(derived.columns);
            transaction
                .prepare_cached(&update)
                .and_then(|mut update| update.execute(rusqlite::params_from_iter(values)))
                .map_err(sqlite_error)?;
        }
        for (position, side) in &stale.sides {
            insert_side(transaction, side, seq, &derived.sides[*position]).map_err(sqlite_error)?;
        }
        if stale.text {
            insert_text(transaction, layout, seq, &derived.texts).map_err(sqlite_error)?;
        }
        if stale.trigrams {
            insert_trigrams(transaction, layout, seq, &derived.patterns).map_err(sqlite_error)?;
        }
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
