//! The file server: upload, download and deletion of files over HTTP (spec 06 §1).

mod auth;
mod configuration;
mod content;
mod delete;
mod delete_request;
mod download;
mod revocations;
mod storage;
mod tokens;
mod upload;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use clearml_files::{FileError, FileStore};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use percent_encoding::percent_decode_str;

pub use auth::{Refusal, TokenCheck};
pub use configuration::StartError;
pub use revocations::{shared_revocations, shared_state};
pub use storage::StorageError;
pub use tokens::LocalTokens;

/// Settings of the file server; spec 06 §1.1.
#[derive(Debug, Clone)]
pub struct FileServerSettings {
    /// Tell browsers not to keep downloads.
    pub disable_browser_caching: bool,
    /// How long browsers may keep downloads, in seconds.
    pub cache_timeout_sec: u64,
    /// Serve `POST /delete_many`.
    pub allow_batch_delete: bool,
    /// Greatest body of an upload in bytes; 0: no limit.
    pub max_upload_size: u64,
    /// Origins that browsers may call from; `*`: all.
    pub cors_origins: Vec<String>,
    /// Cookies that may hold the token, in order.
    pub cookie_names: Vec<String>,
    /// Value of the `server` response header.
    pub server_header: String,
}

impl Default for FileServerSettings {
    fn default() -> Self {
        Self {
            disable_browser_caching: false,
            cache_timeout_sec: 300,
            allow_batch_delete: true,
            max_upload_size: 0,
            cors_origins: vec!["*".to_owned()],
            cookie_names: vec!["clearml_token_basic".to_owned()],
            server_header: "clearml".to_owned(),
        }
    }
}

/// What the handlers work with.
pub struct FileServer {
    pub settings: FileServerSettings,
    pub files: Arc<dyn FileStore>,
    /// `None`: authentication is switched off.
    pub tokens: Option<Arc<dyn TokenCheck>>,
}

/// The HTTP interface.
pub fn router(server: Arc<FileServer>) -> Router {
    Router::new()
        .fallback(handle)
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&server), common_headers))
        .with_state(server)
}

/// Finds the action by method and path: any path can be a file, so there are no routes.
async fn handle(State(server): State<Arc<FileServer>>, request: Request) -> Response {
    let (request, body) = request.into_parts();
    if let Some(encoding) = request.headers.get(header::CONTENT_ENCODING).filter(|value| !value.is_empty()) {
        let encoding = String::from_utf8_lossy(encoding.as_bytes());
        let text = format!("Content encoding is not supported ({encoding})");
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, text).into_response();
    }
    let Ok(path) = percent_decode_str(request.uri.path()).decode_utf8().map(std::borrow::Cow::into_owned)
    else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let path = path.trim_start_matches('/');
    let is_root = path.is_empty();
    let method = request.method.clone();
    let batch = server.settings.allow_batch_delete && path == "delete_many";

    if method == Method::OPTIONS {
        return (StatusCode::OK, [(header::ALLOW, allowed_methods(is_root, batch))]).into_response();
    }
    let known = match method {
        Method::GET | Method::HEAD => true,
        Method::POST => is_root || batch,
        Method::DELETE => !is_root,
        _ => false,
    };
    if !known {
        let allow = [(header::ALLOW, allowed_methods(is_root, batch))];
        return (StatusCode::METHOD_NOT_ALLOWED, allow).into_response();
    }
    if let Err(refusal) = server.authenticate(&request.headers, is_root && method != Method::POST).await {
        return refusal.into_response();
    }
    match method {
        Method::POST if is_root => upload::upload(&server, &request.headers, body).await,
        Method::POST => delete::delete_many(&server, body).await,
        Method::DELETE => delete::delete_one(&server, path).await,
        _ if is_root => "OK".into_response(),
        _ => download::download(&server, path, &request).await,
    }
}

fn allowed_methods(is_root: bool, batch: bool) -> &'static str {
    match (is_root, batch) {
        (true, _) => "GET, HEAD, OPTIONS, POST",
        (false, true) => "DELETE, GET, HEAD, OPTIONS, POST",
        (false, false) => "DELETE, GET, HEAD, OPTIONS",
    }
}

/// The headers that every response carries, errors too (spec 06 §1.2, §1.8).
async fn common_headers(State(server): State<Arc<FileServer>>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let preflight = preflight_headers(request.method(), request.headers());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if let Ok(name) = HeaderValue::from_str(&server.settings.server_header) {
        headers.insert(header::SERVER, name);
    }
    let origins = &server.settings.cors_origins;
    if origins.iter().any(|allowed| allowed == "*") {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.extend(preflight);
    } else if let Some(origin) =
        origin.filter(|origin| origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()))
    {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        headers.extend(preflight);
    }
    response
}

fn preflight_headers(method: &Method, request: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if method != Method::OPTIONS || !request.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
        return headers;
    }
    let methods = HeaderValue::from_static("DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    if let Some(requested) = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, requested.clone());
    }
    headers
}

/// The status of a call that a file operation failed. Clients try again after 503.
fn failure_status(error: &FileError) -> StatusCode {
    match error {
        FileError::NotFound | FileError::UnsupportedName => StatusCode::NOT_FOUND,
        FileError::NoSpace => StatusCode::INSUFFICIENT_STORAGE,
        FileError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        FileError::NotAFile | FileError::Io(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A JSON body.
fn json(status: StatusCode, value: &serde_json::Value) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (status, headers, Body::from(value.to_string())).into_response()
}
