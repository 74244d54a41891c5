//! Statistics of workers over time (spec 04 §3.6, 09 §5).

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_events::{BucketRange, WorkerBucket, WorkerSeries, WorkerStatsQuery};
use indexmap::IndexMap;
use serde::Deserialize;

use super::{
    machine_stats::METRICS,
    schema_check::{self, Kind},
};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, codes, from_document},
};

#[derive(Debug, Deserialize)]
struct MetricKeysRequest {
    worker_ids: Option<Vec<String>>,
}

/// `workers.get_metric_keys`.
pub(crate) async fn get_metric_keys(app: Arc<App>, call: Arc<Call>, request: Document) -> ApiResult {
    schema_check::check(&request, &[], &[("worker_ids", Kind::Texts)])?;
    let request: MetricKeysRequest = from_document(&request)?;
    let workers = request.worker_ids.as_deref().unwrap_or_default();
    let categories = app.statistics.worker_metric_keys(call.company(), workers).await?;
    if categories.is_empty() {
        let workers = request.worker_ids.as_deref().map_or_else(|| "None".to_owned(), repr_list);
        let company = call.company();
        return Err(ApiError::new(codes::WORKER_STATS_NOT_FOUND)
            .extra(format!("No statistic metrics found for the company {company} and workers {workers}")));
    }
    let categories: Vec<Bson> = categories
        .into_iter()
        .map(|category| doc! { "name": category.name, "metric_keys": category.metric_keys }.into())
        .collect();
    Ok(doc! { "categories": categories }.into())
}

fn repr_list(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| format!("'{text}'")).collect();
    format!("[{}]", quoted.join(", "))
}

#[derive(Debug, Deserialize)]
struct RangeRequest {
    /// Seconds since the epoch.
    from_date: f64,
    to_date: f64,
    /// Seconds.
    interval: i64,
}

const RANGE_FIELDS: [&str; 3] = ["from_date", "to_date", "interval"];
const RANGE_KINDS: [(&str, Kind); 3] =
    [("from_date", Kind::Number), ("to_date", Kind::Number), ("interval", Kind::Integer)];

impl RangeRequest {
    /// The range in buckets that are not too short. Errors: 400/16 for an empty range.
    fn range(&self, app: &App) -> ApiResult<BucketRange> {
        if self.from_date >= self.to_date {
            return Err(ApiError::new(codes::FIELDS_VALUE_ERROR).extra("from_date must be less than to_date"));
        }
        let shortest = app.settings.workers.min_chart_interval.as_secs() as i64;
        Ok(BucketRange {
            from: (self.from_date as i64).saturating_mul(1000),
            to: (self.to_date as i64).saturating_mul(1000),
            interval: self.interval.max(shortest).saturating_mul(1000),
        })
    }
}

/// Most points of a chart: a protection against ranges that no chart can show.
const MAX_BUCKETS: i64 = 65_536;

/// 400/16 for a range of more buckets than a chart can show.
pub(crate) fn check_size(range: BucketRange) -> ApiResult<()> {
    if range.to.saturating_sub(range.from) / range.interval.max(1) > MAX_BUCKETS {
        return Err(ApiError::new(codes::FIELDS_VALUE_ERROR).extra(format!(
            "Trying to create too many buckets. Must be less than or equal to: [{MAX_BUCKETS}]"
        )));
    }
    Ok(())
}

/// `workers.get_activity_report`.
pub(crate) async fn get_activity_report(app: Arc<App>, call: Arc<Call>, request: Document) -> ApiResult {
    schema_check::check(&request, &RANGE_FIELDS, &RANGE_KINDS)?;
    let range = from_document::<RangeRequest>(&request)?.range(&app)?;
    check_size(range)?;
    let (mut dates, mut totals, mut actives) = (Vec::new(), Vec::new(), Vec::new());
    if let Some(buckets) = app.statistics.worker_activity(call.company(), range).await? {
        let mut buckets = buckets.into_iter().peekable();
        for start in range.buckets() {
            let bucket = buckets.next_if(|bucket| bucket.start == start);
            dates.push(start);
            totals.push(bucket.map_or(0, |bucket| bucket.total as i64));
            actives.push(bucket.map_or(0, |bucket| bucket.active as i64));
        }
        // The last bucket is still filling.
        for series in [&mut dates, &mut totals, &mut actives] {
            series.pop();
        }
    }
    Ok(doc! {
        "total": { "dates": dates.as_slice(), "counts": totals },
        "active": { "dates": dates, "counts": actives },
    }
    .into())
}

