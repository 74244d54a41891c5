//! `tasks.clone`: a new draft made of an existing task (spec 02 §5.2).

use std::sync::Arc;

use bson::{Bson, DateTime, Document, doc};
use clearml_documents::{Collection, DocumentStoreExt};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    access::{self, Fields, id_of},
    artifacts, create, hyperparams, legacy,
    project_effects::{self, TagFields},
    references::{DELETED_PREFIX, References},
    schema::EXECUTION,
    strictly::{self, Depth},
};
use crate::{
    App,
    api::{ApiResult, Call, Object},
    projects, query,
};

/// System tags that a clone does not take over.
const NOT_INHERITED: [&str; 2] = ["development", "archived"];

/// An input model of the new task.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct InputModel {
    name: String,
    model: String,
}

/// Request of `tasks.clone`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct CloneTask {
    pub(crate) task: String,
    #[serde(default)]
    pub(crate) new_task_name: Option<String>,
    #[serde(default)]
    pub(crate) new_task_comment: Option<String>,
    #[serde(default)]
    pub(crate) new_task_tags: Vec<String>,
    #[serde(default)]
    pub(crate) new_task_system_tags: Vec<String>,
    #[serde(default)]
    pub(crate) new_task_parent: Option<String>,
    #[serde(default)]
    pub(crate) new_task_project: Option<String>,
    #[serde(default)]
    pub(crate) new_project_name: Option<String>,
    #[serde(default)]
    pub(crate) new_task_hyperparams: Object,
    #[serde(default)]
    pub(crate) new_task_configuration: Object,
    #[serde(default)]
    pub(crate) new_task_container: Object,
    #[serde(default)]
    pub(crate) new_task_input_models: Vec<InputModel>,
    #[serde(default)]
    pub(crate) execution_overrides: Object,
    #[serde(default)]
    pub(crate) validate_references: bool,
}

/// `tasks.clone`
pub(crate) async fn clone(app: Arc<App>, call: Arc<Call>, request: CloneTask) -> ApiResult {
    let Cloned { task, new_project } = clone_task(&app, &call, request).await?;
    let mut data = doc! {"id": id_of(&task)};
    if let Some(new_project) = new_project {
        data.insert("new_project", new_project);
    }
    Ok(data.into())
}

/// A clone as it was made.
pub(crate) struct Cloned {
    /// As stored.
    pub(crate) task: Document,
    /// Id and name of its project, if that was given by name.
    new_project: Option<Document>,
}

/// Makes a clone.
///
/// # Errors
/// 400/101 no such task, 403/21 a public project, 400/401, 400/201 unknown references, 400/800 odd values.
pub(crate) async fn clone_task(app: &App, call: &Call, mut request: CloneTask) -> ApiResult<Cloned> {
    query::check_tags(&doc! {
        "tags": request.new_task_tags.clone(),
        "system_tags": request.new_task_system_tags.clone(),
    })?;
    let source = access::visible_task(app, call, &request.task, Fields::All).await?;
    let now = app.now();
    let overrides = Overrides::take(&mut request.execution_overrides.0, now)?;

    let mut fields = inherited(&source);
    apply_texts_and_tags(&mut fields, &request);
    fields.insert("parent", parent_of_clone(&source, request.new_task_parent.as_deref()));
    fields.insert("models", doc! {"input": input_models(&source, &request, &overrides, now), "output": []});
    apply_container(&mut fields, &request, &overrides)?;
    apply_parameters(&mut fields, &request)?;
    fields.insert("execution", execution(&source, overrides.execution));
    strictly::check_members(&mut fields)?;

    let new_project = find_new_project(app, call, &mut fields, &request).await?;
    check_references(app, call, &fields, &request, overrides.model.is_some()).await?;
    let task = create::new_task(fields, app.new_id(), call, now);
    strictly::check_document(&task, Depth::Save)?;

    let project = task.get_str("project").ok().map(str::to_owned);
    let tags = if project.as_deref() == source.get_str("project").ok() {
        TagFields {
            tags: !request.new_task_tags.is_empty(),
            system_tags: !request.new_task_system_tags.is_empty(),
        }
    } else {
        TagFields::BOTH
    };
    app.documents.insert(Collection::Task, task.clone()).await?;
    project_effects::added(app, call, project.as_deref(), tags).await?;
    Ok(Cloned { task, new_project })
}

