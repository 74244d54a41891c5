//! What a task leaves behind when it is reset or deleted: children, output models, events and files
//! (spec 02 §7.3, §7.4).

use std::collections::HashSet;

use bson::{Bson, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find, Update};

use super::{access::id_of, touch};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, codes},
    external_files::{self, Announcement, Reason, Removal},
};

/// Fields of a task that the clean-up reads.
pub(super) const CLEANUP_FIELDS: [&str; 3] = ["models.output", "execution.artifacts", "enqueue_status"];

/// Why the outputs go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    Reset,
    Delete,
}

/// How to clean up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cleanup {
    pub(super) occasion: Occasion,
    /// Without the checks for published children and models.
    pub(super) force: bool,
    pub(super) delete_output_models: bool,
    /// Whether events go together with files, or alone; `None`: they stay.
    pub(super) removal: Option<WithFiles>,
}

/// The request's `delete_external_artifacts`.
#[derive(Debug, Clone, Copy)]
pub(super) struct WithFiles(pub(super) bool);

/// What was cleaned up.
#[derive(Debug, Default)]
pub(super) struct Cleaned {
    pub(super) updated_children: u64,
    pub(super) updated_models: u64,
    pub(super) deleted_models: u64,
    pub(super) deleted_model_ids: Vec<String>,
    pub(super) artifact_urls: Vec<String>,
    pub(super) model_urls: Vec<String>,
    /// The record of the removal of events and files that is to follow.
    announced: Option<String>,
}

impl Cleaned {
    /// Adds the task, its deleted models and their files to what is to be removed.
    pub(super) fn add_to(&self, removal: &mut Removal, task: &str) {
        let urls = self.model_urls.iter().chain(&self.artifact_urls).cloned();
        removal.add(task, &self.deleted_model_ids, urls);
        self.announced.iter().for_each(|record| removal.announced(record.clone()));
    }

    /// As answered for `return_file_urls`.
    pub(super) fn urls(&self) -> Document {
        doc! {
            "model_urls": self.model_urls.as_slice(),
            "event_urls": [],
            "artifact_urls": self.artifact_urls.as_slice(),
        }
    }
}

struct OutputModel {
    id: String,
    uri: Option<String>,
    ready: bool,
    /// Its `task` is the task itself.
    created_here: bool,
}

/// Unlinks or deletes the output models and, on deletion, unlinks the children.
///
/// Errors: 400/123 without force, if children or models are published.
pub(super) async fn clean_outputs(
    app: &App,
    call: &Call,
    task: &Document,
    cleanup: Cleanup,
) -> ApiResult<Cleaned> {
    let id = id_of(task);
    let listed = output_model_ids(task);
    let models = output_models(app, id, &listed).await?;
    if !cleanup.force {
        check_unpublished(app, id, &listed, &models).await?;
    }

    let (published, drafts): (Vec<_>, Vec<_>) = models.into_iter().partition(|model| model.ready);
    let used = used_as_input(app, &drafts).await?;
    let (in_use, unused): (Vec<_>, Vec<_>) = drafts.into_iter().partition(|model| used.contains(&model.id));

    let mut cleaned = Cleaned {
        artifact_urls: output_artifact_urls(task),
        model_urls: unused.iter().filter_map(|model| model.uri.clone()).collect(),
        ..Cleaned::default()
    };
    if cleanup.delete_output_models {
        cleaned.deleted_model_ids = unused.iter().map(|model| model.id.clone()).collect();
    }
    if let Some(with_files) = cleanup.removal {
        cleaned.announced = Some(announce(app, call, id, &cleaned, cleanup.occasion, with_files).await?);
    }
    let mut unlinked = published;
    if cleanup.delete_output_models {
        update_models(app, call, &in_use, Change::unset("task")).await?;
        cleaned.deleted_models = app.documents.delete(Collection::Model, Filter::ids(ids(&unused))).await?;
    } else {
        unlinked.extend(in_use);
        unlinked.extend(unused);
    }
    match cleanup.occasion {
        Occasion::Reset => {
            update_models(app, call, &unlinked, Change::unset("task")).await?;
        }
        Occasion::Delete => {
            let deleted = format!("__DELETED__{id}");
            cleaned.updated_models =
                update_models(app, call, &unlinked, Change::set("task", deleted.as_str())).await?;
            let mut update: Update = vec![Change::set("parent", deleted)];
            update.extend(touch::last_change(app.now(), call.user()));
            cleaned.updated_children =
                app.documents.update_many(Collection::Task, Filter::eq("parent", id), update).await?.matched;
        }
    }
    Ok(cleaned)
}

