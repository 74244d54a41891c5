//! Models that a task reads and makes (spec 02 §9).

use std::sync::Arc;

use bson::doc;
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Update, Write};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    access::{self, Fields},
    touch,
};
use crate::{
    App,
    api::{ApiResult, Call, check::not_empty},
};

/// Which list of a task a model is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ModelType {
    Input,
    Output,
}

impl ModelType {
    const fn list(self) -> &'static str {
        match self {
            Self::Input => "models.input",
            Self::Output => "models.output",
        }
    }
}

/// Request of `tasks.add_or_update_model`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct AddOrUpdateModel {
    task: String,
    name: String,
    model: String,
    r#type: ModelType,
    #[serde(default)]
    iteration: Option<i64>,
}

/// Names one model of a task.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ModelName {
    name: String,
    r#type: ModelType,
}

/// Request of `tasks.delete_models`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct DeleteModels {
    task: String,
    #[serde(default)]
    models: Vec<ModelName>,
}

/// `tasks.add_or_update_model`
pub(crate) async fn add_or_update(app: Arc<App>, call: Arc<Call>, request: AddOrUpdateModel) -> ApiResult {
    let task = access::editable_task(&app, &call, &request.task, true, Fields::Only(&["started"])).await?;
    let now = app.now();
    let mut traces = touch::last_update(now, call.user());
    traces.extend(touch::active_duration(now, &task));
    if let Some(iteration) = request.iteration {
        traces.push(Change::Max("last_iteration".to_owned(), iteration.into()));
    }

    let list = request.r#type.list();
    let same_name = Filter::eq("name", request.name.as_str());
    let listed = Filter::ElementMatches(list.to_owned(), Box::new(same_name.clone()));
    let replace = Change::SetInElements {
        array: list.to_owned(),
        matching: same_name,
        set: vec![("model".to_owned(), request.model.as_str().into()), ("updated".to_owned(), now.into())],
    };
    let item = doc! {"name": request.name, "model": request.model, "updated": now};
    let append = Change::Push(list.to_owned(), item.into());
    // One of the two finds the task: the model is in the list, or it is not.
    let task = Filter::id(request.task);
    let writes = [(listed.clone(), replace), (listed.negate(), append)].map(|(condition, change)| {
        let mut update = vec![change];
        update.extend(traces.clone());
        Write::Update { filter: task.clone().and(condition), update, many: false, upsert: false }
    });
    let outcome = app.documents.write(Collection::Task, writes.into()).await?;
    Ok(doc! {"updated": outcome.matched.min(1) as i64}.into())
}

/// `tasks.delete_models`
pub(crate) async fn delete(app: Arc<App>, call: Arc<Call>, request: DeleteModels) -> ApiResult {
    not_empty("models", &request.models)?;
    access::editable_task(&app, &call, &request.task, true, Fields::Only(&[])).await?;
    let mut update: Update = touch::last_change(app.now(), call.user());
    for model_type in [ModelType::Input, ModelType::Output] {
        let names: Vec<&str> = request
            .models
            .iter()
            .filter(|model| model.r#type == model_type)
            .map(|model| model.name.as_str())
            .collect();
        if !names.is_empty() {
            update.push(Change::Pull(model_type.list().to_owned(), Filter::is_in("name", names)));
        }
    }
    let outcome = app.documents.update_one(Collection::Task, Filter::id(request.task), update).await?;
    Ok(doc! {"updated": outcome.matched as i64}.into())
}
