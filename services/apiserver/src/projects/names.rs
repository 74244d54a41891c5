//! Names in use among tasks and models: metrics, hyperparameters, metadata keys (spec 03 §2.10).

use std::{collections::BTreeMap, sync::Arc};

use bson::{Bson, Document, doc};
use clearml_documents::{Collection, Filter};
use schemars::JsonSchema;
use serde::Deserialize;

use super::scope::{PageRequest, in_project, visible};
use crate::{
    App,
    api::{ApiResult, Call},
    query::unescape_key,
};

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct MetricVariantsRequest {
    project: Option<String>,
    include_subprojects: Option<bool>,
    #[serde(default)]
    ids: Vec<String>,
    #[serde(default)]
    model_metrics: bool,
}

/// Distinct metrics and variants that tasks (or models) have values of.
pub(super) async fn get_unique_metric_variants(
    app: Arc<App>,
    call: Arc<Call>,
    request: MetricVariantsRequest,
) -> ApiResult {
    let include_subprojects = request.include_subprojects.unwrap_or(true);
    let mut filter = visible(&call).and(in_project(&app, request.project, include_subprojects).await?);
    if !request.ids.is_empty() {
        filter = filter.and(Filter::ids(request.ids));
    }
    let collection = if request.model_metrics { Collection::Model } else { Collection::Task };
    let mut variants: BTreeMap<(String, String), Document> = BTreeMap::new();
    for found in app.documents.map_keys(collection, "last_metrics", 2, filter).await? {
        let keys = keys(&found);
        let ([metric_hash, variant_hash], Ok(leaf)) = (keys.as_slice(), found.get_document("leaf")) else {
            continue;
        };
        let (Ok(metric), Ok(variant)) = (leaf.get_str("metric"), leaf.get_str("variant")) else { continue };
        variants.entry((metric.to_owned(), variant.to_owned())).or_insert_with(|| {
            doc! {
                "metric": metric,
                "metric_hash": *metric_hash,
                "variant": variant,
                "variant_hash": *variant_hash,
            }
        });
    }
    Ok(doc! { "metrics": variants.into_values().collect::<Vec<_>>() }.into())
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct KeysRequest {
    project: Option<String>,
    include_subprojects: Option<bool>,
    page: Option<i64>,
    page_size: Option<i64>,
}

/// Distinct hyperparameters of tasks.
pub(super) async fn get_hyper_parameters(app: Arc<App>, call: Arc<Call>, request: KeysRequest) -> ApiResult {
    let page = PageRequest::new(request.page, request.page_size);
    let stored = stored_keys(&app, &call, Collection::Task, "hyperparams", 2, request).await?;
    let parameters: Vec<Document> = page
        .of(stored)
        .into_iter()
        .filter_map(|keys| match keys.as_slice() {
            [section, name] => Some(doc! { "section": unescape_key(section), "name": unescape_key(name) }),
            _ => None,
        })
        .collect();
    // Clients page until they get nothing: `total` is that of this page, and nothing ever remains.
    let total = parameters.len() as i64;
    Ok(doc! { "parameters": parameters, "total": total, "remaining": 0_i64 }.into())
}

/// Distinct metadata keys of models.
pub(super) async fn get_model_metadata_keys(
    app: Arc<App>,
    call: Arc<Call>,
    request: KeysRequest,
) -> ApiResult {
    let page = PageRequest::new(request.page, request.page_size);
    let stored = stored_keys(&app, &call, Collection::Model, "metadata", 1, request).await?;
    let mut names: Vec<String> =
        page.of(stored).into_iter().flatten().map(|key| unescape_key(&key)).collect();
    names.sort_unstable();
    let total = names.len() as i64;
    Ok(doc! { "keys": names, "total": total, "remaining": 0_i64 }.into())
}

/// The distinct key paths of a map field, as they are stored, in order.
async fn stored_keys(
    app: &App,
    call: &Call,
    collection: Collection,
    path: &str,
    depth: usize,
    request: KeysRequest,
) -> ApiResult<Vec<Vec<String>>> {
    let include_subprojects = request.include_subprojects.unwrap_or(true);
    let filter = visible(call).and(in_project(app, request.project, include_subprojects).await?);
    let found = app.documents.map_keys(collection, path, depth, filter).await?;
    let mut stored: Vec<Vec<String>> = found
        .iter()
        .map(|found| keys(found).into_iter().map(ToOwned::to_owned).collect::<Vec<String>>())
        // Keys of the official server's own, such as `_cls`, are no names.
        .filter(|keys: &Vec<String>| !keys.iter().any(|key| key.starts_with('_')))
        .collect();
    stored.sort_unstable();
    stored.dedup();
    Ok(stored)
}

fn keys(found: &Document) -> Vec<&str> {
    found.get_array("keys").map(|keys| keys.iter().filter_map(Bson::as_str).collect()).unwrap_or_default()
}
