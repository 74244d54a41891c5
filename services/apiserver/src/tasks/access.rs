//! Finding the tasks that a call names, and what the caller may do with them (spec 02 §1.4).

use std::collections::HashSet;

use bson::{Bson, Document};
use clearml_documents::{Collection, DocumentStoreExt, Filter, Find, Projection};

use crate::{
    App,
    api::{ApiError, ApiResult, Call, codes},
    python,
};

/// Fields that every check of access needs.
const ACCESS_FIELDS: [&str; 4] = ["_id", "company", "status", "project"];

/// Which part of a task a look-up reads: all of it, or the fields of [`ACCESS_FIELDS`] and these.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fields<'a> {
    All,
    Only(&'a [&'a str]),
}

impl Fields<'_> {
    pub(super) fn projection(self) -> Projection {
        match self {
            Self::All => Projection::All,
            Self::Only(paths) => Projection::Include(
                ACCESS_FIELDS.iter().chain(paths).map(|path| (*path).to_owned()).collect(),
            ),
        }
    }
}

/// Documents that the company sees: its own and the public ones.
pub(crate) fn visible_to(company: &str) -> Filter {
    Filter::is_in("company", [company, ""])
}

/// Whether a stored object is public.
pub(crate) fn is_public(document: &Document) -> bool {
    document.get_str("company").is_ok_and(str::is_empty)
}

/// 400/101 of a single id.
pub(crate) fn invalid_task_id(id: &str, company: &str) -> ApiError {
    ApiError::new(codes::INVALID_TASK_ID).with("id", id).with("company", company)
}

/// 400/101 of a list of ids.
pub(crate) fn invalid_task_ids<T: AsRef<str>>(ids: &[T]) -> ApiError {
    let ids = ids.iter().map(|id| Bson::from(id.as_ref())).collect::<Vec<_>>();
    ApiError::new(codes::INVALID_TASK_ID).with("ids", ids)
}

/// 403/21 for public objects; `kind` in singular: `task`, `project`.
pub(crate) fn cannot_modify_public<T: AsRef<str>>(kind: &str, ids: &[T]) -> ApiError {
    let ids = python::repr_tuple(ids);
    ApiError::new(codes::NO_WRITE_PERMISSION).extra(format!("cannot modify public {kind}(s), ids={ids}"))
}

/// 400/110 of an operation that expects a task in status `created`.
pub(crate) fn expected_created(task: &Document) -> ApiError {
    ApiError::new(codes::INVALID_TASK_STATUS).with("expected", "created").with("status", status_of(task))
}

/// The stored status; `created` if there is none.
pub(crate) fn status_of(task: &Document) -> &str {
    task.get_str("status").unwrap_or("created")
}

/// The task for reading: own or public. Errors: 400/101 `id=…` .
pub(crate) async fn visible_task(
    app: &App,
    call: &Call,
    id: &str,
    fields: Fields<'_>,
) -> ApiResult<Document> {
    let find = Find { projection: fields.projection(), ..Find::new(visible_with_id(call, id)) };
    app.documents
        .find_one(Collection::Task, find)
        .await?
        .ok_or_else(|| ApiError::new(codes::INVALID_TASK_ID).with("id", id))
}

/// The task for writing. Errors: 400/101 not found, 403/21 public.
pub(crate) async fn writable_task(
    app: &App,
    call: &Call,
    id: &str,
    fields: Fields<'_>,
) -> ApiResult<Document> {
    let find = Find { projection: fields.projection(), ..Find::new(visible_with_id(call, id)) };
    let task = app
        .documents
        .find_one(Collection::Task, find)
        .await?
        .ok_or_else(|| invalid_task_id(id, call.company()))?;
    if is_public(&task) {
        return Err(cannot_modify_public("task", &[id]));
    }
    Ok(task)
}

/// The tasks for writing, each once, in the store's order. Errors: 403/21 some are public, 400/101 some
/// are missing; both name all offending ids.
pub(crate) async fn writable_tasks(
    app: &App,
    call: &Call,
    ids: &[String],
    fields: Fields<'_>,
) -> ApiResult<Vec<Document>> {
    let ids = distinct(ids);
    let tasks = find_visible(app, call, &ids, fields).await?;
    let public: Vec<&str> = tasks.iter().filter(|task| is_public(task)).map(id_of).collect();
    if !public.is_empty() {
        return Err(cannot_modify_public("task", &public));
    }
    let found: HashSet<&str> = tasks.iter().map(id_of).collect();
    let missing: Vec<&str> = ids.iter().copied().filter(|id| !found.contains(id)).collect();
    if !missing.is_empty() {
        return Err(invalid_task_ids(&missing));
    }
    Ok(tasks)
}

/// The tasks for reading, each once, in the store's order. Errors: 400/101 with all requested ids if any
/// of them is not visible.
pub(crate) async fn assert_exists(
    app: &App,
    call: &Call,
    ids: &[String],
    fields: Fields<'_>,
) -> ApiResult<Vec<Document>> {
    let wanted = distinct(ids);
    let tasks = find_visible(app, call, &wanted, fields).await?;
    if tasks.len() < wanted.len() {
        return Err(invalid_task_ids(ids));
    }
    Ok(tasks)
}

/// The task for an edit of its inputs (spec 02 §8, 09 §2): writable, and in status `created`, or with
/// `force` also `queued` or `in_progress`. Errors: as [`writable_task`]; 400/110.
pub(crate) async fn editable_task(
    app: &App,
    call: &Call,
    id: &str,
    force: bool,
    fields: Fields<'_>,
) -> ApiResult<Document> {
    let task = writable_task(app, call, id, fields).await?;
    let allowed: &[&str] = if force { &["created", "queued", "in_progress"] } else { &["created"] };
    if !allowed.contains(&status_of(&task)) {
        return Err(expected_created(&task));
    }
    Ok(task)
}

/// The `_id` of a stored document.
pub(crate) fn id_of(document: &Document) -> &str {
    document.get_str("_id").unwrap_or_default()
}

fn visible_with_id(call: &Call, id: &str) -> Filter {
    Filter::id(id).and(visible_to(call.company()))
}

async fn find_visible(app: &App, call: &Call, ids: &[&str], fields: Fields<'_>) -> ApiResult<Vec<Document>> {
    let filter = Filter::ids(ids.iter().copied()).and(visible_to(call.company()));
    let find = Find { projection: fields.projection(), ..Find::new(filter) };
    Ok(app.documents.find(Collection::Task, find).await?)
}

/// The ids in order of first appearance.
fn distinct(ids: &[String]) -> Vec<&str> {
    let mut seen = HashSet::new();
    ids.iter().map(String::as_str).filter(|id| seen.insert(*id)).collect()
}
