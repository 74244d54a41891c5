//! What `openapi/services` says of the endpoints of each service.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Map, Value};

const FILES: [(&str, &str); 16] = [
    ("auth", include_str!("services/auth.json")),
    ("debug", include_str!("services/debug.json")),
    ("events", include_str!("services/events.json")),
    ("login", include_str!("services/login.json")),
    ("models", include_str!("services/models.json")),
    ("organization", include_str!("services/organization.json")),
    ("pipelines", include_str!("services/pipelines.json")),
    ("projects", include_str!("services/projects.json")),
    ("queues", include_str!("services/queues.json")),
    ("reports", include_str!("services/reports.json")),
    ("server", include_str!("services/server.json")),
    ("serving", include_str!("services/serving.json")),
    ("storage", include_str!("services/storage.json")),
    ("tasks", include_str!("services/tasks.json")),
    ("users", include_str!("services/users.json")),
    ("workers", include_str!("services/workers.json")),
];

/// One service, as its file describes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Service {
    pub(super) description: String,
    pub(super) endpoints: IndexMap<String, Operation>,
    /// Schemas that several endpoints use; the document has them as `<service>.<name>`.
    #[serde(default)]
    pub(super) schemas: Map<String, Value>,
}

/// One endpoint.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Operation {
    pub(super) summary: String,
    pub(super) description: Option<String>,
    /// Schema of the request where the handler takes it as it is, or of what it reads beside its type.
    pub(super) request: Option<Value>,
    /// Schema of the `data` of the answer.
    pub(super) response: Option<Value>,
    /// Of answers outside the envelope.
    pub(super) content_type: Option<String>,
}

/// All services by name.
pub(super) fn services() -> serde_json::Result<IndexMap<&'static str, Service>> {
    FILES.iter().map(|(name, text)| Ok((*name, serde_json::from_str(text)?))).collect()
}
