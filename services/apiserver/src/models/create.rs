//! `models.create` (spec 04 §1.2).

use std::sync::Arc;

use bson::{Bson, DateTime, Document, doc};
use clearml_documents::{Collection, DocumentStoreExt, Filter};
use indexmap::IndexMap;
use serde::Deserialize;

use super::{schema::MODEL, values};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, Object, from_document},
    metadata::{self, MetadataItem},
    projects::tag_cache::{self, TagField, Tagged},
    query::{check_tags, split_legacy_tags},
    tasks::access::{self, Fields, invalid_task_id},
};

#[derive(Debug, Deserialize)]
struct CreateRequest {
    name: String,
    uri: String,
    labels: Option<Object>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    system_tags: Vec<String>,
    comment: Option<String>,
    project: Option<String>,
    parent: Option<String>,
    framework: Option<String>,
    design: Option<Object>,
    ready: Option<bool>,
    public: Option<bool>,
    ui_cache: Option<Object>,
    task: Option<String>,
    metadata: Option<IndexMap<String, MetadataItem>>,
}

/// `models.create`
pub(crate) async fn create(app: Arc<App>, call: Arc<Call>, mut request: Document) -> ApiResult {
    split_legacy_tags(&mut request, &MODEL, call.version);
    let request_tags = request.clone();
    let request: CreateRequest = from_document(&request)?;
    check_tags(&request_tags)?;
    let public = request.public.unwrap_or(false);
    let company = if public { "" } else { call.company() };
    check_project(&app, company, request.project.as_deref()).await?;
    if let Some(task) = request.task.as_deref() {
        check_task(&app, &call, task, public).await?;
    }
    if let Some(labels) = &request.labels {
        values::check_new_labels(&labels.0)?;
    }

    let id = insert(&app, &call, company, stored_fields(request)?).await?;
    Ok(doc! {"id": id, "created": true}.into())
}

/// Stores a model with these fields; its id. Errors: 400/800 for values that no model has.
pub(super) async fn insert(app: &App, call: &Call, company: &str, mut fields: Document) -> ApiResult<String> {
    values::check_stored(&mut fields)?;
    for field in TagField::BOTH {
        fields.entry(field.name().to_owned()).or_insert_with(|| Vec::<Bson>::new().into());
        if let Ok(tags) = fields.get_array_mut(field.name()) {
            tags.sort_by(|left, right| left.as_str().cmp(&right.as_str()));
        }
    }
    let given: Vec<TagField> = TagField::BOTH
        .into_iter()
        .filter(|field| fields.get_array(field.name()).is_ok_and(|tags| !tags.is_empty()))
        .collect();
    let project = fields.get_str("project").ok().map(str::to_owned);

    let id = app.new_id();
    let mut model = doc! {"_id": id.as_str(), "user": call.user(), "company": company};
    model.extend(traces(app.now(), call.user()));
    model.extend(defaults());
    model.extend(fields);
    app.documents.insert(Collection::Model, model).await?;
    if !given.is_empty() {
        tag_cache::reset(app, call.company(), Tagged::Models, &given, project).await?;
    }
    Ok(id)
}

fn traces(now: DateTime, user: &str) -> Document {
    doc! {"created": now, "last_update": now, "last_change": now, "last_changed_by": user}
}

/// What a new model has unless it is given.
fn defaults() -> Document {
    doc! {
        "design": {}, "labels": {}, "metadata": {}, "ui_cache": {}, "last_iteration": 0, "last_metrics": {},
        "unique_metrics": [],
    }
}

fn stored_fields(request: CreateRequest) -> ApiResult<Document> {
    let metadata = request.metadata.map(metadata::stored_map).transpose()?;
    let fields = doc! {
        "name": request.name,
        "uri": request.uri,
        "labels": request.labels.map(|labels| labels.0),
        "tags": request.tags,
        "system_tags": request.system_tags,
        "comment": request.comment,
        "project": request.project,
        "parent": request.parent,
        "framework": request.framework,
        "design": request.design.map(|design| design.0),
        "ready": request.ready.unwrap_or(true),
        "ui_cache": request.ui_cache.map(|cache| cache.0),
        "task": request.task,
        "metadata": metadata,
    };
    Ok(fields.into_iter().filter(|(_, value)| *value != Bson::Null).collect())
}

async fn check_project(app: &App, company: &str, project: Option<&str>) -> ApiResult<()> {
    let Some(project) = project else { return Ok(()) };
    let exact = Filter::id(project).and(Filter::eq("company", company));
    if app.documents.any(Collection::Project, exact).await? {
        return Ok(());
    }
    Err(ApiError::validation("Invalid project ids").with("project", project))
}

/// The task of a public model is public; that of another one is the caller's to change.
async fn check_task(app: &App, call: &Call, task: &str, public: bool) -> ApiResult<()> {
    if !public {
        access::writable_task(app, call, task, Fields::Only(&[])).await?;
        return Ok(());
    }
    if app.documents.any(Collection::Task, Filter::id(task).and(Filter::eq("company", ""))).await? {
        return Ok(());
    }
    Err(invalid_task_id(task, ""))
}