#[derive(Debug, Deserialize)]
struct StatsRequest {
    #[serde(default)]
    items: Vec<StatItem>,
    #[serde(default)]
    worker_ids: Vec<String>,
    split_by_resource: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct StatItem {
    key: String,
    aggregation: Option<Aggregation>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Aggregation {
    Avg,
    Min,
    Max,
}

impl Aggregation {
    const NAMES: [&str; 3] = ["avg", "min", "max"];

    fn name(self) -> &'static str {
        match self {
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
        }
    }

    fn of(self, bucket: &WorkerBucket) -> f64 {
        match self {
            Self::Avg => bucket.average,
            Self::Min => bucket.minimum,
            Self::Max => bucket.maximum,
        }
    }
}

/// `workers.get_stats`.
pub(crate) async fn get_stats(app: Arc<App>, call: Arc<Call>, request: Document) -> ApiResult {
    let required: Vec<&str> = RANGE_FIELDS.into_iter().chain(["items"]).collect();
    let kinds: Vec<(&str, Kind)> = RANGE_KINDS
        .into_iter()
        .chain([
            ("items", Kind::Objects(&[("key", &METRICS), ("aggregation", &Aggregation::NAMES)])),
            ("worker_ids", Kind::Texts),
            ("split_by_variant", Kind::Boolean),
            ("split_by_resource", Kind::Boolean),
        ])
        .collect();
    schema_check::check(&request, &required, &kinds)?;
    let range = from_document::<RangeRequest>(&request)?.range(&app)?;
    check_size(range)?;
    let request: StatsRequest = from_document(&request)?;

    let mut keys = IndexMap::<String, Vec<Aggregation>>::new();
    for item in request.items {
        let aggregations = keys.entry(item.key).or_default();
        let aggregation = item.aggregation.unwrap_or(Aggregation::Avg);
        if !aggregations.contains(&aggregation) {
            aggregations.push(aggregation);
        }
    }
    let mut workers = IndexMap::<String, Vec<Bson>>::new();
    let starts = shown_buckets(range);
    for (key, aggregations) in keys {
        let mut query = WorkerStatsQuery {
            range,
            metrics: vec![key.clone()],
            workers: request.worker_ids.clone(),
            split_by_variant: false,
        };
        let series = app.statistics.worker_series(call.company(), &query).await?;
        let mut resources = Vec::new();
        if request.split_by_resource.unwrap_or(false) && key.starts_with("gpu_") {
            query.split_by_variant = true;
            resources = app.statistics.worker_series(call.company(), &query).await?;
        }
        for series in series {
            let resources: Vec<&WorkerSeries> =
                resources.iter().filter(|resource| resource.worker == series.worker).collect();
            let metric = metric(&series, &resources, &aggregations, &starts);
            workers.entry(series.worker).or_default().push(metric.into());
        }
    }
    let workers: Vec<Bson> = workers
        .into_iter()
        .map(|(worker, metrics)| doc! { "worker": worker, "metrics": metrics }.into())
        .collect();
    Ok(doc! { "workers": workers }.into())
}

/// Starts of all buckets but the last ones, which are still filling.
fn shown_buckets(range: BucketRange) -> Vec<i64> {
    // 0.9 of an interval, in whole numbers.
    let end = range.to.saturating_sub(range.interval / 10 * 9);
    range.buckets().take_while(|start| *start < end).collect()
}

fn metric(
    series: &WorkerSeries,
    resources: &[&WorkerSeries],
    aggregations: &[Aggregation],
    starts: &[i64],
) -> Document {
    let aggregated: Vec<Bson> = aggregations
        .iter()
        .map(|aggregation| {
            let mut resource_series = Vec::new();
            if resources.len() > 1 {
                resource_series.extend(resources.iter().map(|resource| {
                    let values = values(resource, *aggregation, starts);
                    Bson::from(doc! { "name": resource.variant.as_deref(), "values": values })
                }));
            }
            Bson::from(doc! {
                "aggregation": aggregation.name(),
                "dates": starts,
                "values": values(series, *aggregation, starts),
                "resource_series": resource_series,
            })
        })
        .collect();
    // Web-Apps of server 2.0 look for the dates here.
    doc! { "metric": series.metric.as_str(), "dates": starts, "stats": aggregated }
}

/// A value for each bucket, 0 for empty ones.
fn values(series: &WorkerSeries, aggregation: Aggregation, starts: &[i64]) -> Vec<f64> {
    let mut buckets = series.buckets.iter().peekable();
    starts
        .iter()
        .map(|start| {
            while buckets.next_if(|bucket| bucket.start < *start).is_some() {}
            buckets.next_if(|bucket| bucket.start == *start).map_or(0.0, |bucket| aggregation.of(bucket))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bucket_is_left_out_unless_nearly_full() {
        let range = |to| BucketRange { from: 0, to, interval: 100_000 };
        assert_eq!(shown_buckets(range(300_000)), [0, 100_000, 200_000]);
        assert_eq!(shown_buckets(range(280_000)), [0, 100_000]);
        assert_eq!(shown_buckets(range(291_000)), [0, 100_000, 200_000]);
    }

    #[test]
    fn empty_buckets_are_zero() {
        let bucket = WorkerBucket { start: 100, average: 2.0, minimum: 1.0, maximum: 3.0 };
        let series = WorkerSeries {
            worker: "w".to_owned(),
            metric: "cpu_usage".to_owned(),
            variant: None,
            buckets: vec![bucket],
        };
        assert_eq!(values(&series, Aggregation::Max, &[0, 100, 200]), [0.0, 3.0, 0.0]);
    }
}
