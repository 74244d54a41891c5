//! Giving tasks back the status they had before they were queued, when they leave a queue (spec 04 §2.4).

use bson::Bson;
use clearml_documents::{Change, Collection, Filter, Find};

use crate::{
    App,
    api::ApiResult,
    tasks::status::{StatusChange, TaskStatus},
};

/// Releases those of the tasks that still belong to the queue. What fails is logged and passed over: the
/// queue is emptied anyhow. Returns the tasks that belonged to it.
pub(crate) async fn release(
    app: &App,
    company: &str,
    user: &str,
    queue: &str,
    tasks: &[String],
    reason: &str,
) -> ApiResult<Vec<String>> {
    if tasks.is_empty() {
        return Ok(Vec::new());
    }
    let queued_here = Filter::ids(tasks.iter().map(String::as_str))
        .and(Filter::eq("company", company))
        .and(Filter::eq("execution.queue", queue));
    let find = Find::new(queued_here).include(["status", "enqueue_status", "project"]);
    let mut belonging = Vec::new();
    for task in app.documents.find(Collection::Task, find).await? {
        let before = task.get_str("enqueue_status").ok().and_then(TaskStatus::parse);
        let released = StatusChange::new(&task, before.unwrap_or(TaskStatus::Created))
            .force(true)
            .reason(reason)
            .set("enqueue_status", Bson::Null)
            .silently([Change::unset("execution.queue")])
            .apply(app, user)
            .await;
        let task_id = task.get_str("_id").unwrap_or_default();
        belonging.push(task_id.to_owned());
        if let Err(error) = released {
            tracing::warn!(task_id, queue, error = error.message(), "failed to release a queued task");
        }
    }
    Ok(belonging)
}
