//! The entries of a queue: adding, removing, popping and moving tasks (spec 04 §2.3). Every change is one
//! atomic update of the queue, so that no entry is lost or handed out twice.

use bson::{Bson, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find, Reposition, Returned};

use super::{lookup, metrics};
use crate::{
    App,
    api::{ApiError, ApiResult, codes},
};

/// The entries of a stored queue as `(task, entry)`, in the order of execution.
pub(crate) fn entries_of(queue: &Document) -> impl Iterator<Item = (&str, &Document)> {
    queue
        .get_array("entries")
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .filter_map(Bson::as_document)
        .filter_map(|entry| Some((entry.get_str("task").ok()?, entry)))
}

fn position_of(queue: &Document, task: &str) -> Option<usize> {
    entries_of(queue).position(|(queued, _)| queued == task)
}

fn contains(task: &str) -> Filter {
    Filter::eq("entries.task", task)
}

fn pull(task: &str) -> Change {
    Change::Pull("entries".to_owned(), Filter::eq("task", task))
}

/// Appends a task, and writes a metrics point. The task itself is neither looked at nor changed.
///
/// Errors: 400/701 no such queue, 400/706 the task is in it, 400/703 somebody else just added it.
pub(crate) async fn add(app: &App, company: &str, queue: &str, task: &str) -> ApiResult<()> {
    let stored = lookup::load(app, company, queue).await?;
    if position_of(&stored, task).is_some() {
        return Err(ApiError::new(codes::TASK_ALREADY_QUEUED).with("task", task));
    }
    let now = app.now();
    let entry = doc! { "task": task, "added": now };
    let after = app
        .documents
        .find_and_update(
            Collection::Queue,
            lookup::by_id(company, queue).and(contains(task).negate()),
            vec![Change::Push("entries".to_owned(), entry.into()), Change::set("last_update", now)],
            Returned::After,
        )
        .await?
        .ok_or_else(|| not_queued(company, queue, task))?;
    metrics::record(app, company, &after).await;
    Ok(())
}

/// Removes a task's entries, and writes a metrics point; the number of removed entries. A task that is not
/// in the queue is none: the Kubernetes glue relies on that (spec 08 §6.3).
///
/// Errors: 400/703 no such queue.
pub(crate) async fn remove(app: &App, company: &str, queue: &str, task: &str) -> ApiResult<u64> {
    let before = app
        .documents
        .find_and_update(
            Collection::Queue,
            lookup::by_id(company, queue).and(contains(task)),
            vec![pull(task), Change::set("last_update", app.now())],
            Returned::Before,
        )
        .await?;
    let Some(mut queue_document) = before else {
        if app.documents.any(Collection::Queue, lookup::by_id(company, queue)).await? {
            return Ok(0);
        }
        return Err(not_queued(company, queue, task));
    };
    let removed = entries_of(&queue_document).filter(|(queued, _)| *queued == task).count();
    if let Ok(entries) = queue_document.get_array_mut("entries") {
        entries
            .retain(|entry| entry.as_document().and_then(|entry| entry.get_str("task").ok()) != Some(task));
    }
    metrics::record(app, company, &queue_document).await;
    Ok(removed as u64)
}

/// Removes a queued task from its `execution.queue`; the number of removed entries. What fails is logged and
/// passed over: the task's status tells the truth.
pub(crate) async fn remove_task(app: &App, company: &str, task: &Document) -> Option<u64> {
    let id = task.get_str("_id").ok()?;
    let queue = task.get_document("execution").and_then(|execution| execution.get_str("queue")).ok()?;
    remove(app, company, queue, id)
        .await
        .inspect_err(|error| {
            tracing::debug!(task_id = id, queue, error = error.message(), "task is not in its queue");
        })
        .ok()
}

/// Removes a task from all queues of the company but one.
pub(crate) async fn remove_from_others(
    app: &App,
    company: &str,
    task: &str,
    except: Option<&str>,
) -> ApiResult<()> {
    let mut queues = lookup::owned_by(company).and(contains(task));
    if let Some(queue) = except {
        queues = queues.and(Filter::ne("_id", queue));
    }
    let update = vec![pull(task), Change::set("last_update", app.now())];
    app.documents.update_many(Collection::Queue, queues, update).await?;
    Ok(())
}

