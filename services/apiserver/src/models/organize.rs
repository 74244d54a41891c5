//! Where models belong and how they are labelled (spec 04 §1.7).

use std::{collections::HashSet, sync::Arc};

use bson::{Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find};
use schemars::JsonSchema;
use serde::Deserialize;

use super::access;
use crate::{
    App,
    api::{ApiError, ApiResult, Call, Many, check, codes},
    projects::{
        self,
        tag_cache::{self, TagField, Tagged},
    },
    publicity::{self, Publicity},
    tasks::touch,
};

const ARCHIVED: &str = "archived";

/// Names models.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ByIds {
    #[serde(default)]
    ids: Vec<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct MoveRequest {
    #[serde(default)]
    ids: Vec<String>,
    project: Option<String>,
    project_name: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct UpdateTagsRequest {
    #[serde(default)]
    ids: Vec<String>,
    #[serde(default)]
    add_tags: Vec<String>,
    #[serde(default)]
    remove_tags: Vec<String>,
}

/// `models.archive_many`
pub(crate) async fn archive_many(app: Arc<App>, call: Arc<Call>, request: ByIds) -> ApiResult {
    let change = Change::AddToSet("system_tags".to_owned(), vec![ARCHIVED.into()]);
    change_each(&app, &call, &request.ids, "archived", change).await
}

/// `models.unarchive_many`
pub(crate) async fn unarchive_many(app: Arc<App>, call: Arc<Call>, request: ByIds) -> ApiResult {
    let change = Change::PullAll("system_tags".to_owned(), vec![ARCHIVED.into()]);
    change_each(&app, &call, &request.ids, "unarchived", change).await
}

async fn change_each(app: &App, call: &Call, ids: &[String], done: &str, change: Change) -> ApiResult {
    check::not_empty("ids", ids)?;
    let mut update = touch::last_change(app.now(), call.user());
    update.push(change);
    let many = Many::run(ids, async |id| {
        let own = access::own(call.company(), &id);
        let outcome = app.documents.update_one(Collection::Model, own, update.clone()).await?;
        if outcome.matched == 0 {
            return Err(access::unknown_model(call.company(), &id));
        }
        Ok(doc! {done: true})
    });
    Ok(many.await?.into_document().into())
}

/// `models.make_public`
pub(crate) async fn make_public(app: Arc<App>, call: Arc<Call>, request: ByIds) -> ApiResult {
    let traces = touch::last_change(app.now(), call.user());
    publicity::change(&app, &call, Collection::Model, &request.ids, Publicity::Public, traces).await
}

/// `models.make_private`
pub(crate) async fn make_private(app: Arc<App>, call: Arc<Call>, request: ByIds) -> ApiResult {
    let traces = touch::last_change(app.now(), call.user());
    publicity::change(&app, &call, Collection::Model, &request.ids, Publicity::Private, traces).await
}

/// `models.move`
pub(crate) async fn move_models(app: Arc<App>, call: Arc<Call>, request: MoveRequest) -> ApiResult {
    check::not_empty("ids", &request.ids)?;
    let project_name = request.project_name.as_deref().filter(|name| !name.is_empty());
    if !call.data.contains_key("project") && project_name.is_none() {
        return Err(
            ApiError::new(codes::MISSING_REQUIRED_FIELDS).extra("project or project_name is required")
        );
    }
    let project = request.project.as_deref();
    let target =
        projects::move_under_project(&app, &call, Collection::Model, &request.ids, project, project_name);
    Ok(doc! {"project_id": target.await?}.into())
}

/// `models.update_tags`
pub(crate) async fn update_tags(app: Arc<App>, call: Arc<Call>, request: UpdateTagsRequest) -> ApiResult {
    check::not_empty("ids", &request.ids)?;
    if request.add_tags.is_empty() && request.remove_tags.is_empty() {
        return Err(ApiError::validation("Either add tags or remove tags should be provided"));
    }
    let own = Filter::ids(request.ids.iter().map(String::as_str)).and(Filter::eq("company", call.company()));
    let models: Vec<Document> =
        app.documents.find(Collection::Model, Find::new(own.clone()).include(["project"])).await?;
    let traces = touch::last_change(app.now(), call.user());
    let writes = touch::tag_writes(&own, &traces, &request.add_tags, &request.remove_tags);
    let updated = app.documents.write(Collection::Model, writes).await?.matched;

    let affected: HashSet<&str> = models.iter().filter_map(|model| model.get_str("project").ok()).collect();
    projects::touch(&app, &affected).await?;
    tag_cache::reset(&app, call.company(), Tagged::Models, &[TagField::Tags], &affected).await?;
    Ok(doc! {"updated": updated as i64}.into())
}
