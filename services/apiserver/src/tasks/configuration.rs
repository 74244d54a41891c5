//! Configuration objects of tasks (spec 02 §8).

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find, Update};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    access::{self, Fields, id_of},
    hyperparams::{answered, insert_some},
    requests::check_not_empty,
    touch,
};
use crate::{
    App,
    api::{ApiResult, Call, check::not_empty},
    query::{escape_key, unescape_key},
};

/// Request of `tasks.get_configurations`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct GetConfigurations {
    #[serde(default)]
    tasks: Vec<String>,
    #[serde(default)]
    names: Vec<String>,
}

/// Request of `tasks.get_configuration_names`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct GetConfigurationNames {
    #[serde(default)]
    tasks: Vec<String>,
    #[serde(default)]
    skip_empty: Option<bool>,
}

/// One configuration object.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Item {
    name: String,
    value: String,
    #[serde(default)]
    r#type: Option<String>,
    #[serde(default)]
    description: Option<String>,
}

/// Request of `tasks.edit_configuration`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct EditConfiguration {
    task: String,
    #[serde(default)]
    configuration: Vec<Item>,
    #[serde(default)]
    replace_configuration: bool,
    #[serde(default)]
    force: bool,
}

/// Request of `tasks.delete_configuration`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct DeleteConfiguration {
    task: String,
    #[serde(default)]
    configuration: Vec<String>,
    #[serde(default)]
    force: bool,
}

/// `tasks.get_configurations`
pub(crate) async fn get(app: Arc<App>, call: Arc<Call>, request: GetConfigurations) -> ApiResult {
    not_empty("tasks", &request.tasks)?;
    let mut paths = Vec::new();
    for name in &request.names {
        paths.push(format!("configuration.{}", escape_key(name)?));
    }
    if paths.is_empty() {
        paths.push("configuration".to_owned());
    }
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let tasks = access::assert_exists(&app, &call, &request.tasks, Fields::Only(&paths)).await?;
    let configurations: Vec<Bson> = tasks
        .iter()
        .map(|task| doc! {"task": id_of(task), "configuration": sorted_items(task)}.into())
        .collect();
    Ok(doc! {"configurations": configurations}.into())
}

/// `tasks.get_configuration_names`
pub(crate) async fn get_names(app: Arc<App>, call: Arc<Call>, request: GetConfigurationNames) -> ApiResult {
    not_empty("tasks", &request.tasks)?;
    let skip_empty = request.skip_empty.unwrap_or(true);
    let filter = Filter::ids(request.tasks).and(access::visible_to(call.company()));
    let tasks = app.documents.find(Collection::Task, Find::new(filter).include(["configuration"])).await?;
    let configurations: Vec<Bson> = tasks
        .iter()
        .filter_map(|task| {
            let names = names_of(task, skip_empty);
            (!names.is_empty()).then(|| doc! {"task": id_of(task), "names": names}.into())
        })
        .collect();
    Ok(doc! {"configurations": configurations}.into())
}

/// `tasks.edit_configuration`
pub(crate) async fn edit(app: Arc<App>, call: Arc<Call>, request: EditConfiguration) -> ApiResult {
    not_empty("configuration", &request.configuration)?;
    let mut items = Document::new();
    for item in request.configuration {
        check_not_empty("name", &item.name)?;
        let key = escape_key(&item.name)?;
        let mut stored = doc! {"name": item.name, "value": item.value};
        insert_some(&mut stored, "type", item.r#type);
        insert_some(&mut stored, "description", item.description);
        items.insert(key, stored);
    }
    let changes = if request.replace_configuration {
        vec![Change::set("configuration", items)]
    } else {
        items.into_iter().map(|(key, item)| Change::set(format!("configuration.{key}"), item)).collect()
    };
    let updated = store(&app, &call, &request.task, request.force, changes).await?;
    Ok(doc! {"updated": updated}.into())
}

/// `tasks.delete_configuration`
pub(crate) async fn delete(app: Arc<App>, call: Arc<Call>, request: DeleteConfiguration) -> ApiResult {
    not_empty("configuration", &request.configuration)?;
    let mut changes = Update::new();
    for name in &request.configuration {
        changes.push(Change::unset(format!("configuration.{}", escape_key(name)?)));
    }
    let deleted = store(&app, &call, &request.task, request.force, changes).await?;
    Ok(doc! {"deleted": deleted}.into())
}

async fn store(app: &App, call: &Call, task: &str, force: bool, mut update: Update) -> ApiResult<i64> {
    access::editable_task(app, call, task, force, Fields::Only(&[])).await?;
    update.extend(touch::last_update(app.now(), call.user()));
    let outcome = app.documents.update_one(Collection::Task, Filter::id(task), update).await?;
    Ok(outcome.matched as i64)
}

fn items_of(task: &Document) -> impl Iterator<Item = (&str, &Document)> {
    task.get_document("configuration")
        .into_iter()
        .flatten()
        .filter_map(|(key, item)| Some((key.as_str(), item.as_document()?)))
}

fn sorted_items(task: &Document) -> Vec<Bson> {
    let mut items: Vec<Document> = items_of(task).map(|(_, item)| answered(item)).collect();
    items.sort_by_cached_key(|item| item.get_str("name").unwrap_or_default().to_owned());
    items.into_iter().map(Bson::from).collect()
}

fn names_of(task: &Document, skip_empty: bool) -> Vec<String> {
    let mut names: Vec<String> = items_of(task)
        .filter(|(_, item)| !skip_empty || item.get_str("value").is_ok_and(|value| !value.is_empty()))
        .map(|(key, _)| unescape_key(key))
        .collect();
    names.sort();
    names
}
