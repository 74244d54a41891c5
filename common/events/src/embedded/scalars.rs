//! Sampling of scalars, single and latest values.

use std::{
    collections::{BTreeMap, HashMap},
    ops::ControlFlow,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    catalog::{Series, find_series},
    readers::{Reader, Readers},
    rows::{Row, SCALAR_COLUMNS, number},
};
use crate::{
    Event, EventError, EventResult, EventType, KeyField, LatestScalar, LatestScalars, MetricFilter,
    NameLimits, Number, SINGLE_VALUE_ITERATION, SampledSeries, ScalarSampling, Source,
    sampling::{Buckets, Extent, Group, bucket_key, group},
};

/// The most single values per company (spec 05 §7.4).
const MAX_SINGLE_VALUES: usize = 10_000;

/// Ranges of iterations of one curve that are read on their own, so that two threads share the work.
const PARTS_PER_CURVE: i64 = 8;

/// Iterations of a range; shorter ones are not worth it.
const MIN_PART_WIDTH: i64 = 1000;

/// Points that one histogram keeps in memory, 16 bytes each: up to here the events are read once. Above, once
/// for their extents and once for their averages.
const MAX_POINTS: usize = 1_500_000;

/// Points that a thread takes from the common number at once.
const POINTS_PER_PORTION: usize = 1000;

/// One metric and variant: usually one series, more if scalars have keys.
struct Curve {
    metric: String,
    variant: String,
    ids: Vec<i64>,
    /// First and last iteration.
    iterations: (i64, i64),
}

/// A range of iterations of a curve that is read on its own.
struct Part {
    /// Index of the curve.
    curve: usize,
    first: i64,
    last: i64,
}

/// Keys and values of events; NaN, which no event has, stands for no value.
type Points = Vec<(i64, f64)>;

/// A histogram of scalars (spec 05 §7.1).
pub(super) fn sample(
    reader: &Reader,
    readers: &Readers,
    query: &ScalarSampling,
    limits: NameLimits,
) -> EventResult<Vec<SampledSeries>> {
    sample_within(reader, readers, query, limits, MAX_POINTS)
}

fn sample_within(
    reader: &Reader,
    readers: &Readers,
    query: &ScalarSampling,
    limits: NameLimits,
    max_points: usize,
) -> EventResult<Vec<SampledSeries>> {
    let found = find_curves(&reader.connection, &query.source, &query.metrics)?;
    let curves = limit_names(find_ends(&reader.connection, found)?, limits);
    let points = read_points(reader, readers, &curves, query.field, max_points)?;
    let is_read = points.is_some();
    let (extents, points): (Vec<Extent>, Vec<Points>) = match points {
        Some(points) => (points.iter().map(extent).collect(), points),
        None => (measure(reader, readers, &curves, query)?, vec![Points::new(); curves.len()]),
    };
    // Curves whose events have just been deleted are gone.
    let measured = curves.into_iter().zip(points).zip(extents).filter(|(_, extent)| extent.count > 0);

    let (mut curves, mut intervals, mut points) = (Vec::new(), Vec::new(), Vec::new());
    for Group { interval, mut members } in group(measured, query.samples) {
        members.sort_by(|(a, _), (b, _)| (&a.metric, &a.variant).cmp(&(&b.metric, &b.variant)));
        for (curve, of_curve) in members {
            curves.push(curve);
            intervals.push(interval);
            points.push(of_curve);
        }
    }
    let buckets = if is_read {
        points.into_iter().zip(intervals).map(|(points, interval)| average_points(points, interval)).collect()
    } else {
        average(reader, readers, &curves, &intervals, query.field)?
    };
    let sampled = curves.into_iter().zip(buckets).map(|(Curve { metric, variant, .. }, buckets)| {
        let (x, y) = buckets.averages();
        SampledSeries { metric, variant, x, y }
    });
    Ok(sampled.collect())
}

/// The curves of a task by metric and variant, without events that have no iteration.
fn find_curves(
    connection: &Connection,
    source: &Source,
    metrics: &MetricFilter,
) -> rusqlite::Result<Vec<Curve>> {
    let mut curves: Vec<Curve> = Vec::new();
    for series in find_series(connection, source, Some(EventType::Scalar), metrics)? {
        if series.iterless {
            continue;
        }
        match curves.last_mut() {
            Some(last) if last.metric == series.metric && last.variant == series.variant => {
                last.ids.push(series.id);
            }
            _ => curves.push(Curve {
                metric: series.metric,
                variant: series.variant,
                ids: vec![series.id],
                iterations: (i64::MAX, i64::MIN),
            }),
        }
    }
    Ok(curves)
}

