//! `tasks.edit`: any field of a task, whole sub-documents at a time (spec 02 §5.3).

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Update};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    access::{self, Fields, status_of},
    conversion, create,
    project_effects::{self, TagFields},
    references::{self, References},
    strictly::{self, Depth},
    touch,
};
use crate::{
    App,
    api::{ApiResult, Call},
};

/// Sub-documents of which an edit replaces only the given members.
const MERGED: [&str; 4] = ["execution", "script", "models", "output"];
/// Fields that can be edited without an update of the task's `last_update`.
const QUIET: [&str; 5] = ["name", "comment", "tags", "system_tags", "project"];

/// What `tasks.edit` needs beside the fields of the task.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Edit {
    task: String,
    #[serde(default)]
    force: bool,
}

/// `tasks.edit`
pub(crate) async fn edit(app: Arc<App>, call: Arc<Call>, request: Edit) -> ApiResult {
    let task = access::writable_task(&app, &call, &request.task, Fields::All).await?;
    if !request.force && status_of(&task) != "created" {
        return Err(access::expected_created(&task));
    }
    let now = app.now();
    let mut fields = create::task_fields(call.data.clone(), now);
    if let Some(status) = call.data.get("status").filter(|status| **status != Bson::Null) {
        fields.insert("status", status.clone());
    }
    if fields.is_empty() {
        return Ok(doc! {"updated": 0, "fields": {}}.into());
    }
    strictly::check_shapes(&fields)?;
    references::check_known(&app, &fields).await?;
    conversion::incoming(&mut fields, Some(&task), call.version, now)?;
    strictly::check_members(&mut fields)?;
    References::of(&fields).check(&app, &call).await?;
    strictly::check_document(&fields, Depth::Edit)?;

    let quiet = fields.keys().all(|field| QUIET.contains(&field.as_str()));
    let traces =
        if quiet { touch::last_change(now, call.user()) } else { touch::last_update(now, call.user()) };
    let (mut update, mut answered) = assignments(&task, fields.clone());
    for change in &traces {
        if let Change::Set(path, value) = change {
            answered.insert(path.as_str(), value.clone());
        }
    }
    update.extend(traces);
    let outcome = app.documents.update_one(Collection::Task, Filter::id(request.task), update).await?;
    tell_projects(&app, &call, &task, &fields).await?;

    conversion::outgoing(&mut answered, call.version);
    Ok(doc! {"updated": outcome.matched as i64, "fields": answered}.into())
}

/// The changes to store, and the full values as they are afterwards.
fn assignments(task: &Document, fields: Document) -> (Update, Document) {
    let mut update = Update::new();
    let mut values = Document::new();
    for (name, value) in fields {
        match (task.get_document(&name), value) {
            (Ok(stored), Bson::Document(given)) if MERGED.contains(&name.as_str()) => {
                // Member by member, so that a concurrent edit of another member is not undone.
                let members = given.iter();
                update
                    .extend(members.map(|(key, value)| Change::set(format!("{name}.{key}"), value.clone())));
                let mut merged = stored.clone();
                merged.extend(given);
                values.insert(name, without_nulls(merged));
            }
            (_, value) => {
                update.push(Change::set(name.as_str(), value.clone()));
                values.insert(name, value);
            }
        }
    }
    (update, values)
}

fn without_nulls(object: Document) -> Document {
    object.into_iter().filter(|(key, value)| key != "_cls" && *value != Bson::Null).collect()
}

async fn tell_projects(app: &App, call: &Call, task: &Document, fields: &Document) -> ApiResult<()> {
    let old = task.get_str("project").ok();
    let Ok(new) = fields.get_str("project") else {
        return project_effects::tags_changed(app, call, old, TagFields::given(fields)).await;
    };
    changed_project(app, call, old, new, TagFields::given(fields)).await
}

/// A write that names the project of a task: another one, or the same again.
pub(crate) async fn changed_project(
    app: &App,
    call: &Call,
    old: Option<&str>,
    new: &str,
    tags: TagFields,
) -> ApiResult<()> {
    if old == Some(new) {
        return project_effects::added(app, call, Some(new), tags).await;
    }
    project_effects::moved(app, call, [old.unwrap_or_default(), new]).await
}
