//! Deleting runs of a pipeline (spec 03 §3.5).

use std::{collections::HashSet, sync::Arc};

use clearml_documents::{Collection, Filter, Find};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    App,
    api::{ApiError, ApiResult, Call, Many, check, codes},
    tasks::{access::id_of, delete::delete_pipeline_runs},
};

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct DeleteRunsRequest {
    project: String,
    #[serde(default)]
    ids: Vec<String>,
}

/// `pipelines.delete_runs`: deletes runs with their steps; one run at least stays. Ids that are no runs of the
/// pipeline do not matter.
pub(super) async fn delete_runs(app: Arc<App>, call: Arc<Call>, request: DeleteRunsRequest) -> ApiResult {
    check::not_empty("ids", &request.ids)?;
    let controllers = Filter::eq("company", call.company())
        .and(Filter::eq("project", request.project.as_str()))
        .and(Filter::eq("type", "controller"));
    let runs = app.documents.find(Collection::Task, Find::new(controllers).include(["_id"])).await?;
    let runs: HashSet<&str> = runs.iter().map(id_of).collect();
    let mut seen = HashSet::new();
    let ids: Vec<String> = request
        .ids
        .iter()
        .filter(|id| runs.contains(id.as_str()) && seen.insert(id.as_str()))
        .cloned()
        .collect();
    if ids.len() == runs.len() {
        return Err(ApiError::new(codes::CANNOT_REMOVE_ALL_RUNS).with("project", request.project.as_str()));
    }
    if ids.is_empty() {
        return Ok(Many::default().into_document().into());
    }
    let many = delete_pipeline_runs(&app, &call, &ids, "Pipeline run deleted").await?;
    Ok(many.into_document().into())
}
