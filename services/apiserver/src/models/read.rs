//! Reading models (spec 04 §1.1).

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_documents::{Collection, DocumentStoreExt, Filter, Find};
use schemars::JsonSchema;
use serde::Deserialize;

use super::schema::MODEL;
use crate::{
    App,
    api::{ApiError, ApiResult, ApiVersion, Call, Reply, codes},
    metadata::answer_metadata,
    query::{self, Page, Query, Visibility, answer_tags, is_truthy},
    tasks::access::{id_of, invalid_task_id},
};

/// The last version of the endpoints that give way to newer ones.
pub(super) const LAST_LEGACY: ApiVersion = ApiVersion::new(2, 13);

/// Request of `models.get_by_id`, beside the fields that filter.
#[derive(Debug, Deserialize)]
struct ByModel {
    model: String,
}

/// Request of `models.get_by_task_id`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ByTask {
    task: String,
}

/// Request of `models.get_frameworks`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct GetFrameworks {
    #[serde(default)]
    projects: Vec<String>,
}

/// `models.get_by_id`
pub(crate) async fn get_by_id(app: Arc<App>, call: Arc<Call>, mut request: Document) -> ApiResult {
    let ByModel { model } = crate::api::from_document(&request)?;
    // What else is in the body filters too; what would shape a list does not matter.
    for key in ["only_fields", "projection", "order_by", "page", "page_size", "start", "size", "scroll_id"] {
        request.remove(key);
    }
    request.insert("id", vec![model.as_str()]);
    let page = Query::plain(&app, &call, &MODEL, request).prepare()?.fetch().await?;
    let mut found = page.items.into_iter().next().ok_or_else(|| no_such_model(&call, &model))?;
    convert(&mut found, &call);
    Ok(doc! {"model": found}.into())
}

/// `models.get_by_id_ex`
pub(crate) async fn get_by_id_ex(app: Arc<App>, call: Arc<Call>, mut request: Document) -> ApiResult {
    request.remove("scroll_id");
    request.insert("allow_public", true);
    let page = Query::joined(&app, &call, &MODEL, request).prepare()?.fetch().await?;
    Ok(answer(page, &call))
}

/// `models.get_by_task_id`, up to API 2.13: the last output model of an own task.
pub(crate) async fn get_by_task_id(app: Arc<App>, call: Arc<Call>, request: ByTask) -> ApiResult {
    if call.version > LAST_LEGACY {
        return Err(ApiError::new(codes::NO_LONGER_SUPPORTED).extra("use models.get_by_id/get_all apis"));
    }
    let own_task = Filter::id(request.task.as_str()).and(Filter::eq("company", call.company()));
    let task = app
        .documents
        .find_one(Collection::Task, Find::new(own_task).include(["models.output"]))
        .await?
        .ok_or_else(|| invalid_task_id(&request.task, call.company()))?;
    let model = last_output_model(&task)
        .ok_or_else(|| ApiError::new(codes::MISSING_TASK_FIELDS).with("field", "models.output"))?;
    let visible = Filter::id(model).and(Visibility::own_and_public(&call).filter());
    let stored = app.documents.find_one(Collection::Model, Find::new(visible)).await?;
    let mut found = stored
        .map(|stored| query::answer_everything(&MODEL, &stored))
        .ok_or_else(|| no_such_model(&call, model))?;
    convert(&mut found, &call);
    Ok(doc! {"model": found}.into())
}

/// The id of the last output model of a stored task.
pub(super) fn last_output_model(task: &Document) -> Option<&str> {
    let outputs = task.get_document("models").ok()?.get_array("output").ok()?;
    outputs.last()?.as_document()?.get_str("model").ok()
}

/// `models.get_all`
pub(crate) async fn get_all(app: Arc<App>, call: Arc<Call>, request: Document) -> ApiResult {
    let query = Query::plain(&app, &call, &MODEL, request).prepare()?.expand_subprojects().await?;
    Ok(answer(query.fetch().await?, &call))
}

/// `models.get_all_ex`
pub(crate) async fn get_all_ex(app: Arc<App>, call: Arc<Call>, request: Document) -> ApiResult {
    let with_statistics = is_truthy(request.get("include_stats"));
    let query = Query::joined(&app, &call, &MODEL, request).prepare()?.expand_subprojects().await?;
    let mut page = query.fetch().await?;
    if with_statistics {
        add_statistics(&app, &mut page.items).await?;
    }
    Ok(answer(page, &call))
}

/// Adds `stats: {labels_count}` to each model, whatever fields were asked for.
async fn add_statistics(app: &App, models: &mut [Document]) -> ApiResult<()> {
    let ids = models.iter().filter_map(|model| model.get_str("id").ok());
    let find = Find::new(Filter::ids(ids)).include(["labels"]);
    let stored = app.documents.find(Collection::Model, find).await?;
    for model in models {
        let labels = stored
            .iter()
            .find(|stored| Some(id_of(stored)) == model.get_str("id").ok())
            .and_then(|stored| stored.get_document("labels").ok());
        model.insert("stats", doc! {"labels_count": labels.map_or(0, Document::len) as i64});
    }
    Ok(())
}

/// `models.get_frameworks`
pub(crate) async fn get_frameworks(app: Arc<App>, call: Arc<Call>, request: GetFrameworks) -> ApiResult {
    let mut filter = Visibility::own_and_public(&call).filter();
    if !request.projects.is_empty() {
        let projects = request.projects.into_iter().map(Bson::from).collect();
        filter = filter.and(Filter::is_in("project", query::with_subprojects(&app, projects).await?));
    }
    let frameworks = app.documents.distinct(Collection::Model, "framework", filter).await?;
    let mut names: Vec<String> = frameworks
        .into_iter()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .filter(|name| !name.is_empty())
        .collect();
    names.sort_unstable();
    Ok(doc! {"frameworks": names}.into())
}

fn no_such_model(call: &Call, id: &str) -> ApiError {
    ApiError::new(codes::INVALID_MODEL_ID)
        .extra("no such public or company model")
        .with("id", id)
        .with("company", call.company())
}

/// Brings the answered fields of a model into the form of the call's version.
pub(crate) fn convert(model: &mut Document, call: &Call) {
    answer_tags(model, call.version);
    answer_metadata(model, call.version);
}

fn answer(mut page: Page, call: &Call) -> Reply {
    for model in &mut page.items {
        convert(model, call);
    }
    page.reply("models")
}
