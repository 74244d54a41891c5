//! The endpoints of `debug`: name, first version, access, handler.

use std::sync::Arc;

use bson::{Document, doc};

use crate::{
    App,
    api::{Access, ApiResult, Call, Endpoint, document_endpoint},
};

/// The table of contents of this service.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![document_endpoint("debug.ping", 1, 0, ping).access(Access::Open)]
}

/// Says hello and echoes the request: the health check of old.
async fn ping(_: Arc<App>, _: Arc<Call>, request: Document) -> ApiResult {
    let mut answer = doc! {"msg": "ClearML server"};
    answer.extend(request);
    Ok(answer.into())
}
