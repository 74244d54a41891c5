//! Resetting tasks to `created` (spec 02 §7.1).

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_documents::{Change, Update};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    access::{self, Fields},
    cleanup::{self, CLEANUP_FIELDS, Cleaned, Cleanup, Occasion, WithFiles},
    status::{Changed, StatusChange, TaskStatus},
};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, Many, check, codes},
    external_files::{self, Pacing, Removal},
    queues::entries,
};

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ResetRequest {
    task: String,
    force: Option<bool>,
    clear_all: Option<bool>,
    return_file_urls: Option<bool>,
    delete_output_models: Option<bool>,
    delete_external_artifacts: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ResetManyRequest {
    #[serde(default)]
    ids: Vec<String>,
    force: Option<bool>,
    clear_all: Option<bool>,
    return_file_urls: Option<bool>,
    delete_output_models: Option<bool>,
    delete_external_artifacts: Option<bool>,
}

struct Reset {
    force: bool,
    clear_all: bool,
    return_file_urls: bool,
    delete_output_models: bool,
    with_files: bool,
}

struct WasReset {
    /// Entries removed from its queue, if it was queued.
    dequeued: Option<u64>,
    cleaned: Cleaned,
    changed: Changed,
}

/// `tasks.reset`.
pub(crate) async fn reset(app: Arc<App>, call: Arc<Call>, request: ResetRequest) -> ApiResult {
    let options = Reset {
        force: request.force.unwrap_or(false),
        clear_all: request.clear_all.unwrap_or(false),
        return_file_urls: request.return_file_urls.unwrap_or(false),
        delete_output_models: request.delete_output_models.unwrap_or(true),
        with_files: request.delete_external_artifacts.unwrap_or(true),
    };
    let was_reset = reset_task(&app, &call, &request.task, &options).await?;
    let mut removal = Removal::new(options.with_files);
    was_reset.cleaned.add_to(&mut removal, &request.task);
    external_files::remove(&app, &call, removal, Pacing::Wait).await?;

    let dequeued = was_reset.dequeued.map(|removed| doc! { "removed": removed as i64 });
    let mut answer = Document::from(was_reset.changed);
    answer.extend(doc! {
        "dequeued": dequeued.unwrap_or_default(),
        "deleted_models": was_reset.cleaned.deleted_models as i64,
        "events": {},
        "urls": urls(&was_reset.cleaned, &options),
    });
    Ok(answer.into())
}

/// `tasks.reset_many`.
pub(crate) async fn reset_many(app: Arc<App>, call: Arc<Call>, request: ResetManyRequest) -> ApiResult {
    check::not_empty("ids", &request.ids)?;
    let options = Reset {
        force: request.force.unwrap_or(false),
        clear_all: request.clear_all.unwrap_or(false),
        return_file_urls: request.return_file_urls.unwrap_or(false),
        delete_output_models: request.delete_output_models.unwrap_or(true),
        with_files: request.delete_external_artifacts.unwrap_or(true),
    };
    let mut removal = Removal::new(options.with_files);
    let mut many = Many::default();
    for id in &request.ids {
        match reset_task(&app, &call, id, &options).await {
            Ok(was_reset) => {
                was_reset.cleaned.add_to(&mut removal, id);
                let mut item = doc! { "dequeued": was_reset.dequeued.is_some() };
                item.extend(Document::from(was_reset.changed));
                item.insert("deleted_models", was_reset.cleaned.deleted_models as i64);
                item.insert("urls", urls(&was_reset.cleaned, &options));
                many.succeed(id, item);
            }
            Err(error) if error.is_unexpected() => return Err(error),
            Err(error) => many.fail(id, &error),
        }
    }
    external_files::remove(&app, &call, removal, Pacing::MayLinger).await?;
    Ok(many.into_document().into())
}

fn urls(cleaned: &Cleaned, options: &Reset) -> Document {
    if options.return_file_urls { cleaned.urls() } else { Document::new() }
}

/// Resets the task's document, outputs and queue; its events are the caller's to remove.
async fn reset_task(app: &App, call: &Call, id: &str, options: &Reset) -> ApiResult<WasReset> {
    let fields: Vec<&str> = CLEANUP_FIELDS.into_iter().chain(["execution.queue"]).collect();
    let task = access::writable_task(app, call, id, Fields::Only(&fields)).await?;
    let status = TaskStatus::of(&task);
    if status == TaskStatus::Published && !options.force {
        return Err(ApiError::new(codes::INVALID_TASK_STATUS)
            .with("task_id", id)
            .with("status", status.as_str()));
    }

    let dequeued = match status {
        TaskStatus::Queued => entries::remove_task(app, call.company(), &task).await,
        _ => None,
    };
    entries::remove_from_others(app, call.company(), id, None).await?;

    let cleanup = Cleanup {
        occasion: Occasion::Reset,
        force: options.force,
        delete_output_models: options.delete_output_models,
        removal: Some(WithFiles(options.with_files)),
    };
    let cleaned = cleanup::clean_outputs(app, call, &task, cleanup).await?;
    let changed = StatusChange::new(&task, TaskStatus::Created)
        .force(options.force)
        .reason("reset")
        .message("reset")
        .silently(forget_results(&task, options.clear_all))
        .apply(app, call.user())
        .await?;
    Ok(WasReset { dequeued, cleaned, changed })
}

/// Everything that a run left in the task.
fn forget_results(task: &Document, clear_all: bool) -> Update {
    let emptied = doc! {
        "last_iteration": 0_i64,
        "last_metrics": {},
        "unique_metrics": [],
        "metric_stats": {},
        "models.output": [],
        "runtime": {},
    };
    let mut update: Update = emptied.into_iter().map(|(path, value)| Change::Set(path, value)).collect();
    let removed = [
        "output.result",
        "output.error",
        "last_worker",
        "last_worker_report",
        "started",
        "completed",
        "published",
        "active_duration",
        "enqueue_status",
    ];
    update.extend(removed.map(Change::unset));
    if clear_all {
        update.push(Change::set("execution", empty_execution()));
        update.push(Change::unset("script"));
    } else {
        update.push(Change::unset("execution.queue"));
        if let Some(artifacts) = input_artifacts(task) {
            update.push(Change::set("execution.artifacts", artifacts));
        }
    }
    update
}

fn empty_execution() -> Document {
    doc! { "test_split": 0_i64, "parameters": {}, "model_desc": {}, "model_labels": {}, "artifacts": {} }
}

/// The artifacts that the run had as input; `None` if there are no artifacts at all.
fn input_artifacts(task: &Document) -> Option<Document> {
    let artifacts = task.get_document("execution").ok()?.get_document("artifacts").ok()?;
    let is_input = |artifact: &Bson| {
        artifact.as_document().is_some_and(|artifact| artifact.get_str("mode").ok() == Some("input"))
    };
    Some(
        artifacts
            .iter()
            .filter(|(_, artifact)| is_input(artifact))
            .map(|(id, artifact)| (id.clone(), artifact.clone()))
            .collect(),
    )
}
