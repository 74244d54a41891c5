//! `models.delete` and `models.delete_many` (spec 04 §1.6).

use std::sync::Arc;

use bson::{DateTime, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find};
use schemars::JsonSchema;
use serde::Deserialize;

use super::access;
use crate::{
    App,
    api::{ApiError, ApiResult, Call, Many, check, codes},
    external_files::{self, Announcement, Pacing, Reason, Removal},
    projects::tag_cache::{self, TagField, Tagged},
    tasks::touch,
};

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct DeleteRequest {
    model: String,
    force: Option<bool>,
    delete_external_artifacts: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct DeleteManyRequest {
    #[serde(default)]
    ids: Vec<String>,
    force: Option<bool>,
    delete_external_artifacts: Option<bool>,
}

/// `models.delete`
pub(crate) async fn delete(app: Arc<App>, call: Arc<Call>, request: DeleteRequest) -> ApiResult {
    let with_files = request.delete_external_artifacts.unwrap_or(true);
    let force = request.force.unwrap_or(false);
    let deleted = delete_model(&app, &call, &request.model, force, with_files).await?;
    let mut removal = Removal::new(with_files);
    deleted.add_to(&mut removal, &request.model);
    external_files::remove(&app, &call, removal, Pacing::Wait).await?;
    Ok(deleted.answer().into())
}

/// `models.delete_many`
pub(crate) async fn delete_many(app: Arc<App>, call: Arc<Call>, request: DeleteManyRequest) -> ApiResult {
    check::not_empty("ids", &request.ids)?;
    let with_files = request.delete_external_artifacts.unwrap_or(true);
    let mut removal = Removal::new(with_files);
    let mut many = Many::default();
    for id in &request.ids {
        match delete_model(&app, &call, id, request.force.unwrap_or(false), with_files).await {
            Ok(deleted) => {
                deleted.add_to(&mut removal, id);
                many.succeed(id, deleted.answer());
            }
            Err(error) if error.is_unexpected() => return Err(error),
            Err(error) => many.fail(id, &error),
        }
    }
    external_files::remove(&app, &call, removal, Pacing::MayLinger).await?;
    Ok(many.into_document().into())
}

/// A model that is gone; its events and files are not yet.
struct Deleted {
    /// Whether this call removed it.
    removed: bool,
    uri: String,
    /// The record of the removal that is to follow.
    announced: String,
}

impl Deleted {
    fn answer(&self) -> Document {
        doc! {"deleted": self.removed, "url": self.uri.as_str()}
    }

    fn add_to(&self, removal: &mut Removal, id: &str) {
        removal.add(id, &[], Some(self.uri.clone()).filter(|uri| !uri.is_empty()));
        removal.announced(self.announced.clone());
    }
}

async fn delete_model(app: &App, call: &Call, id: &str, force: bool, with_files: bool) -> ApiResult<Deleted> {
    let model = access::own_model(app, call, id, &["task", "project", "uri"]).await?;
    leave_using_tasks(app, id, force).await?;
    if let Ok(task) = model.get_str("task") {
        leave_creating_task(app, call, id, task, force).await?;
    }
    let uri = model.get_str("uri").unwrap_or_default().to_owned();
    let urls: Vec<String> = Some(uri.clone()).filter(|uri| !uri.is_empty()).into_iter().collect();
    let ids = [id.to_owned()];
    let announcement =
        Announcement { reason: Reason::Deletion, owner: id, ids: &ids, urls: &urls, with_files };
    let announced = external_files::announce(app, call, announcement).await?;
    let removed = app.documents.delete(Collection::Model, access::own(call.company(), id)).await? > 0;
    let project = model.get_str("project").ok();
    tag_cache::reset(app, call.company(), Tagged::Models, &TagField::BOTH, project).await?;
    Ok(Deleted { removed, uri, announced })
}

fn deleted_id(id: &str) -> String {
    format!("__DELETED__{id}")
}

/// Tasks of any company that start from the model. Errors: 400/205 without force.
async fn leave_using_tasks(app: &App, id: &str, force: bool) -> ApiResult<()> {
    let using = Filter::eq("models.input.model", id);
    if force {
        app.documents.update_many(Collection::Task, using, vec![redirect("models.input", id)]).await?;
        return Ok(());
    }
    let count = app.documents.count(Collection::Task, using, false).await?;
    if count == 0 {
        return Ok(());
    }
    Err(ApiError::new(codes::MODEL_IN_USE)
        .extra("as execution model, use force=True to delete")
        .with("num_tasks", count as i64))
}

/// Makes the items of a list that name the model name a deleted one.
fn redirect(array: &str, id: &str) -> Change {
    Change::SetInElements {
        array: array.to_owned(),
        matching: Filter::eq("model", id),
        set: vec![("model".to_owned(), deleted_id(id).into())],
    }
}

/// The task that made the model. Errors: 400/206 if it is published, without force.
async fn leave_creating_task(app: &App, call: &Call, id: &str, task: &str, force: bool) -> ApiResult<()> {
    let find = Find::new(Filter::id(task)).include(["status"]);
    let Some(stored) = app.documents.find_one(Collection::Task, find).await? else { return Ok(()) };
    let now = app.now();
    let mut update = touch::last_change(now, call.user());
    if stored.get_str("status").is_ok_and(|status| status == "published") {
        if !force {
            return Err(ApiError::new(codes::MODEL_CREATING_TASK_EXISTS)
                .extra("and published, use force=True to delete")
                .with("task", task));
        }
        update.push(redirect("models.output", id));
        update.push(Change::set("output.error", format!("model deleted on {}", without_zone(now))));
    } else {
        update.push(Change::Pull("models.output".to_owned(), Filter::eq("model", id)));
    }
    app.documents.update_one(Collection::Task, Filter::id(task), update).await?;
    Ok(())
}

/// ISO 8601 without a zone.
fn without_zone(now: DateTime) -> String {
    let now = chrono::DateTime::from_timestamp_millis(now.timestamp_millis()).unwrap_or_default();
    now.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}
