//! The history of queues' metrics (spec 04 §2.5, 09 §5).

use std::{collections::HashMap, sync::Arc};

use bson::{Document, doc};
use clearml_documents::{Collection, Filter, Find};
use clearml_events::{BucketRange, QueueBucket, QueuePoint};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{lookup, metrics, read};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, check, codes},
};

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct MetricsRequest {
    from_date: f64,
    to_date: f64,
    interval: i64,
    #[serde(default)]
    queue_ids: Vec<String>,
    refresh: Option<bool>,
    search_hidden: Option<bool>,
    id: Option<bool>,
    name: Option<bool>,
}

/// `queues.get_queue_metrics`.
pub(crate) async fn get_queue_metrics(app: Arc<App>, call: Arc<Call>, request: MetricsRequest) -> ApiResult {
    check::at_least("from_date", request.from_date, 0.0)?;
    check::at_least("to_date", request.to_date, 0.0)?;
    check::at_least("interval", request.interval, 1)?;
    if request.from_date >= request.to_date {
        return Err(ApiError::new(codes::FIELDS_VALUE_ERROR).extra("from_date must be less than to_date"));
    }
    let queues = selected(&app, &call, &request).await?;
    if queues.is_empty() {
        return Ok(doc! { "queues": [] }.into());
    }
    if request.refresh.unwrap_or(false) {
        metrics::record_all(&app, call.company(), &queues).await?;
    }
    let ids: Vec<String> =
        queues.iter().filter_map(|queue| queue.get_str("_id").ok()).map(str::to_owned).collect();

    let interval = request.interval.saturating_mul(1000);
    let from = milliseconds(request.from_date);
    let before = app.settings.queues.metrics_before_from_date.as_millis() as i64;
    let range =
        BucketRange { from: from.saturating_sub(before), to: milliseconds(request.to_date), interval };
    let Some(buckets) = app.statistics.queue_buckets(call.company(), range, &ids).await? else {
        return Ok(doc! { "queues": [] }.into());
    };
    let first_shown = from.saturating_sub(interval);
    let histories: Vec<Document> = if request.queue_ids.is_empty() {
        vec![total(&buckets, first_shown).into_document("total")]
    } else {
        by_queue(&buckets, first_shown)
            .into_iter()
            .map(|(queue, history)| history.into_document(queue))
            .collect()
    };
    Ok(doc! { "queues": histories }.into())
}

/// Whole seconds, as milliseconds.
fn milliseconds(seconds: f64) -> i64 {
    (seconds as i64).saturating_mul(1000)
}

/// The company's queues that the request is about, with their entries.
async fn selected(app: &App, call: &Call, request: &MetricsRequest) -> ApiResult<Vec<Document>> {
    let mut filter = lookup::owned_by(call.company());
    if !request.queue_ids.is_empty() {
        filter = filter.and(Filter::ids(request.queue_ids.iter().map(String::as_str)));
    }
    let asks_for_hidden =
        [request.search_hidden, request.id, request.name].into_iter().flatten().any(|asked| asked);
    if !asks_for_hidden {
        filter = filter.and(read::not_hidden(app));
    }
    Ok(app.documents.find(Collection::Queue, Find::new(filter).include(["entries"])).await?)
}

/// Waiting time and length over time.
#[derive(Debug, Default, PartialEq)]
struct History {
    /// Milliseconds.
    dates: Vec<i64>,
    /// Seconds.
    waiting_times: Vec<f64>,
    lengths: Vec<i64>,
}

impl History {
    fn push(&mut self, date: i64, waiting_time: f64, length: i64) {
        self.dates.push(date);
        self.waiting_times.push(waiting_time);
        self.lengths.push(length);
    }

    fn into_document(self, queue: &str) -> Document {
        doc! {
            "queue": queue,
            "dates": self.dates,
            "avg_waiting_times": self.waiting_times,
            "queue_lengths": self.lengths,
        }
    }
}

fn by_queue(buckets: &[QueueBucket], first_shown: i64) -> IndexMap<&str, History> {
    let mut histories = IndexMap::<&str, History>::new();
    for bucket in buckets.iter().filter(|bucket| bucket.start >= first_shown) {
        for point in &bucket.queues {
            histories.entry(&point.queue).or_default().push(
                bucket.start,
                point.average_waiting_time,
                point.queue_length,
            );
        }
    }
    histories
}

/// All queues together; one without a point in a bucket counts with its last one.
fn total(buckets: &[QueueBucket], first_shown: i64) -> History {
    let mut latest = HashMap::<&str, &QueuePoint>::new();
    let mut history = History::default();
    for bucket in buckets {
        latest.extend(bucket.queues.iter().map(|point| (point.queue.as_str(), point)));
        if bucket.start < first_shown {
            continue;
        }
        let length: i64 = latest.values().map(|point| point.queue_length).sum();
        let waiting: f64 =
            latest.values().map(|point| point.average_waiting_time * point.queue_length as f64).sum();
        let average = if length == 0 { 0.0 } else { waiting / length as f64 };
        history.push(bucket.start, average, length);
    }
    history
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(queue: &str, average_waiting_time: f64, queue_length: i64) -> QueuePoint {
        QueuePoint { queue: queue.to_owned(), average_waiting_time, queue_length }
    }

    fn buckets() -> Vec<QueueBucket> {
        vec![
            QueueBucket { start: 1000, queues: vec![point("a", 10.0, 1)] },
            QueueBucket { start: 2000, queues: vec![point("b", 40.0, 2)] },
            QueueBucket { start: 3000, queues: vec![point("a", 0.0, 0)] },
        ]
    }

    #[test]
    fn total_carries_absent_queues_forward() {
        assert_eq!(
            total(&buckets(), 1500),
            History { dates: vec![2000, 3000], waiting_times: vec![30.0, 40.0], lengths: vec![3, 2] }
        );
    }

    #[test]
    fn queues_have_only_their_own_points() {
        let buckets = buckets();
        let histories = by_queue(&buckets, 0);
        assert_eq!(
            histories["a"],
            History { dates: vec![1000, 3000], waiting_times: vec![10.0, 0.0], lengths: vec![1, 0] }
        );
        assert_eq!(histories["b"].dates, [2000]);
        assert!(by_queue(&buckets, 2500).get("b").is_none());
    }
}
