//! Sampling of scalars, single and latest values.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
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
    Event, EventResult, EventType, KeyField, LatestScalar, LatestScalars, MetricFilter, NameLimits,
    SINGLE_VALUE_ITERATION, SampledSeries, ScalarSampling, Source,
    sampling::{Buckets, Extent, Group, bucket_key, group},
};

/// The most single values per company (spec 05 §7.4).
const MAX_SINGLE_VALUES: usize = 10_000;

/// Ranges of iterations of one variant that are read on their own, so that two threads share the work.
const PARTS_PER_VARIANT: i64 = 8;

/// One metric and variant: usually one series, more if scalars have keys.
struct Variant {
    metric: String,
    variant: String,
    ids: Vec<i64>,
    /// First and last iteration.
    iterations: (i64, i64),
}

/// A range of iterations of a variant, to be averaged.
struct Part {
    variant: usize,
    first: i64,
    last: i64,
}

/// A histogram of scalars (spec 05 §7.1).
pub(super) fn sample(
    reader: &Reader,
    readers: &Readers,
    query: &ScalarSampling,
    limits: NameLimits,
) -> EventResult<Vec<SampledSeries>> {
    let mut found = Vec::new();
    for mut variant in find_variants(&reader.connection, &query.source, &query.metrics)? {
        if let Some(extent) = measure(&reader.connection, &mut variant, query)? {
            found.push((variant, extent));
        }
    }
    let groups = group(limit_names(found, limits), query.samples);
    let intervals: Vec<i64> =
        groups.iter().flat_map(|Group { interval, members }| members.iter().map(|_| *interval)).collect();
    let mut bounds = Vec::with_capacity(groups.len());
    let mut variants = Vec::with_capacity(intervals.len());
    for group in groups {
        let begin = variants.len();
        variants.extend(group.members);
        bounds.push(begin..variants.len());
    }

    let buckets = average(reader, readers, &variants, &intervals, query.field)?;
    let mut sampled: Vec<_> = variants
        .into_iter()
        .zip(buckets)
        .map(|(Variant { metric, variant, .. }, buckets)| {
            let (x, y) = buckets.averages();
            SampledSeries { metric, variant, x, y }
        })
        .collect();
    for group in bounds {
        sampled[group].sort_by(|a, b| (&a.metric, &a.variant).cmp(&(&b.metric, &b.variant)));
    }
    Ok(sampled)
}

/// The variants of a task by metric and variant, without events that have no iteration.
fn find_variants(
    connection: &Connection,
    source: &Source,
    metrics: &MetricFilter,
) -> rusqlite::Result<Vec<Variant>> {
    let mut variants: Vec<Variant> = Vec::new();
    for series in find_series(connection, source, Some(EventType::Scalar), metrics)? {
        if series.iterless {
            continue;
        }
        match variants.last_mut() {
            Some(last) if last.metric == series.metric && last.variant == series.variant => {
                last.ids.push(series.id);
            }
            _ => variants.push(Variant {
                metric: series.metric,
                variant: series.variant,
                ids: vec![series.id],
                iterations: (i64::MAX, i64::MIN),
            }),
        }
    }
    Ok(variants)
}

