//! The description of the API for people and programs: an OpenAPI 3.1 document at `/openapi.json`, and a page that
//! shows it at `/docs`.
//!
//! The document is made from what answers the calls: endpoints, versions and access from the [`Registry`], requests from
//! the types that the handlers take. Answers, the few requests that have no type, and a line on each endpoint are in
//! `openapi/services`, a file per service; tests hold them against real answers.

mod document;
mod errors;
mod service;
mod viewer;

use std::sync::Arc;

use axum::body::{Body, Bytes};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;

use crate::api::Registry;

/// Answers the requests for the document and for the page; the document is made for the first that asks.
pub(crate) struct Reference {
    registry: Arc<Registry>,
    /// Name of the session cookie.
    cookie: String,
    document: OnceCell<Document>,
}

/// The document as it is sent.
struct Document {
    text: Bytes,
    etag: HeaderValue,
}

impl Reference {
    pub(crate) fn new(registry: Arc<Registry>, cookie: &str) -> Self {
        Self { registry, cookie: cookie.to_owned(), document: OnceCell::new() }
    }

    /// The answer to a request for `path`; `None` if it is for something else.
    pub(crate) async fn answer(&self, parts: &Parts, path: &str) -> Option<Response<Body>> {
        if parts.method != Method::GET && parts.method != Method::HEAD {
            return None;
        }
        match path {
            "/openapi.json" => Some(self.document(&parts.headers).await),
            _ => viewer::answer(path, &parts.headers),
        }
    }

    async fn document(&self, request: &HeaderMap) -> Response<Body> {
        match self.document.get_or_try_init(|| self.make()).await {
            Ok(document) => {
                let json = HeaderValue::from_static("application/json");
                cached(request, json, document.etag.clone(), document.text.clone())
            }
            Err(error) => {
                tracing::error!(%error, "failed to describe the API");
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            }
        }
    }

    async fn make(&self) -> anyhow::Result<Document> {
        let (registry, cookie) = (Arc::clone(&self.registry), self.cookie.clone());
        let text = tokio::task::spawn_blocking(move || {
            anyhow::Ok(serde_json::to_vec(&document::describe(&registry, &cookie)?)?)
        })
        .await??;
        Ok(Document { etag: etag(&text)?, text: text.into() })
    }
}

/// A tag that changes with the content. A weak one, since the content may be sent compressed.
fn etag(content: &[u8]) -> anyhow::Result<HeaderValue> {
    let digest: String = Sha256::digest(content).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Ok(HeaderValue::from_str(&format!("W/\"{digest}\""))?)
}

/// The content, or that the client has it already. It is asked for each time: the next version of the server may
/// have another.
fn cached(
    request: &HeaderMap,
    content_type: HeaderValue,
    etag: HeaderValue,
    content: impl Into<Body>,
) -> Response<Body> {
    let is_known = request
        .get(header::IF_NONE_MATCH)
        .and_then(|tags| tags.to_str().ok())
        .is_some_and(|tags| tags.split(',').any(|tag| tag.trim().as_bytes() == etag.as_bytes()));
    let mut response = if is_known { Response::new(Body::empty()) } else { Response::new(content.into()) };
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::ETAG, etag);
    response
}
