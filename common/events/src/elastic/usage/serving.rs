//! What serving containers report (spec 04 §4.3).

use bson::{Document, doc};
use serde::Deserialize;
use serde_json::json;

use super::{MAX_NAMES, Statistics, time_buckets, within};
use crate::{
    EventResult, ServingAggregate, ServingBucket, ServingField, ServingQuery, ServingSample,
    elastic::search::{Buckets, Metric, NameBucket, terms_ascending},
};

pub(super) const KIND: &str = "serving_stats";

impl ServingField {
    /// The name of the field.
    const fn name(self) -> &'static str {
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
}

#[derive(Deserialize)]
struct Containers {
    containers: Buckets<NameBucket>,
}

#[derive(Deserialize)]
struct Times {
    times: Buckets<Time>,
}

#[derive(Deserialize)]
struct Time {
    key: i64,
    containers: Buckets<Container>,
}

#[derive(Deserialize)]
struct Container {
    key: String,
    value: Metric,
}

impl Statistics {
    /// Appends reports of serving containers.
    pub(in crate::elastic) async fn add_serving(
        &self,
        company: &str,
        samples: Vec<ServingSample>,
    ) -> EventResult<()> {
        let documents = samples.into_iter().map(|sample| document(company, sample)).collect();
        self.add(KIND, company, documents).await
    }

    /// History of an endpoint's containers in buckets.
    pub(in crate::elastic) async fn serving_buckets(
        &self,
        company: &str,
        query: &ServingQuery,
    ) -> EventResult<Vec<ServingBucket>> {
        let pattern = self.open(KIND, company).await?;
        let mut filter = vec![
            json!({"term": {"company_id": company}}),
            json!({"term": {"endpoint_url": query.endpoint_url}}),
        ];
        let mut whole = filter.clone();
        whole.push(within(query.range));
        let aggregations = json!({"containers": {"terms": {"field": "container_id", "size": MAX_NAMES}}});
        let found = self.search::<Containers>(&pattern, &whole, &aggregations).await?;
        let containers = found.aggregations.map_or_else(Vec::new, |found| found.containers.buckets);
        if containers.is_empty() {
            return Ok(Vec::new());
        }

        let names: Vec<String> = containers.into_iter().map(|container| container.key).collect();
        filter.push(json!({"terms": {"container_id": names}}));
        let aggregate = match query.aggregate {
            ServingAggregate::Maximum => "max",
            ServingAggregate::Average => "avg",
        };
        let value = json!({"value": {aggregate: {"field": query.field.name()}}});
        let inner = json!({"containers": terms_ascending("container_id", names.len(), &value)});
        let aggregations = json!({"times": time_buckets(query.range, &inner)});
        let slices =
            self.search_slices::<Times>(&pattern, query.range, names.len() + 1, &filter, &aggregations);
        let times = slices.await?.into_iter().filter_map(|slice| slice.aggregations);
        let bucket = |time: Time| ServingBucket {
            start: time.key,
            containers: time
                .containers
                .buckets
                .into_iter()
                .map(|container| (container.key, container.value.value))
                .collect(),
        };
        Ok(times.flat_map(|found| found.times.buckets).map(bucket).collect())
    }
}

fn document(company: &str, sample: ServingSample) -> Document {
    doc! {
        "timestamp": sample.timestamp,
        "container_id": sample.container_id,
        "company_id": company,
        "endpoint_url": sample.endpoint_url,
        "requests_num": sample.requests_num,
        "requests_min": sample.requests_min,
        "uptime_sec": sample.uptime_sec,
        "latency_ms": sample.latency_ms,
        "cpu_usage": sample.cpu_usage,
        "cpu_num": sample.cpu_num,
        "gpu_usage": sample.gpu_usage,
        "gpu_num": sample.gpu_num,
        "memory_free": sample.memory_free,
        "memory_used": sample.memory_used,
        "memory_total": sample.memory_total,
        "gpu_memory_free": sample.gpu_memory_free,
        "gpu_memory_used": sample.gpu_memory_used,
        "gpu_memory_total": sample.gpu_memory_total,
        "disk_free_home": sample.disk_free_home,
        "network_rx": sample.network_rx,
        "network_tx": sample.network_tx,
    }
}
