//! What is being served: `get_endpoints`, `get_endpoint_details`, `get_loading_instances` (spec 04 §4.2).

use std::{collections::BTreeMap, sync::Arc};

use bson::{Bson, DateTime, Document, doc};
use schemars::JsonSchema;
use serde::Deserialize;

use super::registry::{self, Container};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, codes},
};

/// `serving.get_endpoints`: the containers that have a URL, by URL.
pub(super) async fn get_endpoints(app: Arc<App>, call: Arc<Call>, _request: Document) -> ApiResult {
    let mut by_url: BTreeMap<String, Vec<Container>> = BTreeMap::new();
    for container in registry::all(&app, call.company()).await? {
        if let Some(url) = container.url() {
            by_url.entry(url.to_owned()).or_default().push(container);
        }
    }
    let endpoints: Vec<Bson> =
        by_url.iter().map(|(url, containers)| endpoint(url, containers).into()).collect();
    Ok(doc! {"endpoints": endpoints}.into())
}

fn endpoint(url: &str, containers: &[Container]) -> Document {
    let any = containers.first();
    let requests: i64 =
        containers.iter().filter_map(|container| container.requests_num).fold(0, i64::saturating_add);
    let requests_min = mean(containers.iter().filter_map(|container| container.requests_min));
    let latency =
        mean(containers.iter().filter_map(|container| container.latency_ms.map(|value| value as f64)));
    doc! {
        "endpoint": any.map(|container| container.endpoint_name.as_str()),
        "model": any.map(|container| container.model_name.as_str()),
        "url": url,
        "instances": containers.len() as i64,
        "uptime_sec": uptime(containers),
        "requests": requests,
        "requests_min": requests_min.map(|value| (value * 100.0).round_ties_even() / 100.0),
        "latency_ms": latency.map(|value| value.round_ties_even() as i64),
        "last_update": last_update(containers),
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct DetailsRequest {
    endpoint_url: String,
}

/// `serving.get_endpoint_details`: one URL with its containers.
pub(super) async fn get_endpoint_details(
    app: Arc<App>,
    call: Arc<Call>,
    request: DetailsRequest,
) -> ApiResult {
    let url = request.endpoint_url.as_str();
    let containers = registry::behind(&app, call.company(), Some(url)).await?;
    let any =
        containers.first().ok_or_else(|| ApiError::new(codes::NO_CONTAINERS_FOR_URL).with("url", url))?;
    let instances: Vec<Bson> = containers.iter().map(|container| instance(container).into()).collect();
    let mut answer = description(any);
    answer.insert("uptime_sec", uptime(&containers));
    answer.insert("last_update", last_update(&containers));
    answer.insert("instances", instances);
    Ok(answer.into())
}

/// `serving.get_loading_instances`: the containers that have no URL yet.
pub(super) async fn get_loading_instances(app: Arc<App>, call: Arc<Call>, _request: Document) -> ApiResult {
    let containers = registry::behind(&app, call.company(), None).await?;
    let now = app.now().timestamp_millis();
    let instances = containers.iter().map(|container| {
        let age = now.saturating_sub(container.register_time.0.timestamp_millis()).div_euclid(1000);
        let mut answer = doc! {"id": &container.id};
        answer.extend(description(container));
        answer.insert("uptime_sec", container.uptime_sec);
        answer.insert("age_sec", age);
        answer.insert("last_update", container.last_activity_time.0);
        Bson::from(answer)
    });
    Ok(doc! {"instances": instances.collect::<Vec<_>>()}.into())
}

/// What is served where.
fn description(container: &Container) -> Document {
    doc! {
        "endpoint": &container.endpoint_name,
        "model": &container.model_name,
        "url": container.url(),
        "preprocess_artifact": container.preprocess_artifact.as_deref(),
        "input_type": container.input_type.as_deref(),
        "input_size": container.input_size.as_deref(),
        "model_source": container.model_source.as_deref(),
        "model_version": container.model_version.as_deref(),
    }
}

fn instance(container: &Container) -> Document {
    let count = |name| container.machine_stats.as_ref().map_or(0, |stats| stats.count(name)) as i64;
    let reference: Vec<Bson> = container
        .reference
        .iter()
        .map(|reference| doc! {"type": reference.kind.name(), "value": &reference.value}.into())
        .collect();
    doc! {
        "id": &container.id,
        "uptime_sec": container.uptime_sec,
        "requests": container.requests_num,
        "requests_min": container.requests_min,
        "latency_ms": container.latency_ms,
        "last_update": container.last_activity_time.0,
        "reference": reference,
        "cpu_count": count("cpu_usage"),
        "gpu_count": count("gpu_usage"),
    }
}

fn uptime(containers: &[Container]) -> Option<i64> {
    containers.iter().filter_map(|container| container.uptime_sec).max()
}

fn last_update(containers: &[Container]) -> Option<DateTime> {
    containers.iter().map(|container| container.last_activity_time.0).max()
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0_u32);
    for value in values {
        sum += value;
        count += 1;
    }
    (count > 0).then(|| sum / f64::from(count))
}
