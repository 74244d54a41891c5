//! `models.edit` and `models.update` (spec 04 §1.4).

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find, Update};
use serde::Deserialize;

use super::{
    access::{self, own},
    read,
    schema::MODEL,
    values,
};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, codes, from_document},
    projects::tag_cache::{self, TagField, Tagged},
    query::{check_tags, parse_date, split_legacy_tags},
    tasks::{
        access::{Fields, writable_task},
        references::check_exists,
        touch,
    },
};

const EDITABLE: [&str; 13] = [
    "name",
    "tags",
    "system_tags",
    "task",
    "comment",
    "uri",
    "project",
    "parent",
    "framework",
    "design",
    "labels",
    "ready",
    "metadata",
];
const UPDATABLE: [&str; 9] =
    ["name", "project", "created", "comment", "tags", "system_tags", "uri", "ui_cache", "metadata"];
/// Fields whose change is an update of the model; any other is only a change.
const UPDATING: [&str; 8] =
    ["uri", "framework", "design", "labels", "ready", "metadata", "system_tags", "tags"];
/// Prefix of the task id of models whose task has been deleted.
const DELETED_PREFIX: &str = "__DELETED__";

/// What both endpoints take beside the fields of the model.
#[derive(Debug, Deserialize)]
struct EditRequest {
    model: String,
    task: Option<String>,
    iteration: Option<i64>,
}

/// `models.edit`: nulls are ignored.
pub(crate) async fn edit(app: Arc<App>, call: Arc<Call>, mut request: Document) -> ApiResult {
    split_legacy_tags(&mut request, &MODEL, call.version);
    let target: EditRequest = from_document(&request)?;
    let model = access::own_model(&app, &call, &target.model, &["task", "project"]).await?;
    let mut fields: Document = request
        .iter()
        .filter(|(name, value)| EDITABLE.contains(&name.as_str()) && **value != Bson::Null)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if target.task.as_deref().is_some_and(|task| task.starts_with(DELETED_PREFIX)) {
        fields.remove("task");
    }
    values::check_shapes(&fields)?;
    check_known(&app, &fields).await?;
    let given_task = fields.get_str("task").ok().map(str::to_owned);
    check_common(&app, &call, &request, &mut fields, given_task.as_deref()).await?;

    let iteration_task = given_task.as_deref().or_else(|| model.get_str("task").ok());
    if let (Some(task), Some(iteration)) = (iteration_task, target.iteration) {
        raise_iteration(&app, &call, task, iteration).await?;
    }
    if fields.is_empty() {
        return Ok(doc! {"updated": 0, "fields": {}}.into());
    }
    let now = app.now();
    fields.insert("last_change", now);
    fields.insert("last_changed_by", call.user());
    if is_update(&fields) {
        fields.insert("last_update", now);
    }
    store(&app, &call, &target.model, &model, fields, Vec::new()).await
}

/// `models.update`: nulls are stored.
pub(crate) async fn update(app: Arc<App>, call: Arc<Call>, mut request: Document) -> ApiResult {
    split_legacy_tags(&mut request, &MODEL, call.version);
    let target: EditRequest = from_document(&request)?;
    let model = access::own_model(&app, &call, &target.model, &["project"]).await?;
    let answer = update_model(&app, &call, &target.model, &model, &request).await?;
    if let (Some(task), Some(iteration)) = (&target.task, target.iteration) {
        raise_iteration(&app, &call, task, iteration).await?;
    }
    Ok(answer.into())
}

