//! Archiving tasks and bringing them back (spec 02 §7.5).

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Update};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    access::{self, Fields, id_of},
    dequeue::{self, Dequeue},
    status::TaskStatus,
    steps, touch,
};
use crate::{
    App,
    api::{ApiResult, Call, Many, check},
};

const FIELDS: Fields<'static> = Fields::Only(&["type", "enqueue_status", "execution.queue"]);

/// The system tag of archived tasks.
const ARCHIVED: &str = "archived";

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ArchiveRequest {
    #[serde(default)]
    tasks: Vec<String>,
    status_reason: Option<String>,
    status_message: Option<String>,
    include_pipeline_steps: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ArchiveManyRequest {
    #[serde(default)]
    ids: Vec<String>,
    status_reason: Option<String>,
    status_message: Option<String>,
    include_pipeline_steps: Option<bool>,
}

struct Archive {
    reason: String,
    message: String,
    include_pipeline_steps: bool,
}

impl ArchiveManyRequest {
    fn split(self) -> (Vec<String>, Archive) {
        let archive = Archive {
            reason: self.status_reason.unwrap_or_default(),
            message: self.status_message.unwrap_or_default(),
            include_pipeline_steps: self.include_pipeline_steps.unwrap_or(false),
        };
        (self.ids, archive)
    }
}

/// `tasks.archive`: all of the tasks or, if one of them can't be found, none.
pub(crate) async fn archive(app: Arc<App>, call: Arc<Call>, request: ArchiveRequest) -> ApiResult {
    let options = Archive {
        reason: request.status_reason.unwrap_or_default(),
        message: request.status_message.unwrap_or_default(),
        include_pipeline_steps: request.include_pipeline_steps.unwrap_or(false),
    };
    check::not_empty("tasks", &request.tasks)?;
    let tasks = access::writable_tasks(&app, &call, &request.tasks, FIELDS).await?;
    let mut archived = 0;
    for task in &tasks {
        archived += archive_with_steps(&app, &call, task, &options).await?;
    }
    Ok(doc! { "archived": archived as i64 }.into())
}

/// `tasks.archive_many`.
pub(crate) async fn archive_many(app: Arc<App>, call: Arc<Call>, request: ArchiveManyRequest) -> ApiResult {
    let (ids, options) = request.split();
    check::not_empty("ids", &ids)?;
    let (app, call, options) = (&*app, &*call, &options);
    let many = Many::run(&ids, |id| async move {
        let task = access::writable_task(app, call, &id, FIELDS).await?;
        let archived = archive_with_steps(app, call, &task, options).await? > 0;
        Ok(doc! { "archived": archived })
    });
    Ok(many.await?.into_document().into())
}

/// `tasks.unarchive_many`.
pub(crate) async fn unarchive_many(app: Arc<App>, call: Arc<Call>, request: ArchiveManyRequest) -> ApiResult {
    let (ids, options) = request.split();
    check::not_empty("ids", &ids)?;
    let (app, call, options) = (&*app, &*call, &options);
    let many = Many::run(&ids, |id| async move {
        let task = access::writable_task(app, call, &id, FIELDS).await?;
        let unarchived = unarchive_with_steps(app, call, &task, options).await? > 0;
        Ok(doc! { "unarchived": unarchived })
    });
    Ok(many.await?.into_document().into())
}

async fn unarchive_with_steps(app: &App, call: &Call, task: &Document, options: &Archive) -> ApiResult<u64> {
    let change = Change::PullAll("system_tags".to_owned(), vec![Bson::from(ARCHIVED)]);
    if options.include_pipeline_steps {
        for step in steps::of(app, call, task, FIELDS).await? {
            retag(app, call, &step, change.clone(), options).await?;
        }
    }
    retag(app, call, task, change, options).await
}

/// Archives a task after its pipeline steps, if these are wanted; the count is that of the task alone.
async fn archive_with_steps(app: &App, call: &Call, task: &Document, options: &Archive) -> ApiResult<u64> {
    if options.include_pipeline_steps {
        for step in steps::of(app, call, task, FIELDS).await? {
            archive_one(app, call, &step, options).await?;
        }
    }
    archive_one(app, call, task, options).await
}

async fn archive_one(app: &App, call: &Call, task: &Document, options: &Archive) -> ApiResult<u64> {
    let new_status = match TaskStatus::of(task) {
        TaskStatus::Queued => Some(None),
        TaskStatus::InProgress => Some(Some(TaskStatus::Stopped)),
        _ => None,
    };
    if let Some(new_status) = new_status {
        let leave_queues = Dequeue {
            reason: options.reason.clone(),
            message: options.message.clone(),
            remove_from_all_queues: true,
            new_status,
        };
        dequeue::dequeue_task(app, call, task, &leave_queues).await?;
    }
    let change = Change::AddToSet("system_tags".to_owned(), vec![Bson::from(ARCHIVED)]);
    retag(app, call, task, change, options).await
}

async fn retag(app: &App, call: &Call, task: &Document, change: Change, options: &Archive) -> ApiResult<u64> {
    let mut update: Update = vec![
        change,
        Change::set("status_message", options.message.as_str()),
        Change::set("status_reason", options.reason.as_str()),
    ];
    update.extend(touch::last_change(app.now(), call.user()));
    Ok(app.documents.update_one(Collection::Task, Filter::id(id_of(task)), update).await?.matched)
}
