//! Running a pipeline again: `start_pipeline`, `check_new_run` (spec 03 §3.5, 09 §10.4).

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find, Update};
use schemars::JsonSchema;
use serde::Deserialize;

use super::naming;
use crate::{
    App,
    api::{ApiError, ApiResult, Call, Object},
    projects,
    query::Visibility,
    tasks::{
        access::{self, Fields, id_of},
        clone::{self, CloneTask},
        enqueue, hyperparams,
    },
    workers,
};

const STATUS_MESSAGE: &str = "Starting pipeline";

/// A parameter of the new run.
#[derive(Debug, Deserialize, JsonSchema)]
struct Argument {
    name: String,
    value: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct StartRequest {
    task: String,
    /// The source's own if there is none.
    queue: Option<String>,
    #[serde(default)]
    args: Vec<Argument>,
    #[serde(default)]
    verify_watched_queue: bool,
    /// Where the run becomes a pipeline of its own.
    new_project_name: Option<String>,
    new_pipeline_name: Option<String>,
    new_pipeline_version: Option<String>,
}

/// `pipelines.start_pipeline`: clones the controller and enqueues the clone.
pub(super) async fn start_pipeline(app: Arc<App>, call: Arc<Call>, request: StartRequest) -> ApiResult {
    let source = access::visible_task(&app, &call, &request.task, Fields::All).await?;
    let queue = queue_of(&request, &source)?.to_owned();
    let target = match given(request.new_project_name.as_deref()) {
        Some(location) => {
            let name = given(request.new_pipeline_name.as_deref());
            Some(NewPipeline::ensure(&app, &call, location, name, &source).await?)
        }
        None => None,
    };
    let version = given(request.new_pipeline_version.as_deref());
    let clone = CloneTask {
        task: request.task.clone(),
        new_task_project: target.as_ref().map(|target| target.project.clone()),
        new_task_hyperparams: parameters(&source, &request.args, version),
        ..CloneTask::default()
    };
    let run = clone::clone_task(&app, &call, clone).await?.task;

    let mut update = Update::new();
    if let Some(name) = run_name(&app, &call, &run, target.as_ref()).await? {
        update.push(Change::set("name", name));
    }
    if let Some(version) = version {
        update.push(Change::set("runtime.version", version));
    }
    if !update.is_empty() {
        app.documents.update_one(Collection::Task, Filter::id(id_of(&run)), update).await?;
    }
    enqueue::enqueue_in(&app, &call, id_of(&run), &queue, STATUS_MESSAGE).await?;

    let mut answer = doc! {"pipeline": id_of(&run), "enqueued": true};
    if request.verify_watched_queue {
        answer.insert("queue_watched", workers::is_watched(&app, call.company(), &queue).await?);
    }
    if let Some(target) = target {
        answer.insert("new_project", doc! {"id": target.project, "name": target.project_name});
    }
    Ok(answer.into())
}

/// Errors: 400/12 if neither the request nor the source names a queue.
fn queue_of<'a>(request: &'a StartRequest, source: &'a Document) -> ApiResult<&'a str> {
    let of_source = || source.get_document("execution").ok()?.get_str("queue").ok();
    given(request.queue.as_deref())
        .or_else(|| given(of_source()))
        .ok_or_else(|| ApiError::validation("error for field 'queue'. field is required!"))
}

fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.trim().is_empty())
}

/// The source's parameters with the arguments and the version; empty if they are the source's.
fn parameters(source: &Document, arguments: &[Argument], version: Option<&str>) -> Object {
    if arguments.is_empty() && version.is_none() {
        return Object::default();
    }
    let mut sections =
        source.get_document("hyperparams").map(hyperparams::unescape_parameters).unwrap_or_default();
    let mut set = |section: &str, name: &str, value: &str| {
        if !matches!(sections.get(section), Some(Bson::Document(_))) {
            sections.insert(section, Document::new());
        }
        if let Ok(items) = sections.get_document_mut(section) {
            items.insert(name, doc! {"section": section, "name": name, "value": value});
        }
    };
    for argument in arguments {
        set("Args", &argument.name, &argument.value);
    }
    if let Some(version) = version {
        set("properties", "version", version);
    }
    Object(sections)
}

/// A place for a pipeline of its own.
struct NewPipeline {
    name: String,
    project: String,
    project_name: String,
}

impl NewPipeline {
    /// Finds or makes the hidden project of the pipeline.
    async fn ensure(
        app: &App,
        call: &Call,
        location: &str,
        name: Option<&str>,
        source: &Document,
    ) -> ApiResult<Self> {
        let name = pipeline_name(name, source);
        let project_name = naming::project_name(location, name);
        let container = naming::container_name(location);
        projects::ensure_special(app, call, &container, &["hidden"], "").await?;
        let project = projects::ensure_special(app, call, &project_name, &["hidden", "pipeline"], "").await?;
        Ok(Self { name: name.to_owned(), project, project_name })
    }
}

/// The wanted name, or else that of the controller without its number.
fn pipeline_name<'a>(wanted: Option<&'a str>, source: &'a Document) -> &'a str {
    let controller = || naming::without_number(source.get_str("name").unwrap_or_default());
    wanted.map_or_else(controller, str::trim)
}

/// What the run is called: after its pipeline, with its number. `None`: as its source.
async fn run_name(
    app: &App,
    call: &Call,
    run: &Document,
    target: Option<&NewPipeline>,
) -> ApiResult<Option<String>> {
    if let Some(target) = target {
        let others = naming::count_runs(app, call, &target.project, &target.name, run).await?;
        let is_first = others == 0;
        return Ok(Some(if is_first {
            target.name.clone()
        } else {
            format!("{} #{}", target.name, others + 1)
        }));
    }
    let Ok(project) = run.get_str("project") else { return Ok(None) };
    let find = Find::new(Filter::id(project)).include(["name"]);
    let Some(stored) = app.documents.find_one(Collection::Project, find).await? else { return Ok(None) };
    let name = stored.get_str("name").unwrap_or_default();
    let base = name.rsplit('/').next().unwrap_or(name);
    let others = naming::count_runs(app, call, project, base, run).await?;
    let own_name = run.get_str("name").unwrap_or_default();
    let is_pipeline = projects::texts(run, "system_tags").iter().any(|tag| tag == "pipeline");
    let counts = is_pipeline && naming::without_number(own_name).ends_with(base);
    let runs = others + u64::from(counts);
    Ok(Some(if runs > 0 { format!("{base} #{runs}") } else { base.to_owned() }))
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct CheckRequest {
    task: String,
    new_project_name: String,
    new_pipeline_name: Option<String>,
}

/// `pipelines.check_new_run`: the pipeline that a new run would be added to, if there is one already.
pub(super) async fn check_new_run(app: Arc<App>, call: Arc<Call>, request: CheckRequest) -> ApiResult {
    let source = access::visible_task(&app, &call, &request.task, Fields::Only(&["name"])).await?;
    let name = pipeline_name(given(request.new_pipeline_name.as_deref()), &source);
    let name = projects::clean_name(&naming::project_name(&request.new_project_name, name))?;
    let filter = Filter::eq("name", name).and(Visibility::own(&call).filter());
    let existing = app.documents.find_one(Collection::Project, Find::new(filter).include(["name"])).await?;
    let mut answer = Document::new();
    if let Some(project) = existing {
        let name = project.get("name").cloned();
        answer.insert("existing_project", doc! {"id": id_of(&project), "name": name});
    }
    Ok(answer.into())
}
