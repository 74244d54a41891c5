//! `projects.make_public` and `make_private` (spec 03 §2.10).

use std::{collections::HashSet, sync::Arc};

use bson::{Bson, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find};
use serde::Deserialize;

use crate::{
    App,
    api::{ApiError, ApiResult, Call, codes},
};

#[derive(Debug, Deserialize)]
pub(super) struct IdsRequest {
    ids: Vec<String>,
}

/// Gives own projects to everybody.
pub(super) async fn make_public(app: Arc<App>, call: Arc<Call>, request: IdsRequest) -> ApiResult {
    let own = Filter::eq("company", call.company());
    let update = vec![Change::set("company_origin", call.company()), Change::set("company", "")];
    change(&app, &request.ids, own, update).await
}

/// Takes back projects that were the caller's.
pub(super) async fn make_private(app: Arc<App>, call: Arc<Call>, request: IdsRequest) -> ApiResult {
    let lent = Filter::eq("company", "").and(Filter::eq("company_origin", call.company()));
    let update = vec![Change::set("company", call.company()), Change::unset("company_origin")];
    change(&app, &request.ids, lent, update).await
}

async fn change(app: &App, ids: &[String], eligible: Filter, update: Vec<Change>) -> ApiResult {
    if ids.is_empty() {
        return Err(ApiError::validation(
            "error for field 'ids': value '[]' length is lower than allowed minimum '1'.",
        ));
    }
    let filter = Filter::ids(ids.iter().map(String::as_str)).and(eligible);
    let found = app.documents.find(Collection::Project, Find::new(filter.clone()).include(["_id"])).await?;
    let found: HashSet<&str> = found.iter().filter_map(|project| project.get_str("_id").ok()).collect();
    let missing: Vec<Bson> =
        ids.iter().filter(|id| !found.contains(id.as_str())).map(|id| Bson::from(id.as_str())).collect();
    if !missing.is_empty() {
        return Err(ApiError::new(codes::INVALID_PROJECT_ID).with("ids", missing));
    }
    let updated = app.documents.update_many(Collection::Project, filter, update).await?.matched;
    Ok(doc! { "updated": updated as i64 }.into())
}
