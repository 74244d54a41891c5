//! One API call as a handler sees it.

use bson::Document;
use bytes::Bytes;
use clearml_auth::Claims;
pub use clearml_auth::{Identity, Role};

use super::{ApiVersion, memory::Reserved};

/// One API call.
#[derive(Debug)]
pub struct Call {
    /// `meta.id`: 32 hex characters, new for each call.
    pub id: String,
    /// `meta.trx`.
    pub trx: String,
    /// `service.action`.
    pub endpoint: &'static str,
    /// The version in the path, or [`ApiVersion::CURRENT`].
    pub version: ApiVersion,
    /// The caller; `None` only where the endpoint allows it.
    pub identity: Option<Identity>,
    /// The claims of the token that authenticated the call, if one did.
    pub claims: Option<Claims>,
    /// The request: JSON body, query and form merged (spec 01 §1.2). Empty for a batch.
    pub data: Document,
    /// The items of an `application/json-lines` body, unparsed; `None` for any other body. [`super::lines`]
    /// reads them.
    pub batch: Option<Bytes>,
    /// The share of the memory for requests that this one takes, until it is answered.
    #[expect(dead_code, reason = "it is held, not looked at")]
    pub(crate) memory: Reserved,
    /// Worker header, else `<unknown>`.
    pub worker: String,
    /// Address of the caller (spec 01 §1.6).
    pub caller_ip: String,
    /// `Host` header without port.
    pub host: String,
}

impl Call {
    /// The caller's company id; empty if not authenticated.
    pub fn company(&self) -> &str {
        self.identity.as_ref().map_or("", |identity| &identity.company)
    }

    /// The caller's user id; empty if not authenticated.
    pub fn user(&self) -> &str {
        self.identity.as_ref().map_or("", |identity| &identity.user)
    }
}
