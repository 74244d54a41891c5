//! Deletion of events, and collection of the urls that go with them.
//!
//! A deleted task loses its name first, in one short transaction: its events are gone for readers, and new
//! events of the same task begin anew. The rows then go in slices, between which other writers get their turn.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    catalog::{find_series, find_task},
    readers::Reader,
    writer::{Writer, WriterHandle},
};
use crate::{EventError, EventResult, EventType, LogDeletion, MetricFilter, Pace, Source, UrlKind, UrlPage};

/// Scalars or log events that one transaction deletes.
const SLICE_ROWS: i64 = 10_000;

/// Records that one transaction deletes; their bodies may be large.
const SLICE_RECORDS: i64 = 500;

/// What one slice of a deletion did.
pub(super) struct Slice {
    pub(super) deleted: u64,
    pub(super) finished: bool,
}

/// Deletes all events of tasks.
pub(super) async fn delete(
    writer: &Arc<WriterHandle>,
    company: &str,
    tasks: &[String],
    pace: Pace,
) -> EventResult<u64> {
    let (company, tasks) = (company.to_owned(), tasks.to_vec());
    let numbers = writer.run(0, move |writer| take_names(writer, &company, &tasks)).await?;
    if numbers.is_empty() {
        return Ok(0);
    }
    // On its own, so that it goes on when nobody waits for it any more.
    let purge = tokio::spawn(purge(Arc::clone(writer), numbers, pace));
    purge.await.map_err(|error| EventError::Backend(error.to_string()))?
}

/// Takes the tasks' names away; their numbers.
fn take_names(writer: &mut Writer, company: &str, tasks: &[String]) -> EventResult<Vec<i64>> {
    let mut numbers = Vec::new();
    for task in tasks {
        if let Some(number) = find_task(&writer.connection, company, task)? {
            let mut rename =
                writer.connection.prepare_cached("UPDATE tasks SET company = NULL WHERE id = ?1")?;
            rename.execute([number])?;
            numbers.push(number);
        }
    }
    if !numbers.is_empty() {
        writer.series.clear();
    }
    Ok(numbers)
}

async fn purge(writer: Arc<WriterHandle>, tasks: Vec<i64>, pace: Pace) -> EventResult<u64> {
    let mut deleted = 0;
    for task in tasks {
        loop {
            let slice = writer.run(0, move |writer| purge_slice(writer, task)).await?;
            deleted += slice.deleted;
            if slice.finished {
                break;
            }
            if let Pace::EventsPerSecond(rate) = pace {
                let seconds = slice.deleted as f64 / rate.max(1) as f64;
                tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
            }
        }
    }
    Ok(deleted)
}

