//! One API call as a handler sees it.

use bson::Document;
use bytes::Bytes;

use super::ApiVersion;

/// Role of a user (spec 01 §3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    System,
    Root,
    Admin,
    Superuser,
    User,
    Annotator,
    Guest,
}

/// Who calls: from the token, or from the credentials (spec 01 §3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// User id.
    pub user: String,
    /// Company id.
    pub company: String,
    pub role: Role,
    pub user_name: String,
    pub company_name: String,
}

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
    /// The token that authenticated the call, if one did.
    pub token: Option<String>,
    /// The request: JSON body, query and form merged (spec 01 §1.2). Empty for a batch.
    pub data: Document,
    /// The items of an `application/json-lines` body, unparsed; `None` for any other body.
    pub batch: Option<Bytes>,
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
