//! Deleting tasks (spec 02 §7.2).

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find, Write};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    access::{self, Fields, id_of},
    cleanup::{self, CLEANUP_FIELDS, Cleaned, Cleanup, Occasion, WithFiles},
    dequeue::{self, Dequeue},
    status::TaskStatus,
    steps,
};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, Many, check, codes},
    external_files::{self, Pacing, Removal},
    projects::{
        self,
        tag_cache::{self, TagField, Tagged},
    },
    queues::entries,
};

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct DeleteRequest {
    task: String,
    force: Option<bool>,
    move_to_trash: Option<bool>,
    return_file_urls: Option<bool>,
    delete_output_models: Option<bool>,
    delete_external_artifacts: Option<bool>,
    include_pipeline_steps: Option<bool>,
    status_reason: Option<String>,
    status_message: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct DeleteManyRequest {
    #[serde(default)]
    ids: Vec<String>,
    force: Option<bool>,
    move_to_trash: Option<bool>,
    return_file_urls: Option<bool>,
    delete_output_models: Option<bool>,
    delete_external_artifacts: Option<bool>,
    include_pipeline_steps: Option<bool>,
}

struct Delete {
    force: bool,
    move_to_trash: bool,
    return_file_urls: bool,
    with_output_models: bool,
    include_pipeline_steps: bool,
    with_files: bool,
    reason: String,
    message: String,
}

impl Delete {
    fn answer(&self, cleaned: &Cleaned) -> Document {
        doc! {
            "deleted": true,
            "updated_children": cleaned.updated_children as i64,
            "updated_models": cleaned.updated_models as i64,
            "deleted_models": cleaned.deleted_models as i64,
            "urls": if self.return_file_urls { cleaned.urls().into() } else { Bson::Null },
        }
    }
}

/// `tasks.delete`.
pub(crate) async fn delete(app: Arc<App>, call: Arc<Call>, request: DeleteRequest) -> ApiResult {
    let options = Delete {
        force: request.force.unwrap_or(false),
        move_to_trash: request.move_to_trash.unwrap_or(false),
        return_file_urls: request.return_file_urls.unwrap_or(false),
        with_output_models: request.delete_output_models.unwrap_or(true),
        include_pipeline_steps: request.include_pipeline_steps.unwrap_or(false),
        with_files: request.delete_external_artifacts.unwrap_or(true),
        reason: request.status_reason.unwrap_or_default(),
        message: request.status_message.unwrap_or_default(),
    };
    let cleaned = delete_task(&app, &call, &request.task, &options).await?;
    let mut removal = Removal::new(options.with_files);
    cleaned.add_to(&mut removal, &request.task);
    external_files::remove(&app, &call, removal, Pacing::Wait).await?;
    Ok(options.answer(&cleaned).into())
}

/// `tasks.delete_many`.
pub(crate) async fn delete_many(app: Arc<App>, call: Arc<Call>, request: DeleteManyRequest) -> ApiResult {
    check::not_empty("ids", &request.ids)?;
    let options = Delete {
        force: request.force.unwrap_or(false),
        move_to_trash: request.move_to_trash.unwrap_or(false),
        return_file_urls: request.return_file_urls.unwrap_or(false),
        with_output_models: request.delete_output_models.unwrap_or(true),
        include_pipeline_steps: request.include_pipeline_steps.unwrap_or(false),
        with_files: request.delete_external_artifacts.unwrap_or(true),
        reason: String::new(),
        message: String::new(),
    };
    let many = delete_all(&app, &call, &request.ids, &options, Pacing::MayLinger).await?;
    Ok(many.into_document().into())
}

/// Deletes controllers with their steps, models, events and files, whatever their status.
pub(crate) async fn delete_pipeline_runs(
    app: &Arc<App>,
    call: &Call,
    ids: &[String],
    reason: &str,
) -> ApiResult<Many> {
    let options = Delete {
        force: true,
        move_to_trash: false,
        return_file_urls: false,
        with_output_models: true,
        include_pipeline_steps: true,
        with_files: true,
        reason: reason.to_owned(),
        message: String::new(),
    };
    delete_all(app, call, ids, &options, Pacing::Wait).await
}

async fn delete_all(
    app: &Arc<App>,
    call: &Call,
    ids: &[String],
    options: &Delete,
    pacing: Pacing,
) -> ApiResult<Many> {
    let mut removal = Removal::new(options.with_files);
    let mut many = Many::default();
    for id in ids {
        match delete_task(app, call, id, options).await {
            Ok(cleaned) => {
                cleaned.add_to(&mut removal, id);
                many.succeed(id, options.answer(&cleaned));
            }
            Err(error) if error.is_unexpected() => return Err(error),
            Err(error) => many.fail(id, &error),
        }
    }
    external_files::remove(app, call, removal, pacing).await?;
    Ok(many)
}

/// Deletes a task after its pipeline steps, if these are wanted; what is told of is the task alone. Its
/// events are the caller's to remove.
async fn delete_task(app: &App, call: &Call, id: &str, options: &Delete) -> ApiResult<Cleaned> {
    let fields: Vec<&str> =
        CLEANUP_FIELDS.into_iter().chain(["execution.queue", "system_tags", "type"]).collect();
    let fields = Fields::Only(&fields);
    let task = access::writable_task(app, call, id, fields).await?;
    check_deletable(&task, options.force)?;
    if options.include_pipeline_steps {
        for step in steps::of(app, call, &task, fields).await? {
            // The events and files of steps are left behind.
            delete_one(app, call, &step, true, options, None).await?;
        }
    }
    let cleaned =
        delete_one(app, call, &task, options.force, options, Some(WithFiles(options.with_files))).await?;
    if let Ok(project) = task.get_str("project") {
        projects::touch(app, [project]).await?;
        tag_cache::reset(app, call.company(), Tagged::Tasks, &TagField::BOTH, [project]).await?;
    }
    Ok(cleaned)
}

fn check_deletable(task: &Document, force: bool) -> ApiResult<()> {
    let status = TaskStatus::of(task);
    let is_archived = task
        .get_array("system_tags")
        .is_ok_and(|tags| tags.iter().any(|tag| tag.as_str() == Some("archived")));
    if force || is_archived || status == TaskStatus::Created {
        return Ok(());
    }
    Err(ApiError::new(codes::TASK_CANNOT_BE_DELETED)
        .extra("due to status, use force=True")
        .with("task", id_of(task))
        .with("expected", TaskStatus::Created.as_str())
        .with("current", status.as_str()))
}

async fn delete_one(
    app: &App,
    call: &Call,
    task: &Document,
    force: bool,
    options: &Delete,
    removal: Option<WithFiles>,
) -> ApiResult<Cleaned> {
    let id = id_of(task);
    let cleanup = Cleanup {
        occasion: Occasion::Delete,
        force,
        delete_output_models: options.with_output_models,
        removal,
    };
    if let Err(error) = leave_queues(app, call, task, options).await {
        tracing::debug!(task_id = id, error = error.message(), "failed to dequeue a task to delete");
    }
    let cleaned = cleanup::clean_outputs(app, call, task, cleanup).await?;
    if options.move_to_trash {
        move_to_trash(app, id).await?;
    }
    app.documents.delete(Collection::Task, Filter::id(id)).await?;
    Ok(cleaned)
}

/// Takes the task out of the queues. Only a queued one gets another status: should the server stop before
/// the deletion has come to its end, any other task is as it was.
async fn leave_queues(app: &App, call: &Call, task: &Document, options: &Delete) -> ApiResult<()> {
    if TaskStatus::of(task) != TaskStatus::Queued {
        return entries::remove_from_others(app, call.company(), id_of(task), None).await;
    }
    let leave_queues = Dequeue {
        reason: options.reason.clone(),
        message: options.message.clone(),
        remove_from_all_queues: true,
        new_status: None,
    };
    dequeue::dequeue_task(app, call, task, &leave_queues).await?;
    Ok(())
}

/// Copies the task to the trash.
async fn move_to_trash(app: &App, id: &str) -> ApiResult<()> {
    let last_update = vec![Change::set("last_update", app.now())];
    app.documents.update_one(Collection::Task, Filter::id(id), last_update).await?;
    let task = app.documents.find_one(Collection::Task, Find::new(Filter::id(id))).await?;
    if let Some(task) = task {
        app.documents.write(Collection::TaskTrash, vec![Write::Replace(task)]).await?;
    }
    Ok(())
}
