//! The simple status operations: started, stopped, failed, close, completed (spec 02 §3.3, §3.5).

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    access::{self, Fields},
    publish::{self, Publish},
    status::{Changed, StatusChange, TaskStatus},
};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, codes},
};

const FIELDS: Fields<'static> = Fields::Only(&["started"]);

/// A request to change the status of one task.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct StatusRequest {
    task: String,
    status_reason: Option<String>,
    status_message: Option<String>,
    force: Option<bool>,
    /// `completed` only.
    publish: Option<bool>,
}

impl StatusRequest {
    fn change<'a>(&self, task: &'a Document, to: TaskStatus) -> StatusChange<'a> {
        StatusChange::new(task, to)
            .force(self.force.unwrap_or(false))
            .reason(self.status_reason.clone().unwrap_or_default())
            .message(self.status_message.clone().unwrap_or_default())
    }
}

impl From<Changed> for Document {
    fn from(changed: Changed) -> Self {
        doc! { "updated": changed.updated as i64, "fields": changed.fields }
    }
}

/// `tasks.started`: a running task keeps its earliest start; any other starts anew (spec 09 §2).
pub(crate) async fn started(app: Arc<App>, call: Arc<Call>, request: StatusRequest) -> ApiResult {
    let task = task_to_start(&app, &call, &request.task).await?;
    let change = request.change(&task, TaskStatus::InProgress);
    let now = app.now();
    let is_running = TaskStatus::of(&task) == TaskStatus::InProgress && task.get_datetime("started").is_ok();
    let change = if is_running {
        change.silently([Change::Min("started".to_owned(), now.into())])
    } else {
        change.set("started", now).silently(["completed", "active_duration"].map(Change::unset))
    };
    let changed = change.apply(&app, call.user()).await?;
    let started = changed.updated as i64;
    let mut answer = Document::from(changed);
    answer.insert("started", started);
    Ok(answer.into())
}

/// As [`access::writable_task`]; an id that no company knows is 400/10 here.
async fn task_to_start(app: &App, call: &Call, id: &str) -> ApiResult<Document> {
    match access::writable_task(app, call, id, FIELDS).await {
        Err(error) if error.code == codes::INVALID_TASK_ID => {
            if app.documents.any(Collection::Task, Filter::id(id)).await? {
                return Err(error);
            }
            Err(ApiError::new(codes::INVALID_ID).with("task", Bson::Null))
        }
        outcome => outcome,
    }
}

/// `tasks.stopped`.
pub(crate) async fn stopped(app: Arc<App>, call: Arc<Call>, request: StatusRequest) -> ApiResult {
    let task = access::writable_task(&app, &call, &request.task, FIELDS).await?;
    let change = request.change(&task, TaskStatus::Stopped).set("completed", app.now());
    Ok(Document::from(change.apply(&app, call.user()).await?).into())
}

/// `tasks.failed`.
pub(crate) async fn failed(app: Arc<App>, call: Arc<Call>, request: StatusRequest) -> ApiResult {
    let task = access::writable_task(&app, &call, &request.task, FIELDS).await?;
    let change = request.change(&task, TaskStatus::Failed).set("completed", app.now());
    Ok(Document::from(change.apply(&app, call.user()).await?).into())
}

/// `tasks.close`.
pub(crate) async fn close(app: Arc<App>, call: Arc<Call>, request: StatusRequest) -> ApiResult {
    let task = access::writable_task(&app, &call, &request.task, FIELDS).await?;
    let change = request.change(&task, TaskStatus::Closed);
    Ok(Document::from(change.apply(&app, call.user()).await?).into())
}

/// `tasks.completed`, which can publish at once.
pub(crate) async fn completed(app: Arc<App>, call: Arc<Call>, request: StatusRequest) -> ApiResult {
    let task = access::writable_task(&app, &call, &request.task, FIELDS).await?;
    let change = request.change(&task, TaskStatus::Completed).set("completed", app.now());
    let mut changed = change.apply(&app, call.user()).await?;
    let mut published = 0;
    if request.publish.unwrap_or(false) {
        let publication = Publish {
            force: request.force.unwrap_or(false),
            with_model: true,
            reason: request.status_reason.unwrap_or_default(),
            message: request.status_message.unwrap_or_default(),
        };
        published = publish::publish_task(&app, &call, &request.task, publication).await?.updated as i64;
        changed.fields.insert("status", TaskStatus::Published.as_str());
    }
    let mut answer = Document::from(changed);
    answer.insert("published", published);
    Ok(answer.into())
}
