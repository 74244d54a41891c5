//! `organization.get_user_companies` (spec 03 §3.2).

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_documents::{Collection, DocumentStoreExt, Filter, Find, Sort};

use crate::{
    App,
    api::{ApiResult, Call},
};

/// The caller's company with its users.
pub(super) async fn get_user_companies(app: Arc<App>, call: Arc<Call>, _request: Document) -> ApiResult {
    let company = call.company();
    let find = Find::new(Filter::id(company)).include(["name"]);
    let stored = app.documents.find_one(Collection::Company, find).await?.unwrap_or_default();
    let find = Find::new(Filter::eq("company", company))
        .include(["name", "avatar"])
        .sort(Sort::ascending("name"))
        .sort(Sort::ascending("_id"));
    let users = app.documents.find(Collection::User, find).await?;
    let owners: Vec<Bson> = users
        .iter()
        .map(|user| {
            doc! {
                "id": user.get("_id").cloned(),
                "name": user.get("name").cloned(),
                "avatar": user.get("avatar").cloned(),
            }
            .into()
        })
        .collect();
    let answer = doc! {
        "id": company,
        "name": stored.get("name").cloned(),
        "allocated": owners.len() as i64,
        "owners": owners,
    };
    Ok(doc! {"companies": [answer]}.into())
}
