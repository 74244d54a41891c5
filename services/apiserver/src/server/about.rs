//! Version, configuration and endpoints.

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_documents::{Collection, DocumentStoreExt, Filter, Find};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    App,
    api::{ApiError, ApiResult, ApiVersion, Call},
};

/// `server.info` before 2.8.
pub(super) async fn info(app: Arc<App>, _: Arc<Call>, _: Document) -> ApiResult {
    Ok(build(&app).into())
}

/// `server.info` from 2.8 to 2.11.
pub(super) async fn info_with_uid(app: Arc<App>, _: Arc<Call>, _: Document) -> ApiResult {
    let mut answer = build(&app);
    if let Some(uid) = server_uid(&app).await? {
        answer.insert("uid", uid);
    }
    Ok(answer.into())
}

/// `server.info` from 2.12 on.
pub(super) async fn info_with_api_version(app: Arc<App>, _: Arc<Call>, _: Document) -> ApiResult {
    let mut answer = build(&app);
    answer.insert("api_version", ApiVersion::CURRENT.to_string());
    Ok(answer.into())
}

fn build(app: &App) -> Document {
    let server = &app.settings.server;
    doc! {"version": &server.version, "build": &server.build, "commit": &server.commit}
}

/// The installation's id: setting `server.uuid`.
pub(crate) async fn server_uid(app: &App) -> Result<Option<Bson>, ApiError> {
    let setting = app.documents.find_one(Collection::Settings, Find::new(Filter::id("server.uuid"))).await?;
    Ok(setting.and_then(|setting| setting.get("value").cloned()))
}

/// `server.config`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ConfigRequest {
    /// Dotted path of a part.
    path: Option<String>,
}

/// `server.config`: the effective configuration, without its secrets.
pub(super) async fn config(app: Arc<App>, _: Arc<Call>, request: ConfigRequest) -> ApiResult {
    let configuration = &app.settings.server.configuration;
    let Some(path) = request.path.filter(|path| !path.is_empty()) else {
        let mut public = configuration.clone();
        public.remove("secure");
        return Ok(public.into());
    };
    let mut part = configuration;
    for name in path.split('.') {
        part = part
            .get_document(name)
            .ok()
            // Secrets are not shown, whatever the path.
            .filter(|_| name != "secure")
            .ok_or_else(|| ApiError::bad_request(format!("No configuration setting found for key {path}")))?;
    }
    Ok(part.clone().into())
}

/// `server.endpoints`: all endpoints with their versions.
pub(super) async fn endpoints(_: Arc<App>, _: Arc<Call>, _: Document) -> ApiResult {
    let registry = crate::registry();
    let mut names: Vec<_> = registry.iter().collect();
    names.sort_by_key(|(name, _)| *name);
    let mut listed = Document::new();
    for (name, implementations) in names {
        let versions: Vec<Bson> = implementations
            .iter()
            .map(|endpoint| {
                Bson::Document(doc! {
                    "min_version": endpoint.since.to_string(),
                    "required_fields": endpoint.required.to_vec(),
                    "request_data_model": null,
                    "response_data_model": null,
                })
            })
            .collect();
        listed.insert(name, versions);
    }
    Ok(doc! {"endpoints": listed, "models": {}}.into())
}
