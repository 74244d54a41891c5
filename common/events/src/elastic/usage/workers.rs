//! What workers report (spec 04 §3.5, §3.6).

use bson::doc;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{MAX_BUCKETS, MAX_NAMES, Statistics, time_buckets, within};
use crate::{
    ActivityBucket, BucketRange, CategoryKeys, EventResult, WorkerBucket, WorkerSample, WorkerSeries,
    WorkerStatsQuery,
    elastic::search::{Buckets, Metric, NameBucket},
};

pub(super) const KIND: &str = "worker_stats";

/// Names of each kind that a slice of time may have.
const NAMES_OF_SLICE: usize = 100;

impl Statistics {
    /// Appends values of workers.
    pub(in crate::elastic) async fn add_workers(
        &self,
        company: &str,
        samples: Vec<WorkerSample>,
    ) -> EventResult<()> {
        let document = |sample: WorkerSample| {
            doc! {
                "timestamp": sample.timestamp, "worker": sample.worker, "task": sample.task,
                "category": sample.category, "metric": sample.metric, "variant": sample.variant,
                "value": sample.value,
            }
        };
        self.add(KIND, company, samples.into_iter().map(document).collect()).await
    }

    /// Categories and metrics of workers.
    pub(in crate::elastic) async fn worker_keys(
        &self,
        company: &str,
        workers: &[String],
    ) -> EventResult<Vec<CategoryKeys>> {
        #[derive(Deserialize)]
        struct Categories {
            categories: Buckets<Category>,
        }

        #[derive(Deserialize)]
        struct Category {
            key: String,
            metrics: Buckets<NameBucket>,
        }

        let pattern = self.open(KIND, company).await?;
        let metrics = json!({"metrics": {"terms": {"field": "metric", "size": MAX_NAMES}}});
        let aggregations = json!({
            "categories": {"terms": {"field": "category", "size": MAX_NAMES}, "aggs": metrics},
        });
        let found = self.search::<Categories>(&pattern, &of_workers(workers), &aggregations).await?;
        let categories = found.aggregations.map_or_else(Vec::new, |found| found.categories.buckets);
        let keys = categories.into_iter().map(|category| CategoryKeys {
            name: category.key,
            metric_keys: category.metrics.buckets.into_iter().map(|metric| metric.key).collect(),
        });
        Ok(keys.collect())
    }

    /// Sampled values. Where all of them at once would be too many buckets, the series are found first, and then
    /// sampled by slices of time.
    pub(in crate::elastic) async fn worker_series(
        &self,
        company: &str,
        query: &WorkerStatsQuery,
    ) -> EventResult<Vec<WorkerSeries>> {
        let pattern = self.open(KIND, company).await?;
        let mut filter = of_workers(&query.workers);
        filter.push(json!({"terms": {"metric": query.metrics}}));
        let mut whole = filter.clone();
        whole.push(within(query.range));

        let variants = if query.split_by_variant { MAX_NAMES } else { 1 };
        let most_series = MAX_NAMES * MAX_NAMES.min(query.metrics.len()) * variants;
        let points =
            i64::try_from(query.range.buckets().take(MAX_BUCKETS as usize).count()).unwrap_or(i64::MAX);
        if points.saturating_mul(most_series as i64) <= MAX_BUCKETS {
            let aggregations = by_series(query, Some(query.range), MAX_NAMES);
            let found = self.search::<Workers>(&pattern, &whole, &aggregations).await?;
            return Ok(found.aggregations.map_or_else(Vec::new, Workers::into_series));
        }

        let names = self.search::<Workers>(&pattern, &whole, &by_series(query, None, MAX_NAMES)).await?;
        let mut series = names.aggregations.map_or_else(Vec::new, Workers::into_series);
        filter.push(
            json!({"terms": {"worker": series.iter().map(|series| &series.worker).collect::<Vec<_>>()}}),
        );
        filter.push(
            json!({"terms": {"metric": series.iter().map(|series| &series.metric).collect::<Vec<_>>()}}),
        );
        // What is most frequent in a slice need not be so in the whole.
        let aggregations = by_series(query, Some(query.range), NAMES_OF_SLICE);
        let width = 2 * series.len().max(1);
        let slices = self.search_slices::<Workers>(&pattern, query.range, width, &filter, &aggregations);
        for slice in slices.await? {
            for part in slice.aggregations.map_or_else(Vec::new, Workers::into_series) {
                let same = |series: &&mut WorkerSeries| {
                    (&series.worker, &series.metric, &series.variant)
                        == (&part.worker, &part.metric, &part.variant)
                };
                if let Some(series) = series.iter_mut().find(same) {
                    series.buckets.extend(part.buckets);
                }
            }
        }
        Ok(series)
    }

