//! Statistics of queues (spec 04 §2.5).

use std::collections::{BTreeMap, HashMap};

use rusqlite::params;

use super::{most_sampled, wanted};
use crate::{
    BucketRange, EventResult, QueueBucket, QueuePoint, QueueSample,
    embedded::{readers::Reader, writer::Writer},
};

/// Appends points.
pub(in crate::embedded) fn add(
    writer: &mut Writer,
    company: &str,
    samples: &[QueueSample],
) -> EventResult<()> {
    let Writer { connection, names, sequence, .. } = writer;
    let mut insert = connection.prepare_cached(
        "INSERT INTO queue_samples (company, timestamp, seq, queue, waiting, length) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for sample in samples {
        let queue = names.id(connection, &sample.queue)?;
        insert.execute(params![
            company,
            sample.timestamp,
            sequence.next(),
            queue,
            sample.average_waiting_time,
            sample.queue_length
        ])?;
    }
    Ok(())
}

/// Number of points, and of those the one with the greatest waiting time, then length.
type Best = (u64, f64, i64);

/// Points in buckets.
pub(in crate::embedded) fn buckets(
    reader: &Reader,
    company: &str,
    range: BucketRange,
    queues: &[String],
) -> EventResult<Option<Vec<QueueBucket>>> {
    let exists: bool = reader
        .connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM queue_samples WHERE company = ?1)")?
        .query_row([company], |row| row.get(0))?;
    if !exists {
        return Ok(None);
    }
    let wanted = wanted(reader, queues)?;
    let mut statement = reader.connection.prepare_cached(
        "SELECT timestamp, queue, waiting, length FROM queue_samples \
         WHERE company = ?1 AND timestamp BETWEEN ?2 AND ?3",
    )?;
    let mut rows = statement.query(params![company, range.from, range.to])?;
    let mut found: BTreeMap<i64, HashMap<i64, Best>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let queue: i64 = row.get(1)?;
        if wanted.as_ref().is_some_and(|wanted| !wanted.contains(&queue)) {
            continue;
        }
        let (waiting, length): (f64, i64) = (row.get(2)?, row.get(3)?);
        let best =
            found.entry(range.bucket(row.get(0)?)).or_default().entry(queue).or_insert((0, waiting, length));
        best.0 += 1;
        if (waiting, length) > (best.1, best.2) {
            (best.1, best.2) = (waiting, length);
        }
    }
    let mut buckets = Vec::with_capacity(found.len());
    for (start, queues) in found {
        let samples = queues.iter().map(|(queue, best)| (*queue, best.0)).collect();
        let mut points = Vec::new();
        for (id, queue) in most_sampled(reader, &samples)? {
            if let Some((_, average_waiting_time, queue_length)) = queues.get(&id).copied() {
                points.push(QueuePoint { queue, average_waiting_time, queue_length });
            }
        }
        buckets.push(QueueBucket { start, queues: points });
    }
    Ok(Some(buckets))
}
