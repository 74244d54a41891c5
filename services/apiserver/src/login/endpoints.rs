//! The endpoints of `login`: name, first version, access, handler (spec 01 §5.2).

use std::sync::Arc;

use bson::{Document, doc};

use crate::{
    App,
    api::{Access, ApiResult, Call, Endpoint, document_endpoint},
    auth,
};

/// The table of contents of this service.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        document_endpoint("login.supported_modes", 1, 0, supported_modes).access(Access::Optional),
        document_endpoint("login.logout", 2, 13, auth::logout).access(Access::Optional),
    ]
}

/// What the sign-in page offers.
async fn supported_modes(app: Arc<App>, call: Arc<Call>, _: Document) -> ApiResult {
    Ok(doc! {
        "basic": {"enabled": auth::is_fixed_mode(&app), "guest": auth::guest_mode(&app)},
        "sso": {},
        "sso_providers": [],
        // Both tell of a failed upgrade of Elasticsearch data from before 0.16; such data is refused at
        // start-up instead.
        "server_errors": {"missed_es_upgrade": false, "es_connection_error": false},
        "authenticated": call.identity.is_some(),
    }
    .into())
}
