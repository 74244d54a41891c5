//! The endpoints about the tasks in a queue (spec 04 §2.3).

use std::sync::Arc;

use bson::doc;
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    entries::{self, Move},
    lookup, release,
};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, codes},
};

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct AddTaskRequest {
    queue: String,
    task: String,
    update_execution_queue: Option<bool>,
}

/// `queues.add_task`: without a look at the task, and without a change of its status.
pub(crate) async fn add_task(app: Arc<App>, call: Arc<Call>, request: AddTaskRequest) -> ApiResult {
    entries::add(&app, call.company(), &request.queue, &request.task).await?;
    if request.update_execution_queue.unwrap_or(true) {
        set_execution_queue(&app, &request.task, &request.queue).await?;
    }
    Ok(doc! { "added": 1 }.into())
}

async fn set_execution_queue(app: &App, task: &str, queue: &str) -> ApiResult<()> {
    let update = vec![Change::set("execution.queue", queue)];
    app.documents.update_one(Collection::Task, Filter::id(task), update).await?;
    Ok(())
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct RemoveTaskRequest {
    queue: String,
    task: String,
    update_task_status: Option<bool>,
}

/// `queues.remove_task`.
pub(crate) async fn remove_task(app: Arc<App>, call: Arc<Call>, request: RemoveTaskRequest) -> ApiResult {
    let (company, queue) = (call.company(), request.queue.as_str());
    let removed = entries::remove(&app, company, queue, &request.task).await?;
    if removed > 0 && request.update_task_status.unwrap_or(false) {
        let reason = format!("Task was removed from the queue {queue}");
        release::release(&app, company, call.user(), queue, &[request.task], &reason).await?;
    }
    Ok(doc! { "removed": removed as i64 }.into())
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ClearQueueRequest {
    queue: String,
}

/// `queues.clear_queue`.
pub(crate) async fn clear_queue(app: Arc<App>, call: Arc<Call>, request: ClearQueueRequest) -> ApiResult {
    let (company, queue) = (call.company(), request.queue.as_str());
    let removed_tasks = match entries::take_all(&app, company, queue).await? {
        Some(tasks) => tasks,
        None if app.documents.any(Collection::Queue, lookup::by_id(company, queue)).await? => Vec::new(),
        None => return Err(ApiError::new(codes::INVALID_QUEUE_ID).with("queue", queue)),
    };
    let reason = format!("Queue {queue} was cleared");
    let released = release::release(&app, company, call.user(), queue, &removed_tasks, &reason).await?;
    Ok(doc! { "removed_tasks": released }.into())
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct NextTaskRequest {
    queue: String,
    task: Option<String>,
    get_task_info: Option<bool>,
}

/// `queues.get_next_task`: with nothing to take the answer is empty, which agents rely on.
pub(crate) async fn get_next_task(app: Arc<App>, call: Arc<Call>, request: NextTaskRequest) -> ApiResult {
    let only_task = request.task.as_deref().filter(|task| !task.is_empty());
    let Some(entry) = entries::pop(&app, call.company(), &request.queue, only_task).await? else {
        return Ok(doc! {}.into());
    };
    let mut answer = doc! { "entry": entry.clone() };
    if request.get_task_info.unwrap_or(false) {
        let task = entry.get_str("task").unwrap_or_default();
        let find = Find::new(Filter::id(task)).include(["company", "user"]);
        if let Some(task) = app.documents.find_one(Collection::Task, find).await? {
            let info = doc! {
                "company": task.get_str("company").ok(),
                "user": task.get_str("user").ok(),
            };
            answer.insert("task_info", info);
        }
    }
    Ok(answer.into())
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct MoveRequest {
    queue: String,
    task: String,
    count: Option<i64>,
}

/// `queues.move_task_forward`: towards the front.
pub(crate) async fn move_task_forward(app: Arc<App>, call: Arc<Call>, request: MoveRequest) -> ApiResult {
    let count = request.count.unwrap_or(1).saturating_neg();
    reposition(&app, &call, &request, Move::By(count)).await
}

/// `queues.move_task_backward`: towards the end.
pub(crate) async fn move_task_backward(app: Arc<App>, call: Arc<Call>, request: MoveRequest) -> ApiResult {
    let count = request.count.unwrap_or(1);
    reposition(&app, &call, &request, Move::By(count)).await
}

/// `queues.move_task_to_front`.
pub(crate) async fn move_task_to_front(app: Arc<App>, call: Arc<Call>, request: MoveRequest) -> ApiResult {
    reposition(&app, &call, &request, Move::Front).await
}

/// `queues.move_task_to_back`.
pub(crate) async fn move_task_to_back(app: Arc<App>, call: Arc<Call>, request: MoveRequest) -> ApiResult {
    reposition(&app, &call, &request, Move::Back).await
}

async fn reposition(app: &App, call: &Call, request: &MoveRequest, to: Move) -> ApiResult {
    let position = entries::reposition(app, call.company(), &request.queue, &request.task, to).await?;
    Ok(doc! { "position": position as i64 }.into())
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct MoveToQueueRequest {
    queue: String,
    task: String,
    target_queue: String,
    update_execution_queue: Option<bool>,
}

/// `queues.move_task_to_queue`: to the end of another queue (spec 09 §10.4).
pub(crate) async fn move_task_to_queue(
    app: Arc<App>,
    call: Arc<Call>,
    request: MoveToQueueRequest,
) -> ApiResult {
    let (company, task) = (call.company(), request.task.as_str());
    let source = lookup::load(&app, company, &request.queue).await.ok();
    let is_queued = source.is_some_and(|queue| entries::entries_of(&queue).any(|(queued, _)| queued == task));
    if !is_queued {
        return Err(entries::not_queued(company, &request.queue, task));
    }
    if request.target_queue == request.queue {
        return Ok(doc! { "moved": 0 }.into());
    }
    // First added, then removed: a task that fails half-way is in two queues rather than in none.
    entries::add(&app, company, &request.target_queue, task).await?;
    if request.update_execution_queue.unwrap_or(true) {
        set_execution_queue(&app, task, &request.target_queue).await?;
    }
    let moved = entries::remove(&app, company, &request.queue, task).await?;
    Ok(doc! { "moved": i64::from(moved > 0) }.into())
}
