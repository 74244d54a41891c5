//! Time series of workers, queues and serving containers (spec 04 §2.5, §3.5, §3.6, §4.3, §5.2).

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::EventResult;

/// One value that a worker reported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerSample {
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    pub worker: String,
    pub task: Option<String>,
    /// `cpu`, `gpu`, `memory`, `network` or `disk`.
    pub category: String,
    /// For example `cpu_usage`.
    pub metric: String,
    /// `total`, or the index in a list.
    pub variant: String,
    pub value: f64,
}

/// A point of a queue's metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QueueSample {
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    pub queue: String,
    /// Seconds.
    pub average_waiting_time: f64,
    pub queue_length: i64,
}

/// What a serving container reported; `None` is a null.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServingSample {
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    pub container_id: String,
    pub endpoint_url: String,
    pub requests_num: Option<f64>,
    pub requests_min: Option<f64>,
    pub uptime_sec: Option<f64>,
    pub latency_ms: Option<f64>,
    pub cpu_usage: Option<f64>,
    pub cpu_num: Option<f64>,
    pub gpu_usage: Option<f64>,
    pub gpu_num: Option<f64>,
    pub memory_free: Option<f64>,
    pub memory_used: Option<f64>,
    pub memory_total: Option<f64>,
    pub gpu_memory_free: Option<f64>,
    pub gpu_memory_used: Option<f64>,
    pub gpu_memory_total: Option<f64>,
    pub disk_free_home: Option<f64>,
    pub network_rx: Option<f64>,
    pub network_tx: Option<f64>,
}

/// What kinds of samples there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SampleKind {
    Workers,
    Queues,
    Serving,
}

impl SampleKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Workers, Self::Queues, Self::Serving];
}

/// Samples of one kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Samples {
    Workers(Vec<WorkerSample>),
    Queues(Vec<QueueSample>),
    Serving(Vec<ServingSample>),
}

/// A page of samples.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplePage {
    pub samples: Samples,
    /// Position behind the last one, for the next call; `None` if the page is empty. Opaque, stateless.
    pub next: Option<String>,
}

/// A time range cut into buckets. Buckets are aligned to multiples of `interval` since the epoch, so the first
/// may begin before `from`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketRange {
    /// First moment, milliseconds.
    pub from: i64,
    /// Last moment (inclusive), milliseconds.
    pub to: i64,
    /// Milliseconds, at least 1.
    pub interval: i64,
}

impl BucketRange {
    /// Start of the bucket of a moment.
    pub fn bucket(&self, timestamp: i64) -> i64 {
        crate::sampling::bucket_key(timestamp, self.interval)
    }

    /// The starts of all buckets from `from` to `to`, for answers that show empty buckets too.
    pub fn buckets(&self) -> impl Iterator<Item = i64> + use<> {
        let (first, last, interval) = (self.bucket(self.from), self.to, self.interval.max(1));
        let next = move |start: &i64| start.checked_add(interval).filter(|start| *start <= last);
        std::iter::successors((first <= last).then_some(first), next)
    }
}

/// The metrics of a category that workers reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CategoryKeys {
    pub name: String,
    pub metric_keys: Vec<String>,
}

/// Which worker statistics to sample (spec 04 §3.6 `get_stats`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerStatsQuery {
    pub range: BucketRange,
    /// Metric names.
    pub metrics: Vec<String>,
    /// Empty means all workers.
    pub workers: Vec<String>,
    /// One series per variant instead of one over all variants.
    pub split_by_variant: bool,
}

/// The samples of one worker and metric (and variant).
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerSeries {
    pub worker: String,
    pub metric: String,
    /// Only if split by variant.
    pub variant: Option<String>,
    /// Ascending, without empty buckets.
    pub buckets: Vec<WorkerBucket>,
}

/// All values of one bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WorkerBucket {
    /// Milliseconds.
    pub start: i64,
    pub average: f64,
    pub minimum: f64,
    pub maximum: f64,
}

/// How many workers reported in a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActivityBucket {
    /// Milliseconds.
    pub start: i64,
    /// Distinct workers.
    pub total: u64,
    /// Distinct workers that reported a task.
    pub active: u64,
}

/// The queues that have points in a bucket.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueBucket {
    /// Milliseconds.
    pub start: i64,
    /// At most 10: those with most points, then by id.
    pub queues: Vec<QueuePoint>,
}