    /// Number of workers that reported in each bucket; `None` if the company has no reports.
    pub(in crate::elastic) async fn worker_activity(
        &self,
        company: &str,
        range: BucketRange,
    ) -> EventResult<Option<Vec<ActivityBucket>>> {
        #[derive(Deserialize)]
        struct Times {
            times: Buckets<Activity>,
        }

        #[derive(Deserialize)]
        struct Activity {
            key: i64,
            total: Metric,
            active: Active,
        }

        #[derive(Deserialize)]
        struct Active {
            workers: Metric,
        }

        let pattern = self.open(KIND, company).await?;
        let workers = json!({"cardinality": {"field": "worker"}});
        let inner = json!({
            "total": workers,
            "active": {"filter": {"exists": {"field": "task"}}, "aggs": {"workers": workers}},
        });
        let aggregations = json!({"times": time_buckets(range, &inner)});
        let slices = self.search_slices::<Times>(&pattern, range, 2, &[], &aggregations).await?;
        if slices.iter().all(|slice| slice.shards.total == 0) {
            return Ok(if slices.is_empty() { Some(Vec::new()) } else { None });
        }
        let count = |metric: Metric| metric.integer().map_or(0, |count| count.max(0) as u64);
        let buckets = slices
            .into_iter()
            .filter_map(|slice| slice.aggregations)
            .flat_map(|found| found.times.buckets)
            .map(|bucket| ActivityBucket {
                start: bucket.key,
                total: count(bucket.total),
                active: count(bucket.active.workers),
            });
        Ok(Some(buckets.collect()))
    }
}

fn of_workers(workers: &[String]) -> Vec<Value> {
    if workers.is_empty() { Vec::new() } else { vec![json!({"terms": {"worker": workers}})] }
}

/// Workers, their metrics, and variants if the query splits by them; with buckets of time or only the names.
fn by_series(query: &WorkerStatsQuery, range: Option<BucketRange>, size: usize) -> Value {
    let value = |kind: &str| json!({kind: {"field": "value"}});
    let mut inner = range.map_or_else(
        || json!({}),
        |range| {
            let values = json!({"average": value("avg"), "minimum": value("min"), "maximum": value("max")});
            json!({"times": time_buckets(range, &values)})
        },
    );
    if query.split_by_variant {
        inner = json!({"variants": {"terms": {"field": "variant", "size": size}, "aggs": inner}});
    }
    let metrics = json!({"metrics": {"terms": {"field": "metric", "size": size}, "aggs": inner}});
    json!({"workers": {"terms": {"field": "worker", "size": size}, "aggs": metrics}})
}

#[derive(Deserialize)]
struct Workers {
    workers: Buckets<Worker>,
}

#[derive(Deserialize)]
struct Worker {
    key: String,
    metrics: Buckets<MetricOfWorker>,
}

#[derive(Deserialize)]
struct MetricOfWorker {
    key: String,
    /// If split by variant.
    variants: Option<Buckets<Variant>>,
    #[serde(default)]
    times: Buckets<Values>,
}

#[derive(Deserialize)]
struct Variant {
    key: String,
    #[serde(default)]
    times: Buckets<Values>,
}

#[derive(Deserialize)]
struct Values {
    key: i64,
    average: Metric,
    minimum: Metric,
    maximum: Metric,
}

impl Workers {
    fn into_series(self) -> Vec<WorkerSeries> {
        let mut all = Vec::new();
        for Worker { key: worker, metrics } in self.workers.buckets {
            for MetricOfWorker { key: metric, variants, times } in metrics.buckets {
                let series = |variant: Option<String>, times: Buckets<Values>| WorkerSeries {
                    worker: worker.clone(),
                    metric: metric.clone(),
                    variant,
                    buckets: times.buckets.into_iter().filter_map(Values::bucket).collect(),
                };
                match variants {
                    None => all.push(series(None, times)),
                    Some(variants) => all.extend(
                        variants.buckets.into_iter().map(|variant| series(Some(variant.key), variant.times)),
                    ),
                }
            }
        }
        all
    }
}

impl Values {
    fn bucket(self) -> Option<WorkerBucket> {
        let (average, minimum, maximum) = (self.average.value?, self.minimum.value?, self.maximum.value?);
        Some(WorkerBucket { start: self.key, average, minimum, maximum })
    }
}
