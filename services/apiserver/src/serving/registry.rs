//! The registered containers: records in the shared state that expire (spec 04 §4.1).

use std::time::Duration;

use clearml_state::escape_glob;
use serde::{Deserialize, Serialize};

use super::machine_stats::MachineStats;
use crate::{
    App,
    api::{ApiError, ApiResult, codes},
    workers::Moment,
};

/// The sets of containers by URL outlive their last member by this.
const SET_TIME_TO_LIVE: Duration = Duration::from_hours(1);
/// Longest life of a record without a sign of life, seconds: a hundred years.
const MAX_TIMEOUT: i64 = 3_155_760_000;

/// What a container has to do with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reference {
    #[serde(rename = "type")]
    pub(super) kind: ReferenceKind,
    pub(super) value: String,
}

/// The kind of a [`Reference`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ReferenceKind {
    AppId,
    AppInstance,
    Model,
    Task,
    Url,
}

impl ReferenceKind {
    /// As sent and answered.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::AppId => "app_id",
            Self::AppInstance => "app_instance",
            Self::Model => "model",
            Self::Task => "task",
            Self::Url => "url",
        }
    }
}

/// A registered container, as recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Container {
    pub(super) key: String,
    pub(super) company_id: String,
    #[serde(rename = "container_id")]
    pub(super) id: String,
    pub(super) endpoint_name: String,
    /// Absent while the container is loading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) endpoint_url: Option<String>,
    pub(super) model_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) model_source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) model_version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) preprocess_artifact: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) input_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) input_size: Option<String>,
    #[serde(default)]
    pub(super) tags: Vec<String>,
    #[serde(default)]
    pub(super) system_tags: Vec<String>,
    #[serde(default)]
    pub(super) reference: Vec<Reference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) uptime_sec: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) requests_num: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) requests_min: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) latency_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) machine_stats: Option<MachineStats>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ip: Option<String>,
    pub(super) register_time: Moment,
    /// Seconds without a sign of life after which the record goes.
    pub(super) register_timeout: i64,
    pub(super) last_activity_time: Moment,
}

impl Container {
    /// The URL; `None` while the container is loading.
    pub(super) fn url(&self) -> Option<&str> {
        self.endpoint_url.as_deref().filter(|url| !url.is_empty())
    }
}

/// Key of a container's record.
pub(super) fn key(company: &str, container: &str) -> String {
    format!("serving_container_{company}_{container}")
}

/// Key of the set of containers behind a URL, or of those that are loading.
fn url_key(company: &str, url: Option<&str>) -> String {
    format!("serving_url_{company}_{}", url.unwrap_or("None"))
}

/// The record of a container, if there is one that can be read.
pub(super) async fn load(app: &App, company: &str, container: &str) -> ApiResult<Option<Container>> {
    let key = key(company, container);
    let record = app.worker_state.get(&key).await?;
    Ok(record.and_then(|record| parse(&key, &record)))
}

fn parse(key: &str, record: &str) -> Option<Container> {
    serde_json::from_str(record)
        .inspect_err(|error| tracing::warn!(key, %error, "failed to read the record of a container"))
        .ok()
}

/// Records the container and lets its expiry begin anew.
pub(super) async fn save(app: &App, container: &Container) -> ApiResult<()> {
    let record = serde_json::to_string(container)
        .map_err(|error| ApiError::new(codes::DATA_ERROR).with("err", error.to_string()))?;
    let timeout = container.register_timeout.clamp(1, MAX_TIMEOUT);
    let time_to_live = Duration::from_secs(timeout as u64);
    app.worker_state.set(&container.key, &record, Some(time_to_live)).await?;
    let set = url_key(&container.company_id, container.url());
    let expires = now_seconds(app).saturating_add(timeout);
    app.worker_state.sorted_add(&set, &container.key, expires as f64).await?;
    app.worker_state.expire(&set, time_to_live.max(SET_TIME_TO_LIVE)).await?;
    Ok(())
}

/// Deletes the record and takes the container from its URL; whether there was a record.
pub(super) async fn remove(app: &App, company: &str, container: &str) -> ApiResult<bool> {
    let key = key(company, container);
    if let Some(container) = load(app, company, container).await? {
        let set = url_key(company, container.url());
        app.worker_state.sorted_remove(&set, std::slice::from_ref(&key)).await?;
    }
    Ok(app.worker_state.delete(&[key]).await? > 0)
}

/// All containers of a company, by key.
pub(super) async fn all(app: &App, company: &str) -> ApiResult<Vec<Container>> {
    let mut keys = app.worker_state.keys(&format!("serving_container_{}_*", escape_glob(company))).await?;
    keys.sort_unstable();
    Ok(load_many(app, &keys).await?.into_iter().flatten().collect())
}

/// The containers behind a URL, or those that are loading. Whoever went or moved to another URL is taken from
/// the set.
pub(super) async fn behind(app: &App, company: &str, url: Option<&str>) -> ApiResult<Vec<Container>> {
    let set = url_key(company, url);
    app.worker_state.sorted_remove_range(&set, f64::NEG_INFINITY, now_seconds(app) as f64).await?;
    let mut keys = app.worker_state.sorted_range(&set, f64::NEG_INFINITY, f64::INFINITY).await?;
    keys.sort_unstable();
    let (mut containers, mut gone) = (Vec::new(), Vec::new());
    for (key, container) in keys.iter().zip(load_many(app, &keys).await?) {
        match container {
            Some(container) if container.url() == url => containers.push(container),
            _ => gone.push(key.clone()),
        }
    }
    if !gone.is_empty() {
        app.worker_state.sorted_remove(&set, &gone).await?;
    }
    Ok(containers)
}

async fn load_many(app: &App, keys: &[String]) -> ApiResult<Vec<Option<Container>>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let records = app.worker_state.get_many(keys).await?;
    Ok(keys.iter().zip(records).map(|(key, record)| parse(key, &record?)).collect())
}

fn now_seconds(app: &App) -> i64 {
    app.now().timestamp_millis().div_euclid(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_the_official_server_are_read() {
        let record = r#"{"container_id": "c1", "endpoint_name": "e", "endpoint_url": "http://e/1", "model_name": "m",
            "input_size": "10", "tags": [], "system_tags": [], "reference": [{"type": "app_id", "value": "a"}],
            "uptime_sec": 12, "requests_num": 3, "requests_min": 1.5, "latency_ms": 20,
            "machine_stats": {"cpu_usage": [5, 6.5]}, "key": "serving_container_x_c1", "company_id": "x",
            "ip": "10.0.0.1", "register_time": "2024-01-01T10:00:00.123456+00:00", "register_timeout": 600,
            "last_activity_time": "2024-01-01T10:00:01+00:00"}"#;
        let container = parse("serving_container_x_c1", record).unwrap();
        assert_eq!((container.url(), container.requests_min), (Some("http://e/1"), Some(1.5)));
        assert_eq!(container.reference[0].kind, ReferenceKind::AppId);
        let again = parse("", &serde_json::to_string(&container).unwrap()).unwrap();
        assert_eq!(again, container);
        assert_eq!(parse("k", "{}"), None);
    }
}
