//! `models.update_for_task`, up to API 2.13 (spec 04 §1.3).

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter};
use serde::Deserialize;

use super::{access, create, edit, read, schema::MODEL, values};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, codes, from_document},
    query::{check_tags, split_legacy_tags},
    tasks::{
        access::{Fields, id_of, status_of, writable_task},
        hyperparams, touch,
    },
};

const TASK_FIELDS: [&str; 6] =
    ["name", "started", "models", "execution.framework", "execution.model_desc", "execution.model_labels"];
const STATES: [&str; 2] = ["created", "in_progress"];

#[derive(Debug, Deserialize)]
struct UpdateForTaskRequest {
    task: String,
    uri: Option<String>,
    override_model_id: Option<String>,
    iteration: Option<i64>,
}

/// `models.update_for_task`: makes a model the one output of a task, or updates the one that it has.
pub(crate) async fn update_for_task(app: Arc<App>, call: Arc<Call>, mut request: Document) -> ApiResult {
    if call.version > read::LAST_LEGACY {
        return Err(ApiError::new(codes::NO_LONGER_SUPPORTED).extra("use tasks.add_or_update_model"));
    }
    split_legacy_tags(&mut request, &MODEL, call.version);
    let target: UpdateForTaskRequest = from_document(&request)?;
    if target.uri.is_some() == target.override_model_id.is_some() {
        return Err(ApiError::new(codes::MISSING_REQUIRED_FIELDS)
            .extra("exactly one field is required")
            .with("fields", vec!["uri", "override_model_id"]));
    }
    let task = writable_task(&app, &call, &target.task, Fields::Only(&TASK_FIELDS)).await?;
    if !STATES.contains(&status_of(&task)) {
        return Err(ApiError::new(codes::INVALID_TASK_STATUS)
            .extra("model can only be updated for tasks in the ['created', 'in_progress'] states")
            .with("id", target.task)
            .with("company", call.company()));
    }

    let model = if let Some(id) = target.override_model_id {
        access::own_model(&app, &call, &id, &["_id"]).await?;
        id
    } else {
        add_defaults(&mut request, &task);
        if let Some(last) = read::last_output_model(&task) {
            return update_existing(&app, &call, last, &request, &task, target.iteration).await;
        }
        create_from(&app, &call, &request, &task).await?
    };
    set_output(&app, &call, &task, &model, target.iteration).await?;
    Ok(doc! {"id": model, "created": true}.into())
}

fn add_defaults(request: &mut Document, task: &Document) {
    let name = task.get_str("name").unwrap_or_default();
    let missing = |value: Option<&Bson>| value.is_none_or(|value| *value == Bson::Null);
    if missing(request.get("name")) {
        request.insert("name", name);
    }
    if missing(request.get("comment")) {
        request.insert("comment", format!("Created by task `{name}` ({})", id_of(task)));
    }
}

async fn update_existing(
    app: &App,
    call: &Call,
    id: &str,
    request: &Document,
    task: &Document,
    iteration: Option<i64>,
) -> ApiResult {
    let model = access::own_model(app, call, id, &["project"]).await?;
    let mut answer = doc! {"id": id, "created": false};
    answer.extend(edit::update_model(app, call, id, &model, request).await?);
    if let Some(iteration) = iteration {
        edit::raise_iteration(app, call, id_of(task), iteration).await?;
    }
    Ok(answer.into())
}

async fn create_from(app: &App, call: &Call, request: &Document, task: &Document) -> ApiResult<String> {
    check_tags(request)?;
    values::check_shapes(request)?;
    let execution = task.get_document("execution").cloned().unwrap_or_default();
    let inputs = task.get_document("models").and_then(|models| models.get_array("input"));
    let parent = inputs.ok().and_then(|items| items.first()?.as_document()?.get("model"));
    let given = |name: &str| request.get(name).filter(|value| **value != Bson::Null).cloned();
    let metadata = given("metadata").map(values::stored_metadata).transpose()?;
    let labels = execution.get_document("model_labels").map(hyperparams::unescape_keys);
    let fields = doc! {
        "name": given("name"),
        "tags": given("tags"),
        "system_tags": given("system_tags"),
        "task": id_of(task),
        "comment": given("comment"),
        "uri": given("uri"),
        "metadata": metadata,
        "project": task.get("project").cloned(),
        "framework": execution.get("framework").cloned(),
        "parent": parent.cloned(),
        "design": execution.get("model_desc").cloned(),
        "labels": labels.ok(),
        "ready": false,
    };
    let fields = fields.into_iter().filter(|(_, value)| *value != Bson::Null).collect();
    create::insert(app, call, call.company(), fields).await
}

async fn set_output(
    app: &App,
    call: &Call,
    task: &Document,
    model: &str,
    iteration: Option<i64>,
) -> ApiResult<()> {
    let now = app.now();
    let item = doc! {"name": "Output Model", "model": model, "updated": now};
    let mut update = touch::last_update(now, call.user());
    update.push(Change::set("models.output", vec![Bson::from(item)]));
    update.extend(touch::active_duration(now, task));
    if let Some(iteration) = iteration {
        update.push(Change::Max("last_iteration".to_owned(), iteration.into()));
    }
    app.documents.update_one(Collection::Task, Filter::id(id_of(task)), update).await?;
    Ok(())
}