/// Removes and returns the first entry; with `only_task`, only if it is that task's. `None`: nothing to
/// take. Concurrent callers never get the same entry. A task that was stopped just before it is handed out
/// becomes queued.
///
/// Errors: 400/701 no such queue.
pub(crate) async fn pop(
    app: &App,
    company: &str,
    queue: &str,
    only_task: Option<&str>,
) -> ApiResult<Option<Document>> {
    let is_first = match only_task {
        Some(task) => Filter::eq("entries.0.task", task),
        None => Filter::exists("entries.0"),
    };
    let before = app
        .documents
        .find_and_update(
            Collection::Queue,
            lookup::by_id(company, queue).and(is_first),
            vec![Change::PopFirst("entries".to_owned()), Change::set("last_update", app.now())],
            Returned::Before,
        )
        .await?;
    let Some(before) = before else {
        let stored = lookup::load(app, company, queue).await?;
        if only_task.is_none() || entries_of(&stored).next().is_none() {
            metrics::record(app, company, &stored).await;
        }
        return Ok(None);
    };
    metrics::record(app, company, &before).await;

    let Some((task, entry)) = entries_of(&before).next() else { return Ok(None) };
    let stopped = Filter::id(task).and(Filter::eq("status", "stopped"));
    app.documents.update_one(Collection::Task, stopped, vec![Change::set("status", "queued")]).await?;
    Ok(Some(entry.clone()))
}

/// Where a task is to be moved.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Move {
    /// Towards the end by so many places; negative: towards the front.
    By(i64),
    Front,
    Back,
}

/// Moves a task within its queue and returns its new index.
///
/// Errors: 400/703 no such entry, 400/705 the entry vanished meanwhile.
pub(crate) async fn reposition(
    app: &App,
    company: &str,
    queue: &str,
    task: &str,
    to: Move,
) -> ApiResult<usize> {
    let stored = app
        .documents
        .find_one(Collection::Queue, Find::new(lookup::by_id(company, queue).and(contains(task))))
        .await?;
    let Some((stored, current)) =
        stored.and_then(|stored| position_of(&stored, task).map(|index| (stored, index)))
    else {
        return Err(not_queued(company, queue, task));
    };
    let last = entries_of(&stored).count() - 1;
    let (stays, to) = match to {
        Move::By(count) => (count == 0, Reposition::By(count)),
        Move::Front => (current == 0, Reposition::Front),
        Move::Back => (current == last, Reposition::Back),
    };
    if stays {
        return Ok(current);
    }
    let change = Change::MoveElement { array: "entries".to_owned(), matching: Filter::eq("task", task), to };
    app.documents
        .find_and_update(
            Collection::Queue,
            lookup::by_id(company, queue).and(contains(task)),
            vec![change],
            Returned::After,
        )
        .await?
        .and_then(|after| position_of(&after, task))
        .ok_or_else(|| ApiError::new(codes::FAILED_ADDING_DURING_REPOSITION).with("task", task))
}

/// Empties the queue, and writes a metrics point; the tasks that were in it. `None`: there is no such queue,
/// or nothing in it.
pub(super) async fn take_all(app: &App, company: &str, queue: &str) -> ApiResult<Option<Vec<String>>> {
    let filled = Filter::exists("entries.0");
    let before = app
        .documents
        .find_and_update(
            Collection::Queue,
            lookup::by_id(company, queue).and(filled),
            vec![Change::set("entries", Bson::Array(Vec::new()))],
            Returned::Before,
        )
        .await?;
    let Some(mut before) = before else { return Ok(None) };
    let tasks = entries_of(&before).map(|(task, _)| task.to_owned()).collect();
    before.insert("entries", Bson::Array(Vec::new()));
    metrics::record(app, company, &before).await;
    Ok(Some(tasks))
}

/// 400/703 `task=, id=, company=`.
pub(super) fn not_queued(company: &str, queue: &str, task: &str) -> ApiError {
    ApiError::new(codes::INVALID_QUEUE_OR_TASK_NOT_QUEUED)
        .with("task", task)
        .with("id", queue)
        .with("company", company)
}
