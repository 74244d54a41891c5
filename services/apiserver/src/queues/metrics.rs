//! Metrics of queues: one point whenever the content changes, and their history (spec 04 §2.5).

use std::{collections::HashMap, time::Duration};

use bson::Document;
use clearml_documents::{Collection, Filter, Find};
use clearml_events::QueueSample;

use super::entries;
use crate::{App, api::ApiResult};

/// Writes a metrics point with the queue's present content. A failure is logged: the queue was changed
/// already, and a popped task must reach its worker.
pub(crate) async fn record(app: &App, company: &str, queue: &Document) {
    if let Err(error) = record_all(app, company, std::slice::from_ref(queue)).await {
        let queue_id = queue.get_str("_id").unwrap_or_default();
        tracing::warn!(queue_id, error = error.message(), "failed to write the metrics of a queue");
    }
}

/// Writes points of a company's queues, read with their `entries`.
pub(crate) async fn record_all(app: &App, company: &str, queues: &[Document]) -> ApiResult<()> {
    let now = app.now().timestamp_millis();
    let samples: Vec<QueueSample> = queues.iter().map(|queue| sample_of(queue, now)).collect();
    app.statistics.add_queue_samples(company, samples.clone()).await?;
    for sample in samples {
        let last_point = serde_json::json!({
            "timestamp": sample.timestamp,
            "queue": sample.queue,
            "average_waiting_time": sample.average_waiting_time,
            "queue_length": sample.queue_length,
        });
        app.state.set(&last_point_key(&sample.queue), &last_point.to_string(), None).await?;
    }
    Ok(())
}

/// The point of a queue at a moment (milliseconds). Entries without a date don't count.
fn sample_of(queue: &Document, now: i64) -> QueueSample {
    let waiting: Vec<f64> = entries::entries_of(queue)
        .filter_map(|(_, entry)| entry.get_datetime("added").ok())
        .map(|added| (now - added.timestamp_millis()) as f64 / 1000.0)
        .collect();
    let average = if waiting.is_empty() { 0.0 } else { waiting.iter().sum::<f64>() / waiting.len() as f64 };
    QueueSample {
        timestamp: now,
        queue: queue.get_str("_id").unwrap_or_default().to_owned(),
        average_waiting_time: average,
        queue_length: waiting.len() as i64,
    }
}

fn last_point_key(queue: &str) -> String {
    format!("queue_metrics_{queue}")
}

/// Writes a point for every queue, of any company, whose last one is older than `interval` or missing.
pub(crate) async fn refresh(app: &App, interval: Duration) -> ApiResult<()> {
    let find = Find::new(Filter::Everything).include(["company", "entries"]);
    let queues = app.documents.find(Collection::Queue, find).await?;
    let keys: Vec<String> =
        queues.iter().map(|queue| last_point_key(queue.get_str("_id").unwrap_or_default())).collect();
    let last_points = app.state.get_many(&keys).await?;
    let oldest = app.now().timestamp_millis() - interval.as_millis() as i64;
    let mut stale = HashMap::<String, Vec<Document>>::new();
    for (queue, last_point) in queues.into_iter().zip(last_points) {
        if last_point.as_deref().and_then(timestamp_of).is_none_or(|timestamp| timestamp < oldest) {
            let company = queue.get_str("company").unwrap_or_default().to_owned();
            stale.entry(company).or_default().push(queue);
        }
    }
    for (company, queues) in stale {
        record_all(app, &company, &queues).await?;
    }
    Ok(())
}

fn timestamp_of(point: &str) -> Option<i64> {
    serde_json::from_str::<serde_json::Value>(point).ok()?.get("timestamp")?.as_i64()
}

#[cfg(test)]
mod tests {
    use bson::{DateTime, doc};

    use super::*;

    #[test]
    fn a_point_averages_the_waiting_times() {
        let queue = doc! {"_id": "q", "entries": [
            {"task": "a", "added": DateTime::from_millis(1_000)},
            {"task": "b", "added": DateTime::from_millis(4_000)},
            {"task": "without date"},
        ]};
        let sample = sample_of(&queue, 5_000);
        assert_eq!((sample.queue_length, sample.timestamp, sample.queue.as_str()), (2, 5_000, "q"));
        assert!((sample.average_waiting_time - 2.5).abs() < 1e-9);
        assert!(sample_of(&doc! {"_id": "q"}, 5_000).average_waiting_time.abs() < 1e-9);
    }
}
