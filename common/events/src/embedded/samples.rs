//! The sample viewers: one image, or the plots of one metric, at a time (spec 05 §10).

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    catalog::{Series, find_series},
    readers::Reader,
    rows::load_record_event,
};
use crate::{
    Event, EventResult, EventType, ImageCandidate, ImageStep, MetricFilter, MetricRange, MetricVariants,
    NameLimits, Order, PlotStep, PlotsAtIteration, Source, VariantRange,
};

/// The most metrics of `get_plot_sample`.
const MAX_PLOT_METRICS: usize = 5000;

/// The most plots of one metric and iteration.
const MAX_PLOTS: usize = 100;

fn only(metric: Option<&str>) -> MetricFilter {
    MetricFilter::metrics(metric)
}

/// The iterations of each variant's images.
pub(super) fn image_ranges(
    reader: &Reader,
    source: &Source,
    metric: Option<&str>,
    limits: NameLimits,
) -> EventResult<Vec<VariantRange>> {
    let mut ranges = Vec::new();
    for series in find_series(&reader.connection, source, Some(EventType::Image), &only(metric))? {
        let mut statement = reader.connection.prepare_cached(
            "SELECT min(newest), max(newest) FROM (SELECT max(iter) AS newest FROM records \
             INDEXED BY records_by_url \
             WHERE series = ?1 AND url IS NOT NULL GROUP BY url)",
        )?;
        let (min, max): (Option<i64>, Option<i64>) =
            statement.query_row([series.id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if let (Some(min_iteration), Some(max_iteration)) = (min, max) {
            let Series { metric, variant, .. } = series;
            ranges.push(VariantRange { metric, variant, min_iteration, max_iteration });
        }
    }
    let metrics = ranges.chunk_by(|a, b| a.metric == b.metric);
    let (max_metrics, max_variants) = limits.halved_for_metrics(metrics.clone().count());
    Ok(metrics.take(max_metrics).flat_map(|ranges| ranges.iter().take(max_variants).cloned()).collect())
}

/// The newest image of a variant up to an iteration.
pub(super) fn image(
    reader: &Reader,
    source: &Source,
    candidate: &ImageCandidate,
    at_most: Option<i64>,
) -> EventResult<Option<Event>> {
    let name = MetricVariants { metric: candidate.metric.clone(), variants: vec![candidate.variant.clone()] };
    let filter = MetricFilter::new([name]);
    let series = find_series(&reader.connection, source, Some(EventType::Image), &filter)?;
    let Some(series) = series.first() else { return Ok(None) };
    let high = at_most.unwrap_or(i64::MAX);
    let newest =
        image_iteration(&reader.connection, series, candidate.min_iteration, high, Order::Descending)?;
    newest.map_or(Ok(None), |iter| image_at(reader, series, iter))
}

/// The next image among some variants.
pub(super) fn next_image(
    reader: &Reader,
    source: &Source,
    candidates: &[ImageCandidate],
    step: ImageStep,
) -> EventResult<Option<Event>> {
    let mut series: BTreeMap<(String, String), Series> = BTreeMap::new();
    for found in find_series(&reader.connection, source, Some(EventType::Image), &MetricFilter::all())? {
        series.insert((found.metric.clone(), found.variant.clone()), found);
    }
    let mut best: Option<(i64, &Series)> = None;
    for candidate in candidates {
        let name = (candidate.metric.clone(), candidate.variant.clone());
        let Some(series) = series.get(&name) else { continue };
        let (low, high, order) = match step {
            ImageStep::SameIteration(iter, order) => (iter, iter, order),
            ImageStep::Before(i64::MIN) | ImageStep::After(i64::MAX) => continue,
            ImageStep::Before(iter) => (i64::MIN, iter - 1, Order::Descending),
            ImageStep::After(iter) => (iter + 1, i64::MAX, Order::Ascending),
        };
        let low = low.max(candidate.min_iteration);
        let Some(iter) = image_iteration(&reader.connection, series, low, high, order)? else { continue };
        let rank = |iter: i64, series: &Series| (iter, series.metric.clone(), series.variant.clone());
        let nearer = best.is_none_or(|(best_iter, best_series)| {
            let (new, old) = (rank(iter, series), rank(best_iter, best_series));
            if order == Order::Ascending { new < old } else { new > old }
        });
        if nearer {
            best = Some((iter, series));
        }
    }
    best.map_or(Ok(None), |(iter, series)| image_at(reader, series, iter))
}

/// The first iteration of a range that has an image with a url.
fn image_iteration(
    connection: &Connection,
    series: &Series,
    low: i64,
    high: i64,
    order: Order,
) -> rusqlite::Result<Option<i64>> {
    let direction = if order == Order::Ascending { "" } else { " DESC" };
    let sql = format!(
        "SELECT iter FROM records INDEXED BY records_by_iter \
         WHERE series = ?1 AND iter BETWEEN ?2 AND ?3 AND url IS NOT NULL \
         ORDER BY iter{direction} LIMIT 1"
    );
    connection.prepare_cached(&sql)?.query_row(params![series.id, low, high], |row| row.get(0)).optional()
}

fn image_at(reader: &Reader, series: &Series, iter: i64) -> EventResult<Option<Event>> {
    let mut find = reader.connection.prepare_cached(
        "SELECT seq FROM records INDEXED BY records_by_iter \
         WHERE series = ?1 AND iter = ?2 AND url IS NOT NULL \
         ORDER BY url DESC, seq LIMIT 1",
    )?;
    let seq: Option<i64> = find.query_row([series.id, iter], |row| row.get(0)).optional()?;
    seq.map(|seq| load_record_event(reader, series, seq)).transpose()
}

/// The iterations of each metric's plots.
pub(super) fn plot_ranges(
    reader: &Reader,
    source: &Source,
    metric: Option<&str>,
) -> EventResult<Vec<MetricRange>> {
    let series = find_series(&reader.connection, source, Some(EventType::Plot), &only(metric))?;
    let mut ranges = Vec::new();
    for metric in series.chunk_by(|a, b| a.metric == b.metric) {
        let mut extent: Option<(i64, i64)> = None;
        for series in metric {
            let min = plot_iteration(&reader.connection, series, i64::MIN, i64::MAX, Order::Ascending)?;
            let max = plot_iteration(&reader.connection, series, i64::MIN, i64::MAX, Order::Descending)?;
            if let (Some(min), Some(max)) = (min, max) {
                extent = Some(extent.map_or((min, max), |(low, high)| (low.min(min), high.max(max))));
            }
        }
        if let (Some((min_iteration, max_iteration)), Some(series)) = (extent, metric.first()) {
            ranges.push(MetricRange { metric: series.metric.clone(), min_iteration, max_iteration });
        }
    }
    ranges.truncate(MAX_PLOT_METRICS);
    Ok(ranges)
}

/// The newest plots of a metric up to an iteration.
pub(super) fn plots(
    reader: &Reader,
    source: &Source,
    metric: &str,
    at_most: Option<i64>,
) -> EventResult<Option<PlotsAtIteration>> {
    let series = find_series(&reader.connection, source, Some(EventType::Plot), &only(Some(metric)))?;
    let high = at_most.unwrap_or(i64::MAX);
    let newest = first_iteration(&reader.connection, &series, i64::MIN, high, Order::Descending)?;
    newest.map_or(Ok(None), |iter| plots_at(reader, &series, iter))
}

/// The next plots before or after the present ones.
pub(super) fn next_plots(
    reader: &Reader,
    source: &Source,
    step: &PlotStep,
) -> EventResult<Option<PlotsAtIteration>> {
    let filter = only(step.same_metric.then_some(step.metric.as_str()));
    let series = find_series(&reader.connection, source, Some(EventType::Plot), &filter)?;
    let mut metrics: Vec<&[Series]> = series.chunk_by(|a, b| a.metric == b.metric).collect();
    if step.order == Order::Descending {
        metrics.reverse();
    }
    if !step.same_metric && !step.next_iteration {
        for metric in metrics.iter().filter(|metric| is_ahead(metric, step)) {
            let (iter, order) = (step.iteration, step.order);
            if first_iteration(&reader.connection, metric, iter, iter, order)?.is_some() {
                return plots_at(reader, metric, iter);
            }
        }
    }
    let (low, high) = match step.order {
        Order::Ascending if step.iteration < i64::MAX => (step.iteration + 1, i64::MAX),
        Order::Descending if step.iteration > i64::MIN => (i64::MIN, step.iteration - 1),
        _ => return Ok(None),
    };
    let mut best: Option<(i64, &[Series])> = None;
    for metric in metrics {
        let found = first_iteration(&reader.connection, metric, low, high, step.order)?;
        // Metrics come in the order of the step: the first of equals stays.
        best = nearer(best, found.map(|iter| (iter, metric)), step.order);
    }
    best.map_or(Ok(None), |(iter, metric)| plots_at(reader, metric, iter))
}

fn is_ahead(metric: &[Series], step: &PlotStep) -> bool {
    metric.first().is_some_and(|series| match step.order {
        Order::Ascending => series.metric > step.metric,
        Order::Descending => series.metric < step.metric,
    })
}

/// Of two findings the one whose iteration comes first; the old one of equals.
fn nearer<T>(old: Option<(i64, T)>, new: Option<(i64, T)>, order: Order) -> Option<(i64, T)> {
    match (old, new) {
        (Some(old), Some(new)) => {
            let better = if order == Order::Ascending { new.0 < old.0 } else { new.0 > old.0 };
            Some(if better { new } else { old })
        }
        (old, new) => old.or(new),
    }
}

fn first_iteration(
    connection: &Connection,
    series: &[Series],
    low: i64,
    high: i64,
    order: Order,
) -> rusqlite::Result<Option<i64>> {
    let mut best = None;
    for series in series {
        let found = plot_iteration(connection, series, low, high, order)?;
        best = nearer(best, found.map(|iter| (iter, ())), order);
    }
    Ok(best.map(|(iter, ())| iter))
}

fn plot_iteration(
    connection: &Connection,
    series: &Series,
    low: i64,
    high: i64,
    order: Order,
) -> rusqlite::Result<Option<i64>> {
    let direction = if order == Order::Ascending { "" } else { " DESC" };
    let sql = format!(
        "SELECT iter FROM records INDEXED BY records_by_iter \
         WHERE series = ?1 AND iter BETWEEN ?2 AND ?3 ORDER BY iter{direction} LIMIT 1"
    );
    connection.prepare_cached(&sql)?.query_row(params![series.id, low, high], |row| row.get(0)).optional()
}

/// All plots of a metric's series at an iteration, by variant.
fn plots_at(reader: &Reader, series: &[Series], iteration: i64) -> EventResult<Option<PlotsAtIteration>> {
    let Some(first) = series.first() else { return Ok(None) };
    let mut events = Vec::new();
    for series in series {
        let mut find = reader.connection.prepare_cached(
            "SELECT seq FROM records INDEXED BY records_by_iter \
             WHERE series = ?1 AND iter = ?2 ORDER BY seq LIMIT ?3",
        )?;
        let room = (MAX_PLOTS - events.len()) as i64;
        let records: Vec<i64> = find
            .query_map(params![series.id, iteration, room], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for seq in records {
            events.push(load_record_event(reader, series, seq)?);
        }
    }
    Ok(Some(PlotsAtIteration { metric: first.metric.clone(), iteration, events }))
}