/// The curves that have events, with their first and last iteration.
fn find_ends(connection: &Connection, mut curves: Vec<Curve>) -> rusqlite::Result<Vec<Curve>> {
    let mut statement = connection.prepare_cached(
        "SELECT (SELECT min(iter) FROM scalars WHERE series = ?1 AND iter > ?2), \
         (SELECT max(iter) FROM scalars WHERE series = ?1 AND iter > ?2)",
    )?;
    for curve in &mut curves {
        for id in &curve.ids {
            let ends =
                statement.query_row([*id, SINGLE_VALUE_ITERATION], |row| Ok((row.get(0)?, row.get(1)?)))?;
            if let (Some(first), Some(last)) = ends {
                curve.iterations = (curve.iterations.0.min(first), curve.iterations.1.max(last));
            }
        }
    }
    curves.retain(|curve| curve.iterations.0 <= curve.iterations.1);
    Ok(curves)
}

/// All points of the curves; `None` if they are too many to keep.
fn read_points(
    reader: &Reader,
    readers: &Readers,
    curves: &[Curve],
    field: KeyField,
    max_points: usize,
) -> EventResult<Option<Vec<Points>>> {
    let parts = split(curves, &vec![1; curves.len()]);
    let left = AtomicUsize::new(max_points);
    let too_many = AtomicBool::new(false);
    let read = on_two_threads(reader, readers, &parts, |reader, part| {
        let mut points = Points::new();
        // Counted in portions: the threads share the counter.
        let mut allowed = 0;
        for id in &curves[part.curve].ids {
            each_point(&reader.connection, *id, part, field, |key, value| {
                if allowed == 0 {
                    allowed = POINTS_PER_PORTION;
                    let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                        left.checked_sub(POINTS_PER_PORTION)
                    });
                    if taken.is_err() || too_many.load(Ordering::Relaxed) {
                        too_many.store(true, Ordering::Relaxed);
                        return ControlFlow::Break(());
                    }
                }
                allowed -= 1;
                points.push((key, value.unwrap_or(f64::NAN)));
                ControlFlow::Continue(())
            })?;
        }
        left.fetch_add(allowed, Ordering::Relaxed);
        Ok(points)
    })?;
    if too_many.into_inner() {
        return Ok(None);
    }
    let mut all = vec![Points::new(); curves.len()];
    for (part, mut points) in parts.iter().zip(read) {
        let of_curve = &mut all[part.curve];
        if of_curve.is_empty() {
            *of_curve = points;
        } else {
            of_curve.append(&mut points);
        }
    }
    Ok(Some(all))
}

fn extent(points: &Points) -> Extent {
    let none = Extent { count: 0, min: i64::MAX, max: i64::MIN };
    points.iter().fold(none, |extent, (key, _)| Extent {
        count: extent.count + 1,
        min: extent.min.min(*key),
        max: extent.max.max(*key),
    })
}

fn average_points(points: Points, interval: i64) -> Buckets {
    let mut buckets = Buckets::new(interval);
    for (key, value) in points {
        buckets.add(key, Some(value).filter(|value| !value.is_nan()));
    }
    buckets
}

/// Extents over the queried field, with the count capped at the wanted samples.
fn measure(
    reader: &Reader,
    readers: &Readers,
    curves: &[Curve],
    query: &ScalarSampling,
) -> EventResult<Vec<Extent>> {
    let mut statement = reader.connection.prepare_cached(
        "SELECT count(*) FROM (SELECT 1 FROM scalars WHERE series = ?1 AND iter > ?2 LIMIT ?3)",
    )?;
    let enough = i64::try_from(query.samples).unwrap_or(i64::MAX);
    let mut extents = Vec::new();
    for curve in curves {
        let mut count = 0;
        for id in &curve.ids {
            let events: i64 =
                statement.query_row(params![id, SINGLE_VALUE_ITERATION, enough], |row| row.get(0))?;
            count += events as u64;
        }
        extents.push(Extent { count, min: curve.iterations.0, max: curve.iterations.1 });
    }
    if query.field == KeyField::Timestamp {
        measure_timestamps(reader, readers, curves, &mut extents)?;
    }
    Ok(extents)
}

