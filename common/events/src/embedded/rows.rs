//! Rows as events.

use bson::{Bson, Document};
use rusqlite::{Row as SqlRow, types::ValueRef};

use super::{catalog::Series, readers::Reader};
use crate::{Event, EventError, EventResult, EventType, Number};

/// The columns of [`Row`] in `scalars`.
pub(super) const SCALAR_COLUMNS: &str =
    "seq, iter, timestamp, written, worker, model, value, NULL, NULL, body, series";
/// The columns of [`Row`] in `logs`.
pub(super) const LOG_COLUMNS: &str =
    "seq, iter, timestamp, written, worker, model, NULL, NULL, NULL, body, series";
/// The columns of [`Row`] in `records`.
pub(super) const RECORD_COLUMNS: &str =
    "seq, iter, timestamp, written, worker, model, value, key, url, body, series";
/// The columns of [`Row`] in `records` without the body.
pub(super) const RECORD_COLUMNS_WITHOUT_BODY: &str =
    "seq, iter, timestamp, written, worker, model, value, key, url, NULL, series";

/// One event as stored.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) seq: i64,
    pub(super) iter: Option<i64>,
    pub(super) timestamp: i64,
    written: i64,
    worker: Option<i64>,
    model: bool,
    value: Option<Number>,
    key: Option<String>,
    url: Option<String>,
    body: Option<Vec<u8>>,
    pub(super) series: i64,
}

impl Row {
    /// Reads the columns of the constants above.
    pub(super) fn read(row: &SqlRow<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            iter: row.get(1)?,
            timestamp: row.get(2)?,
            written: row.get(3)?,
            worker: row.get(4)?,
            model: row.get(5)?,
            value: number(row.get_ref(6)?),
            key: row.get(7)?,
            url: row.get(8)?,
            body: row.get(9)?,
            series: row.get(10)?,
        })
    }

    /// The event; `series` is the row's.
    pub(super) fn into_event(self, reader: &Reader, series: &Series) -> EventResult<Event> {
        let worker = match self.worker {
            Some(id) => reader.name(id)?,
            None => None,
        };
        let mut event = Event {
            event_type: series.event_type,
            task: series.task.to_string(),
            timestamp: self.timestamp,
            written: self.written,
            worker,
            metric: series.metric.clone(),
            variant: series.variant.clone(),
            model_event: self.model,
            iter: self.iter.filter(|_| !series.iterless),
            value: self.value,
            key: self.key.or_else(|| series.key.clone()),
            url: self.url,
            fields: Document::new(),
        };
        if let Some(body) = self.body {
            event.fields = decode_body(&body)?;
            if !series.event_type.is_record() {
                take_back(&mut event);
            }
        }
        Ok(event)
    }
}

/// A record with its body, by its sequence number.
pub(super) fn load_record(reader: &Reader, seq: i64) -> rusqlite::Result<Row> {
    let sql = format!("SELECT {RECORD_COLUMNS} FROM records WHERE seq = ?1");
    reader.connection.prepare_cached(&sql)?.query_row([seq], Row::read)
}

/// A record as event, by its sequence number.
pub(super) fn load_record_event(reader: &Reader, series: &Series, seq: i64) -> EventResult<Event> {
    load_record(reader, seq)?.into_event(reader, series)
}

/// A value of the column `value`.
pub(super) fn number(value: ValueRef<'_>) -> Option<Number> {
    match value {
        ValueRef::Integer(value) => Some(Number::Int(value)),
        ValueRef::Real(value) => Some(Number::Float(value)),
        _ => None,
    }
}

/// Everything of an event that has no column, for the column `body`. Takes these fields out of the event.
pub(super) fn encode_body(event: &mut Event) -> EventResult<Option<Vec<u8>>> {
    let mut fields = std::mem::take(&mut event.fields);
    if !event.event_type.is_record() {
        if let Some(url) = event.url.take() {
            fields.insert("url", url);
        }
        if event.event_type == EventType::Log {
            if let Some(value) = event.value.take() {
                fields.insert("value", value);
            }
            if let Some(key) = event.key.take() {
                fields.insert("key", key);
            }
        }
    }
    if fields.is_empty() {
        return Ok(None);
    }
    fields.to_vec().map(Some).map_err(|error| EventError::Backend(error.to_string()))
}

fn decode_body(body: &[u8]) -> EventResult<Document> {
    Document::from_reader(body).map_err(|error| EventError::Backend(format!("damaged event: {error}")))
}

/// Moves what [`encode_body`] put into the fields back to where it was.
fn take_back(event: &mut Event) {
    if event.url.is_none() && matches!(event.fields.get("url"), Some(Bson::String(_))) {
        event.url = event.fields.remove("url").and_then(text);
    }
    if event.event_type != EventType::Log {
        return;
    }
    if matches!(event.fields.get("key"), Some(Bson::String(_))) {
        event.key = event.fields.remove("key").and_then(text);
    }
    event.value = match event.fields.get("value") {
        Some(Bson::Int64(value)) => Some(Number::Int(*value)),
        Some(Bson::Double(value)) => Some(Number::Float(*value)),
        _ => return,
    };
    event.fields.remove("value");
}

fn text(value: Bson) -> Option<String> {
    match value {
        Bson::String(text) => Some(text),
        _ => None,
    }
}
