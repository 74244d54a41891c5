//! Writing reports: `create`, `update`, `move`, `publish`, `archive`, `unarchive`, `delete` (spec 03 §3.6,
//! 09 §6).

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find, Update};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    access::{REPORT, writable_report},
    excerpt::excerpt,
    location,
};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, codes},
    projects, query,
    tasks::{
        access::{expected_created, id_of, status_of},
        create::new_task,
        status::{StatusChange, TaskStatus},
        strictly::{self, Depth},
        touch,
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct CreateRequest {
    name: String,
    project: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    comment: Option<String>,
}

/// `reports.create`
pub(super) async fn create(app: Arc<App>, call: Arc<Call>, request: CreateRequest) -> ApiResult {
    query::check_tags(&doc! {"tags": request.tags.clone()})?;
    let mut fields = doc! {
        "name": request.name.trim(),
        "type": REPORT,
        "system_tags": ["hidden", "reports"],
        "tags": sorted(request.tags),
    };
    if let Some(comment) = request.comment {
        fields.insert("comment", comment);
    }
    strictly::check_document(&fields, Depth::Save)?;
    let target = match request.project.as_deref().filter(|project| !project.is_empty()) {
        Some(project) => {
            let project = projects::writable_project(&app, &call, project).await?;
            project.get_str("name").unwrap_or_default().to_owned()
        }
        None => String::new(),
    };
    let project = location::ensure(&app, &call, &target).await?;
    fields.insert("project", project.as_str());
    let report = new_task(fields, app.new_id(), &call, app.now());
    let id = id_of(&report).to_owned();
    app.documents.insert(Collection::Task, report).await?;
    projects::touch(&app, [project.as_str()]).await?;
    Ok(doc! {"id": id, "project_id": project}.into())
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct UpdateRequest {
    task: String,
    name: Option<String>,
    tags: Option<Vec<String>>,
    comment: Option<String>,
    report: Option<String>,
    report_assets: Option<Vec<String>>,
}

impl UpdateRequest {
    /// What is to be set.
    fn fields(self) -> Document {
        let mut fields = Document::new();
        let mut set = |name: &str, value: Option<Bson>| {
            if let Some(value) = value {
                fields.insert(name, value);
            }
        };
        set("name", self.name.map(|name| name.trim().into()));
        set("tags", self.tags.map(Bson::from));
        set("comment", self.comment.map(Bson::from));
        set("report", self.report.map(Bson::from));
        set("report_assets", self.report_assets.map(Bson::from));
        fields
    }
}

/// `reports.update`: the text of a draft only; name, tags and comment at any time.
pub(super) async fn update(app: Arc<App>, call: Arc<Call>, request: UpdateRequest) -> ApiResult {
    let report = writable_report(&app, &call, &request.task).await?;
    let mut fields = request.fields();
    if fields.is_empty() {
        return Ok(doc! {"updated": 0_i64}.into());
    }
    query::check_tags(&fields)?;
    let changes_text = fields.keys().any(|field| field.starts_with("report"));
    if changes_text && status_of(&report) != TaskStatus::Created.as_str() {
        return Err(expected_created(&report));
    }
    strictly::check_document(&fields, Depth::Edit)?;
    let mut update: Update = fields.iter().map(|(path, value)| Change::set(path, value.clone())).collect();
    update.extend(touch::last_update(app.now(), call.user()));
    let updated = update_report(&app, &report, update).await?;

    let short = fields.get_str("report").ok().map(excerpt);
    if let Some(short) = short {
        fields.insert("report", short);
    }
    query::answer_tags(&mut fields, call.version);
    Ok(doc! {"updated": updated as i64, "fields": fields}.into())
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct MoveRequest {
    task: String,
    project: Option<String>,
    project_name: Option<String>,
}

/// `reports.move`: to another project, or to none.
pub(super) async fn move_report(app: Arc<App>, call: Arc<Call>, request: MoveRequest) -> ApiResult {
    let report = writable_report(&app, &call, &request.task).await?;
    let project_name = request.project_name.as_deref().filter(|name| !name.is_empty());
    if !call.data.contains_key("project") && project_name.is_none() {
        return Err(
            ApiError::new(codes::MISSING_REQUIRED_FIELDS).extra("project or project_name is required")
        );
    }
    let target = match (project_name, request.project.as_deref().filter(|project| !project.is_empty())) {
        (Some(name), _) => name.to_owned(),
        (None, Some(id)) => own_project_name(&app, &call, id).await?,
        (None, None) => String::new(),
    };
    let project = location::ensure(&app, &call, &target).await?;
    let mut update = vec![Change::set("project", project.as_str())];
    update.extend(touch::last_change(app.now(), call.user()));
    update_report(&app, &report, update).await?;
    let former = report.get_str("project").ok().filter(|former| *former != project);
    location::delete_if_empty(&app, former).await?;
    projects::touch(&app, [project.as_str()]).await?;
    Ok(doc! {"project_id": project}.into())
}

async fn own_project_name(app: &App, call: &Call, id: &str) -> ApiResult<String> {
    let own = Filter::id(id).and(Filter::eq("company", call.company()));
    let project = app
        .documents
        .find_one(Collection::Project, Find::new(own).include(["name"]))
        .await?
        .ok_or_else(|| projects::invalid_project_id(id))?;
    Ok(project.get_str("name").unwrap_or_default().to_owned())
}

/// A report, and why.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ReportRequest {
    task: String,
    #[serde(default)]
    message: Option<String>,
}

/// `reports.publish`: from any status.
pub(super) async fn publish(app: Arc<App>, call: Arc<Call>, request: ReportRequest) -> ApiResult {
    let report = writable_report(&app, &call, &request.task).await?;
    let changed = StatusChange::new(&report, TaskStatus::Published)
        .force(true)
        .message(request.message.unwrap_or_default())
        .set("published", app.now())
        .apply(&app, call.user())
        .await?;
    Ok(Document::from(changed).into())
}

/// `reports.archive`
pub(super) async fn archive(app: Arc<App>, call: Arc<Call>, request: ReportRequest) -> ApiResult {
    let add = Change::AddToSet("system_tags".to_owned(), vec!["archived".into()]);
    let archived = retag(&app, &call, request, add).await?;
    Ok(doc! {"archived": archived}.into())
}

/// `reports.unarchive`
pub(super) async fn unarchive(app: Arc<App>, call: Arc<Call>, request: ReportRequest) -> ApiResult {
    let remove = Change::PullAll("system_tags".to_owned(), vec!["archived".into()]);
    let unarchived = retag(&app, &call, request, remove).await?;
    Ok(doc! {"unarchived": unarchived}.into())
}

async fn retag(app: &App, call: &Call, request: ReportRequest, change: Change) -> ApiResult<i64> {
    let report = writable_report(app, call, &request.task).await?;
    let mut update = vec![
        change,
        Change::set("status_message", request.message.unwrap_or_default()),
        Change::set("status_reason", ""),
    ];
    update.extend(touch::last_change(app.now(), call.user()));
    Ok(update_report(app, &report, update).await? as i64)
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct DeleteRequest {
    task: String,
}

/// `reports.delete`: whatever its status.
pub(super) async fn delete(app: Arc<App>, call: Arc<Call>, request: DeleteRequest) -> ApiResult {
    let report = writable_report(&app, &call, &request.task).await?;
    let deleted = app.documents.delete(Collection::Task, Filter::id(id_of(&report))).await?;
    location::delete_if_empty(&app, report.get_str("project").ok()).await?;
    Ok(doc! {"deleted": deleted as i64}.into())
}

async fn update_report(app: &App, report: &Document, update: Update) -> ApiResult<u64> {
    Ok(app.documents.update_one(Collection::Task, Filter::id(id_of(report)), update).await?.matched)
}

fn sorted(mut tags: Vec<String>) -> Vec<String> {
    tags.sort_unstable();
    tags
}
