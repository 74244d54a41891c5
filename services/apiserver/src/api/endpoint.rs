//! What a service registers: endpoints with their handlers.

use std::{future::Future, pin::Pin, sync::Arc};

use bson::Document;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;

use super::{ApiError, ApiVersion, Call, Role, from_document};
use crate::App;

/// What a handler returns.
pub type ApiResult<T = Reply> = Result<T, ApiError>;

type BoxedHandler =
    Arc<dyn Fn(Arc<App>, Arc<Call>) -> Pin<Box<dyn Future<Output = ApiResult> + Send>> + Send + Sync>;

/// Describes the form of a request.
type RequestSchema = fn(&mut SchemaGenerator) -> Schema;

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
    /// The form of the request; `None`: the file of the service in `openapi/services` says it.
    pub(crate) request: Option<RequestSchema>,
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

/// An endpoint whose request is parsed into `R` by the rules of spec 01 §2; the form of `R` is its description in the
/// OpenAPI document.
pub fn endpoint<R, H, F>(name: &'static str, major: u32, minor: u32, handler: H) -> Endpoint
where
    R: DeserializeOwned + JsonSchema + Send + 'static,
    H: Fn(Arc<App>, Arc<Call>, R) -> F + Send + Sync + 'static,
    F: Future<Output = ApiResult> + Send + 'static,
{
    let handler = Arc::new(handler);
    let run: BoxedHandler = Arc::new(move |app, call| {
        let handler = Arc::clone(&handler);
        Box::pin(async move {
            let request: R = from_document(&call.data)?;
            handler(app, call, request).await
        })
    });
    Endpoint { request: Some(R::json_schema), ..with_handler(name, major, minor, run) }
}

/// An endpoint that takes its request as it is: the query language, and objects that are stored as they come.
pub fn document_endpoint<H, F>(name: &'static str, major: u32, minor: u32, handler: H) -> Endpoint
where
    H: Fn(Arc<App>, Arc<Call>, Document) -> F + Send + Sync + 'static,
    F: Future<Output = ApiResult> + Send + 'static,
{
    let handler = Arc::new(handler);
    let run: BoxedHandler = Arc::new(move |app, call| {
        let handler = Arc::clone(&handler);
        Box::pin(async move {
            let request = call.data.clone();
            handler(app, call, request).await
        })
    });
    with_handler(name, major, minor, run)
}

fn with_handler(name: &'static str, major: u32, minor: u32, handler: BoxedHandler) -> Endpoint {
    Endpoint {
        name,
        since: ApiVersion::new(major, minor),
        access: Access::Authenticated,
        required: &[],
        batch: false,
        request: None,
        handler,
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
