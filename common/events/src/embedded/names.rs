//! Lists of metrics and variants.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    catalog::{Series, find_series},
    readers::Reader,
};
use crate::{
    EventResult, EventType, MetricFilter, MetricVariants, NameLimits, SINGLE_VALUE_ITERATION, Source,
};

/// The most metrics of `get_task_metrics` (spec 05 §11).
const MAX_TASK_METRICS: usize = 8000;

/// Metrics with an event after the single-value iteration.
pub(super) fn metrics_with_iterations(
    reader: &Reader,
    source: &Source,
    event_type: Option<EventType>,
) -> EventResult<Vec<String>> {
    let mut metrics = BTreeSet::new();
    for series in find_series(&reader.connection, source, event_type, &MetricFilter::all())? {
        if !metrics.contains(&series.metric) && has_iterations(&reader.connection, &series)? {
            metrics.insert(series.metric);
        }
    }
    Ok(metrics.into_iter().take(MAX_TASK_METRICS).collect())
}

/// Metrics and variants of all tasks together.
pub(super) fn metric_variants(
    reader: &Reader,
    sources: &[Source],
    event_type: Option<EventType>,
    limits: NameLimits,
) -> EventResult<Vec<MetricVariants>> {
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources {
        for series in find_series(&reader.connection, source, event_type, &MetricFilter::all())? {
            names.entry(series.metric).or_default().insert(series.variant);
        }
    }
    let (metrics, variants) = limits.for_metrics(names.len());
    let limited = names.into_iter().take(metrics).map(|(metric, names)| MetricVariants {
        metric,
        variants: names.into_iter().take(variants).collect(),
    });
    Ok(limited.collect())
}

fn has_iterations(connection: &Connection, series: &Series) -> rusqlite::Result<bool> {
    if series.iterless {
        return Ok(false);
    }
    let sql = match series.event_type {
        EventType::Scalar => "SELECT 1 FROM scalars WHERE series = ?1 AND iter > ?2 LIMIT 1",
        EventType::Log => "SELECT 1 FROM logs WHERE series = ?1 AND iter > ?2 LIMIT 1",
        _ => "SELECT 1 FROM records WHERE series = ?1 AND iter > ?2 LIMIT 1",
    };
    let mut find = connection.prepare_cached(sql)?;
    Ok(find.query_row(params![series.id, SINGLE_VALUE_ITERATION], |_| Ok(())).optional()?.is_some())
}
