//! Taking tasks out of their queues (spec 02 §6.2).

use std::sync::Arc;

use bson::{Bson, Document, doc};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    access::{self, Fields},
    status::{Changed, StatusChange, TaskStatus},
};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, Many, check, codes},
    queues::entries,
};

const FIELDS: Fields<'static> = Fields::Only(&["enqueue_status", "execution.queue"]);

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct DequeueRequest {
    task: String,
    status_reason: Option<String>,
    status_message: Option<String>,
    remove_from_all_queues: Option<bool>,
    new_status: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct DequeueManyRequest {
    #[serde(default)]
    ids: Vec<String>,
    status_reason: Option<String>,
    status_message: Option<String>,
    remove_from_all_queues: Option<bool>,
    new_status: Option<String>,
}

/// How to dequeue a task.
#[derive(Debug, Clone, Default)]
pub(super) struct Dequeue {
    pub(super) reason: String,
    pub(super) message: String,
    /// Also from queues other than its `execution.queue`.
    pub(super) remove_from_all_queues: bool,
    /// Instead of the status before it was queued.
    pub(super) new_status: Option<TaskStatus>,
}

/// `tasks.dequeue`.
pub(crate) async fn dequeue(app: Arc<App>, call: Arc<Call>, request: DequeueRequest) -> ApiResult {
    let options = Dequeue {
        new_status: parse_status(request.new_status.as_deref())?,
        reason: request.status_reason.unwrap_or_default(),
        message: request.status_message.unwrap_or_default(),
        remove_from_all_queues: request.remove_from_all_queues.unwrap_or(false),
    };
    let changed = dequeue_by_id(&app, &call, &request.task, &options).await?;
    let mut answer = doc! { "dequeued": 1 };
    answer.extend(Document::from(changed));
    Ok(answer.into())
}

/// `tasks.dequeue_many`.
pub(crate) async fn dequeue_many(app: Arc<App>, call: Arc<Call>, request: DequeueManyRequest) -> ApiResult {
    check::not_empty("ids", &request.ids)?;
    let options = Dequeue {
        new_status: parse_status(request.new_status.as_deref())?,
        reason: request.status_reason.unwrap_or_default(),
        message: request.status_message.unwrap_or_default(),
        remove_from_all_queues: request.remove_from_all_queues.unwrap_or(false),
    };
    let (app, call, options) = (&*app, &*call, &options);
    let many = Many::run(&request.ids, |id| async move {
        let mut item = doc! { "dequeued": true };
        item.extend(Document::from(dequeue_by_id(app, call, &id, options).await?));
        Ok(item)
    });
    Ok(many.await?.into_document().into())
}

fn parse_status(name: Option<&str>) -> ApiResult<Option<TaskStatus>> {
    name.map(|name| {
        TaskStatus::parse(name).ok_or_else(|| ApiError::validation(format!("Invalid task status: {name}")))
    })
    .transpose()
}

async fn dequeue_by_id(app: &App, call: &Call, id: &str, options: &Dequeue) -> ApiResult<Changed> {
    let task = match access::writable_task(app, call, id, FIELDS).await {
        Ok(task) => task,
        Err(error) if error.code == codes::INVALID_TASK_ID => {
            // A task that is gone must not stay in the queues.
            entries::remove_from_others(app, call.company(), id, None).await?;
            return Ok(Changed::nothing());
        }
        Err(error) => return Err(error),
    };
    dequeue_task(app, call, &task, options).await
}

/// Removes a task from its queue and gives it back its former status if it is queued, or running.
pub(super) async fn dequeue_task(
    app: &App,
    call: &Call,
    task: &Document,
    options: &Dequeue,
) -> ApiResult<Changed> {
    let status = TaskStatus::of(task);
    if status == TaskStatus::Queued {
        entries::remove_task(app, call.company(), task).await;
    }
    if options.remove_from_all_queues {
        let id = task.get_str("_id").unwrap_or_default();
        entries::remove_from_others(app, call.company(), id, None).await?;
    }
    if !matches!(status, TaskStatus::Queued | TaskStatus::InProgress) {
        return Ok(Changed::nothing());
    }
    let before = task.get_str("enqueue_status").ok().and_then(TaskStatus::parse);
    let new_status = options.new_status.or(before).unwrap_or(TaskStatus::Created);
    StatusChange::new(task, new_status)
        .force(true)
        .reason(options.reason.as_str())
        .message(options.message.as_str())
        .set("enqueue_status", Bson::Null)
        .apply(app, call.user())
        .await
}
