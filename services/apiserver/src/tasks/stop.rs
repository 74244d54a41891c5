//! Stopping tasks: at once, or by asking the worker that runs them (spec 02 §3.4).

use std::sync::Arc;

use bson::Document;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    access::{self, Fields},
    status::{Changed, StatusChange, TaskStatus},
    steps,
};
use crate::{
    App,
    api::{ApiResult, Call, Many, check},
    queues::entries,
};

const FIELDS: Fields<'static> =
    Fields::Only(&["type", "system_tags", "execution.queue", "last_worker", "last_update"]);

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct StopRequest {
    task: String,
    status_reason: Option<String>,
    force: Option<bool>,
    include_pipeline_steps: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct StopManyRequest {
    #[serde(default)]
    ids: Vec<String>,
    status_reason: Option<String>,
    force: Option<bool>,
    include_pipeline_steps: Option<bool>,
}

struct Stop {
    reason: String,
    force: bool,
    include_pipeline_steps: bool,
}

/// `tasks.stop`.
pub(crate) async fn stop(app: Arc<App>, call: Arc<Call>, request: StopRequest) -> ApiResult {
    let stop = Stop {
        reason: request.status_reason.unwrap_or_default(),
        force: request.force.unwrap_or(false),
        include_pipeline_steps: request.include_pipeline_steps.unwrap_or(false),
    };
    Ok(Document::from(stop_task(&app, &call, &request.task, &stop).await?).into())
}

/// `tasks.stop_many`.
pub(crate) async fn stop_many(app: Arc<App>, call: Arc<Call>, request: StopManyRequest) -> ApiResult {
    check::not_empty("ids", &request.ids)?;
    let stop = Stop {
        reason: request.status_reason.unwrap_or_default(),
        force: request.force.unwrap_or(false),
        include_pipeline_steps: request.include_pipeline_steps.unwrap_or(false),
    };
    let (app, call, stop) = (&*app, &*call, &stop);
    let many = Many::run(&request.ids, |id| async move { Ok(stop_task(app, call, &id, stop).await?.into()) });
    Ok(many.await?.into_document().into())
}

async fn stop_task(app: &App, call: &Call, id: &str, stop: &Stop) -> ApiResult<Changed> {
    let task = access::writable_task(app, call, id, FIELDS).await?;
    if stop.include_pipeline_steps {
        for step in steps::of(app, call, &task, FIELDS).await? {
            stop_one(app, call, &step, &stop.reason, true).await?;
        }
    }
    stop_one(app, call, &task, &stop.reason, stop.force).await
}

async fn stop_one(app: &App, call: &Call, task: &Document, reason: &str, force: bool) -> ApiResult<Changed> {
    let status = TaskStatus::of(task);
    let is_queued = status == TaskStatus::Queued;
    let is_development = task
        .get_array("system_tags")
        .is_ok_and(|tags| tags.iter().any(|tag| tag.as_str() == Some("development")));
    if !is_queued && !is_development && is_run_by_worker(app, task) {
        // The worker polls the message, ends the run and reports the task stopped.
        return StatusChange::new(task, status)
            .force(force)
            .reason(reason)
            .message("stopping")
            .apply(app, call.user())
            .await;
    }
    if is_queued {
        entries::remove_task(app, call.company(), task).await;
    }
    let user_name = call.identity.as_ref().map_or("", |identity| &identity.user_name);
    StatusChange::new(task, TaskStatus::Stopped)
        .force(force)
        .reason(reason)
        .message(format!("Stopped by {user_name}"))
        .apply(app, call.user())
        .await
}

/// Whether a worker took the task and gave a sign of life lately.
fn is_run_by_worker(app: &App, task: &Document) -> bool {
    if task.get_str("last_worker").map_or(true, str::is_empty) {
        return false;
    }
    let Ok(last_update) = task.get_datetime("last_update") else { return false };
    let age_ms = app.now().timestamp_millis().saturating_sub(last_update.timestamp_millis());
    age_ms < app.settings.workers.task_update_timeout.as_millis() as i64
}
