//! Making a task from a request: `create` and `validate` (spec 02 §5.1).

use std::sync::Arc;

use bson::{Bson, DateTime, Document, doc};
use clearml_documents::{Collection, DocumentStoreExt};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    conversion,
    project_effects::{self, TagFields},
    references::{self, DELETED_PREFIX, References},
    strictly::{self, Depth},
};
use crate::{
    App,
    api::{ApiResult, Call},
};

/// Request fields that become fields of the task.
pub(crate) const TASK_FIELDS: [&str; 14] = [
    "name",
    "tags",
    "system_tags",
    "type",
    "comment",
    "parent",
    "project",
    "models",
    "container",
    "execution",
    "hyperparams",
    "configuration",
    "script",
    "runtime",
];

/// The type of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TaskType {
    Training,
    Testing,
    Inference,
    DataProcessing,
    Application,
    Monitor,
    Controller,
    Report,
    Optimizer,
    Service,
    Qc,
    Custom,
}

impl TaskType {
    /// Every type, as stored and answered.
    pub(crate) const NAMES: [&str; 12] = [
        "training",
        "testing",
        "inference",
        "data_processing",
        "application",
        "monitor",
        "controller",
        "report",
        "optimizer",
        "service",
        "qc",
        "custom",
    ];
}

/// What a new task must have; all other fields are taken from the request as they are.
#[derive(Debug, Deserialize, JsonSchema)]
#[expect(dead_code, reason = "parsed for the check")]
pub(crate) struct NewTask {
    name: String,
    r#type: TaskType,
}

/// `tasks.create`
pub(crate) async fn create(app: Arc<App>, call: Arc<Call>, _request: NewTask) -> ApiResult {
    let now = app.now();
    let fields = checked_fields(&app, &call, call.data.clone(), now).await?;
    let task = new_task(fields, app.new_id(), &call, now);
    strictly::check_document(&task, Depth::Save)?;
    let id = task.get_str("_id").unwrap_or_default().to_owned();
    let project = task.get_str("project").ok().map(str::to_owned);
    app.documents.insert(Collection::Task, task).await?;
    project_effects::added(&app, &call, project.as_deref(), TagFields::given(&call.data)).await?;
    Ok(doc! {"id": id}.into())
}

/// `tasks.validate`
pub(crate) async fn validate(app: Arc<App>, call: Arc<Call>, _request: NewTask) -> ApiResult {
    let mut request = call.data.clone();
    if request.get_str("parent").is_ok_and(|parent| parent.starts_with(DELETED_PREFIX)) {
        request.remove("parent");
    }
    checked_fields(&app, &call, request, app.now()).await?;
    Ok(Document::new().into())
}

/// The task fields of a request in stored form, with all references checked.
async fn checked_fields(app: &App, call: &Call, request: Document, now: DateTime) -> ApiResult<Document> {
    let mut fields = task_fields(request, now);
    strictly::check_shapes(&fields)?;
    references::check_known(app, &fields).await?;
    conversion::incoming(&mut fields, None, call.version, now)?;
    strictly::check_members(&mut fields)?;
    References::of(&fields).check(app, call).await?;
    Ok(fields)
}

/// The fields of a request that a task takes, without nulls; `output_dest` becomes `output.destination`, the
/// items of `models` are updated now.
pub(crate) fn task_fields(request: Document, now: DateTime) -> Document {
    let mut fields = Document::new();
    for (key, value) in request {
        if value == Bson::Null {
            continue;
        }
        if TASK_FIELDS.contains(&key.as_str()) {
            fields.insert(key, value);
        } else if key == "output_dest" {
            let destination = match value {
                Bson::String(text) => Bson::from(text.trim()),
                other => other,
            };
            fields.insert("output", doc! {"destination": destination});
        }
    }
    if let Some(Bson::String(name)) = fields.get_mut("name") {
        *name = name.trim().to_owned();
    }
    if let Ok(models) = fields.get_document_mut("models") {
        for list in ["input", "output"] {
            let Ok(items) = models.get_array_mut(list) else { continue };
            for item in items.iter_mut().filter_map(Bson::as_document_mut) {
                item.insert("updated", now);
            }
        }
    }
    fields
}

/// A whole task of the given fields: defaults, owner and times added.
pub(crate) fn new_task(fields: Document, id: String, call: &Call, now: DateTime) -> Document {
    let mut task = doc! {
        "_id": id,
        "company": call.company(),
        "user": call.user(),
        "status": "created",
        "created": now,
        "last_update": now,
        "last_change": now,
        "last_changed_by": call.user(),
        "tags": [],
        "system_tags": [],
        "report_assets": [],
        "output": {},
        "execution": {
            "test_split": 0,
            "parameters": {},
            "model_desc": {},
            "model_labels": {},
            "artifacts": {},
        },
        "script": {"binary": "python", "repository": "", "entry_point": "", "requirements": {}},
        "hyperparams": {},
        "configuration": {},
        "runtime": {},
        "models": {"input": [], "output": []},
        "container": {},
        "last_iteration": 0,
        "last_metrics": {},
        "unique_metrics": [],
        "metric_stats": {},
    };
    for (name, value) in fields {
        match (task.get_mut(&name), value) {
            (Some(Bson::Document(defaults)), Bson::Document(given))
                if ["execution", "script", "models"].contains(&name.as_str()) =>
            {
                defaults.extend(given.into_iter().filter(|(_, value)| *value != Bson::Null));
            }
            (_, value) => {
                task.insert(name, value);
            }
        }
    }
    task
}
