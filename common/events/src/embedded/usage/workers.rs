//! Statistics of workers (spec 04 §3.5, §3.6).

use std::collections::{BTreeMap, HashMap, HashSet};

use rusqlite::params;

use super::{most_sampled, rounded, wanted};
use crate::{
    ActivityBucket, BucketRange, CategoryKeys, EventResult, WorkerBucket, WorkerSample, WorkerSeries,
    WorkerStatsQuery,
    embedded::{readers::Reader, writer::Writer},
};

/// Appends values.
pub(in crate::embedded) fn add(
    writer: &mut Writer,
    company: &str,
    samples: &[WorkerSample],
) -> EventResult<()> {
    let Writer { connection, names, sequence, .. } = writer;
    let mut keys: BTreeMap<(i64, i64, i64), i64> = BTreeMap::new();
    let mut insert = connection.prepare_cached(
        "INSERT INTO worker_samples (company, timestamp, seq, worker, task, metric, variant, value) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for sample in samples {
        let worker = names.id(connection, &sample.worker)?;
        let task = match &sample.task {
            Some(task) => Some(names.id(connection, task)?),
            None => None,
        };
        let metric = names.id(connection, &sample.metric)?;
        let variant = names.id(connection, &sample.variant)?;
        let category = names.id(connection, &sample.category)?;
        *keys.entry((worker, category, metric)).or_default() += 1;
        insert.execute(params![
            company,
            sample.timestamp,
            sequence.next(),
            worker,
            task,
            metric,
            variant,
            sample.value
        ])?;
    }
    let mut count = connection.prepare_cached(
        "INSERT INTO worker_keys (company, worker, category, metric, samples) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT DO UPDATE SET samples = samples + excluded.samples",
    )?;
    for ((worker, category, metric), samples) in keys {
        count.execute(params![company, worker, category, metric, samples])?;
    }
    Ok(())
}

/// Categories and their metrics.
pub(in crate::embedded) fn metric_keys(
    reader: &Reader,
    company: &str,
    workers: &[String],
) -> EventResult<Vec<CategoryKeys>> {
    let wanted = wanted(reader, workers)?;
    let mut statement = reader
        .connection
        .prepare_cached("SELECT worker, category, metric, samples FROM worker_keys WHERE company = ?1")?;
    let mut rows = statement.query([company])?;
    let mut categories: HashMap<i64, u64> = HashMap::new();
    let mut metrics: HashMap<i64, HashMap<i64, u64>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let (worker, category, metric, samples): (i64, i64, i64, i64) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        if wanted.as_ref().is_none_or(|wanted| wanted.contains(&worker)) {
            *categories.entry(category).or_default() += samples as u64;
            *metrics.entry(category).or_default().entry(metric).or_default() += samples as u64;
        }
    }
    let mut keys = Vec::new();
    for (id, name) in most_sampled(reader, &categories)? {
        let metrics = most_sampled(reader, metrics.get(&id).unwrap_or(&HashMap::new()))?;
        keys.push(CategoryKeys { name, metric_keys: metrics.into_iter().map(|(_, name)| name).collect() });
    }
    Ok(keys)
}

/// Sum, number, least and greatest of values.
#[derive(Clone, Copy)]
struct Summary {
    sum: f64,
    count: u64,
    minimum: f64,
    maximum: f64,
}

impl Summary {
    fn of(value: f64) -> Self {
        Self { sum: value, count: 1, minimum: value, maximum: value }
    }

    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
        self.minimum = self.minimum.min(value);
        self.maximum = self.maximum.max(value);
    }
}

/// Worker, metric and variant (0 = all together).
type SeriesKey = (i64, i64, i64);

