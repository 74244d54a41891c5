//! Latest plots, and windows over the iterations of plots and images.

use std::collections::{BTreeMap, HashSet};

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    catalog::{Series, find_series},
    iterations::Nearest,
    readers::Reader,
    rows::load_record_event,
};
use crate::{
    Event, EventResult, EventType, IterationEvents, MetricFilter, MetricState, NameLimits, Source,
    VariantState, Window, WindowKind,
};

/// The latest plots of each variant (spec 05 §8).
pub(super) fn latest_plots(
    reader: &Reader,
    source: &Source,
    metrics: &MetricFilter,
    iters: usize,
    limits: NameLimits,
) -> EventResult<Vec<Event>> {
    let limit = i64::try_from(iters).unwrap_or(i64::MAX);
    let mut found: Vec<(Series, Vec<i64>)> = Vec::new();
    for series in find_series(&reader.connection, source, Some(EventType::Plot), metrics)? {
        let mut statement = reader.connection.prepare_cached(
            "SELECT seq FROM records INDEXED BY records_by_iter \
             WHERE series = ?1 AND NOT invalid ORDER BY iter DESC, seq LIMIT ?2",
        )?;
        let records: Vec<i64> =
            statement.query_map([series.id, limit], |row| row.get(0))?.collect::<Result<_, _>>()?;
        if !records.is_empty() {
            found.push((series, records));
        }
    }
    let distinct = found.chunk_by(|a, b| a.0.metric == b.0.metric).count();
    let (max_metrics, max_variants) = limits.for_metrics(distinct);
    let max_variants = (max_variants / iters.max(1)).max(1);
    let mut events = Vec::new();
    for metric in found.chunk_by(|a, b| a.0.metric == b.0.metric).take(max_metrics) {
        for (series, records) in metric.iter().take(max_variants) {
            for seq in records {
                events.push(load_record_event(reader, series, *seq)?);
            }
        }
    }
    Ok(events)
}

/// What a window needs to know at its start (spec 05 §9).
pub(super) fn metric_states(
    reader: &Reader,
    source: &Source,
    kind: WindowKind,
    metrics: &MetricFilter,
    limits: NameLimits,
) -> EventResult<Vec<MetricState>> {
    let mut states: BTreeMap<String, MetricState> = BTreeMap::new();
    for series in find_series(&reader.connection, source, Some(kind.event_type()), metrics)? {
        let url = if kind == WindowKind::Images { " AND url IS NOT NULL" } else { "" };
        let sql = format!(
            "SELECT timestamp FROM records INDEXED BY records_by_timestamp \
             WHERE series = ?1{url} ORDER BY timestamp DESC LIMIT 1"
        );
        let mut newest = reader.connection.prepare_cached(&sql)?;
        let newest: Option<i64> = newest.query_row([series.id], |row| row.get(0)).optional()?;
        let Some(timestamp) = newest else { continue };
        let last_invalid_iteration = match kind {
            WindowKind::Images => last_invalid_iteration(&reader.connection, &series)?,
            WindowKind::Plots => None,
        };
        let state = states.entry(series.metric.clone()).or_insert_with(|| MetricState {
            metric: series.metric,
            timestamp,
            variants: Vec::new(),
        });
        state.timestamp = state.timestamp.max(timestamp);
        state.variants.push(VariantState { variant: series.variant, last_invalid_iteration });
    }
    let (max_metrics, max_variants) = limits.halved_for_metrics(states.len());
    let mut states: Vec<_> = states.into_values().take(max_metrics).collect();
    for state in &mut states {
        state.variants.truncate(max_variants);
    }
    Ok(states)
}

/// The second-greatest iteration in which the newest image's url was used.
fn last_invalid_iteration(connection: &Connection, series: &Series) -> rusqlite::Result<Option<i64>> {
    let mut newest = connection.prepare_cached(
        "SELECT url FROM records INDEXED BY records_by_iter \
         WHERE series = ?1 AND url IS NOT NULL AND iter IS NOT NULL \
         ORDER BY iter DESC, url DESC LIMIT 1",
    )?;
    let Some(url) = newest.query_row([series.id], |row| row.get::<_, String>(0)).optional()? else {
        return Ok(None);
    };
    let mut second = connection.prepare_cached(
        "SELECT DISTINCT iter FROM records INDEXED BY records_by_url \
         WHERE series = ?1 AND url = ?2 AND iter IS NOT NULL \
         ORDER BY iter DESC LIMIT 1 OFFSET 1",
    )?;
    second.query_row(params![series.id, url], |row| row.get(0)).optional()
}

/// The next iterations of a window (spec 05 §9).
pub(super) fn window(
    reader: &Reader,
    query: &Window,
    limits: NameLimits,
) -> EventResult<Vec<IterationEvents>> {
    if query.metrics.is_empty() {
        return Ok(Vec::new());
    }
    let images = query.kind == WindowKind::Images;
    let filter = MetricFilter::metrics(query.metrics.iter().cloned());
    let event_type = query.kind.event_type();
    let series = find_series(&reader.connection, &query.source, Some(event_type), &filter)?;
    let mut nearest = Nearest::new(query.order, query.beyond, query.iters);
    for series in &series {
        nearest.look_at(&reader.connection, series, images)?;
    }

    let asked: HashSet<&String> = query.metrics.iter().collect();
    let max_variants = (limits.budget() / (asked.len() * query.iters.max(1))).max(1);
    let sql = if images {
        "SELECT seq FROM records INDEXED BY records_by_iter \
         WHERE series = ?1 AND iter = ?2 AND url IS NOT NULL \
         ORDER BY url DESC, seq LIMIT 1"
    } else {
        "SELECT seq FROM records INDEXED BY records_by_iter \
         WHERE series = ?1 AND iter = ?2 ORDER BY timestamp DESC, seq LIMIT 1"
    };
    let mut iterations = Vec::new();
    for iter in nearest.into_iterations() {
        let mut events = Vec::new();
        for metric in series.chunk_by(|a, b| a.metric == b.metric) {
            let mut room = max_variants;
            for series in metric {
                let mut find = reader.connection.prepare_cached(sql)?;
                let seq: Option<i64> = find.query_row([series.id, iter], |row| row.get(0)).optional()?;
                if let Some(seq) = seq
                    && room > 0
                {
                    events.push(load_record_event(reader, series, seq)?);
                    room -= 1;
                }
            }
        }
        iterations.push(IterationEvents { iter, events });
    }
    Ok(iterations)
}
