//! `models.add_or_update_metadata` and `models.delete_metadata` (spec 04 §0.2).

use std::sync::Arc;

use bson::doc;
use clearml_documents::{Collection, DocumentStoreExt, Update};
use schemars::JsonSchema;
use serde::Deserialize;

use super::access;
use crate::{
    App,
    api::{ApiResult, Call, check},
    metadata::{self, MetadataItem},
    tasks::touch,
};

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct AddMetadataRequest {
    model: String,
    #[serde(default)]
    metadata: Vec<MetadataItem>,
    replace_metadata: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct DeleteMetadataRequest {
    model: String,
    #[serde(default)]
    keys: Vec<String>,
}

/// `models.add_or_update_metadata`
pub(crate) async fn add_or_update(app: Arc<App>, call: Arc<Call>, request: AddMetadataRequest) -> ApiResult {
    check::not_empty("metadata", &request.metadata)?;
    let replace = request.replace_metadata.unwrap_or(false);
    change(&app, &call, &request.model, metadata::add_or_update(request.metadata, replace)?).await
}

/// `models.delete_metadata`
pub(crate) async fn delete(app: Arc<App>, call: Arc<Call>, request: DeleteMetadataRequest) -> ApiResult {
    check::not_empty("keys", &request.keys)?;
    change(&app, &call, &request.model, metadata::delete(&request.keys)?).await
}

async fn change(app: &App, call: &Call, model: &str, mut update: Update) -> ApiResult {
    update.extend(touch::last_update(app.now(), call.user()));
    let own = access::own(call.company(), model);
    let outcome = app.documents.update_one(Collection::Model, own, update).await?;
    if outcome.matched == 0 {
        return Err(access::unknown_model(call.company(), model));
    }
    Ok(doc! {"updated": 1}.into())
}
