//! `projects.validate_delete` and `projects.delete` (spec 03 §2.9).

use std::{collections::HashSet, sync::Arc};

use bson::{Bson, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    contents, tag_cache,
    tree::{descendants, texts, writable_project},
};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, ErrorCode, codes},
};

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ValidateDeleteRequest {
    project: String,
}

/// Counts what a deletion of the project would take along.
pub(super) async fn validate_delete(
    app: Arc<App>,
    call: Arc<Call>,
    request: ValidateDeleteRequest,
) -> ApiResult {
    let scope = Scope::load(&app, &call, &request.project).await?;
    let count = async |collection, filter: Filter| -> ApiResult<i64> {
        Ok(app.documents.count(collection, filter, false).await? as i64)
    };
    let tasks = scope.regular().and(Filter::ne("system_tags", "reports"));
    let reports = scope.regular().and(Filter::eq("system_tags", "reports"));
    let models = scope.regular();
    Ok(doc! {
        "tasks": count(Collection::Task, tasks.clone()).await?,
        "non_archived_tasks": count(Collection::Task, tasks.and(not_archived())).await?,
        "reports": count(Collection::Task, reports.clone()).await?,
        "non_archived_reports": count(Collection::Task, reports.and(not_archived())).await?,
        "models": count(Collection::Model, models.clone()).await?,
        "non_archived_models": count(Collection::Model, models.and(not_archived())).await?,
        "pipelines": projects_with(&app, scope.pipelines()).await?,
        "datasets": projects_with(&app, scope.datasets()).await?,
    }
    .into())
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct DeleteRequest {
    project: String,
    #[serde(default)]
    force: bool,
    #[serde(default)]
    delete_contents: bool,
    delete_external_artifacts: Option<bool>,
}

/// Deletes a project with all below it; what is in them goes as well or stays without a project.
pub(super) async fn delete(app: Arc<App>, call: Arc<Call>, request: DeleteRequest) -> ApiResult {
    let scope = Scope::load(&app, &call, &request.project).await?;
    if !request.force {
        refuse_contents(&app, &scope, &request.project).await?;
    }
    let mut answer = doc! { "deleted": scope.all.len() as i64 };
    if request.delete_contents {
        let with_files = request.delete_external_artifacts.unwrap_or(true);
        let deleted = contents::delete(&app, &call, &request.project, &scope.all, with_files).await?;
        answer.extend(doc! {
            "disassociated_tasks": 0_i64,
            "deleted_models": deleted.models,
            "deleted_tasks": deleted.tasks,
            "urls": deleted.urls,
        });
    } else {
        let disassociated = disassociate(&app, &scope.all).await?;
        answer.extend(doc! {
            "disassociated_tasks": disassociated,
            "deleted_models": 0_i64,
            "deleted_tasks": 0_i64,
            "urls": Bson::Null,
        });
    }
    app.documents.delete(Collection::Project, Filter::ids(scope.all.clone())).await?;
    let affected: Vec<String> = scope.all.into_iter().chain(scope.ancestors).collect();
    tag_cache::reset_all(&app, call.company(), &affected).await?;
    Ok(answer.into())
}

async fn refuse_contents(app: &App, scope: &Scope, id: &str) -> ApiResult<()> {
    let refuse = |code: ErrorCode, hint: &str| ApiError::new(code).extra(hint).with("id", id);
    if app.documents.any(Collection::Task, scope.pipelines()).await? {
        return Err(refuse(
            codes::PROJECT_HAS_PIPELINES,
            "please archive all the controllers or use force=true",
        ));
    }
    if app.documents.any(Collection::Task, scope.datasets()).await? {
        return Err(refuse(
            codes::PROJECT_HAS_DATASETS,
            "please delete all the dataset versions or use force=true",
        ));
    }
    let active = scope.regular().and(not_archived());
    if app.documents.any(Collection::Task, active.clone()).await? {
        return Err(refuse(codes::PROJECT_HAS_TASKS, "use force=true"));
    }
    if app.documents.any(Collection::Model, active).await? {
        return Err(refuse(codes::PROJECT_HAS_MODELS, "use force=true"));
    }
    Ok(())
}

/// Leaves tasks and models without a project; the number of tasks.
async fn disassociate(app: &App, projects: &[String]) -> ApiResult<i64> {
    let mut tasks = 0;
    for collection in [Collection::Task, Collection::Model] {
        let filter = Filter::is_in("project", projects.iter().map(String::as_str));
        let update = vec![Change::set("project", Bson::Null)];
        let matched = app.documents.update_many(collection, filter, update).await?.matched;
        if collection == Collection::Task {
            tasks = matched;
        }
    }
    Ok(tasks as i64)
}

/// A project with all below it, by what they are for.
struct Scope {
    all: Vec<String>,
    pipelines: Vec<String>,
    datasets: Vec<String>,
    regular: Vec<String>,
    ancestors: Vec<String>,
}

impl Scope {
    async fn load(app: &App, call: &Call, id: &str) -> ApiResult<Self> {
        let project = writable_project(app, call, id).await?;
        let ancestors = texts(&project, "path");
        let mut members = descendants(app, id, &["basename", "system_tags"]).await?;
        members.insert(0, project);

        let mut scope = Self {
            all: Vec::new(),
            pipelines: Vec::new(),
            datasets: Vec::new(),
            regular: Vec::new(),
            ancestors,
        };
        for member in &members {
            let Ok(id) = member.get_str("_id") else { continue };
            let kind = if is_kind(member, "pipeline", ".pipelines") {
                &mut scope.pipelines
            } else if is_kind(member, "dataset", ".datasets") {
                &mut scope.datasets
            } else {
                &mut scope.regular
            };
            kind.push(id.to_owned());
            scope.all.push(id.to_owned());
        }
        Ok(scope)
    }

    /// Active controllers of pipelines.
    fn pipelines(&self) -> Filter {
        in_projects(&self.pipelines).and(Filter::eq("type", "controller")).and(not_archived())
    }

    /// Active dataset versions.
    fn datasets(&self) -> Filter {
        in_projects(&self.datasets).and(not_archived())
    }

    /// What is in projects that are neither pipelines nor datasets.
    fn regular(&self) -> Filter {
        in_projects(&self.regular)
    }
}

fn is_kind(project: &Document, tag: &str, container: &str) -> bool {
    texts(project, "system_tags").iter().any(|known| known == tag)
        && project.get_str("basename").ok() != Some(container)
}

fn in_projects(projects: &[String]) -> Filter {
    Filter::is_in("project", projects.iter().map(String::as_str))
}

fn not_archived() -> Filter {
    Filter::ne("system_tags", "archived")
}

/// Number of projects that have such a task.
async fn projects_with(app: &App, tasks: Filter) -> ApiResult<i64> {
    let projects = app.documents.distinct(Collection::Task, "project", tasks).await?;
    Ok(projects.iter().filter_map(Bson::as_str).collect::<HashSet<_>>().len() as i64)
}
