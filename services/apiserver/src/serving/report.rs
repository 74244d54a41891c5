//! Registering containers and their reports (spec 04 §4.1).

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_events::ServingSample;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    machine_stats::MachineStats,
    registry::{self, Container, Reference},
};
use crate::{
    App,
    api::{Any, ApiError, ApiResult, Call, Object, Patch, check, codes, from_document},
    workers::Moment,
};

/// What a container says of itself.
#[derive(Debug, Deserialize)]
struct Description {
    container_id: String,
    endpoint_name: String,
    model_name: String,
    endpoint_url: Option<String>,
    model_source: Option<String>,
    model_version: Option<String>,
    preprocess_artifact: Option<String>,
    input_type: Option<String>,
    /// Text or number.
    input_size: Option<Any>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    system_tags: Vec<String>,
    #[serde(default)]
    reference: Vec<Reference>,
}

impl Description {
    /// The checked parts: 400/12 for an empty id, and for an input size of another kind.
    fn check(&self) -> ApiResult<()> {
        if self.container_id.is_empty() {
            return Err(ApiError::validation("error for field 'container_id'. field is required!"));
        }
        match &self.input_size {
            None
            | Some(Any(Bson::Null | Bson::String(_) | Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_))) => {
                Ok(())
            }
            Some(_) => Err(ApiError::validation("error for field 'input_size': text or a number expected.")),
        }
    }

    fn into_container(self, app: &App, call: &Call, register_timeout: i64) -> Container {
        let now = Moment(app.now());
        let input_size = self.input_size.and_then(|Any(size)| match size {
            Bson::Null => None,
            size => Some(crate::python::str_of(&size)),
        });
        Container {
            key: registry::key(call.company(), &self.container_id),
            company_id: call.company().to_owned(),
            id: self.container_id,
            endpoint_name: self.endpoint_name,
            endpoint_url: self.endpoint_url.filter(|url| !url.is_empty()),
            model_name: self.model_name,
            model_source: self.model_source,
            model_version: self.model_version,
            preprocess_artifact: self.preprocess_artifact,
            input_type: self.input_type,
            input_size,
            tags: self.tags,
            system_tags: self.system_tags,
            reference: self.reference,
            uptime_sec: None,
            requests_num: None,
            requests_min: None,
            latency_ms: None,
            machine_stats: None,
            ip: Some(call.caller_ip.clone()).filter(|ip| !ip.is_empty()),
            register_time: now,
            register_timeout,
            last_activity_time: now,
        }
    }
}

#[derive(Debug, Deserialize)]
struct Registration {
    /// Seconds.
    #[serde(default)]
    timeout: Patch<i64>,
}

/// How a container is doing.
#[derive(Debug, Deserialize)]
struct Figures {
    uptime_sec: Option<i64>,
    requests_num: Option<i64>,
    requests_min: Option<f64>,
    latency_ms: Option<i64>,
    machine_stats: Option<Object>,
}

/// `serving.register_container`: a new record, or anew.
pub(super) async fn register_container(app: Arc<App>, call: Arc<Call>, request: Document) -> ApiResult {
    let description: Description = from_document(&request)?;
    description.check()?;
    let Registration { timeout } = from_document(&request)?;
    let timeout = match timeout {
        Patch::Absent | Patch::Null => default_timeout(&app),
        Patch::Value(timeout) => {
            check::at_least("timeout", timeout, 1)?;
            timeout
        }
    };
    registry::save(&app, &description.into_container(&app, &call, timeout)).await?;
    Ok(doc! {}.into())
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct UnregisterRequest {
    container_id: String,
}

/// `serving.unregister_container`.
pub(super) async fn unregister_container(
    app: Arc<App>,
    call: Arc<Call>,
    request: UnregisterRequest,
) -> ApiResult {
    let was_registered = registry::remove(&app, call.company(), &request.container_id).await?;
    if !was_registered && !app.settings.serving.container_auto_unregister {
        return Err(not_registered(&request.container_id));
    }
    Ok(doc! {}.into())
}

/// `serving.container_status_report`: a container's sign of life, in place of what was known of it.
pub(super) async fn container_status_report(app: Arc<App>, call: Arc<Call>, request: Document) -> ApiResult {
    let description: Description = from_document(&request)?;
    description.check()?;
    let figures: Figures = from_document(&request)?;
    if description.endpoint_url.as_deref().is_none_or(str::is_empty) {
        return Err(ApiError::validation("Missing required field 'endpoint_url'"));
    }
    let known = registry::load(&app, call.company(), &description.container_id).await?;
    if known.is_none() && !app.settings.serving.container_auto_register {
        return Err(not_registered(&description.container_id));
    }
    let mut container = description.into_container(&app, &call, default_timeout(&app));
    if let Some(known) = known {
        container.register_time = known.register_time;
        container.register_timeout = known.register_timeout;
        container.ip = container.ip.or(known.ip);
    }
    container.uptime_sec = figures.uptime_sec;
    container.requests_num = figures.requests_num;
    container.requests_min = figures.requests_min.filter(|value| value.is_finite());
    container.latency_ms = figures.latency_ms;
    container.machine_stats = figures.machine_stats.as_ref().map(MachineStats::read);
    registry::save(&app, &container).await?;
    app.statistics.add_serving_samples(call.company(), vec![sample(&app, &container)]).await?;
    Ok(doc! {}.into())
}

/// What the statistics keep of a report.
fn sample(app: &App, container: &Container) -> ServingSample {
    let whole = |value: Option<i64>| value.map(|value| value as f64);
    let mut sample = ServingSample {
        timestamp: app.now().timestamp_millis(),
        container_id: container.id.clone(),
        endpoint_url: container.url().unwrap_or_default().to_owned(),
        requests_num: whole(container.requests_num),
        requests_min: container.requests_min,
        uptime_sec: whole(container.uptime_sec),
        latency_ms: whole(container.latency_ms),
        ..ServingSample::default()
    };
    if let Some(stats) = &container.machine_stats {
        stats.fill(&mut sample);
    }
    sample
}

fn default_timeout(app: &App) -> i64 {
    app.settings.serving.default_container_timeout.as_secs() as i64
}

fn not_registered(container: &str) -> ApiError {
    ApiError::new(codes::CONTAINER_NOT_REGISTERED).with("container", container)
}
