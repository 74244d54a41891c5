//! Pages of events in the order of a key: the key iterator and scrolls.

mod position;
mod top;

use std::collections::{HashMap, HashSet};

use rusqlite::params;

use self::{
    position::{Start, Unkeyed},
    top::Top,
};
use super::{
    catalog::{Series, find_series},
    readers::Reader,
    rows::{LOG_COLUMNS, RECORD_COLUMNS_WITHOUT_BODY, Row, SCALAR_COLUMNS, load_record},
};
use crate::{
    Event, EventResult, EventType, IterationChoice, KeyField, KeyPage, KeyQuery, Order, ScrollPage,
    ScrollQuery,
};

/// Events that a page of the key iterator may get in addition, because they share its last key.
const MAX_COMPLETION: usize = 10_000;

/// A page of the key iterator (spec 05 §4.5).
pub(super) fn key_page(reader: &Reader, query: &KeyQuery) -> EventResult<KeyPage> {
    let series = find_series(&reader.connection, &query.source, query.event_type, &query.metrics)?;
    let pager = Pager::new(reader, &series, None, query.field, query.order, !query.metrics.is_all());
    let start = Start::from_key_position(query.after.as_ref())?;
    let mut rows = pager.rows(&start, query.limit)?;
    if rows.len() >= query.limit {
        pager.complete_last_key(&mut rows)?;
    }
    let next = rows.last().map(|row| pager.position_of(row).into_key_position());
    Ok(KeyPage { events: pager.events(rows)?, next })
}

/// A page of a scroll (spec 05 §4.6).
pub(super) fn scroll(reader: &Reader, query: &ScrollQuery, after: Option<&str>) -> EventResult<ScrollPage> {
    let selection = &query.selection;
    let mut seen = HashSet::new();
    let mut series = Vec::new();
    for source in selection.sources.iter().filter(|source| seen.insert(*source)) {
        let found = find_series(&reader.connection, source, selection.event_type, &selection.metrics)?;
        series.extend(found);
    }
    let choices = selection.iterations.as_deref();
    let filtered = !selection.metrics.is_all();
    let pager = Pager::new(reader, &series, choices, query.field, query.order, filtered);
    let start = after.map_or(Ok(Start::Beginning), Start::from_text)?;
    let rows = pager.rows(&start, query.limit)?;
    let next = rows.last().map(|row| pager.position_of(row).to_text());
    Ok(ScrollPage { events: pager.events(rows)?, next })
}

/// The iterations of a series that some choice names, ascending.
pub(super) fn chosen_iterations(choices: &[IterationChoice], series: &Series) -> Vec<i64> {
    let concerns = |choice: &&IterationChoice| {
        *choice.task == *series.task && choice.metric.as_ref().is_none_or(|metric| *metric == series.metric)
    };
    let mut iters: Vec<i64> =
        choices.iter().filter(concerns).flat_map(|choice| choice.iters.iter().copied()).collect();
    iters.sort_unstable();
    iters.dedup();
    iters
}

/// A range of keys to read: strictly behind (`from`, `seq`), up to `until`.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    from: i64,
    seq: i64,
    until: i64,
}

/// What is common to all steps of making a page.
struct Pager<'a> {
    reader: &'a Reader,
    series: &'a [Series],
    by_id: HashMap<i64, &'a Series>,
    /// Numbers of the tasks with log series.
    log_tasks: Vec<i64>,
    choices: Option<&'a [IterationChoice]>,
    field: KeyField,
    order: Order,
    /// Not all series of the tasks take part.
    filtered: bool,
}

impl<'a> Pager<'a> {
    fn new(
        reader: &'a Reader,
        series: &'a [Series],
        choices: Option<&'a [IterationChoice]>,
        field: KeyField,
        order: Order,
        filtered: bool,
    ) -> Self {
        let by_id = series.iter().map(|series| (series.id, series)).collect();
        let logs = series.iter().filter(|series| series.event_type == EventType::Log);
        let mut log_tasks: Vec<i64> = logs.map(|series| series.task_id).collect();
        log_tasks.sort_unstable();
        log_tasks.dedup();
        Self { reader, series, by_id, log_tasks, choices, field, order, filtered }
    }