/// The point of the bucket with the greatest waiting time, then the greatest length.
#[derive(Debug, Clone, PartialEq)]
pub struct QueuePoint {
    pub queue: String,
    /// Seconds.
    pub average_waiting_time: f64,
    pub queue_length: i64,
}

/// A figure of a serving container that has a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServingField {
    RequestsNum,
    RequestsMin,
    LatencyMs,
    CpuUsage,
    CpuNum,
    GpuUsage,
    GpuNum,
    MemoryTotal,
    MemoryUsed,
    MemoryFree,
    GpuMemoryTotal,
    GpuMemoryUsed,
    GpuMemoryFree,
    NetworkRx,
    NetworkTx,
}

/// How a container's values in one bucket become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServingAggregate {
    Maximum,
    Average,
}

/// Which history of an endpoint to sample (spec 04 §4.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServingQuery {
    pub endpoint_url: String,
    pub range: BucketRange,
    pub field: ServingField,
    pub aggregate: ServingAggregate,
}

/// The containers that reported in a bucket.
#[derive(Debug, Clone, PartialEq)]
pub struct ServingBucket {
    /// Milliseconds.
    pub start: i64,
    /// By id ascending; a container whose reports had no value is there with `None`.
    pub containers: Vec<(String, Option<f64>)>,
}

/// A store of usage statistics. Wherever names are limited, the 10 with most samples win, then those that
/// come first in the alphabet (the size of an Elasticsearch terms aggregation, spec 04 §3.6). Answers that
/// are `Option`s are `None` if the company never reported anything of the kind.
#[async_trait]
pub trait StatisticsStore: Send + Sync + 'static {
    /// Appends values of workers; durable when it returns.
    async fn add_worker_samples(&self, company: &str, samples: Vec<WorkerSample>) -> EventResult<()>;

    /// Categories and metrics of these workers (none = all), at most 10 each; most samples first.
    async fn worker_metric_keys(&self, company: &str, workers: &[String]) -> EventResult<Vec<CategoryKeys>>;

    /// Sampled values: at most 10 workers, 10 metrics for each, 10 variants for each; most samples first.
    async fn worker_series(&self, company: &str, query: &WorkerStatsQuery) -> EventResult<Vec<WorkerSeries>>;

    /// Number of workers that reported in each bucket, ascending, without empty buckets.
    async fn worker_activity(
        &self,
        company: &str,
        range: BucketRange,
    ) -> EventResult<Option<Vec<ActivityBucket>>>;

    /// Appends points of queues; durable when it returns.
    async fn add_queue_samples(&self, company: &str, samples: Vec<QueueSample>) -> EventResult<()>;

    /// Points of these queues (none = all) in buckets, ascending, without empty ones.
    async fn queue_buckets(
        &self,
        company: &str,
        range: BucketRange,
        queues: &[String],
    ) -> EventResult<Option<Vec<QueueBucket>>>;

    /// Appends reports of serving containers; durable when it returns.
    async fn add_serving_samples(&self, company: &str, samples: Vec<ServingSample>) -> EventResult<()>;

    /// History of an endpoint's containers in buckets, ascending, without empty ones. Only the 10 containers
    /// with most reports in the range take part.
    async fn serving_buckets(&self, company: &str, query: &ServingQuery) -> EventResult<Vec<ServingBucket>>;

    /// A page of all samples of a kind as they were appended, each once, in any order, going on behind `after`:
    /// for a copy of the store.
    async fn samples(
        &self,
        company: &str,
        kind: SampleKind,
        after: Option<&str>,
        limit: usize,
    ) -> EventResult<SamplePage>;

    /// Appends samples of any kind; durable when it returns.
    async fn add_samples(&self, company: &str, samples: Samples) -> EventResult<()> {
        match samples {
            Samples::Workers(samples) => self.add_worker_samples(company, samples).await,
            Samples::Queues(samples) => self.add_queue_samples(company, samples).await,
            Samples::Serving(samples) => self.add_serving_samples(company, samples).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_aligned_to_the_epoch() {
        let range = BucketRange { from: 1_050, to: 1_300, interval: 100 };
        assert_eq!(range.buckets().collect::<Vec<_>>(), [1_000, 1_100, 1_200, 1_300]);
        let empty = BucketRange { from: 10, to: 5, interval: 2 };
        assert_eq!(empty.buckets().count(), 0);
    }
}