/// Replaces the bounds of extents over iterations by those over timestamps.
fn measure_timestamps(
    reader: &Reader,
    readers: &Readers,
    curves: &[Curve],
    extents: &mut [Extent],
) -> EventResult<()> {
    let parts = split(curves, &vec![1; curves.len()]);
    let bounds = on_two_threads(reader, readers, &parts, |reader, part| {
        let mut statement = reader.connection.prepare_cached(
            "SELECT min(timestamp), max(timestamp) FROM scalars WHERE series = ?1 AND iter BETWEEN ?2 AND ?3",
        )?;
        let mut bounds = (i64::MAX, i64::MIN);
        for id in &curves[part.curve].ids {
            let (min, max): (Option<i64>, Option<i64>) =
                statement.query_row([*id, part.first, part.last], |row| Ok((row.get(0)?, row.get(1)?)))?;
            bounds = (bounds.0.min(min.unwrap_or(i64::MAX)), bounds.1.max(max.unwrap_or(i64::MIN)));
        }
        Ok(bounds)
    })?;
    for extent in extents.iter_mut() {
        (extent.min, extent.max) = (i64::MAX, i64::MIN);
    }
    for (part, (min, max)) in parts.iter().zip(bounds) {
        let extent = &mut extents[part.curve];
        (extent.min, extent.max) = (extent.min.min(min), extent.max.max(max));
    }
    Ok(())
}

/// Cuts metrics and variants (spec 05 §4.3, half variants); the list is ordered by metric.
fn limit_names(found: Vec<Curve>, limits: NameLimits) -> Vec<Curve> {
    let distinct = found.chunk_by(|a, b| a.metric == b.metric).count();
    let (max_metrics, max_variants) = limits.halved_for_metrics(distinct);
    let mut limited: Vec<Curve> = Vec::with_capacity(found.len());
    let (mut metrics, mut variants) = (0, 0);
    let mut metric = None;
    for curve in found {
        if metric.as_ref() != Some(&curve.metric) {
            metric = Some(curve.metric.clone());
            metrics += 1;
            variants = 0;
        }
        variants += 1;
        if metrics <= max_metrics && variants <= max_variants {
            limited.push(curve);
        }
    }
    limited
}

/// Averages all curves.
fn average(
    reader: &Reader,
    readers: &Readers,
    curves: &[Curve],
    intervals: &[i64],
    field: KeyField,
) -> EventResult<Vec<Buckets>> {
    let parts = split(curves, intervals);
    let averaged = on_two_threads(reader, readers, &parts, |reader, part| {
        let mut buckets = Buckets::new(intervals[part.curve]);
        for id in &curves[part.curve].ids {
            each_point(&reader.connection, *id, part, field, |key, value| {
                buckets.add(key, value);
                ControlFlow::Continue(())
            })?;
        }
        Ok(buckets)
    })?;
    let mut buckets: Vec<Buckets> = intervals.iter().map(|interval| Buckets::new(*interval)).collect();
    for (part, averaged) in parts.iter().zip(averaged) {
        buckets[part.curve].merge(averaged);
    }
    Ok(buckets)
}

/// Cuts each curve into a few ranges of iterations that begin where buckets begin.
fn split(curves: &[Curve], intervals: &[i64]) -> Vec<Part> {
    let mut parts = Vec::new();
    for (index, (curve, interval)) in curves.iter().zip(intervals).enumerate() {
        let (mut first, last) = curve.iterations;
        let width = last.saturating_sub(first) / PARTS_PER_CURVE;
        while width > MIN_PART_WIDTH && last.saturating_sub(first) > width {
            let cut = bucket_key(first + width, *interval);
            if cut <= first {
                break;
            }
            parts.push(Part { curve: index, first, last: cut - 1 });
            first = cut;
        }
        parts.push(Part { curve: index, first, last });
    }
    parts
}

/// Does the work for each part, on a second thread as well if there is a free reader; results in the order of
/// the parts.
fn on_two_threads<T: Send>(
    reader: &Reader,
    readers: &Readers,
    parts: &[Part],
    work: impl Fn(&Reader, &Part) -> EventResult<T> + Sync,
) -> EventResult<Vec<T>> {
    if parts.len() <= 1 {
        return parts.iter().map(|part| work(reader, part)).collect();
    }
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::with_capacity(parts.len()));
    let take_parts = |reader: &Reader| -> EventResult<()> {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(part) = parts.get(index) else { return Ok(()) };
            let result = work(reader, part)?;
            done.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
        }
    };
    thread::scope(|scope| {
        let helper = scope.spawn(|| readers.try_here(take_parts));
        let outcome = take_parts(reader);
        let of_helper = match helper.join() {
            Ok(parts) => parts.unwrap_or(Ok(())),
            Err(_) => Err(EventError::Backend("a reading thread panicked".to_owned())),
        };
        outcome.and(of_helper)
    })?;
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

