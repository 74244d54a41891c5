//! Numbers of events.

use std::collections::HashSet;

use rusqlite::{Connection, ToSql, params_from_iter};

use super::{
    catalog::{Series, find_series},
    paging::chosen_iterations,
    readers::Reader,
};
use crate::{EventResult, EventType, Selection};

/// Number of selected events, at most `cap`.
pub(super) fn count(reader: &Reader, selection: &Selection, cap: Option<u64>) -> EventResult<u64> {
    let connection = &reader.connection;
    let cap = cap.map_or(i64::MAX, |cap| i64::try_from(cap).unwrap_or(i64::MAX));
    let mut seen = HashSet::new();
    let mut total = 0;
    for source in selection.sources.iter().filter(|source| seen.insert(*source)) {
        let series = find_series(connection, source, selection.event_type, &selection.metrics)?;
        let (logs, others): (Vec<_>, Vec<_>) =
            series.into_iter().partition(|series| series.event_type == EventType::Log);
        if let Some(choices) = &selection.iterations {
            for series in logs.iter().chain(&others).filter(|series| !series.iterless) {
                for iter in chosen_iterations(choices, series) {
                    total += count_at(connection, series, iter, cap - total)?;
                }
            }
            continue;
        }
        for series in &others {
            total += count_series(connection, series, cap - total)?;
        }
        total += count_logs(connection, &logs, selection.metrics.is_all(), cap - total)?;
    }
    Ok(total.try_into().unwrap_or(0))
}

fn table(series: &Series) -> &'static str {
    match series.event_type {
        EventType::Scalar => "scalars",
        EventType::Log => "logs",
        EventType::Vector | EventType::Image | EventType::Plot => "records",
    }
}

fn count_series(connection: &Connection, series: &Series, cap: i64) -> rusqlite::Result<i64> {
    let sql = format!("SELECT count(*) FROM (SELECT 1 FROM {} WHERE series = ?1 LIMIT ?2)", table(series));
    query_count(connection, &sql, &[&series.id, &cap])
}

fn count_at(connection: &Connection, series: &Series, iter: i64, cap: i64) -> rusqlite::Result<i64> {
    let table = table(series);
    let sql =
        format!("SELECT count(*) FROM (SELECT 1 FROM {table} WHERE series = ?1 AND iter = ?2 LIMIT ?3)");
    query_count(connection, &sql, &[&series.id, &iter, &cap])
}

fn count_logs(connection: &Connection, logs: &[Series], all: bool, cap: i64) -> rusqlite::Result<i64> {
    let Some(first) = logs.first() else { return Ok(0) };
    if all {
        let sql = "SELECT count(*) FROM (SELECT 1 FROM logs WHERE task = ?1 LIMIT ?2)";
        return query_count(connection, sql, &[&first.task_id, &cap]);
    }
    let wanted: HashSet<i64> = logs.iter().map(|series| series.id).collect();
    let mut statement = connection.prepare_cached("SELECT series FROM logs WHERE task = ?1")?;
    let mut rows = statement.query([first.task_id])?;
    let mut total = 0;
    while total < cap
        && let Some(row) = rows.next()?
    {
        total += i64::from(wanted.contains(&row.get(0)?));
    }
    Ok(total)
}

fn query_count(connection: &Connection, sql: &str, values: &[&dyn ToSql]) -> rusqlite::Result<i64> {
    connection.prepare_cached(sql)?.query_row(params_from_iter(values), |row| row.get(0))
}
