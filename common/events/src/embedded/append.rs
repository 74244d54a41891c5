//! Appending events.

use rusqlite::{Connection, ToSql, params, types::ToSqlOutput};

use super::{catalog::SeriesId, rows::encode_body, writer::Writer};
use crate::{Event, EventResult, EventType, Number};

/// Events of one company, prepared outside of the writing thread.
pub(super) struct Batch {
    company: String,
    events: Vec<Encoded>,
}

struct Encoded {
    event: Event,
    body: Option<Vec<u8>>,
    invalid: bool,
    /// `source_urls` of a plot as JSON.
    sources: Option<String>,
}

/// An encoded event and the numbers it got from the writer.
struct Placed<'a> {
    encoded: &'a Encoded,
    series: SeriesId,
    worker: Option<i64>,
    seq: i64,
}

impl Batch {
    /// Prepares events.
    pub(super) fn encode(company: &str, events: Vec<Event>) -> EventResult<Self> {
        let encode = |mut event: Event| {
            let plot = event.event_type == EventType::Plot;
            let invalid = plot && !event.is_valid_plot();
            let urls = if plot { event.source_urls() } else { Vec::new() };
            let sources = (!urls.is_empty()).then(|| serde_json::Value::from(urls).to_string());
            Ok(Encoded { body: encode_body(&mut event)?, invalid, sources, event })
        };
        let events = events.into_iter().map(encode).collect::<EventResult<_>>()?;
        Ok(Self { company: company.to_owned(), events })
    }

    /// Number of events.
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// Stores the events.
    pub(super) fn store(&self, writer: &mut Writer) -> EventResult<()> {
        let Writer { connection, series, names, sequence } = writer;
        let mut placed = Vec::with_capacity(self.events.len());
        for encoded in &self.events {
            let event = &encoded.event;
            let worker = match &event.worker {
                Some(worker) => Some(names.id(connection, worker)?),
                None => None,
            };
            let series = series.id(connection, &self.company, event)?;
            placed.push(Placed { encoded, series, worker, seq: sequence.next() });
        }
        // Neighbours in the table are written together. The sort is stable: the last of equals wins.
        placed.sort_by_key(|placed| (placed.series.id, placed.encoded.event.iter));
        store_scalars(connection, placed.iter().filter(|placed| placed.is(EventType::Scalar)))?;
        store_logs(connection, placed.iter().filter(|placed| placed.is(EventType::Log)))?;
        let records = placed.iter().filter(|placed| placed.encoded.event.event_type.is_record());
        store_records(connection, records)?;
        Ok(())
    }
}

impl Placed<'_> {
    fn is(&self, event_type: EventType) -> bool {
        self.encoded.event.event_type == event_type
    }
}

impl ToSql for Number {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Int(value) => Ok(ToSqlOutput::from(*value)),
            Self::Float(value) => Ok(ToSqlOutput::from(*value)),
        }
    }
}

fn store_scalars<'a>(
    connection: &Connection,
    scalars: impl Iterator<Item = &'a Placed<'a>>,
) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO scalars (series, iter, value, timestamp, seq, written, worker, model, body) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for placed in scalars {
        let event = &placed.encoded.event;
        insert.execute(params![
            placed.series.id,
            event.iter.unwrap_or(0),
            event.value,
            event.timestamp,
            placed.seq,
            event.written,
            placed.worker,
            event.model_event,
            placed.encoded.body,
        ])?;
    }
    Ok(())
}

fn store_logs<'a>(
    connection: &Connection,
    logs: impl Iterator<Item = &'a Placed<'a>>,
) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO logs (task, timestamp, seq, series, iter, written, worker, model, body) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for placed in logs {
        let event = &placed.encoded.event;
        insert.execute(params![
            placed.series.task_id,
            event.timestamp,
            placed.seq,
            placed.series.id,
            event.iter,
            event.written,
            placed.worker,
            event.model_event,
            placed.encoded.body,
        ])?;
    }
    Ok(())
}

fn store_records<'a>(
    connection: &Connection,
    records: impl Iterator<Item = &'a Placed<'a>>,
) -> rusqlite::Result<()> {
    let mut replace =
        connection.prepare_cached("DELETE FROM records WHERE series = ?1 AND iter IS ?2 AND key IS ?3")?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO records (seq, series, iter, key, url, invalid, timestamp, written, worker, model, value, \
         sources, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    for placed in records {
        let event = &placed.encoded.event;
        replace.execute(params![placed.series.id, event.iter, event.key])?;
        insert.execute(params![
            placed.seq,
            placed.series.id,
            event.iter,
            event.key,
            event.url,
            placed.encoded.invalid,
            event.timestamp,
            event.written,
            placed.worker,
            event.model_event,
            event.value,
            placed.encoded.sources,
            placed.encoded.body,
        ])?;
    }
    Ok(())
}
