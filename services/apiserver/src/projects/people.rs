//! Who and what tasks come from: `get_task_parents`, `get_user_names` (spec 03 §2.10).

use std::{collections::HashMap, sync::Arc};

use bson::{Bson, Document, doc};
use clearml_documents::{Collection, Filter, Find};
use schemars::JsonSchema;
use serde::Deserialize;

use super::scope::{in_projects, visible};
use crate::{
    App,
    api::{ApiResult, Call},
};

/// Most parents in one answer.
const MAX_PARENTS: u64 = 500;

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum TasksState {
    Active,
    Archived,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct TaskParentsRequest {
    #[serde(default)]
    projects: Vec<Option<String>>,
    include_subprojects: Option<bool>,
    tasks_state: Option<TasksState>,
    task_name: Option<String>,
}

/// The tasks that are parents of others in these projects.
pub(super) async fn get_task_parents(
    app: Arc<App>,
    call: Arc<Call>,
    request: TaskParentsRequest,
) -> ApiResult {
    let state = match request.tasks_state {
        None => Filter::Everything,
        Some(TasksState::Active) => Filter::ne("system_tags", "archived"),
        Some(TasksState::Archived) => Filter::eq("system_tags", "archived"),
    };
    let children = visible(&call)
        .and(in_projects(&app, request.projects, request.include_subprojects.unwrap_or(true)).await?)
        .and(state);
    let ids = app.documents.distinct(Collection::Task, "parent", children).await?;
    let mut filter = Filter::In("_id".to_owned(), ids).and(visible(&call));
    if let Some(pattern) = request.task_name.filter(|pattern| !pattern.is_empty()) {
        filter = filter.and(Filter::Regex { path: "name".to_owned(), pattern, case_insensitive: false });
    }
    let find = Find::new(filter).limit(MAX_PARENTS).include(["name", "project"]);
    let mut parents = app.documents.find(Collection::Task, find).await?;
    parents.sort_by(|left, right| left.get_str("name").ok().cmp(&right.get_str("name").ok()));

    let projects = parents.iter().filter_map(|task| task.get_str("project").ok());
    let names = names_of(&app, &call, Collection::Project, projects).await?;
    let parents: Vec<Document> = parents
        .iter()
        .map(|task| {
            let mut parent = doc! {
                "id": task.get_str("_id").unwrap_or_default(),
                "name": task.get_str("name").unwrap_or_default(),
            };
            if let Ok(project) = task.get_str("project") {
                let mut object = doc! { "id": project };
                if let Some(name) = names.get(project) {
                    object.insert("name", name);
                }
                parent.insert("project", object);
            }
            parent
        })
        .collect();
    Ok(doc! { "parents": parents }.into())
}

async fn names_of<'a>(
    app: &App,
    call: &Call,
    collection: Collection,
    ids: impl Iterator<Item = &'a str>,
) -> ApiResult<HashMap<String, String>> {
    let find = Find::new(Filter::ids(ids).and(visible(call))).include(["name"]);
    let documents = app.documents.find(collection, find).await?;
    Ok(documents
        .iter()
        .filter_map(|document| {
            Some((document.get_str("_id").ok()?.to_owned(), document.get_str("name").ok()?.to_owned()))
        })
        .collect())
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum CreatedEntity {
    #[default]
    Task,
    Model,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct UserNamesRequest {
    #[serde(default)]
    projects: Vec<Option<String>>,
    include_subprojects: Option<bool>,
    entity: Option<CreatedEntity>,
}

/// The users who created tasks (or models) in these projects.
pub(super) async fn get_user_names(app: Arc<App>, call: Arc<Call>, request: UserNamesRequest) -> ApiResult {
    let created = visible(&call)
        .and(in_projects(&app, request.projects, request.include_subprojects.unwrap_or(true)).await?);
    let collection = match request.entity.unwrap_or_default() {
        CreatedEntity::Task => Collection::Task,
        CreatedEntity::Model => Collection::Model,
    };
    let creators = app.documents.distinct(collection, "user", created).await?;
    let find = Find::new(Filter::In("_id".to_owned(), creators).and(visible(&call))).include(["name"]);
    let users: Vec<Document> = app
        .documents
        .find(Collection::User, find)
        .await?
        .iter()
        .map(|user| {
            let mut answered = doc! { "id": user.get_str("_id").unwrap_or_default() };
            if let Some(name @ Bson::String(_)) = user.get("name") {
                answered.insert("name", name.clone());
            }
            answered
        })
        .collect();
    Ok(doc! { "users": users }.into())
}