/// Applies the updatable fields of a request; `{updated, fields}`.
pub(super) async fn update_model(
    app: &App,
    call: &Call,
    id: &str,
    model: &Document,
    request: &Document,
) -> ApiResult<Document> {
    let mut fields: Document = request
        .iter()
        .filter(|(name, _)| UPDATABLE.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    values::check_shapes(&fields)?;
    if let Ok(created) = fields.get_str("created") {
        let created = parse_date(created).ok_or_else(|| {
            ApiError::new(codes::DATA_VALIDATION_ERROR).with("created", "cannot parse date")
        })?;
        fields.insert("created", created);
    }
    let ui_cache = fields.get("ui_cache").cloned();
    check_common(app, call, request, &mut fields, request.get_str("task").ok()).await?;
    if let Some(ui_cache) = ui_cache {
        fields.insert("ui_cache", ui_cache);
    }
    if fields.is_empty() {
        return Ok(doc! {"updated": 0, "fields": {}});
    }
    let now = app.now();
    fields.insert("last_change", now);
    fields.insert("last_changed_by", call.user());
    let silent = if is_update(&fields) { vec![Change::set("last_update", now)] } else { Vec::new() };
    stored(app, call, id, model, fields, silent).await
}

/// The checks and conversions that both endpoints share.
async fn check_common(
    app: &App,
    call: &Call,
    request: &Document,
    fields: &mut Document,
    task: Option<&str>,
) -> ApiResult<()> {
    check_tags(request)?;
    if let Some(task) = task {
        writable_task(app, call, task, Fields::Only(&[])).await?;
    }
    if let Ok(labels) = request.get_document("labels") {
        values::check_replaced_labels(labels)?;
    }
    match fields.remove("metadata") {
        Some(metadata) if metadata != Bson::Null => {
            fields.insert("metadata", values::stored_metadata(metadata)?);
        }
        // Null would take no items later.
        Some(_) => drop(fields.insert("metadata", Document::new())),
        None => {}
    }
    if fields.get("uri").is_some_and(|uri| *uri != Bson::Null) {
        fields.insert("ui_cache", Document::new());
    }
    values::check_stored(fields)
}

/// Errors: 400/16 for a task, project or parent that exists in no company.
async fn check_known(app: &App, fields: &Document) -> ApiResult<()> {
    for (field, collection, kind) in [
        ("task", Collection::Task, "Task"),
        ("project", Collection::Project, "Project"),
        ("parent", Collection::Model, "Model"),
    ] {
        let Some(id) = fields.get(field) else { continue };
        check_exists(app, field, id, collection, kind).await?;
    }
    Ok(())
}

fn is_update(fields: &Document) -> bool {
    UPDATING.iter().any(|field| fields.contains_key(field))
}

async fn store(
    app: &App,
    call: &Call,
    id: &str,
    model: &Document,
    fields: Document,
    silent: Update,
) -> ApiResult {
    Ok(stored(app, call, id, model, fields, silent).await?.into())
}

/// Stores the fields, and these changes that are not answered.
async fn stored(
    app: &App,
    call: &Call,
    id: &str,
    model: &Document,
    mut fields: Document,
    silent: Update,
) -> ApiResult<Document> {
    let mut changes: Update =
        fields.iter().map(|(path, value)| Change::set(path.as_str(), value.clone())).collect();
    changes.extend(silent);
    let outcome = app.documents.update_one(Collection::Model, own(call.company(), id), changes).await?;
    forget_tags(app, call, model, &fields).await?;
    read::convert(&mut fields, call);
    Ok(doc! {"updated": outcome.matched as i64, "fields": fields})
}

/// Forgets the cached tags that the edited fields make stale.
async fn forget_tags(app: &App, call: &Call, model: &Document, fields: &Document) -> ApiResult<()> {
    let old = model.get_str("project").unwrap_or_default();
    let new = fields.get("project").map_or(old, |project| project.as_str().unwrap_or_default());
    if new != old {
        let projects = [old, new];
        return tag_cache::reset(app, call.company(), Tagged::Models, &TagField::BOTH, projects).await;
    }
    let given = |name: &str| fields.contains_key(name);
    let changed: &[TagField] = match (given("tags"), given("system_tags")) {
        (true, true) => &TagField::BOTH,
        (true, false) => &[TagField::Tags],
        (false, true) => &[TagField::SystemTags],
        (false, false) => return Ok(()),
    };
    tag_cache::reset(app, call.company(), Tagged::Models, changed, [old]).await
}

/// Raises the last iteration of the model's own task, which this also shows to be alive.
pub(super) async fn raise_iteration(app: &App, call: &Call, task: &str, iteration: i64) -> ApiResult<()> {
    let own_task = Filter::id(task).and(Filter::eq("company", call.company()));
    let find = Find::new(own_task.clone()).include(["status", "started"]);
    let Some(stored) = app.documents.find_one(Collection::Task, find).await? else { return Ok(()) };
    let now = app.now();
    let mut update = touch::last_update(now, call.user());
    update.extend(touch::active_duration(now, &stored));
    update.push(Change::Max("last_iteration".to_owned(), iteration.into()));
    app.documents.update_one(Collection::Task, own_task, update).await?;
    Ok(())
}
