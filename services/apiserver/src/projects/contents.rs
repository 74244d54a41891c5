//! Deleting what is in projects (spec 03 §2.9, `delete_contents`).

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use bson::{Bson, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find, Update, Write};

use crate::{
    App,
    api::{ApiResult, Call},
    external_files::{self, Announcement, Pacing, Reason, Removal},
};

/// What a reference to a deleted model becomes.
const DELETED_MODEL: &str = "__DELETED__";
/// Ids in one query.
const CHUNK: usize = 500;

/// What was deleted.
pub(super) struct Deleted {
    pub(super) tasks: i64,
    pub(super) models: i64,
    /// Files that nobody is scheduled to delete.
    pub(super) urls: Document,
}

/// Deletes all tasks and models of `project` and those below it (`projects` are all of these) with their
/// events, and has their files deleted.
pub(super) async fn delete(
    app: &Arc<App>,
    call: &Call,
    project: &str,
    projects: &[String],
    with_files: bool,
) -> ApiResult<Deleted> {
    let in_scope = Filter::is_in("project", projects.iter().map(String::as_str));
    let models = app
        .documents
        .find(Collection::Model, Find::new(in_scope.clone()).include(["uri", "task", "ready"]))
        .await?;
    let tasks = app
        .documents
        .find(Collection::Task, Find::new(in_scope).include(["execution.artifacts", "models.output"]))
        .await?;
    let (model_ids, task_ids) = (ids(&models), ids(&tasks));

    let mut urls = FileUrls {
        models: models.iter().filter_map(|model| text(model, "uri")).collect(),
        artifacts: tasks.iter().flat_map(artifact_urls).collect(),
    };

    unlink_models(app, call, projects, &models).await?;
    unlink_tasks(app, call, projects, &task_ids).await?;
    let mut removal = Removal::new(with_files);
    let owners: Vec<String> = task_ids.iter().chain(&model_ids).cloned().collect();
    let files: Vec<String> = urls.models.iter().chain(&urls.artifacts).cloned().collect();
    let announcement =
        Announcement { reason: Reason::Deletion, owner: project, ids: &owners, urls: &files, with_files };
    removal.announced(external_files::announce(app, call, announcement).await?);
    removal.add(project, &owners, files);
    external_files::remove(app, call, removal, Pacing::MayLinger).await?;
    if with_files {
        urls.retain(|url| !external_files::is_deletable(app, url));
    }
    let deleted_models = delete_documents(app, Collection::Model, &model_ids).await?;
    let deleted_tasks = delete_documents(app, Collection::Task, &task_ids).await?;
    Ok(Deleted { tasks: deleted_tasks, models: deleted_models, urls: urls.answer() })
}

fn ids(documents: &[Document]) -> Vec<String> {
    documents.iter().filter_map(|document| text(document, "_id")).collect()
}

fn text(document: &Document, field: &str) -> Option<String> {
    document.get_str(field).ok().filter(|text| !text.is_empty()).map(ToOwned::to_owned)
}

/// Urls of artifacts that the task itself produced.
fn artifact_urls(task: &Document) -> Vec<String> {
    let artifacts = task.get_document("execution").and_then(|execution| execution.get_document("artifacts"));
    let Ok(artifacts) = artifacts else { return Vec::new() };
    artifacts
        .values()
        .filter_map(Bson::as_document)
        .filter(|artifact| artifact.get_str("mode").is_ok_and(|mode| mode == "output"))
        .filter_map(|artifact| text(artifact, "uri"))
        .collect()
}

/// Addresses of files that lose their owner.
struct FileUrls {
    models: BTreeSet<String>,
    artifacts: BTreeSet<String>,
}

impl FileUrls {
    fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.models.retain(|url| keep(url));
        self.artifacts.retain(|url| keep(url));
    }

    /// The urls that remain for the caller to delete.
    fn answer(self) -> Document {
        let list = |urls: BTreeSet<String>| urls.into_iter().collect::<Vec<_>>();
        doc! {
            "model_urls": list(self.models),
            "artifact_urls": list(self.artifacts),
            "event_urls": [],
        }
    }
}

fn last_change(app: &App, call: &Call) -> [Change; 2] {
    [Change::set("last_change", app.now()), Change::set("last_changed_by", call.user())]
}

fn outside(projects: &[String]) -> Filter {
    Filter::not_in("project", projects.iter().map(String::as_str))
}

fn update_many(filter: Filter, update: Update) -> Write {
    Write::Update { filter, update, many: true, upsert: false }
}

/// Mends the tasks elsewhere that use or made models that go.
async fn unlink_models(app: &App, call: &Call, projects: &[String], models: &[Document]) -> ApiResult<()> {
    for chunk in models.chunks(CHUNK) {
        let chunk_ids = ids(chunk);
        let of_chunk = Filter::is_in("model", chunk_ids.iter().map(String::as_str));
        let used =
            outside(projects).and(Filter::is_in("models.input.model", chunk_ids.iter().map(String::as_str)));
        let mut writes = vec![update_many(
            used,
            vec![Change::SetInElements {
                array: "models.input".to_owned(),
                matching: of_chunk.clone(),
                set: vec![("model".to_owned(), Bson::from(DELETED_MODEL))],
            }],
        )];

        let creators: HashSet<String> = chunk.iter().filter_map(|model| text(model, "task")).collect();
        if !creators.is_empty() {
            let created = Filter::ids(creators.iter().map(String::as_str)).and(outside(projects));
            let published = Filter::eq("status", "published");
            let mut mark = vec![Change::SetInElements {
                array: "models.output".to_owned(),
                matching: of_chunk.clone(),
                set: vec![("model".to_owned(), Bson::from(DELETED_MODEL))],
            }];
            mark.extend(last_change(app, call));
            let mut pull = vec![Change::Pull("models.output".to_owned(), of_chunk)];
            pull.extend(last_change(app, call));
            writes.push(update_many(created.clone().and(published.clone()), mark));
            writes.push(update_many(created.and(published.negate()), pull));
        }
        app.documents.write(Collection::Task, writes).await?;
    }
    Ok(())
}

/// Mends the tasks and models elsewhere that refer to tasks that go.
async fn unlink_tasks(app: &App, call: &Call, projects: &[String], tasks: &[String]) -> ApiResult<()> {
    for chunk in tasks.chunks(CHUNK) {
        let children = Filter::is_in("parent", chunk.iter().map(String::as_str)).and(outside(projects));
        app.documents
            .update_many(Collection::Task, children, vec![Change::set("parent", Bson::Null)])
            .await?;
        let made = Filter::is_in("task", chunk.iter().map(String::as_str)).and(outside(projects));
        let mut update = vec![Change::set("task", Bson::Null)];
        update.extend(last_change(app, call));
        app.documents.update_many(Collection::Model, made, update).await?;
    }
    Ok(())
}

async fn delete_documents(app: &App, collection: Collection, ids: &[String]) -> ApiResult<i64> {
    let mut deleted = 0;
    for chunk in ids.chunks(CHUNK) {
        deleted += app.documents.delete(collection, Filter::ids(chunk.iter().map(String::as_str))).await?;
    }
    Ok(deleted as i64)
}