/// The part of `execution_overrides` that is not kept in `execution`, and the rest.
struct Overrides {
    model: Option<String>,
    docker_command: Option<String>,
    execution: Document,
}

impl Overrides {
    fn take(overrides: &mut Document, now: DateTime) -> ApiResult<Self> {
        let mut execution = std::mem::take(overrides);
        let model = take_text(&mut execution, "model");
        let docker_command = take_text(&mut execution, "docker_cmd");
        // Accepted by the API, without any effect.
        execution.remove("parameters");
        execution.remove("model_desc");
        let mut fields = doc! {"execution": execution};
        super::conversion::incoming(&mut fields, None, crate::api::ApiVersion::CURRENT, now)?;
        let execution = match fields.remove("execution") {
            Some(Bson::Document(execution)) => execution,
            _ => Document::new(),
        };
        Ok(Self { model, docker_command, execution })
    }
}

fn take_text(document: &mut Document, name: &str) -> Option<String> {
    match document.remove(name) {
        Some(Bson::String(text)) => Some(text),
        _ => None,
    }
}

/// What a clone has of its source as it is.
fn inherited(source: &Document) -> Document {
    ["name", "comment", "project", "type", "script", "tags", "container", "hyperparams", "configuration"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), source.get(name)?.clone())))
        .filter(|(_, value)| *value != Bson::Null)
        .chain([
            ("system_tags".to_owned(), inherited_system_tags(source).into()),
            ("output".to_owned(), inherited_output(source).into()),
        ])
        .collect()
}

fn inherited_system_tags(source: &Document) -> Vec<Bson> {
    source
        .get_array("system_tags")
        .into_iter()
        .flatten()
        .filter(|tag| tag.as_str().is_none_or(|tag| !NOT_INHERITED.contains(&tag)))
        .cloned()
        .collect()
}

fn inherited_output(source: &Document) -> Document {
    let destination = source.get_document("output").and_then(|output| output.get_str("destination"));
    destination.map(|destination| doc! {"destination": destination}).unwrap_or_default()
}

fn apply_texts_and_tags(fields: &mut Document, request: &CloneTask) {
    for (name, text) in [("name", &request.new_task_name), ("comment", &request.new_task_comment)] {
        if let Some(text) = text.as_deref().filter(|text| !text.is_empty()) {
            fields.insert(name, if name == "name" { text.trim() } else { text });
        }
    }
    for (name, tags) in [("tags", &request.new_task_tags), ("system_tags", &request.new_task_system_tags)] {
        if !tags.is_empty() {
            fields.insert(name, tags.clone());
        }
    }
}

/// A clone of a clone has the same parent as the clone.
fn parent_of_clone(source: &Document, given: Option<&str>) -> String {
    if let Some(given) = given.filter(|given| !given.is_empty()) {
        return given.to_owned();
    }
    let parent = source.get_str("parent").unwrap_or_default();
    if parent.is_empty() || parent.starts_with(DELETED_PREFIX) {
        return access::id_of(source).to_owned();
    }
    parent.to_owned()
}

fn input_models(source: &Document, request: &CloneTask, overrides: &Overrides, now: DateTime) -> Bson {
    if !request.new_task_input_models.is_empty() {
        let items = request
            .new_task_input_models
            .iter()
            .map(|item| Bson::from(doc! {"name": &item.name, "model": &item.model, "updated": now}));
        return items.collect::<Vec<_>>().into();
    }
    if let Some(model) = &overrides.model {
        return legacy::input_models(model, now);
    }
    let stored = source.get_document("models").and_then(|models| models.get_array("input"));
    stored.cloned().unwrap_or_default().into()
}

