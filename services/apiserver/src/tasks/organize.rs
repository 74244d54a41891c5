//! Where tasks belong and how they are labelled: `move`, `update_tags`, `make_public`, `make_private`
//! (spec 02 §5.7 to §5.9).

use std::{collections::BTreeSet, sync::Arc};

use bson::{Document, doc};
use clearml_documents::{Collection, Filter};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    access::{self, Fields, id_of},
    project_effects,
    requests::ByIds,
    touch,
};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, check::not_empty, codes},
    projects,
    publicity::{self, Publicity},
};

/// Request of `tasks.move`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Move {
    #[serde(default)]
    ids: Vec<String>,
    #[serde(default)]
    project: Option<String>,
    #[serde(default)]
    project_name: Option<String>,
}

/// Request of `tasks.update_tags`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct UpdateTags {
    #[serde(default)]
    ids: Vec<String>,
    #[serde(default)]
    add_tags: Vec<String>,
    #[serde(default)]
    remove_tags: Vec<String>,
}

/// `tasks.move`
pub(crate) async fn move_tasks(app: Arc<App>, call: Arc<Call>, request: Move) -> ApiResult {
    not_empty("ids", &request.ids)?;
    let names_project = call.data.contains_key("project");
    let project_name = request.project_name.as_deref().filter(|name| !name.is_empty());
    if !names_project && project_name.is_none() {
        return Err(
            ApiError::new(codes::MISSING_REQUIRED_FIELDS).extra("project or project_name is required")
        );
    }
    let tasks = access::writable_tasks(&app, &call, &request.ids, Fields::Only(&[])).await?;
    let ids: Vec<String> = tasks.iter().map(|task| id_of(task).to_owned()).collect();
    let project = projects::move_under_project(
        &app,
        &call,
        Collection::Task,
        &ids,
        request.project.as_deref(),
        project_name,
    )
    .await?;

    let sources = tasks.iter().map(project_of);
    let affected: BTreeSet<&str> = sources.chain([project.as_deref().unwrap_or_default()]).collect();
    project_effects::moved(&app, &call, affected).await?;
    Ok(doc! {"project_id": project}.into())
}

/// `tasks.update_tags`
pub(crate) async fn update_tags(app: Arc<App>, call: Arc<Call>, request: UpdateTags) -> ApiResult {
    not_empty("ids", &request.ids)?;
    if request.add_tags.is_empty() && request.remove_tags.is_empty() {
        return Err(ApiError::validation("Either add tags or remove tags should be provided"));
    }
    let tasks = access::writable_tasks(&app, &call, &request.ids, Fields::Only(&[])).await?;
    let traces = touch::last_change(app.now(), call.user());
    let filter = Filter::ids(tasks.iter().map(id_of));
    let writes = touch::tag_writes(&filter, &traces, &request.add_tags, &request.remove_tags);
    let updated = app.documents.write(Collection::Task, writes).await?.matched;

    let affected: BTreeSet<&str> = tasks.iter().map(project_of).collect();
    project_effects::moved(&app, &call, affected).await?;
    Ok(doc! {"updated": updated as i64}.into())
}

/// `tasks.make_public`
pub(crate) async fn make_public(app: Arc<App>, call: Arc<Call>, request: ByIds) -> ApiResult {
    let traces = touch::last_change(app.now(), call.user());
    publicity::change(&app, &call, Collection::Task, &request.ids, Publicity::Public, traces).await
}

/// `tasks.make_private`
pub(crate) async fn make_private(app: Arc<App>, call: Arc<Call>, request: ByIds) -> ApiResult {
    let traces = touch::last_change(app.now(), call.user());
    publicity::change(&app, &call, Collection::Task, &request.ids, Publicity::Private, traces).await
}

fn project_of(task: &Document) -> &str {
    task.get_str("project").unwrap_or_default()
}
