//! Publishing tasks (spec 02 §3.6).

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    access::{self, Fields},
    status::{Changed, StatusChange, TaskStatus},
};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, Many, check, codes},
};

/// How to publish a task.
#[derive(Debug, Clone)]
pub(crate) struct Publish {
    /// Skips the check of the transition.
    pub(crate) force: bool,
    /// Publishes the last output model as well.
    pub(crate) with_model: bool,
    pub(crate) reason: String,
    pub(crate) message: String,
}

const FIELDS: Fields<'static> = Fields::Only(&["models.output", "output"]);

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct PublishRequest {
    task: String,
    status_reason: Option<String>,
    status_message: Option<String>,
    force: Option<bool>,
    publish_model: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct PublishManyRequest {
    #[serde(default)]
    ids: Vec<String>,
    status_reason: Option<String>,
    status_message: Option<String>,
    force: Option<bool>,
    publish_model: Option<bool>,
}

/// `tasks.publish`.
pub(crate) async fn publish(app: Arc<App>, call: Arc<Call>, request: PublishRequest) -> ApiResult {
    let options = Publish {
        force: request.force.unwrap_or(false),
        with_model: request.publish_model.unwrap_or(true),
        reason: request.status_reason.unwrap_or_default(),
        message: request.status_message.unwrap_or_default(),
    };
    let changed = publish_task(&app, &call, &request.task, options).await?;
    Ok(Document::from(changed).into())
}

/// `tasks.publish_many`.
pub(crate) async fn publish_many(app: Arc<App>, call: Arc<Call>, request: PublishManyRequest) -> ApiResult {
    check::not_empty("ids", &request.ids)?;
    let options = Publish {
        force: request.force.unwrap_or(false),
        with_model: request.publish_model.unwrap_or(true),
        reason: request.status_reason.unwrap_or_default(),
        message: request.status_message.unwrap_or_default(),
    };
    let (app, call, options) = (&*app, &*call, &options);
    let many = Many::run(&request.ids, |id| async move {
        Ok(publish_task(app, call, &id, options.clone()).await?.into())
    });
    Ok(many.await?.into_document().into())
}

/// Publishes a task: through `publishing`, and back to the former status when something fails.
///
/// Errors: 400/101, 403/21 not writable; 400/110 not allowed from its status; 400/121 lost race.
pub(crate) async fn publish_task(
    app: &App,
    call: &Call,
    task_id: &str,
    options: Publish,
) -> ApiResult<Changed> {
    let mut task = access::writable_task(app, call, task_id, FIELDS).await?;
    let before = TaskStatus::of(&task);
    if !options.force {
        before.check_transition(TaskStatus::Published, false)?;
    }
    let former_status = task.get("status").cloned().unwrap_or(Bson::Null);
    if !set_status(app, task_id, former_status.clone(), TaskStatus::Publishing.as_str()).await? {
        return Err(ApiError::new(codes::FAILED_CHANGING_TASK_STATUS)
            .with("task_id", task_id)
            .with("current_status", before.as_str())
            .with("new_status", TaskStatus::Publishing.as_str()));
    }
    task.insert("status", TaskStatus::Publishing.as_str());

    let published = finish(app, call, &task, options).await;
    if published.is_err() {
        let publishing = Bson::from(TaskStatus::Publishing.as_str());
        if let Err(error) = set_status(app, task_id, publishing, former_status).await {
            tracing::error!(task_id, error = error.message(), "failed to restore the status of a task");
        }
    }
    published
}

async fn finish(app: &App, call: &Call, task: &Document, options: Publish) -> ApiResult<Changed> {
    if options.with_model {
        publish_last_model(app, call, task).await?;
    }
    StatusChange::new(task, TaskStatus::Published)
        .force(options.force)
        .reason(options.reason)
        .message(options.message)
        .set("published", app.now())
        .set("output", task.get_document("output").cloned().unwrap_or_default())
        .apply(app, call.user())
        .await
}

/// Changes nothing but the status, if it still is `from`; whether it was.
async fn set_status(app: &App, task: &str, from: Bson, to: impl Into<Bson>) -> ApiResult<bool> {
    let unchanged = Filter::id(task).and(Filter::Equal("status".to_owned(), from));
    let outcome =
        app.documents.update_one(Collection::Task, unchanged, vec![Change::set("status", to)]).await?;
    Ok(outcome.matched > 0)
}

async fn publish_last_model(app: &App, call: &Call, task: &Document) -> ApiResult<()> {
    let outputs = task.get_document("models").and_then(|models| models.get_array("output"));
    let last = outputs.ok().and_then(|items| items.last()).and_then(Bson::as_document);
    let Some(model) = last.and_then(|item| item.get_str("model").ok()) else { return Ok(()) };
    let now = app.now();
    let draft = Filter::id(model).and(Filter::eq("company", call.company())).and(Filter::ne("ready", true));
    let ready = doc! {
        "ready": true,
        "last_update": now,
        "last_change": now,
        "last_changed_by": call.user(),
    };
    let update = ready.into_iter().map(|(path, value)| Change::Set(path, value)).collect();
    app.documents.update_one(Collection::Model, draft, update).await?;
    Ok(())
}