fn apply_container(fields: &mut Document, request: &CloneTask, overrides: &Overrides) -> ApiResult<()> {
    if !request.new_task_container.0.is_empty() {
        fields.insert("container", hyperparams::escape_keys(&request.new_task_container.0)?);
    } else if let Some(command) = overrides.docker_command.as_deref().filter(|text| !text.is_empty()) {
        fields.insert("container", legacy::container(command));
    }
    Ok(())
}

fn apply_parameters(fields: &mut Document, request: &CloneTask) -> ApiResult<()> {
    if !request.new_task_hyperparams.0.is_empty() {
        let sections = hyperparams::escape_parameters(&request.new_task_hyperparams.0)?;
        fields.insert("hyperparams", sections);
    }
    if !request.new_task_configuration.0.is_empty() {
        let items = hyperparams::escape_configuration(&request.new_task_configuration.0)?;
        fields.insert("configuration", items);
    }
    Ok(())
}

/// The source's execution with the overrides, without its queue and what it made.
fn execution(source: &Document, overrides: Document) -> Document {
    let mut execution = source.get_document("execution").cloned().unwrap_or_default();
    execution.extend(overrides);
    let is_kept = |key: &str| key != "queue" && EXECUTION.iter().any(|field| field.name == key);
    let mut execution: Document =
        execution.into_iter().filter(|(key, value)| is_kept(key) && *value != Bson::Null).collect();
    if let Ok(artifacts) = execution.get_document_mut("artifacts") {
        *artifacts =
            std::mem::take(artifacts).into_iter().filter(|(_, artifact)| is_input(artifact)).collect();
    }
    if let Ok(labels) = execution.get_document_mut("model_labels") {
        let names: Vec<String> = labels.keys().cloned().collect();
        for name in names {
            strictly::make_integer(labels, &name);
        }
    }
    execution
}

fn is_input(artifact: &Bson) -> bool {
    let mode = artifact.as_document().and_then(|artifact| artifact.get_str("mode").ok());
    mode == Some(artifacts::Mode::Input.as_str())
}

/// Sets the project of the clone; the answer's `new_project` if it was given by name.
async fn find_new_project(
    app: &App,
    call: &Call,
    fields: &mut Document,
    request: &CloneTask,
) -> ApiResult<Option<Document>> {
    if let Some(project) = request.new_task_project.as_deref().filter(|id| !id.is_empty()) {
        fields.insert("project", project);
        return Ok(None);
    }
    let Some(name) = request.new_project_name.as_deref().filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    let project = projects::find_or_create(app, call, None, Some(name)).await?;
    fields.insert("project", project.clone().map_or(Bson::Null, Bson::from));
    Ok(Some(doc! {"id": project, "name": name}))
}

/// Checks what is overridden or, if the request asks for it, everything; the clone is never made in a public
/// project.
async fn check_references(
    app: &App,
    call: &Call,
    fields: &Document,
    request: &CloneTask,
    overrides_model: bool,
) -> ApiResult<()> {
    let all = References::of(fields);
    let given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    if request.validate_references {
        return all.check(app, call).await;
    }
    if let Some(project) = all.project
        && !given(&request.new_task_project)
        && !given(&request.new_project_name)
    {
        super::references::check_not_public(app, project).await?;
    }
    let mut checked = References::default();
    if given(&request.new_task_parent) {
        checked.parent = all.parent;
    }
    if given(&request.new_task_project) || given(&request.new_project_name) {
        checked.project = all.project;
    }
    if overrides_model || !request.new_task_input_models.is_empty() {
        checked.input_models = all.input_models;
    }
    checked.check(app, call).await
}
