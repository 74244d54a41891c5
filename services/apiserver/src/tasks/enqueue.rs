//! Putting tasks into queues (spec 02 §6.1).

use std::sync::{Arc, OnceLock};

use bson::{Bson, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    access::{self, Fields},
    references::References,
    status::{Changed, StatusChange, TaskStatus},
};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, Many, check},
    queues::{entries, lookup},
    workers,
};

const FIELDS: Fields<'static> =
    Fields::Only(&["enqueue_status", "execution.queue", "parent", "models.input"]);

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct EnqueueRequest {
    task: String,
    queue: Option<String>,
    queue_name: Option<String>,
    status_reason: Option<String>,
    status_message: Option<String>,
    force: Option<bool>,
    verify_watched_queue: Option<bool>,
    update_execution_queue: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct EnqueueManyRequest {
    #[serde(default)]
    ids: Vec<String>,
    queue: Option<String>,
    queue_name: Option<String>,
    status_reason: Option<String>,
    status_message: Option<String>,
    validate_tasks: Option<bool>,
    verify_watched_queue: Option<bool>,
}

/// Which queue to use.
#[derive(Debug)]
enum Target {
    Id(String),
    /// Created if it is missing.
    Name(String),
    Default,
}

impl Target {
    fn parse(queue: Option<String>, queue_name: Option<String>) -> ApiResult<Self> {
        let queue = queue.filter(|id| !id.is_empty());
        let queue_name = queue_name.filter(|name| !name.is_empty());
        match (queue, queue_name) {
            (Some(_), Some(_)) => {
                Err(ApiError::validation("Either queue id or queue name should be provided"))
            }
            (Some(id), None) => Ok(Self::Id(id)),
            (None, Some(name)) => Ok(Self::Name(name)),
            (None, None) => Ok(Self::Default),
        }
    }

    async fn resolve(&self, app: &App, company: &str) -> ApiResult<String> {
        match self {
            Self::Id(id) => Ok(id.clone()),
            Self::Name(name) => lookup::find_or_create(app, company, name).await,
            Self::Default => {
                let queue = lookup::load_default(app, company).await?;
                Ok(queue.get_str("_id").unwrap_or_default().to_owned())
            }
        }
    }
}

struct Enqueue {
    target: Target,
    reason: String,
    message: String,
    force: bool,
    validate: bool,
    update_execution_queue: bool,
}

/// `tasks.enqueue`.
pub(crate) async fn enqueue(app: Arc<App>, call: Arc<Call>, request: EnqueueRequest) -> ApiResult {
    let verify_watched_queue = request.verify_watched_queue.unwrap_or(false);
    let update_execution_queue = request.update_execution_queue.unwrap_or(true);
    if verify_watched_queue && !update_execution_queue {
        return Err(ApiError::validation(
            "verify_watched_queue cannot be used with update_execution_queue=False",
        ));
    }
    let enqueue = Enqueue {
        target: Target::parse(request.queue, request.queue_name)?,
        reason: request.status_reason.unwrap_or_default(),
        message: request.status_message.unwrap_or_default(),
        force: request.force.unwrap_or(false),
        validate: false,
        update_execution_queue,
    };
    let (queue, changed) = enqueue_task(&app, &call, &request.task, &enqueue).await?;
    let mut answer = doc! { "queued": 1 };
    answer.extend(Document::from(changed));
    if verify_watched_queue {
        answer.insert("queue_watched", workers::is_watched(&app, call.company(), &queue).await?);
    }
    Ok(answer.into())
}

/// `tasks.enqueue_many`.
pub(crate) async fn enqueue_many(app: Arc<App>, call: Arc<Call>, request: EnqueueManyRequest) -> ApiResult {
    check::not_empty("ids", &request.ids)?;
    let enqueue = Enqueue {
        target: Target::parse(request.queue, request.queue_name)?,
        reason: request.status_reason.unwrap_or_default(),
        message: request.status_message.unwrap_or_default(),
        force: false,
        validate: request.validate_tasks.unwrap_or(false),
        update_execution_queue: true,
    };
    let first_queue = OnceLock::new();
    let (app, call, enqueue, queue_of_first) = (&*app, &*call, &enqueue, &first_queue);
    let many = Many::run(&request.ids, |id| async move {
        let (queue, changed) = enqueue_task(app, call, &id, enqueue).await?;
        queue_of_first.get_or_init(|| queue);
        let mut item = doc! { "queued": true };
        item.extend(Document::from(changed));
        Ok(item)
    });
    let mut answer = many.await?.into_document();
    if request.verify_watched_queue.unwrap_or(false)
        && let Some(queue) = first_queue.get()
    {
        answer.insert("queue_watched", workers::is_watched(app, call.company(), queue).await?);
    }
    Ok(answer.into())
}

/// Puts a task into a queue, known by its id, as `tasks.enqueue` does.
pub(crate) async fn enqueue_in(
    app: &App,
    call: &Call,
    id: &str,
    queue: &str,
    message: &str,
) -> ApiResult<()> {
    let enqueue = Enqueue {
        target: Target::Id(queue.to_owned()),
        reason: String::new(),
        message: message.to_owned(),
        force: false,
        validate: false,
        update_execution_queue: true,
    };
    enqueue_task(app, call, id, &enqueue).await?;
    Ok(())
}

/// Enqueues one task; the queue's id and the changes.
async fn enqueue_task(app: &App, call: &Call, id: &str, enqueue: &Enqueue) -> ApiResult<(String, Changed)> {
    let company = call.company();
    let task = access::writable_task(app, call, id, FIELDS).await?;
    let status = TaskStatus::of(&task);
    if !(enqueue.update_execution_queue || (status == TaskStatus::Queued && has_queue(&task))) {
        return Err(ApiError::validation(
            "Cannot skip setting execution queue for a task that is not enqueued or does not have execution queue set",
        ));
    }
    let queue = enqueue.target.resolve(app, company).await?;
    if enqueue.validate {
        References::of(&task).check(app, call).await?;
    }

    let former_status = match status {
        TaskStatus::Queued => task.get("enqueue_status").cloned().unwrap_or(Bson::Null),
        other => other.as_str().into(),
    };
    let mut changed = StatusChange::new(&task, TaskStatus::Queued)
        .force(enqueue.force)
        .reason(enqueue.reason.as_str())
        .message(enqueue.message.as_str())
        .set("enqueue_status", former_status)
        .apply(app, call.user())
        .await?;

    if let Err(error) = entries::add(app, company, &queue, id).await {
        undo(app, call, &task, status, &changed).await;
        return Err(error);
    }
    if enqueue.update_execution_queue {
        let set_queue = vec![Change::set("execution.queue", queue.as_str())];
        app.documents.update_one(Collection::Task, Filter::id(id), set_queue).await?;
        changed.fields.insert("execution.queue", queue.as_str());
    }
    entries::remove_from_others(app, company, id, Some(&queue)).await?;
    Ok((queue, changed))
}

fn has_queue(task: &Document) -> bool {
    task.get_document("execution")
        .and_then(|execution| execution.get_str("queue"))
        .is_ok_and(|queue| !queue.is_empty())
}

/// Takes our status change back, unless somebody has changed the status since.
async fn undo(app: &App, call: &Call, task: &Document, former: TaskStatus, changed: &Changed) {
    let mut queued = task.clone();
    queued.insert("status", TaskStatus::Queued.as_str());
    let mut change = StatusChange::new(&queued, former)
        .force(true)
        .reason("failed enqueueing")
        .set("enqueue_status", Bson::Null);
    if let Some(changed_at) = changed.fields.get("status_changed") {
        change = change.only_if(Filter::Equal("status_changed".to_owned(), changed_at.clone()));
    }
    if let Err(error) = change.apply(app, call.user()).await {
        let task_id = task.get_str("_id").unwrap_or_default();
        tracing::warn!(task_id, error = error.message(), "failed to undo the enqueueing of a task");
    }
}
