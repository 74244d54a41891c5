//! Samples as they were appended, for a copy of the store.

use rusqlite::{Row, params};

use crate::{
    EventError, EventResult, QueueSample, SampleKind, SamplePage, Samples, ServingSample, WorkerSample,
    embedded::readers::Reader,
};

/// Where a page ended: the rest of the primary key behind the company. Only samples of containers are ordered by
/// address first.
#[derive(Clone, Copy)]
struct Position {
    url: i64,
    timestamp: i64,
    sequence: i64,
}

impl Position {
    const START: Self = Self { url: i64::MIN, timestamp: i64::MIN, sequence: i64::MIN };

    fn read(text: &str) -> EventResult<Self> {
        let mut numbers =
            text.split(' ').map(|number| number.parse().map_err(|_| EventError::InvalidPosition));
        let mut next = || numbers.next().unwrap_or(Err(EventError::InvalidPosition));
        Ok(Self { url: next()?, timestamp: next()?, sequence: next()? })
    }

    fn text(self) -> String {
        format!("{} {} {}", self.url, self.timestamp, self.sequence)
    }
}

/// A page behind a position.
pub(in crate::embedded) fn page(
    reader: &Reader,
    company: &str,
    kind: SampleKind,
    after: Option<&str>,
    limit: usize,
) -> EventResult<SamplePage> {
    let after = after.map_or(Ok(Position::START), Position::read)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let (samples, last) = match kind {
        SampleKind::Workers => {
            let (samples, last) = workers(reader, company, after, limit)?;
            (Samples::Workers(samples), last)
        }
        SampleKind::Queues => {
            let (samples, last) = queues(reader, company, after, limit)?;
            (Samples::Queues(samples), last)
        }
        SampleKind::Serving => {
            let (samples, last) = serving(reader, company, after, limit)?;
            (Samples::Serving(samples), last)
        }
    };
    Ok(SamplePage { samples, next: last.map(Position::text) })
}

type Found<T> = rusqlite::Result<(Vec<T>, Option<Position>)>;

fn workers(reader: &Reader, company: &str, after: Position, limit: i64) -> Found<WorkerSample> {
    // The category is a fact of worker and metric.
    let mut statement = reader.connection.prepare_cached(
        "SELECT s.timestamp, s.seq, worker.name, task.name, metric.name, variant.name, s.value, category.name \
         FROM worker_samples AS s \
         JOIN names AS worker ON worker.id = s.worker \
         LEFT JOIN names AS task ON task.id = s.task \
         JOIN names AS metric ON metric.id = s.metric \
         JOIN names AS variant ON variant.id = s.variant \
         JOIN names AS category ON category.id = (SELECT k.category FROM worker_keys AS k \
            WHERE k.company = s.company AND k.worker = s.worker AND k.metric = s.metric LIMIT 1) \
         WHERE s.company = ?1 AND (s.timestamp, s.seq) > (?2, ?3) ORDER BY s.timestamp, s.seq LIMIT ?4",
    )?;
    let mut rows = statement.query(params![company, after.timestamp, after.sequence, limit])?;
    let (mut samples, mut last) = (Vec::new(), None);
    while let Some(row) = rows.next()? {
        last = Some(Position { url: 0, timestamp: row.get(0)?, sequence: row.get(1)? });
        samples.push(WorkerSample {
            timestamp: row.get(0)?,
            worker: row.get(2)?,
            task: row.get(3)?,
            category: row.get(7)?,
            metric: row.get(4)?,
            variant: row.get(5)?,
            value: row.get(6)?,
        });
    }
    Ok((samples, last))
}

fn queues(reader: &Reader, company: &str, after: Position, limit: i64) -> Found<QueueSample> {
    let mut statement = reader.connection.prepare_cached(
        "SELECT s.timestamp, s.seq, names.name, s.waiting, s.length \
         FROM queue_samples AS s JOIN names ON names.id = s.queue \
         WHERE s.company = ?1 AND (s.timestamp, s.seq) > (?2, ?3) ORDER BY s.timestamp, s.seq LIMIT ?4",
    )?;
    let mut rows = statement.query(params![company, after.timestamp, after.sequence, limit])?;
    let (mut samples, mut last) = (Vec::new(), None);
    while let Some(row) = rows.next()? {
        last = Some(Position { url: 0, timestamp: row.get(0)?, sequence: row.get(1)? });
        samples.push(QueueSample {
            timestamp: row.get(0)?,
            queue: row.get(2)?,
            average_waiting_time: row.get(3)?,
            queue_length: row.get(4)?,
        });
    }
    Ok((samples, last))
}

fn serving(reader: &Reader, company: &str, after: Position, limit: i64) -> Found<ServingSample> {
    let mut statement = reader.connection.prepare_cached(
        "SELECT s.*, url.name AS endpoint_url, container.name AS container_id FROM serving_samples AS s \
         JOIN names AS url ON url.id = s.url JOIN names AS container ON container.id = s.container \
         WHERE s.company = ?1 AND (s.url, s.timestamp, s.seq) > (?2, ?3, ?4) \
         ORDER BY s.url, s.timestamp, s.seq LIMIT ?5",
    )?;
    let key = params![company, after.url, after.timestamp, after.sequence, limit];
    let mut rows = statement.query(key)?;
    let (mut samples, mut last) = (Vec::new(), None);
    while let Some(row) = rows.next()? {
        last = Some(Position {
            url: row.get("url")?,
            timestamp: row.get("timestamp")?,
            sequence: row.get("seq")?,
        });
        samples.push(serving_sample(row)?);
    }
    Ok((samples, last))
}

fn serving_sample(row: &Row<'_>) -> rusqlite::Result<ServingSample> {
    Ok(ServingSample {
        timestamp: row.get("timestamp")?,
        container_id: row.get("container_id")?,
        endpoint_url: row.get("endpoint_url")?,
        requests_num: row.get("requests_num")?,
        requests_min: row.get("requests_min")?,
        uptime_sec: row.get("uptime_sec")?,
        latency_ms: row.get("latency_ms")?,
        cpu_usage: row.get("cpu_usage")?,
        cpu_num: row.get("cpu_num")?,
        gpu_usage: row.get("gpu_usage")?,
        gpu_num: row.get("gpu_num")?,
        memory_free: row.get("memory_free")?,
        memory_used: row.get("memory_used")?,
        memory_total: row.get("memory_total")?,
        gpu_memory_free: row.get("gpu_memory_free")?,
        gpu_memory_used: row.get("gpu_memory_used")?,
        gpu_memory_total: row.get("gpu_memory_total")?,
        disk_free_home: row.get("disk_free_home")?,
        network_rx: row.get("network_rx")?,
        network_tx: row.get("network_tx")?,
    })
}