    /// The next `limit` rows, those without the key last. Records have no body yet.
    fn rows(&self, start: &Start, limit: usize) -> EventResult<Vec<Row>> {
        let mut rows = match start.keyed(self.order) {
            Some((from, seq)) => {
                let until = if self.order == Order::Ascending { i64::MAX } else { i64::MIN };
                self.keyed_rows(Bounds { from, seq, until }, limit)?
            }
            None => Vec::new(),
        };
        if rows.len() < limit && self.field == KeyField::Iter && self.choices.is_none() {
            let room = limit - rows.len();
            rows.extend(self.unkeyed_rows(start.unkeyed(), room)?);
        }
        Ok(rows)
    }

    /// Takes in all rows that have the last row's key.
    fn complete_last_key(&self, rows: &mut Vec<Row>) -> EventResult<()> {
        let Some(key) = rows.last().and_then(|row| self.key_of(row)) else {
            return Ok(());
        };
        let before = rows.len();
        rows.retain(|row| self.key_of(row) != Some(key));
        let limit = before - rows.len() + MAX_COMPLETION;
        rows.extend(self.keyed_rows(Bounds { from: key, seq: i64::MIN, until: key }, limit)?);
        Ok(())
    }

    fn events(&self, rows: Vec<Row>) -> EventResult<Vec<Event>> {
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            let Some(series) = self.by_id.get(&row.series) else { continue };
            let row = if series.event_type.is_record() { load_record(self.reader, row.seq)? } else { row };
            events.push(row.into_event(self.reader, series)?);
        }
        Ok(events)
    }

    fn key_of(&self, row: &Row) -> Option<i64> {
        match self.field {
            KeyField::Timestamp => Some(row.timestamp),
            KeyField::Iter => row.iter.filter(|_| !self.is_iterless(row)),
        }
    }

    fn is_iterless(&self, row: &Row) -> bool {
        self.by_id.get(&row.series).is_some_and(|series| series.iterless)
    }

    fn is_log(&self, row: &Row) -> bool {
        self.by_id.get(&row.series).is_some_and(|series| series.event_type == EventType::Log)
    }

    fn position_of(&self, row: &Row) -> Start {
        match self.key_of(row) {
            Some(key) => Start::Exact { key, seq: row.seq },
            None if self.is_log(row) => {
                Start::Unkeyed(Unkeyed::Logs { timestamp: row.timestamp, seq: row.seq })
            }
            None => Start::Unkeyed(Unkeyed::Others { seq: row.seq }),
        }
    }

    // ---- events with the key ----

    fn keyed_rows(&self, bounds: Bounds, limit: usize) -> EventResult<Vec<Row>> {
        let mut top = Top::new(self.order, limit);
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut seen_logs = false;
        for series in self.series {
            let chosen = self.choices.map(|choices| chosen_iterations(choices, series));
            match (series.event_type, self.field) {
                (EventType::Scalar, KeyField::Iter) if series.iterless => {}
                (EventType::Log, KeyField::Timestamp) => seen_logs = true,
                (EventType::Scalar, KeyField::Timestamp) => {
                    self.scalars_by_timestamp(&mut top, series, bounds, chosen.as_deref())?;
                }
                (_, KeyField::Timestamp) => self.range(&mut top, series, bounds, chosen.as_deref())?,
                (_, KeyField::Iter) => match chosen {
                    None => self.range(&mut top, series, bounds, None)?,
                    Some(iters) => self.points(&mut top, series, bounds, &iters)?,
                },
            }
            top.settle();
        }
        if seen_logs {
            self.logs_by_timestamp(&mut top, bounds)?;
        }
        Ok(top.into_rows())
    }

    /// Rows of a series within the bounds.
    fn range(
        &self,
        top: &mut Top,
        series: &Series,
        bounds: Bounds,
        chosen: Option<&[i64]>,
    ) -> rusqlite::Result<()> {
        let (columns, table) = match (series.event_type, self.field) {
            (EventType::Scalar, _) => (SCALAR_COLUMNS, "scalars"),
            (EventType::Log, _) => (LOG_COLUMNS, "logs"),
            (_, KeyField::Iter) => (RECORD_COLUMNS_WITHOUT_BODY, "records INDEXED BY records_by_iter"),
            (_, KeyField::Timestamp) => {
                (RECORD_COLUMNS_WITHOUT_BODY, "records INDEXED BY records_by_timestamp")
            }
        };
        let key = match self.field {
            KeyField::Iter => "iter",
            KeyField::Timestamp => "timestamp",
        };
        // The planner can't see that the partial index of logs fits.
        let extra = if series.event_type == EventType::Log { " AND iter IS NOT NULL" } else { "" };
        let sql = range_sql(columns, table, "series", key, extra, self.order);
        let until = top.until(bounds.until);
        // Rows that are dropped here must not count for the limit.
        let limit = if chosen.is_some() { -1 } else { top.limit() };
        let mut statement = self.reader.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params![series.id, bounds.from, bounds.seq, until, limit])?;
        while let Some(row) = rows.next()? {
            let row = Row::read(row)?;
            if chosen.is_none_or(|iters| row.iter.is_some_and(|iter| iters.binary_search(&iter).is_ok()))
                && let Some(key) = self.key_of(&row)
            {
                top.push(key, row);
            }
        }
        Ok(())
    }

    /// Rows of a series at these iterations.
    fn points(&self, top: &mut Top, series: &Series, bounds: Bounds, iters: &[i64]) -> rusqlite::Result<()> {
        let ascending = self.order == Order::Ascending;
        for iter in iters.iter().copied() {
            let (low, high) =
                if ascending { (bounds.from, bounds.until) } else { (bounds.until, bounds.from) };
            if !(low..=high).contains(&iter) || top.is_beyond(iter) {
                continue;
            }
            let seq = if iter == bounds.from { bounds.seq } else { i64::MIN };
            self.range(top, series, Bounds { from: iter, seq, until: iter }, None)?;
        }
        Ok(())
    }

    /// Scalars have no index by time: all rows of the series are looked at, the best are kept.
    fn scalars_by_timestamp(
        &self,
        top: &mut Top,
        series: &Series,
        bounds: Bounds,
        chosen: Option<&[i64]>,
    ) -> rusqlite::Result<()> {
        let (low, high) = match self.order {
            Order::Ascending => (bounds.from, bounds.until),
            Order::Descending => (bounds.until, bounds.from),
        };
        let sql = format!(
            "SELECT {SCALAR_COLUMNS} FROM scalars WHERE series = ?1 AND timestamp BETWEEN ?2 AND ?3 \
             AND (timestamp <> ?4 OR seq > ?5)"
        );
        let mut statement = self.reader.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params![series.id, low, high, bounds.from, bounds.seq])?;
        while let Some(row) = rows.next()? {
            let timestamp = row.get(2)?;
            if top.is_beyond(timestamp) {
                continue;
            }
            let row = Row::read(row)?;
            if chosen.is_none_or(|iters| row.iter.is_some_and(|iter| iters.binary_search(&iter).is_ok())) {
                top.push(timestamp, row);
            }
        }
        Ok(())
    }

    fn logs_by_timestamp(&self, top: &mut Top, bounds: Bounds) -> rusqlite::Result<()> {
        let sql = range_sql(LOG_COLUMNS, "logs", "task", "timestamp", "", self.order);
        for task in &self.log_tasks {
            let mut statement = self.reader.connection.prepare_cached(&sql)?;
            let until = top.until(bounds.until);
            // With a filter, rows are dropped here, so the limit can't be left to SQLite.
            let filtered = self.filtered || self.choices.is_some();
            let limit = if filtered { -1 } else { top.limit() };
            let mut rows = statement.query(params![task, bounds.from, bounds.seq, until, limit])?;
            let mut taken = 0;
            while taken < top.limit()
                && let Some(row) = rows.next()?
            {
                let Some(series) = self.by_id.get(&row.get(10)?) else { continue };
                let row = Row::read(row)?;
                if let Some(choices) = self.choices
                    && !row.iter.is_some_and(|iter| chosen_iterations(choices, series).contains(&iter))
                {
                    continue;
                }
                taken += 1;
                top.push(row.timestamp, row);
            }
            top.settle();
        }
        Ok(())
    }

    // ---- events without iteration ----

    /// Logs by time, then all others in the order of insertion.
    fn unkeyed_rows(&self, start: Unkeyed, limit: usize) -> rusqlite::Result<Vec<Row>> {
        let mut rows = Vec::new();
        if let Unkeyed::Logs { timestamp, seq } = start {
            self.unkeyed_logs(&mut rows, timestamp, seq, limit)?;
        }
        if rows.len() < limit {
            let seq = if let Unkeyed::Others { seq } = start { seq } else { i64::MIN };
            let room = limit - rows.len();
            rows.extend(self.unkeyed_others(seq, room)?);
        }
        Ok(rows)
    }

    fn unkeyed_logs(
        &self,
        found: &mut Vec<Row>,
        timestamp: i64,
        seq: i64,
        limit: usize,
    ) -> rusqlite::Result<()> {
        let sql = range_sql(LOG_COLUMNS, "logs", "task", "timestamp", " AND iter IS NULL", Order::Ascending);
        let mut top = Top::new(Order::Ascending, limit);
        for task in &self.log_tasks {
            let mut statement = self.reader.connection.prepare_cached(&sql)?;
            let until = top.until(i64::MAX);
            let mut rows = statement.query(params![task, timestamp, seq, until, -1])?;
            let mut taken = 0;
            while taken < top.limit()
                && let Some(row) = rows.next()?
            {
                if self.by_id.contains_key(&row.get(10)?) {
                    let row = Row::read(row)?;
                    taken += 1;
                    top.push(row.timestamp, row);
                }
            }
            top.settle();
        }
        found.extend(top.into_rows());
        Ok(())
    }

    fn unkeyed_others(&self, seq: i64, limit: usize) -> rusqlite::Result<Vec<Row>> {
        let scalar_sql =
            format!("SELECT {SCALAR_COLUMNS} FROM scalars WHERE series = ?1 AND seq > ?2 LIMIT ?3");
        let record_sql = format!(
            "SELECT {RECORD_COLUMNS_WITHOUT_BODY} FROM records INDEXED BY records_by_iter \
             WHERE series = ?1 AND iter IS NULL AND seq > ?2 ORDER BY seq LIMIT ?3"
        );
        let mut top = Top::new(Order::Ascending, limit);
        for series in self.series {
            let sql = match series.event_type {
                EventType::Log => continue,
                EventType::Scalar if !series.iterless => continue,
                EventType::Scalar => &scalar_sql,
                _ => &record_sql,
            };
            let mut statement = self.reader.connection.prepare_cached(sql)?;
            let mut rows = statement.query(params![series.id, seq, top.limit()])?;
            while let Some(row) = rows.next()? {
                let row = Row::read(row)?;
                top.push(row.seq, row);
            }
            top.settle();
        }
        Ok(top.into_rows())
    }
}

/// Parameters: owner, first key, sequence number within the first key, last key, limit.
fn range_sql(columns: &str, table: &str, owner: &str, key: &str, extra: &str, order: Order) -> String {
    let (ahead, before, direction) = match order {
        Order::Ascending => (">", "<", ""),
        Order::Descending => ("<", ">", " DESC"),
    };
    format!(
        "SELECT {columns} FROM {table} WHERE {owner} = ?1 AND {key} {ahead}= ?2 \
         AND ({key} {ahead} ?2 OR seq > ?3) AND {key} {before}= ?4{extra} \
         ORDER BY {key}{direction}, seq LIMIT ?5"
    )
}
