//! What a service registers: endpoints with their handlers.

use std::{future::Future, pin::Pin, sync::Arc};

use bson::Document;
use serde::de::DeserializeOwned;

use super::{ApiError, ApiVersion, Call, Role, from_document};
use crate::App;

/// What a handler returns.
pub type ApiResult<T = Reply> = Result<T, ApiError>;

type BoxedHandler =
    Arc<dyn Fn(Arc<App>, Arc<Call>) -> Pin<Box<dyn Future<Output = ApiResult> + Send>> + Send + Sync>;

/// Who may call an endpoint (spec 01 §3.1, §3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Any authenticated caller.
    Authenticated,
    /// Authenticated callers with one of these roles.
    Roles(&'static [Role]),
    /// Everybody; credentials are not looked at.
    Open,
    /// Everybody; valid credentials are recognised, others ignored.
    Optional,
}

/// One implementation of an endpoint: it answers requests from `since` up to the next implementation.
#[derive(Clone)]
pub struct Endpoint {
    /// `service.action`.
    pub name: &'static str,
    /// First version it answers.
    pub since: ApiVersion,
    pub access: Access,
    /// Keys that must be present in the request, else 400/11 `missing=(…)`.
    pub required: &'static [&'static str],
    /// Takes a json-lines body in [`Call::batch`]; others refuse one.
    pub batch: bool,
    pub(crate) handler: BoxedHandler,
}

impl Endpoint {
    /// Only callers with one of these roles.
    #[must_use]
    pub fn roles(mut self, roles: &'static [Role]) -> Self {
        self.access = Access::Roles(roles);
        self
    }

    /// Sets who may call.
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Keys that must be present in the request.
    #[must_use]
    pub fn required(mut self, keys: &'static [&'static str]) -> Self {
        self.required = keys;
        self
    }

    /// Accepts a json-lines body.
    #[must_use]
    pub fn batch(mut self) -> Self {
        self.batch = true;
        self
    }
}

/// An endpoint whose request is parsed into `R` by the rules of spec 01 §2. `R` = [`Document`] takes the
/// request as it is.
pub fn endpoint<R, H, F>(name: &'static str, major: u32, minor: u32, handler: H) -> Endpoint
where
    R: DeserializeOwned + Send + 'static,
    H: Fn(Arc<App>, Arc<Call>, R) -> F + Send + Sync + 'static,
    F: Future<Output = ApiResult> + Send + 'static,
{
    let handler = Arc::new(handler);
    Endpoint {
        name,
        since: ApiVersion::new(major, minor),
        access: Access::Authenticated,
        required: &[],
        batch: false,
        handler: Arc::new(move |app, call| {
            let handler = Arc::clone(&handler);
            Box::pin(async move {
                let request: R = from_document(&call.data)?;
                handler(app, call, request).await
            })
        }),
    }
}

/// What an endpoint answers.
#[derive(Debug)]
pub enum Reply {
    /// The `data` of the envelope.
    Data(Document),
    /// The `data` of the envelope, and the session cookie: `Some` sets it to the token, `None` removes it.
    WithCookie { data: Document, token: Option<String> },
    /// The `data` of the envelope, written as JSON already (an object).
    Json(Vec<u8>),
    /// A body outside the envelope, streamed (spec 01 §1.4).
    Raw { content_type: &'static str, file_name: String, body: axum::body::Body },
}

impl From<Document> for Reply {
    fn from(data: Document) -> Self {
        Self::Data(data)
    }
}
