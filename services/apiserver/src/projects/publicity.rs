//! `projects.make_public` and `make_private` (spec 03 §2.10).

use std::sync::Arc;

use clearml_documents::{Collection, Update};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    App,
    api::{ApiResult, Call},
    publicity::{self, Publicity},
};

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct IdsRequest {
    ids: Vec<String>,
}

/// Gives own projects to everybody.
pub(super) async fn make_public(app: Arc<App>, call: Arc<Call>, request: IdsRequest) -> ApiResult {
    publicity::change(&app, &call, Collection::Project, &request.ids, Publicity::Public, Update::new()).await
}

/// Takes back projects that were the caller's.
pub(super) async fn make_private(app: Arc<App>, call: Arc<Call>, request: IdsRequest) -> ApiResult {
    publicity::change(&app, &call, Collection::Project, &request.ids, Publicity::Private, Update::new()).await
}