/// Sampled values.
pub(in crate::embedded) fn series(
    reader: &Reader,
    company: &str,
    query: &WorkerStatsQuery,
) -> EventResult<Vec<WorkerSeries>> {
    let workers = wanted(reader, &query.workers)?;
    let metrics = wanted(reader, &query.metrics)?.unwrap_or_default();
    let mut statement = reader.connection.prepare_cached(
        "SELECT timestamp, value, worker, metric, variant FROM worker_samples \
         WHERE company = ?1 AND timestamp BETWEEN ?2 AND ?3",
    )?;
    let mut rows = statement.query(params![company, query.range.from, query.range.to])?;
    let mut found: HashMap<SeriesKey, BTreeMap<i64, Summary>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let (worker, metric): (i64, i64) = (row.get(2)?, row.get(3)?);
        if !metrics.contains(&metric) || workers.as_ref().is_some_and(|workers| !workers.contains(&worker)) {
            continue;
        }
        let variant = if query.split_by_variant { row.get(4)? } else { 0 };
        let value = rounded(row.get(1)?);
        found
            .entry((worker, metric, variant))
            .or_default()
            .entry(query.range.bucket(row.get(0)?))
            .and_modify(|summary| summary.add(value))
            .or_insert_with(|| Summary::of(value));
    }
    rank(reader, &found, query.split_by_variant)
}

/// Names and limits what was found: workers, in them metrics, in them variants.
fn rank(
    reader: &Reader,
    found: &HashMap<SeriesKey, BTreeMap<i64, Summary>>,
    split_by_variant: bool,
) -> EventResult<Vec<WorkerSeries>> {
    let samples = |select: &dyn Fn(&SeriesKey) -> Option<i64>| {
        let mut samples: HashMap<i64, u64> = HashMap::new();
        for (key, buckets) in found {
            if let Some(id) = select(key) {
                *samples.entry(id).or_default() += buckets.values().map(|summary| summary.count).sum::<u64>();
            }
        }
        samples
    };
    let mut series = Vec::new();
    for (worker, worker_name) in most_sampled(reader, &samples(&|key| Some(key.0)))? {
        let metrics = samples(&|key| (key.0 == worker).then_some(key.1));
        for (metric, metric_name) in most_sampled(reader, &metrics)? {
            let variants = if split_by_variant {
                most_sampled(reader, &samples(&|key| (key.0 == worker && key.1 == metric).then_some(key.2)))?
            } else {
                vec![(0, String::new())]
            };
            for (variant, variant_name) in variants {
                let Some(buckets) = found.get(&(worker, metric, variant)) else { continue };
                series.push(WorkerSeries {
                    worker: worker_name.clone(),
                    metric: metric_name.clone(),
                    variant: split_by_variant.then_some(variant_name),
                    buckets: buckets.iter().map(bucket).collect(),
                });
            }
        }
    }
    Ok(series)
}

fn bucket((start, summary): (&i64, &Summary)) -> WorkerBucket {
    WorkerBucket {
        start: *start,
        average: summary.sum / summary.count as f64,
        minimum: summary.minimum,
        maximum: summary.maximum,
    }
}

/// Number of workers in each bucket.
pub(in crate::embedded) fn activity(
    reader: &Reader,
    company: &str,
    range: BucketRange,
) -> EventResult<Option<Vec<ActivityBucket>>> {
    let exists: bool = reader
        .connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM worker_samples WHERE company = ?1)")?
        .query_row([company], |row| row.get(0))?;
    if !exists {
        return Ok(None);
    }
    let mut statement = reader.connection.prepare_cached(
        "SELECT timestamp, worker, task IS NOT NULL FROM worker_samples \
         WHERE company = ?1 AND timestamp BETWEEN ?2 AND ?3",
    )?;
    let mut rows = statement.query(params![company, range.from, range.to])?;
    let mut buckets: BTreeMap<i64, (HashSet<i64>, HashSet<i64>)> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (total, active) = buckets.entry(range.bucket(row.get(0)?)).or_default();
        let worker = row.get(1)?;
        total.insert(worker);
        if row.get(2)? {
            active.insert(worker);
        }
    }
    let counted = buckets.into_iter().map(|(start, (total, active))| ActivityBucket {
        start,
        total: total.len() as u64,
        active: active.len() as u64,
    });
    Ok(Some(counted.collect()))
}
