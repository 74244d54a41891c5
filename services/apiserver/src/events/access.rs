//! The tasks and models whose events a call reads or changes (spec 05 §1, §12).

use std::collections::HashSet;

use bson::{Bson, Document};
use clearml_documents::{Collection, DocumentStoreExt, Filter, Find};
use clearml_events::Source;

use crate::{
    App,
    api::{ApiError, ApiResult, Call, codes},
    tasks::access::{cannot_modify_public, id_of, invalid_task_id, is_public, visible_to},
};

/// A task or model that the caller may read.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    /// Where its events are.
    pub(super) source: Source,
    /// The stored fields that were asked for, and `name`.
    pub(super) document: Document,
}

impl Owner {
    /// Id of the task or model.
    pub(super) fn id(&self) -> &str {
        &self.source.task
    }

    /// Name of the task or model.
    pub(super) fn name(&self) -> Option<&str> {
        self.document.get_str("name").ok()
    }
}

/// The sources of owners, in their order.
pub(super) fn sources(owners: &[Owner]) -> Vec<Source> {
    owners.iter().map(|owner| owner.source.clone()).collect()
}

/// Where tasks or models are kept.
fn collection(models: bool) -> Collection {
    if models { Collection::Model } else { Collection::Task }
}

/// The task (or model) that a call reads. Errors: as [`readable_many`].
pub(super) async fn readable(app: &App, call: &Call, id: &str, models: bool) -> ApiResult<Owner> {
    readable_with(app, call, id, models, &[]).await
}

/// As [`readable`], with more stored fields.
pub(super) async fn readable_with(
    app: &App,
    call: &Call,
    id: &str,
    models: bool,
    fields: &[&str],
) -> ApiResult<Owner> {
    let ids = [id.to_owned()];
    let mut owners = readable_many_with(app, call, &ids, models, fields).await?;
    owners.pop().ok_or_else(|| invalid_ids(&ids, models))
}

/// The tasks (or models) that a call reads: own and public ones, each once, in order of first mention.
/// Errors: 400/101 (400/201) with all ids if any of them is not visible.
pub(super) async fn readable_many(
    app: &App,
    call: &Call,
    ids: &[String],
    models: bool,
) -> ApiResult<Vec<Owner>> {
    readable_many_with(app, call, ids, models, &[]).await
}

/// As [`readable_many`], with more stored fields.
pub(super) async fn readable_many_with(
    app: &App,
    call: &Call,
    ids: &[String],
    models: bool,
    fields: &[&str],
) -> ApiResult<Vec<Owner>> {
    let mut seen = HashSet::new();
    let wanted: Vec<&str> = ids.iter().map(String::as_str).filter(|id| seen.insert(*id)).collect();
    let filter = Filter::ids(wanted.iter().copied()).and(visible_to(call.company()));
    let included = ["_id", "company", "company_origin", "name"].iter().chain(fields).copied();
    let found = app.documents.find(collection(models), Find::new(filter).include(included)).await?;
    let mut by_id: std::collections::HashMap<String, Document> =
        found.into_iter().map(|document| (id_of(&document).to_owned(), document)).collect();
    wanted
        .into_iter()
        .map(|id| {
            let document = by_id.remove(id)?;
            Some(Owner { source: Source::new(index_company(&document), id), document })
        })
        .collect::<Option<Vec<Owner>>>()
        .ok_or_else(|| invalid_ids(ids, models))
}

fn invalid_ids(ids: &[String], models: bool) -> ApiError {
    let code = if models { codes::INVALID_MODEL_ID } else { codes::INVALID_TASK_ID };
    ApiError::new(code).with("ids", ids.iter().map(|id| Bson::from(id.as_str())).collect::<Vec<_>>())
}

/// The company under which the events of a stored task or model are kept: a public one keeps those that it
/// had before.
fn index_company(document: &Document) -> &str {
    match document.get_str("company") {
        Ok(company) if !company.is_empty() => company,
        _ => document.get_str("company_origin").unwrap_or_default(),
    }
}

/// The task whose events a call deletes. Errors: 400/101 not found or locked, 403/21 public.
pub(super) async fn writable_task(app: &App, call: &Call, id: &str, allow_locked: bool) -> ApiResult<Source> {
    let document = visible(app, call, id, false).await?.ok_or_else(|| invalid_task_id(id, call.company()))?;
    if is_public(&document) {
        return Err(cannot_modify_public("task", &[id]));
    }
    if !allow_locked && is_locked_task(&document) {
        return Err(ApiError::new(codes::INVALID_TASK_ID)
            .text("Cannot update events for a published task")
            .with("company", call.company())
            .with("id", id));
    }
    Ok(Source::new(call.company(), id))
}

/// The model whose events a call deletes. Errors: 400/201 not found or ready, 403/21 public.
pub(super) async fn writable_model(
    app: &App,
    call: &Call,
    id: &str,
    allow_locked: bool,
) -> ApiResult<Source> {
    let invalid = || ApiError::new(codes::INVALID_MODEL_ID).with("id", id).with("company", call.company());
    let document = visible(app, call, id, true).await?.ok_or_else(invalid)?;
    if is_public(&document) {
        return Err(cannot_modify_public("model", &[id]));
    }
    if !allow_locked && is_locked_model(&document) {
        return Err(ApiError::new(codes::INVALID_MODEL_ID)
            .text("Cannot update events for a published model")
            .with("company", call.company())
            .with("id", id));
    }
    Ok(Source::new(call.company(), id))
}

async fn visible(app: &App, call: &Call, id: &str, models: bool) -> ApiResult<Option<Document>> {
    let find = Find::new(Filter::id(id).and(visible_to(call.company())));
    let find = find.include(["_id", "company", "status", "ready"]);
    Ok(app.documents.find_one(collection(models), find).await?)
}

/// Whether a task takes no more events.
pub(super) fn is_locked_task(task: &Document) -> bool {
    matches!(task.get_str("status"), Ok("publishing" | "published"))
}

/// Whether a model takes no more events.
pub(super) fn is_locked_model(model: &Document) -> bool {
    model.get_bool("ready").unwrap_or(false)
}
