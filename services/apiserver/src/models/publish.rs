//! `models.set_ready` and `models.publish_many` (spec 04 §1.5).

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter};
use schemars::JsonSchema;
use serde::Deserialize;

use super::access;
use crate::{
    App,
    api::{ApiError, ApiResult, Call, Many, check, codes},
    tasks::{
        publish::{Publish, publish_task},
        touch,
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct SetReadyRequest {
    model: String,
    publish_task: Option<bool>,
    force_publish_task: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct PublishManyRequest {
    #[serde(default)]
    ids: Vec<String>,
    publish_task: Option<bool>,
    force_publish_task: Option<bool>,
}

/// `models.set_ready`
pub(crate) async fn set_ready(app: Arc<App>, call: Arc<Call>, request: SetReadyRequest) -> ApiResult {
    let with_task =
        request.publish_task.unwrap_or(true).then_some(request.force_publish_task.unwrap_or(false));
    let (updated, published_task) = publish(&app, &call, &request.model, with_task).await?;
    let mut answer = doc! {"updated": updated as i64, "fields": {}};
    if let Some(task) = published_task {
        answer.insert("published_task", task);
    }
    Ok(answer.into())
}

/// `models.publish_many`
pub(crate) async fn publish_many(app: Arc<App>, call: Arc<Call>, request: PublishManyRequest) -> ApiResult {
    check::not_empty("ids", &request.ids)?;
    let with_task =
        request.publish_task.unwrap_or(true).then_some(request.force_publish_task.unwrap_or(false));
    let many = Many::run(&request.ids, async |id| {
        let (updated, task) = publish(&app, &call, &id, with_task).await?;
        Ok(doc! {"updated": updated > 0, "published_task": task.map_or(Bson::Null, Bson::from)})
    });
    Ok(many.await?.into_document().into())
}

/// Makes a draft model ready, after its task is published if that is wanted (`Some(force)`). Returns how many
/// models matched, and `{id, data}` of the task that was published.
async fn publish(
    app: &App,
    call: &Call,
    id: &str,
    with_task: Option<bool>,
) -> ApiResult<(u64, Option<Document>)> {
    let model = access::own_model(app, call, id, &["task", "ready"]).await?;
    if model.get_bool("ready").unwrap_or(false) {
        return Err(ApiError::new(codes::MODEL_IS_READY).with("company", call.company()).with("model", id));
    }
    let published_task = match (with_task, model.get_str("task")) {
        (Some(force), Ok(task)) => publish_own_task(app, call, task, force).await?,
        _ => None,
    };
    let mut update = touch::last_update(app.now(), call.user());
    update.push(Change::set("ready", true));
    let outcome =
        app.documents.update_one(Collection::Model, access::own(call.company(), id), update).await?;
    Ok((outcome.matched, published_task))
}

async fn publish_own_task(app: &App, call: &Call, task: &str, force: bool) -> ApiResult<Option<Document>> {
    let own_unpublished =
        Filter::id(task).and(Filter::eq("company", call.company())).and(Filter::ne("status", "published"));
    if !app.documents.any(Collection::Task, own_unpublished).await? {
        return Ok(None);
    }
    let options = Publish { force, with_model: false, reason: String::new(), message: String::new() };
    let changed = publish_task(app, call, task, options).await?;
    let data = doc! {"updated": changed.updated as i64, "fields": changed.fields};
    Ok(Some(doc! {"id": task, "data": data}))
}