/// Writes down what goes with the task, before anything goes.
async fn announce(
    app: &App,
    call: &Call,
    task: &str,
    cleaned: &Cleaned,
    occasion: Occasion,
    WithFiles(with_files): WithFiles,
) -> ApiResult<String> {
    let reason = match occasion {
        Occasion::Reset => Reason::Reset,
        Occasion::Delete => Reason::Deletion,
    };
    let ids: Vec<String> =
        std::iter::once(task.to_owned()).chain(cleaned.deleted_model_ids.iter().cloned()).collect();
    let urls: Vec<String> = cleaned.model_urls.iter().chain(&cleaned.artifact_urls).cloned().collect();
    let announcement = Announcement { reason, owner: task, ids: &ids, urls: &urls, with_files };
    external_files::announce(app, call, announcement).await
}

fn output_model_ids(task: &Document) -> Vec<String> {
    let outputs = task.get_document("models").and_then(|models| models.get_array("output"));
    outputs
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .filter_map(Bson::as_document)
        .filter_map(|item| item.get_str("model").ok())
        .map(str::to_owned)
        .collect()
}

/// The models that the task made or lists as output.
async fn output_models(app: &App, task: &str, listed: &[String]) -> ApiResult<Vec<OutputModel>> {
    let mut filter = Filter::eq("task", task);
    if !listed.is_empty() {
        filter = filter.or(Filter::ids(listed.iter().map(String::as_str)));
    }
    let models =
        app.documents.find(Collection::Model, Find::new(filter).include(["ready", "uri", "task"])).await?;
    Ok(models
        .iter()
        .map(|model| OutputModel {
            id: id_of(model).to_owned(),
            uri: model.get_str("uri").ok().filter(|uri| !uri.is_empty()).map(str::to_owned),
            ready: model.get_bool("ready").unwrap_or(false),
            created_here: model.get_str("task").ok() == Some(task),
        })
        .collect())
}

async fn check_unpublished(app: &App, id: &str, listed: &[String], models: &[OutputModel]) -> ApiResult<()> {
    let refused = |extra: &str| ApiError::new(codes::TASK_CANNOT_BE_DELETED).extra(extra).with("task", id);
    let published_children = Filter::eq("parent", id).and(Filter::eq("status", "published"));
    let children = app.documents.count(Collection::Task, published_children, false).await?;
    if children > 0 {
        return Err(refused("has children, use force=True").with("children", children as i64));
    }
    let made_here = models.iter().filter(|model| model.ready && model.created_here).count();
    if made_here > 0 {
        return Err(refused("has output models, use force=True").with("models", made_here as i64));
    }
    let published: HashSet<&str> =
        models.iter().filter(|model| model.ready).map(|model| model.id.as_str()).collect();
    if let Some(model) = listed.iter().find(|model| published.contains(model.as_str())) {
        return Err(refused("has output model, use force=True").with("model", model.as_str()));
    }
    Ok(())
}

/// The models among these that tasks have as input.
async fn used_as_input(app: &App, models: &[OutputModel]) -> ApiResult<HashSet<String>> {
    if models.is_empty() {
        return Ok(HashSet::new());
    }
    let path = "models.input.model";
    let used = app.documents.distinct(Collection::Task, path, Filter::is_in(path, ids(models))).await?;
    Ok(used.into_iter().filter_map(|id| id.as_str().map(str::to_owned)).collect())
}

fn ids(models: &[OutputModel]) -> impl Iterator<Item = &str> {
    models.iter().map(|model| model.id.as_str())
}

async fn update_models(app: &App, call: &Call, models: &[OutputModel], change: Change) -> ApiResult<u64> {
    if models.is_empty() {
        return Ok(0);
    }
    let mut update = vec![change];
    update.extend(touch::last_change(app.now(), call.user()));
    Ok(app.documents.update_many(Collection::Model, Filter::ids(ids(models)), update).await?.matched)
}

/// Addresses of the artifacts that the task itself made.
fn output_artifact_urls(task: &Document) -> Vec<String> {
    let artifacts = task.get_document("execution").and_then(|execution| execution.get_document("artifacts"));
    let Ok(artifacts) = artifacts else { return Vec::new() };
    artifacts
        .values()
        .filter_map(Bson::as_document)
        .filter(|artifact| artifact.get_str("mode").unwrap_or("output") == "output")
        .filter_map(|artifact| artifact.get_str("uri").ok())
        .filter(|uri| !uri.is_empty())
        .map(str::to_owned)
        .collect()
}
