//! Statistics of serving containers (spec 04 §4.3).

use std::collections::{BTreeMap, HashMap};

use rusqlite::params;

use super::{most_sampled, rounded};
use crate::{
    EventResult, ServingAggregate, ServingBucket, ServingField, ServingQuery, ServingSample,
    embedded::{readers::Reader, writer::Writer},
};

impl ServingField {
    const fn column(self) -> &'static str {
        match self {
            Self::RequestsNum => "requests_num",
            Self::RequestsMin => "requests_min",
            Self::LatencyMs => "latency_ms",
            Self::CpuUsage => "cpu_usage",
            Self::CpuNum => "cpu_num",
            Self::GpuUsage => "gpu_usage",
            Self::GpuNum => "gpu_num",
            Self::MemoryTotal => "memory_total",
            Self::MemoryUsed => "memory_used",
            Self::MemoryFree => "memory_free",
            Self::GpuMemoryTotal => "gpu_memory_total",
            Self::GpuMemoryUsed => "gpu_memory_used",
            Self::GpuMemoryFree => "gpu_memory_free",
            Self::NetworkRx => "network_rx",
            Self::NetworkTx => "network_tx",
        }
    }

    /// The value as it is indexed: whole numbers, or 32-bit floats (spec 04 §5.2).
    fn indexed(self, value: f64) -> f64 {
        match self {
            Self::RequestsNum | Self::LatencyMs | Self::CpuNum | Self::GpuNum => value.trunc(),
            _ => rounded(value),
        }
    }
}

/// Appends reports.
pub(in crate::embedded) fn add(
    writer: &mut Writer,
    company: &str,
    samples: &[ServingSample],
) -> EventResult<()> {
    let Writer { connection, names, sequence, .. } = writer;
    let mut insert = connection.prepare_cached(
        "INSERT INTO serving_samples (company, url, timestamp, seq, container, requests_num, requests_min, \
         uptime_sec, latency_ms, cpu_usage, cpu_num, gpu_usage, gpu_num, memory_free, memory_used, \
         memory_total, gpu_memory_free, gpu_memory_used, gpu_memory_total, disk_free_home, network_rx, \
         network_tx) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, \
         ?18, ?19, ?20, ?21, ?22)",
    )?;
    for sample in samples {
        let url = names.id(connection, &sample.endpoint_url)?;
        let container = names.id(connection, &sample.container_id)?;
        insert.execute(params![
            company,
            url,
            sample.timestamp,
            sequence.next(),
            container,
            sample.requests_num,
            sample.requests_min,
            sample.uptime_sec,
            sample.latency_ms,
            sample.cpu_usage,
            sample.cpu_num,
            sample.gpu_usage,
            sample.gpu_num,
            sample.memory_free,
            sample.memory_used,
            sample.memory_total,
            sample.gpu_memory_free,
            sample.gpu_memory_used,
            sample.gpu_memory_total,
            sample.disk_free_home,
            sample.network_rx,
            sample.network_tx,
        ])?;
    }
    Ok(())
}

/// Number of reports, number of values, and their maximum or sum.
#[derive(Default)]
struct Summary {
    reports: u64,
    values: u64,
    figure: f64,
}

/// History of an endpoint's containers.
pub(in crate::embedded) fn buckets(
    reader: &Reader,
    company: &str,
    query: &ServingQuery,
) -> EventResult<Vec<ServingBucket>> {
    let Some(url) = reader.name_id(&query.endpoint_url)? else { return Ok(Vec::new()) };
    let sql = format!(
        "SELECT timestamp, container, {} FROM serving_samples \
         WHERE company = ?1 AND url = ?2 AND timestamp BETWEEN ?3 AND ?4",
        query.field.column()
    );
    let mut statement = reader.connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![company, url, query.range.from, query.range.to])?;
    let mut found: BTreeMap<i64, HashMap<i64, Summary>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let start = query.range.bucket(row.get(0)?);
        let summary = found.entry(start).or_default().entry(row.get(1)?).or_default();
        summary.reports += 1;
        let Some(value) = row.get::<_, Option<f64>>(2)? else { continue };
        let value = query.field.indexed(value);
        summary.figure = match query.aggregate {
            ServingAggregate::Average => summary.figure + value,
            ServingAggregate::Maximum if summary.values == 0 => value,
            ServingAggregate::Maximum => summary.figure.max(value),
        };
        summary.values += 1;
    }

    let mut reports: HashMap<i64, u64> = HashMap::new();
    for (container, summary) in found.values().flatten() {
        *reports.entry(*container).or_default() += summary.reports;
    }
    let mut containers = most_sampled(reader, &reports)?;
    containers.sort_by(|a, b| a.1.cmp(&b.1));
    let figure = |summary: &Summary| match query.aggregate {
        _ if summary.values == 0 => None,
        ServingAggregate::Maximum => Some(summary.figure),
        ServingAggregate::Average => Some(summary.figure / summary.values as f64),
    };
    let buckets = found.into_iter().map(|(start, summaries)| {
        let present = containers.iter().filter_map(|(id, name)| {
            let summary = summaries.get(id)?;
            Some((name.clone(), figure(summary)))
        });
        ServingBucket { start, containers: present.collect() }
    });
    Ok(buckets.filter(|bucket| !bucket.containers.is_empty()).collect())
}
