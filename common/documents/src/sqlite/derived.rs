//! Keeps side tables and the text indexes in step with their documents.

use rusqlite::{Connection, params, params_from_iter, types::Value};

use super::layout::{Layout, Side, quoted};
use crate::regex::trigrams::folded;

pub(super) fn insert_side(
    connection: &Connection,
    side: &Side,
    seq: i64,
    values: &[Value],
) -> rusqlite::Result<()> {
    if values.is_empty() {
        return Ok(());
    }
    let mut insert =
        connection.prepare_cached(&format!("INSERT INTO {} (value, seq) VALUES (?, ?)", side.table))?;
    for value in values {
        insert.execute(params![value, seq])?;
    }
    Ok(())
}

pub(super) fn delete_side(
    connection: &Connection,
    side: &Side,
    seq: i64,
    values: &[Value],
) -> rusqlite::Result<()> {
    if values.is_empty() {
        return Ok(());
    }
    let mut delete =
        connection.prepare_cached(&format!("DELETE FROM {} WHERE value = ? AND seq = ?", side.table))?;
    for value in values {
        delete.execute(params![value, seq])?;
    }
    Ok(())
}

pub(super) fn insert_text(
    connection: &Connection,
    layout: &Layout,
    seq: i64,
    texts: &[String],
) -> rusqlite::Result<()> {
    if texts.is_empty() {
        return Ok(());
    }
    let fields: String = (0..texts.len()).map(|field| format!(", f{field}")).collect();
    let places = ", ?".repeat(texts.len());
    let sql = format!("INSERT INTO {} (rowid{fields}) VALUES (?{places})", layout.quoted_text_table());
    let values =
        std::iter::once(Value::Integer(seq)).chain(texts.iter().map(|text| Value::Text(text.clone())));
    connection.prepare_cached(&sql)?.execute(params_from_iter(values))?;
    Ok(())
}

pub(super) fn delete_text(connection: &Connection, layout: &Layout, seq: i64) -> rusqlite::Result<()> {
    if layout.text.is_empty() {
        return Ok(());
    }
    connection
        .prepare_cached(&format!("DELETE FROM {} WHERE rowid = ?", layout.quoted_text_table()))?
        .execute([seq])?;
    Ok(())
}

pub(super) fn insert_trigrams(
    connection: &Connection,
    layout: &Layout,
    seq: i64,
    patterns: &str,
) -> rusqlite::Result<()> {
    if patterns.is_empty() {
        return Ok(());
    }
    let fields = quoted(&layout.trigram_fields());
    let sql = format!("INSERT INTO {} (rowid, {fields}) VALUES (?, ?)", layout.quoted_trigram_table());
    connection.prepare_cached(&sql)?.execute(params![seq, folded(patterns)])?;
    Ok(())
}

pub(super) fn delete_trigrams(connection: &Connection, layout: &Layout, seq: i64) -> rusqlite::Result<()> {
    if layout.trigrams.is_empty() {
        return Ok(());
    }
    connection
        .prepare_cached(&format!("DELETE FROM {} WHERE rowid = ?", layout.quoted_trigram_table()))?
        .execute([seq])?;
    Ok(())
}