/// Extent over the sampled field, with the count capped at the wanted samples; `None` if there are no events.
/// Notes the first and last iteration.
fn measure(
    connection: &Connection,
    variant: &mut Variant,
    query: &ScalarSampling,
) -> rusqlite::Result<Option<Extent>> {
    let enough = i64::try_from(query.samples).unwrap_or(i64::MAX);
    let mut extent = Extent { count: 0, min: i64::MAX, max: i64::MIN };
    for id in &variant.ids {
        let (count, first, last): (i64, Option<i64>, Option<i64>) = connection
            .prepare_cached(
                "SELECT (SELECT count(*) FROM (SELECT 1 FROM scalars WHERE series = ?1 AND iter > ?2 LIMIT ?3)), \
                 (SELECT min(iter) FROM scalars WHERE series = ?1 AND iter > ?2), \
                 (SELECT max(iter) FROM scalars WHERE series = ?1 AND iter > ?2)",
            )?
            .query_row(params![id, SINGLE_VALUE_ITERATION, enough], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        let (Some(first), Some(last)) = (first, last) else { continue };
        variant.iterations = (variant.iterations.0.min(first), variant.iterations.1.max(last));
        extent.count += count as u64;
        let (min, max) = match query.field {
            KeyField::Iter => (first, last),
            KeyField::Timestamp => connection
                .prepare_cached(
                    "SELECT min(timestamp), max(timestamp) FROM scalars WHERE series = ?1 AND iter > ?2",
                )?
                .query_row(params![id, SINGLE_VALUE_ITERATION], |row| Ok((row.get(0)?, row.get(1)?)))?,
        };
        extent.min = extent.min.min(min);
        extent.max = extent.max.max(max);
    }
    Ok((extent.count > 0).then_some(extent))
}

/// Cuts metrics and variants (spec 05 §4.3, half variants); the list is ordered by metric.
fn limit_names(found: Vec<(Variant, Extent)>, limits: NameLimits) -> Vec<(Variant, Extent)> {
    let distinct = found.chunk_by(|a, b| a.0.metric == b.0.metric).count();
    let (max_metrics, max_variants) = limits.halved_for_metrics(distinct);
    let mut limited: Vec<(Variant, Extent)> = Vec::with_capacity(found.len());
    let (mut metrics, mut variants) = (0, 0);
    let mut metric = None;
    for (variant, extent) in found {
        if metric.as_ref() != Some(&variant.metric) {
            metric = Some(variant.metric.clone());
            metrics += 1;
            variants = 0;
        }
        variants += 1;
        if metrics <= max_metrics && variants <= max_variants {
            limited.push((variant, extent));
        }
    }
    limited
}

/// Averages all variants, on two threads if there is a free reader.
fn average(
    reader: &Reader,
    readers: &Readers,
    variants: &[Variant],
    intervals: &[i64],
    field: KeyField,
) -> EventResult<Vec<Buckets>> {
    let parts = split(variants, intervals);
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Option<Buckets>>> = Mutex::new(parts.iter().map(|_| None).collect());
    let work = |reader: &Reader| -> EventResult<()> {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(part) = parts.get(index) else { return Ok(()) };
            let mut buckets = Buckets::new(intervals[part.variant]);
            for id in &variants[part.variant].ids {
                add_part(&reader.connection, &mut buckets, *id, part, field)?;
            }
            done.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(buckets);
        }
    };
    if parts.len() > 1 {
        thread::scope(|scope| {
            let helper = scope.spawn(|| readers.try_here(work));
            let outcome = work(reader);
            let helped = helper.join().unwrap_or_default().unwrap_or(Ok(()));
            outcome.and(helped)
        })?;
    } else {
        work(reader)?;
    }

    let mut buckets: Vec<Buckets> = intervals.iter().map(|interval| Buckets::new(*interval)).collect();
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (part, done) in parts.iter().zip(done) {
        if let Some(done) = done {
            buckets[part.variant].merge(done);
        }
    }
    Ok(buckets)
}

/// Cuts each variant into a few ranges of iterations that begin where buckets begin.
fn split(variants: &[Variant], intervals: &[i64]) -> Vec<Part> {
    let mut parts = Vec::new();
    for (index, (variant, interval)) in variants.iter().zip(intervals).enumerate() {
        let (mut first, last) = variant.iterations;
        let width = last.saturating_sub(first) / PARTS_PER_VARIANT;
        // Short series are not worth it.
        while width > 1000 && last.saturating_sub(first) > width {
            let cut = bucket_key(first + width, *interval);
            if cut <= first {
                break;
            }
            parts.push(Part { variant: index, first, last: cut - 1 });
            first = cut;
        }
        parts.push(Part { variant: index, first, last });
    }
    parts
}

fn add_part(
    connection: &Connection,
    buckets: &mut Buckets,
    series: i64,
    part: &Part,
    field: KeyField,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(match field {
        KeyField::Iter => "SELECT iter, value FROM scalars WHERE series = ?1 AND iter BETWEEN ?2 AND ?3",
        KeyField::Timestamp => {
            "SELECT timestamp, value FROM scalars WHERE series = ?1 AND iter BETWEEN ?2 AND ?3"
        }
    })?;
    let mut rows = statement.query([series, part.first, part.last])?;
    while let Some(row) = rows.next()? {
        let value = number(row.get_ref(1)?);
        buckets.add(row.get(0)?, value.map(crate::Number::rounded));
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
