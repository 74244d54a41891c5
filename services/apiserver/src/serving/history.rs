//! Figures of an endpoint over time: `get_endpoint_metrics_history` (spec 04 §4.3).

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use bson::{Bson, Document, doc};
use clearml_events::{BucketRange, ServingAggregate, ServingBucket, ServingField, ServingQuery};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    App,
    api::{ApiError, ApiResult, Call, check, codes},
    workers::check_size,
};

/// A figure that has a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum MetricType {
    #[default]
    Requests,
    RequestsMin,
    LatencyMs,
    CpuCount,
    GpuCount,
    CpuUtil,
    GpuUtil,
    RamTotal,
    RamUsed,
    RamFree,
    GpuRamTotal,
    GpuRamUsed,
    GpuRamFree,
    NetworkRx,
    NetworkTx,
}

/// How the containers' values in one bucket become that of the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Total {
    Sum,
    Average,
}

/// Shown gigabytes of a stored megabyte.
const GIGABYTES: f64 = 1.0 / 1024.0;

impl MetricType {
    const fn title(self) -> &'static str {
        match self {
            Self::Requests => "Number of Requests",
            Self::RequestsMin => "Requests per Minute",
            Self::LatencyMs => "Average Latency (ms)",
            Self::CpuCount => "CPU Count",
            Self::GpuCount => "GPU Count",
            Self::CpuUtil => "Average CPU Load (%)",
            Self::GpuUtil => "Average GPU Utilization (%)",
            Self::RamTotal => "RAM Total (GB)",
            Self::RamUsed => "RAM Used (GB)",
            Self::RamFree => "RAM Free (GB)",
            Self::GpuRamTotal => "GPU RAM Total (GB)",
            Self::GpuRamUsed => "GPU RAM Used (GB)",
            Self::GpuRamFree => "GPU RAM Free (GB)",
            Self::NetworkRx => "Network Throughput RX (MBps)",
            Self::NetworkTx => "Network Throughput TX (MBps)",
        }
    }

    const fn field(self) -> ServingField {
        match self {
            Self::Requests => ServingField::RequestsNum,
            Self::RequestsMin => ServingField::RequestsMin,
            Self::LatencyMs => ServingField::LatencyMs,
            Self::CpuCount => ServingField::CpuNum,
            Self::GpuCount => ServingField::GpuNum,
            Self::CpuUtil => ServingField::CpuUsage,
            Self::GpuUtil => ServingField::GpuUsage,
            Self::RamTotal => ServingField::MemoryTotal,
            Self::RamUsed => ServingField::MemoryUsed,
            Self::RamFree => ServingField::MemoryFree,
            Self::GpuRamTotal => ServingField::GpuMemoryTotal,
            Self::GpuRamUsed => ServingField::GpuMemoryUsed,
            Self::GpuRamFree => ServingField::GpuMemoryFree,
            Self::NetworkRx => ServingField::NetworkRx,
            Self::NetworkTx => ServingField::NetworkTx,
        }
    }

    const fn total(self) -> Total {
        match self {
            Self::LatencyMs | Self::CpuUtil | Self::GpuUtil => Total::Average,
            _ => Total::Sum,
        }
    }

    const fn multiplier(self) -> f64 {
        match self {
            Self::RamTotal
            | Self::RamUsed
            | Self::RamFree
            | Self::GpuRamTotal
            | Self::GpuRamUsed
            | Self::GpuRamFree => GIGABYTES,
            _ => 1.0,
        }
    }

    /// The number of requests only grows; anything else goes up and down.
    const fn aggregate(self) -> ServingAggregate {
        match self {
            Self::Requests => ServingAggregate::Maximum,
            _ => ServingAggregate::Average,
        }
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct HistoryRequest {
    endpoint_url: String,
    /// Seconds since the epoch.
    from_date: f64,
    to_date: f64,
    /// Seconds.
    interval: i64,
    metric_type: Option<MetricType>,
    instance_charts: Option<bool>,
}

/// `serving.get_endpoint_metrics_history`.
pub(super) async fn get_endpoint_metrics_history(
    app: Arc<App>,
    call: Arc<Call>,
    request: HistoryRequest,
) -> ApiResult {
    check::at_least("from_date", request.from_date, 0.0)?;
    check::at_least("to_date", request.to_date, 0.0)?;
    check::at_least("interval", request.interval, 1)?;
    if request.from_date >= request.to_date {
        return Err(ApiError::new(codes::FIELDS_VALUE_ERROR).extra("from_date must be less than to_date"));
    }
    let metric = request.metric_type.unwrap_or_default();
    let interval = request.interval.max(app.settings.serving.min_chart_interval.as_secs() as i64);
    let range = BucketRange {
        from: (request.from_date as i64).saturating_mul(1000),
        to: (request.to_date as i64).saturating_mul(1000),
        interval: interval.saturating_mul(1000),
    };
    check_size(range)?;
    let query = ServingQuery {
        endpoint_url: request.endpoint_url,
        range,
        field: metric.field(),
        aggregate: metric.aggregate(),
    };
    let found = app.statistics.serving_buckets(call.company(), &query).await?;
    let charts = Charts::new(metric, range, &found);
    let instances =
        if request.instance_charts.unwrap_or(true) { charts.instances() } else { Document::new() };
    Ok(doc! {
        "computed_interval": interval,
        "total": charts.chart(metric.title(), &charts.totals),
        "instances": instances,
    }
    .into())
}

/// The points of an endpoint and of its containers, on the same dates.
struct Charts {
    dates: Vec<i64>,
    totals: Vec<Bson>,
    containers: BTreeMap<String, Vec<Bson>>,
}

impl Charts {
    fn new(metric: MetricType, range: BucketRange, found: &[ServingBucket]) -> Self {
        let values = found.iter().flat_map(|bucket| &bucket.containers);
        let mut containers: BTreeMap<String, Vec<Bson>> =
            values.map(|(container, _)| (container.clone(), Vec::new())).collect();
        let mut dates = Vec::new();
        let mut totals = Vec::new();
        if containers.is_empty() {
            return Self { dates, totals, containers };
        }
        let by_start: HashMap<i64, &ServingBucket> =
            found.iter().map(|bucket| (bucket.start, bucket)).collect();
        let starts: Vec<i64> = match metric {
            MetricType::Requests => found.iter().map(|bucket| bucket.start).collect(),
            _ => range.buckets().collect(),
        };
        // The last bucket is still filling. 0.9 of an interval, in whole numbers.
        let end = range.to.saturating_sub(range.interval / 10 * 9);
        for start in starts.into_iter().take_while(|start| *start <= end) {
            let present = by_start.get(&start).map_or(&[][..], |bucket| &bucket.containers);
            let sum: f64 = present.iter().filter_map(|(_, value)| *value).sum();
            let total = match metric.total() {
                Total::Average if !present.is_empty() => sum / present.len() as f64,
                Total::Average | Total::Sum => sum,
            };
            dates.push(start);
            totals.push(shown(total, metric));
            for (container, points) in &mut containers {
                let value = present.iter().find(|(id, _)| id == container).and_then(|(_, value)| *value);
                points.push(shown(value.unwrap_or_default(), metric));
            }
        }
        Self { dates, totals, containers }
    }

    fn chart(&self, title: &str, values: &[Bson]) -> Document {
        doc! {"title": title, "dates": self.dates.as_slice(), "values": values}
    }

    fn instances(&self) -> Document {
        let charts = self.containers.iter();
        charts.map(|(container, values)| (container.clone(), self.chart(container, values).into())).collect()
    }
}

/// A value as charts show it: two decimals, and a plain 0 for nothing.
fn shown(value: f64, metric: MetricType) -> Bson {
    if value == 0.0 {
        return Bson::Int32(0);
    }
    Bson::Double((value * metric.multiplier() * 100.0).round_ties_even() / 100.0)
}

#[cfg(test)]
mod tests {
    use bson::bson;

    use super::*;

    const RANGE: BucketRange = BucketRange { from: 0, to: 200_000, interval: 50_000 };

    fn found() -> Vec<ServingBucket> {
        vec![
            ServingBucket { start: 0, containers: vec![("b".into(), Some(3.0)), ("c".into(), None)] },
            ServingBucket {
                start: 100_000,
                containers: vec![("a".into(), Some(4.0)), ("b".into(), Some(1.0))],
            },
            ServingBucket { start: 200_000, containers: vec![("d".into(), Some(9.0))] },
        ]
    }

    #[test]
    fn requests_show_buckets_with_reports_only() {
        let charts = Charts::new(MetricType::Requests, RANGE, &found());
        assert_eq!(charts.dates, [0, 100_000]);
        assert_eq!(charts.totals, [bson!(3.0), bson!(5.0)]);
        assert_eq!(charts.containers["a"], [bson!(0), bson!(4.0)]);
        assert_eq!(charts.containers["c"], [bson!(0), bson!(0)]);
        // Its only report is in the bucket that is still filling.
        assert_eq!(charts.containers["d"], [bson!(0), bson!(0)]);
    }

    #[test]
    fn other_figures_show_all_buckets_and_averages_count_nulls() {
        let charts = Charts::new(MetricType::LatencyMs, RANGE, &found());
        assert_eq!(charts.dates, [0, 50_000, 100_000, 150_000]);
        assert_eq!(charts.totals, [bson!(1.5), bson!(0), bson!(2.5), bson!(0)]);
        let memory = Charts::new(MetricType::RamUsed, RANGE, &found());
        assert_eq!(memory.totals[2], bson!(0.0));
        let none = Charts::new(MetricType::RamUsed, RANGE, &[]);
        assert!(none.dates.is_empty() && none.instances().is_empty());
    }
}
