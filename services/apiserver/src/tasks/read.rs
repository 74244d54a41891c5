//! Reading tasks: `get_by_id`, `get_by_id_ex`, `get_all`, `get_all_ex`, `get_types` (spec 02 §13, §5.10).

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_documents::{Collection, Filter};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    access::{self, Fields, visible_to},
    conversion,
    create::TaskType,
    requests::ByTask,
    schema::TASK,
};
use crate::{
    App,
    api::{ApiResult, Call, Reply},
    query::{self, Page, Query},
};

/// Request of `tasks.get_types`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct GetTypes {
    #[serde(default)]
    projects: Vec<String>,
}

/// `tasks.get_by_id`
pub(crate) async fn get_by_id(app: Arc<App>, call: Arc<Call>, request: ByTask) -> ApiResult {
    let ids = [request.task];
    let stored = access::assert_exists(&app, &call, &ids, Fields::All).await?;
    let mut task = stored.first().map(|task| query::answer(&TASK, task)).unwrap_or_default();
    task.insert("unique_metrics", Vec::<Bson>::new());
    conversion::outgoing(&mut task, call.version);
    Ok(doc! {"task": task}.into())
}

/// `tasks.get_by_id_ex`
pub(crate) async fn get_by_id_ex(app: Arc<App>, call: Arc<Call>, mut request: Document) -> ApiResult {
    // The ids are all that is asked for; paging and scrolling are those of the lists.
    request.remove("scroll_id");
    request.insert("allow_public", true);
    let page = Query::joined(&app, &call, &TASK, request).prepare()?.fetch().await?;
    Ok(answer(page, &call))
}

/// `tasks.get_all`
pub(crate) async fn get_all(app: Arc<App>, call: Arc<Call>, request: Document) -> ApiResult {
    let query = Query::plain(&app, &call, &TASK, request);
    let page = query.prepare()?.hide_hidden().expand_subprojects().await?.fetch().await?;
    Ok(answer(page, &call))
}

/// `tasks.get_all_ex`
pub(crate) async fn get_all_ex(app: Arc<App>, call: Arc<Call>, request: Document) -> ApiResult {
    let query = Query::joined(&app, &call, &TASK, request);
    let page = query.prepare()?.hide_hidden().expand_subprojects().await?.fetch().await?;
    Ok(answer(page, &call))
}

/// `tasks.get_types`
pub(crate) async fn get_types(app: Arc<App>, call: Arc<Call>, request: GetTypes) -> ApiResult {
    let mut filter = visible_to(call.company());
    if !request.projects.is_empty() {
        let projects = request.projects.into_iter().map(Bson::from).collect();
        filter = filter.and(Filter::is_in("project", query::with_subprojects(&app, projects).await?));
    }
    let mut types = app.documents.distinct(Collection::Task, "type", filter).await?;
    types.retain(|name| name.as_str().is_some_and(|name| TaskType::NAMES.contains(&name)));
    Ok(doc! {"types": types}.into())
}

fn answer(mut page: Page, call: &Call) -> Reply {
    for task in &mut page.items {
        conversion::outgoing(task, call.version);
    }
    page.reply("tasks")
}