/// Tasks whose deletion was begun but not finished.
pub(super) fn leftovers(connection: &Connection) -> rusqlite::Result<Vec<i64>> {
    let mut statement = connection.prepare("SELECT id FROM tasks WHERE company IS NULL")?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// Deletes some rows of a task without name.
pub(super) fn purge_slice(writer: &mut Writer, task: i64) -> EventResult<Slice> {
    let connection = &writer.connection;
    let mut deleted = delete_logs(connection, task, SLICE_ROWS)?;
    while deleted < SLICE_ROWS as usize {
        let mut find = connection.prepare_cached("SELECT id, type FROM series WHERE task = ?1 LIMIT 1")?;
        let next: Option<(i64, i64)> =
            find.query_row([task], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((series, event_type)) = next else {
            connection.prepare_cached("DELETE FROM tasks WHERE id = ?1")?.execute([task])?;
            return Ok(Slice { deleted: deleted as u64, finished: true });
        };
        let (gone, limit, cost) = if event_type == EventType::Scalar.code() {
            (delete_scalars(connection, series, SLICE_ROWS)?, SLICE_ROWS, 1)
        } else {
            (delete_records(connection, series, SLICE_RECORDS)?, SLICE_RECORDS, SLICE_ROWS / SLICE_RECORDS)
        };
        if gone < limit as usize {
            connection.prepare_cached("DELETE FROM series WHERE id = ?1")?.execute([series])?;
        }
        deleted += gone;
        if gone * cost as usize >= SLICE_ROWS as usize {
            break;
        }
    }
    Ok(Slice { deleted: deleted as u64, finished: false })
}

fn delete_logs(connection: &Connection, task: i64, limit: i64) -> rusqlite::Result<usize> {
    // The first row to stay, if there is one.
    let mut find = connection.prepare_cached(
        "SELECT timestamp, seq FROM logs WHERE task = ?1 ORDER BY timestamp, seq LIMIT 1 OFFSET ?2",
    )?;
    let bound: Option<(i64, i64)> =
        find.query_row([task, limit], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let (timestamp, seq) = bound.unwrap_or((i64::MAX, i64::MAX));
    connection
        .prepare_cached("DELETE FROM logs WHERE task = ?1 AND (timestamp, seq) < (?2, ?3)")?
        .execute([task, timestamp, seq])
}

fn delete_scalars(connection: &Connection, series: i64, limit: i64) -> rusqlite::Result<usize> {
    let mut find = connection
        .prepare_cached("SELECT iter FROM scalars WHERE series = ?1 ORDER BY iter LIMIT 1 OFFSET ?2")?;
    let bound: Option<i64> = find.query_row([series, limit], |row| row.get(0)).optional()?;
    match bound {
        Some(iter) => connection
            .prepare_cached("DELETE FROM scalars WHERE series = ?1 AND iter < ?2")?
            .execute([series, iter]),
        None => connection.prepare_cached("DELETE FROM scalars WHERE series = ?1")?.execute([series]),
    }
}

fn delete_records(connection: &Connection, series: i64, limit: i64) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "DELETE FROM records WHERE seq IN (SELECT seq FROM records WHERE series = ?1 LIMIT ?2)",
        )?
        .execute([series, limit])
}

/// Deletes some of a task's log events (spec 05 §5).
pub(super) async fn clear_log(
    writer: &Arc<WriterHandle>,
    source: &Source,
    which: &LogDeletion,
) -> EventResult<u64> {
    let mut deleted = 0;
    let mut behind = (i64::MIN, i64::MIN);
    loop {
        let (source, which) = (source.clone(), which.clone());
        let slice = writer.run(0, move |writer| clear_log_slice(writer, &source, &which, behind)).await?;
        deleted += slice.deleted;
        match slice.next {
            Some(next) => behind = next,
            None => return Ok(deleted),
        }
    }
}

struct LogSlice {
    deleted: u64,
    /// The last row that was looked at, unless all were.
    next: Option<(i64, i64)>,
}

fn clear_log_slice(
    writer: &mut Writer,
    source: &Source,
    which: &LogDeletion,
    behind: (i64, i64),
) -> EventResult<LogSlice> {
    let connection = &writer.connection;
    let Some(task) = find_task(connection, &source.company, &source.task)? else {
        return Ok(LogSlice { deleted: 0, next: None });
    };
    let filter = MetricFilter::metrics(which.include_metrics.iter().cloned());
    let series: BTreeSet<i64> = find_series(connection, source, Some(EventType::Log), &filter)?
        .into_iter()
        .filter(|series| !which.exclude_metrics.contains(&series.metric))
        .map(|series| series.id)
        .collect();
    let mut statement = connection.prepare_cached(
        "SELECT timestamp, seq, series FROM logs WHERE task = ?1 AND (timestamp, seq) > (?2, ?3) \
         AND timestamp < ?4 ORDER BY timestamp, seq LIMIT ?5",
    )?;
    let before = which.before.unwrap_or(i64::MAX);
    let rows: Vec<(i64, i64, i64)> = statement
        .query_map([task, behind.0, behind.1, before, SLICE_ROWS], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<Result<_, _>>()?;
    let mut delete =
        connection.prepare_cached("DELETE FROM logs WHERE task = ?1 AND timestamp = ?2 AND seq = ?3")?;
    let mut deleted = 0;
    for (timestamp, seq, _) in rows.iter().filter(|(.., id)| series.contains(id)) {
        deleted += delete.execute(params![task, timestamp, seq])? as u64;
    }
    drop(delete);
    drop(statement);
    let next = rows.last().filter(|_| rows.len() as i64 == SLICE_ROWS).map(|row| (row.0, row.1));
    if next.is_none() {
        drop_empty_log_series(writer, task)?;
    }
    Ok(LogSlice { deleted, next })
}

/// Metrics without log events must not be listed any more.
fn drop_empty_log_series(writer: &mut Writer, task: i64) -> EventResult<()> {
    let dropped = writer
        .connection
        .prepare_cached(
            "DELETE FROM series WHERE task = ?1 AND type = ?2 \
             AND id NOT IN (SELECT series FROM logs WHERE task = ?1)",
        )?
        .execute([task, EventType::Log.code()])?;
    if dropped > 0 {
        writer.series.clear();
    }
    Ok(())
}

/// A page of the urls of tasks (spec 05 §12).
pub(super) fn urls(
    reader: &Reader,
    sources: &[Source],
    kind: UrlKind,
    after: Option<&str>,
    limit: usize,
) -> EventResult<UrlPage> {
    match kind {
        UrlKind::Images => image_urls(reader, sources, after, limit),
        UrlKind::Plots => plot_urls(reader, sources, after, limit),
    }
}

fn image_urls(
    reader: &Reader,
    sources: &[Source],
    after: Option<&str>,
    limit: usize,
) -> EventResult<UrlPage> {
    let max = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut urls = BTreeSet::new();
    for source in sources {
        for series in find_series(&reader.connection, source, Some(EventType::Image), &MetricFilter::all())? {
            let mut statement = reader.connection.prepare_cached(
                "SELECT DISTINCT url FROM records INDEXED BY records_by_url \
                 WHERE series = ?1 AND url IS NOT NULL \
                 AND (?2 IS NULL OR url > ?2) ORDER BY url LIMIT ?3",
            )?;
            let mut rows = statement.query(params![series.id, after, max])?;
            while let Some(row) = rows.next()? {
                urls.insert(row.get::<_, String>(0)?);
            }
            while urls.len() > limit {
                urls.pop_last();
            }
        }
    }
    let next = if urls.len() >= limit { urls.last().cloned() } else { None };
    Ok(UrlPage { urls: urls.into_iter().collect(), next })
}

/// Plots go by series number, then in the order of insertion.
fn plot_urls(reader: &Reader, sources: &[Source], after: Option<&str>, limit: usize) -> EventResult<UrlPage> {
    let (after_series, after_seq) = match after {
        None => (i64::MIN, i64::MIN),
        Some(text) => text
            .split_once(':')
            .and_then(|(series, seq)| Some((series.parse().ok()?, seq.parse().ok()?)))
            .ok_or(EventError::InvalidPosition)?,
    };
    let mut series = BTreeSet::new();
    for source in sources {
        let found = find_series(&reader.connection, source, Some(EventType::Plot), &MetricFilter::all())?;
        series.extend(found.into_iter().map(|series| series.id));
    }
    let mut urls = BTreeSet::new();
    let mut room = limit;
    for series in series.range(after_series..) {
        let behind = if *series == after_series { after_seq } else { i64::MIN };
        let mut statement = reader.connection.prepare_cached(
            "SELECT seq, sources FROM records INDEXED BY records_by_iter \
             WHERE series = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
        )?;
        let mut rows = statement.query(params![series, behind, i64::try_from(room).unwrap_or(i64::MAX)])?;
        while let Some(row) = rows.next()? {
            if let Some(json) = row.get::<_, Option<String>>(1)? {
                let sources: Vec<String> = serde_json::from_str(&json)
                    .map_err(|error| EventError::Backend(format!("damaged plot: {error}")))?;
                urls.extend(sources);
            }
            room -= 1;
            if room == 0 {
                let next = format!("{series}:{}", row.get::<_, i64>(0)?);
                return Ok(UrlPage { urls: urls.into_iter().collect(), next: Some(next) });
            }
        }
    }
    Ok(UrlPage { urls: urls.into_iter().collect(), next: None })
}