/// Calls `each` with key and value of the events of a part, until it breaks.
fn each_point(
    connection: &Connection,
    series: i64,
    part: &Part,
    field: KeyField,
    mut each: impl FnMut(i64, Option<f64>) -> ControlFlow<()>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(match field {
        KeyField::Iter => "SELECT iter, value FROM scalars WHERE series = ?1 AND iter BETWEEN ?2 AND ?3",
        KeyField::Timestamp => {
            "SELECT timestamp, value FROM scalars WHERE series = ?1 AND iter BETWEEN ?2 AND ?3"
        }
    })?;
    let mut rows = statement.query([series, part.first, part.last])?;
    while let Some(row) = rows.next()? {
        if each(row.get(0)?, number(row.get_ref(1)?).map(Number::rounded)).is_break() {
            break;
        }
    }
    Ok(())
}

/// The single values of tasks (spec 05 §7.4).
pub(super) fn single_values(
    reader: &Reader,
    sources: &[Source],
    metrics: &MetricFilter,
) -> EventResult<Vec<Event>> {
    let sql = format!("SELECT {SCALAR_COLUMNS} FROM scalars WHERE series = ?1 AND iter = ?2");
    let mut found: BTreeMap<i64, (Row, Series, &str)> = BTreeMap::new();
    for source in sources {
        for series in find_series(&reader.connection, source, Some(EventType::Scalar), metrics)? {
            if series.iterless {
                continue;
            }
            let mut find = reader.connection.prepare_cached(&sql)?;
            let row = find.query_row([series.id, SINGLE_VALUE_ITERATION], Row::read).optional()?;
            if let Some(row) = row {
                found.insert(row.seq, (row, series, &source.company));
            }
        }
    }
    let mut per_company: HashMap<&str, usize> = HashMap::new();
    let mut events = Vec::new();
    for (row, series, company) in found.into_values() {
        let taken = per_company.entry(company).or_default();
        if *taken < MAX_SINGLE_VALUES {
            *taken += 1;
            events.push(row.into_event(reader, &series)?);
        }
    }
    Ok(events)
}

/// The latest values above 0 (spec 05 §7.6).
pub(super) fn latest(reader: &Reader, source: &Source, limits: NameLimits) -> EventResult<LatestScalars> {
    let mut latest = LatestScalars::default();
    let mut best: Option<(i64, i64)> = None;
    for series in find_series(&reader.connection, source, Some(EventType::Scalar), &MetricFilter::all())? {
        let mut last_written = reader
            .connection
            .prepare_cached("SELECT max(written) FROM scalars WHERE series = ?1 AND value > 0")?;
        let last_written: Option<i64> = last_written.query_row([series.id], |row| row.get(0))?;
        let mut newest = reader.connection.prepare_cached(
            "SELECT iter, seq, value FROM scalars WHERE series = ?1 AND value > 0 ORDER BY iter DESC LIMIT 1",
        )?;
        let newest: Option<(i64, i64, _)> = newest
            .query_row([series.id], |row| Ok((row.get(0)?, row.get(1)?, number(row.get_ref(2)?))))
            .optional()?;
        let Some((iter, seq, Some(value))) = newest else { continue };
        // Events without iteration come behind all others.
        let rank = (if series.iterless { i64::MIN } else { iter }, -seq);
        latest.last_written = latest.last_written.max(last_written);
        let scalar = LatestScalar { metric: series.metric, variant: series.variant, value };
        match latest.values.last_mut() {
            Some(last) if last.metric == scalar.metric && last.variant == scalar.variant => {
                if best < Some(rank) {
                    (*last, best) = (scalar, Some(rank));
                }
            }
            _ => {
                latest.values.push(scalar);
                best = Some(rank);
            }
        }
    }
    let distinct = latest.values.chunk_by(|a, b| a.metric == b.metric).count();
    let (metrics, variants) = limits.halved_for_metrics(distinct);
    let by_metric = latest.values.chunk_by(|a, b| a.metric == b.metric);
    latest.values =
        by_metric.take(metrics).flat_map(|values| values.iter().take(variants).cloned()).collect();
    Ok(latest)
}

#[cfg(test)]
mod tests;
