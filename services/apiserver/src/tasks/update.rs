//! `tasks.update` and `tasks.update_batch`: the few fields that can be written in any status
//! (spec 02 §5.4, §5.5).

use std::{collections::BTreeSet, sync::Arc};

use bson::{Bson, DateTime, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Update, Write};
use indexmap::IndexMap;

use super::{
    access::{self, Fields},
    conversion, edit,
    project_effects::{self, TagFields},
    references,
    requests::ByTask,
    schema::TASK,
    strictly::{self, Depth},
    touch,
};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, codes, json::Limits, lines},
    query,
};

/// Request fields that are written; all others are ignored.
const EFFECTIVE: [&str; 7] =
    ["name", "comment", "tags", "system_tags", "project", "status_message", OUTPUT_ERROR];
/// How requests spell `output.error`.
const OUTPUT_ERROR: &str = "output__error";

/// How much more memory a value takes in a document than in a line that is read.
const DOCUMENT_TO_LINE: usize = 2;

/// `tasks.update`
pub(crate) async fn update(app: Arc<App>, call: Arc<Call>, request: ByTask) -> ApiResult {
    let task = access::writable_task(&app, &call, &request.task, Fields::Only(&[])).await?;
    let mut fields = effective_fields(&call.data, &call)?;
    if fields.is_empty() {
        return Ok(doc! {"updated": 0, "fields": {}}.into());
    }
    strictly::check_shapes(&fields)?;
    references::check_known(&app, &fields).await?;
    if let Some(error) = fields.remove(OUTPUT_ERROR) {
        if error.as_str().is_none() {
            return Err(strictly::invalid("error", "StringField only accepts string values"));
        }
        fields.insert("output.error", error);
    }
    strictly::check_document(&fields, Depth::Edit)?;

    let mut stored = fields.clone();
    if let Some(Bson::String(name)) = stored.get_mut("name") {
        *name = name.trim().to_owned();
    }
    let now = app.now();
    let mut changes = assignments(stored);
    changes.extend(touch::last_change(now, call.user()));
    let outcome = app.documents.update_one(Collection::Task, Filter::id(request.task), changes).await?;

    let old = task.get_str("project").ok();
    let tags = TagFields::given(&fields);
    match fields.get_str("project") {
        Ok(new) => edit::changed_project(&app, &call, old, new, tags).await?,
        Err(_) => project_effects::tags_changed(&app, &call, old, tags).await?,
    }

    fields.extend(doc! {"last_change": now, "last_changed_by": call.user()});
    conversion::outgoing(&mut fields, call.version);
    Ok(doc! {"updated": outcome.matched as i64, "fields": fields}.into())
}

/// `tasks.update_batch`
pub(crate) async fn update_batch(app: Arc<App>, call: Arc<Call>, request: Document) -> ApiResult {
    let mut by_task = IndexMap::new();
    for item in items(&app, &call, request)? {
        let Ok(task) = item.get_str("task") else {
            return Err(ApiError::validation("error for field 'task'. field is required!"));
        };
        by_task.insert(task.to_owned(), effective_fields(&item, &call)?);
    }
    if by_task.is_empty() {
        return Ok(doc! {"updated": 0}.into());
    }
    let ids: Vec<String> = by_task.keys().cloned().collect();
    let tasks = access::writable_tasks(&app, &call, &ids, Fields::Only(&[])).await?;

    let now = app.now();
    let writes = by_task.iter().map(|(id, fields)| batch_write(id, fields, &call, now)).collect();
    let updated = app.documents.write(Collection::Task, writes).await?.modified;

    let old = tasks.iter().map(|task| task.get_str("project").unwrap_or_default());
    let new = by_task.values().filter_map(|fields| fields.get_str("project").ok());
    let affected: BTreeSet<&str> = old.chain(new).collect();
    project_effects::moved(&app, &call, affected).await?;
    Ok(doc! {"updated": updated as i64}.into())
}

/// The items of the batch: the lines of the body, or the single object that it is; none for an empty one.
fn items(app: &App, call: &Call, request: Document) -> ApiResult<Vec<Document>> {
    match &call.batch {
        Some(body) => batch_items(body, app.settings.api.json),
        None if request.is_empty() => Ok(Vec::new()),
        None => Ok(vec![request]),
    }
}

/// All lines as documents. Errors: 413/0 for more values than the memory of a batch is meant for.
fn batch_items(body: &[u8], limits: Limits) -> ApiResult<Vec<Document>> {
    let most = limits.values / DOCUMENT_TO_LINE;
    let mut left = most;
    let mut items = Vec::new();
    for line in lines(body, limits) {
        let line = line?;
        left = left.checked_sub(line.values).ok_or_else(|| {
            ApiError::new(codes::REQUEST_TOO_LARGE).extra(format!("more than {most} values in a batch"))
        })?;
        items.push(
            line.members.into_iter().map(|(key, value)| (key.into_owned(), Bson::from(value))).collect(),
        );
    }
    Ok(items)
}

/// One write of a batch. `output__error` is stored under that very name, as the official server does.
fn batch_write(id: &str, fields: &Document, call: &Call, now: DateTime) -> Write {
    let mut update = assignments(fields.clone());
    update.extend(touch::last_change(now, call.user()));
    let filter = Filter::id(id).and(Filter::eq("company", call.company()));
    Write::Update { filter, update, many: false, upsert: false }
}

fn assignments(fields: Document) -> Update {
    fields.into_iter().map(|(path, value)| Change::Set(path, value)).collect()
}

/// The fields of a request that are written, without nulls, with the tags of old clients split.
fn effective_fields(request: &Document, call: &Call) -> ApiResult<Document> {
    let mut fields: Document = request
        .iter()
        .filter(|(key, value)| EFFECTIVE.contains(&key.as_str()) && **value != Bson::Null)
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    query::check_tags(&fields)?;
    query::split_legacy_tags(&mut fields, &TASK, call.version);
    Ok(fields)
}
