//! Points of queues (spec 04 §2.5).

use bson::{Bson, doc};
use serde::Deserialize;
use serde_json::json;

use super::{MAX_NAMES, Statistics, time_buckets};
use crate::{
    BucketRange, EventResult, QueueBucket, QueuePoint, QueueSample,
    elastic::{
        documents::Stored,
        search::{Buckets, TopHits},
    },
};

pub(super) const KIND: &str = "queue_metrics";

#[derive(Deserialize)]
struct Times {
    times: Buckets<Time>,
}

#[derive(Deserialize)]
struct Time {
    key: i64,
    queues: Buckets<Queue>,
}

#[derive(Deserialize)]
struct Queue {
    key: String,
    greatest: TopHits,
}

impl Statistics {
    /// Appends points of queues.
    pub(in crate::elastic) async fn add_queues(
        &self,
        company: &str,
        samples: Vec<QueueSample>,
    ) -> EventResult<()> {
        let document = |sample: QueueSample| {
            doc! {
                "timestamp": sample.timestamp, "queue": sample.queue,
                "average_waiting_time": sample.average_waiting_time, "queue_length": sample.queue_length,
            }
        };
        self.add(KIND, company, samples.into_iter().map(document).collect()).await
    }

    /// Points of queues in buckets; `None` if the company has none at all.
    pub(in crate::elastic) async fn queue_buckets(
        &self,
        company: &str,
        range: BucketRange,
        queues: &[String],
    ) -> EventResult<Option<Vec<QueueBucket>>> {
        let pattern = self.open(KIND, company).await?;
        let filter = if queues.is_empty() { Vec::new() } else { vec![json!({"terms": {"queue": queues}})] };
        let greatest = json!({"greatest": {"top_hits": {
            "size": 1, "_source": ["average_waiting_time", "queue_length"],
            "sort": [{"average_waiting_time": "desc"}, {"queue_length": "desc"}],
        }}});
        let inner = json!({"queues": {"terms": {"field": "queue", "size": MAX_NAMES}, "aggs": greatest}});
        let aggregations = json!({"times": time_buckets(range, &inner)});
        let slices =
            self.search_slices::<Times>(&pattern, range, MAX_NAMES + 1, &filter, &aggregations).await?;
        if slices.iter().all(|slice| slice.shards.total == 0) {
            return Ok(if slices.is_empty() { Some(Vec::new()) } else { None });
        }
        let bucket = |time: Time| QueueBucket {
            start: time.key,
            queues: time.queues.buckets.into_iter().filter_map(point).collect(),
        };
        let times = slices.into_iter().filter_map(|slice| slice.aggregations);
        Ok(Some(times.flat_map(|found| found.times.buckets).map(bucket).collect()))
    }
}

fn point(queue: Queue) -> Option<QueuePoint> {
    let Stored(point) = queue.greatest.hits.hits.into_iter().next()?.source;
    let number = |name: &str| match point.get(name) {
        Some(Bson::Int64(number)) => Some(*number as f64),
        Some(Bson::Double(number)) => Some(*number),
        _ => None,
    };
    Some(QueuePoint {
        queue: queue.key,
        average_waiting_time: number("average_waiting_time").unwrap_or(0.0),
        queue_length: number("queue_length").map_or(0, |length| length as i64),
    })
}
