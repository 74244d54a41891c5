//! The web server: the Web-App's files, its configuration, and the `/api` and `/files` proxies (spec 06 §2).

mod assets;
mod configuration;
mod from_config;
mod proxy;

use std::{path::PathBuf, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::{Map, Value, json};

pub use configuration::{ConfigurationError, configuration_from, credentials_from};
pub use from_config::SettingsError;
pub use proxy::{Backend, InvalidBackend};

use assets::Assets;

/// Settings of the web server.
#[derive(Debug, Clone, Default)]
pub struct WebServerSettings {
    /// Path under which everything is served, without slashes; empty: the root.
    pub sub_path: String,
    /// `configuration.json` for the Web-App (spec 06 §2.3).
    pub configuration: Map<String, Value>,
    /// `credentials.json`, where the official Web-App's simple mode needs one.
    pub credentials: Option<Value>,
    /// A directory with another Web-App, for example the official one; `None`: the built-in one.
    pub web_root: Option<PathBuf>,
    /// `version` in `version.json`.
    pub version: String,
}

/// What the handlers work with.
pub struct WebServer {
    settings: WebServerSettings,
    assets: Assets,
    api: Backend,
    files: Backend,
}

impl WebServer {
    /// A web server in front of an API server and a file server.
    pub fn new(settings: WebServerSettings, api: Backend, files: Backend) -> Self {
        let assets = Assets::new(settings.web_root.clone());
        Self { settings, assets, api, files }
    }
}

/// The HTTP interface.
pub fn router(server: Arc<WebServer>) -> Router {
    let compression = tower_http::compression::CompressionLayer::new();
    let pages = Router::new()
        .fallback(page)
        .layer(axum::middleware::from_fn(page_headers))
        .layer(compression)
        .with_state(Arc::clone(&server));
    Router::new().fallback(handle).with_state(Dispatch { server, pages })
}

/// The proxied services answer as they are; what the web server answers itself is compressed and gets its headers.
#[derive(Clone)]
struct Dispatch {
    server: Arc<WebServer>,
    pages: Router,
}

async fn handle(State(Dispatch { server, pages }): State<Dispatch>, mut request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let sub_path = &server.settings.sub_path;
    if !sub_path.is_empty() {
        match path.strip_prefix('/').and_then(|path| path.strip_prefix(sub_path.as_str())) {
            Some("") => return redirect(&format!("/{sub_path}/")),
            Some(rest) if rest.starts_with('/') => set_path(&mut request, rest),
            // The root paths work as well.
            _ => {}
        }
    }
    let path = request.uri().path().to_owned();
    if let Some(rest) = below(&path, "/api") {
        return proxied(&server, &server.api, rest, request).await;
    }
    if let Some(rest) = below(&path, "/files") {
        return proxied(&server, &server.files, rest, request).await;
    }
    match tower::ServiceExt::oneshot(pages, request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// The part of a path below a prefix, with its slash: `/api/x` and `/api` are below `/api`, `/apix` is not.
fn below<'p>(path: &'p str, prefix: &str) -> Option<&'p str> {
    match path.strip_prefix(prefix)? {
        "" => Some("/"),
        rest if rest.starts_with('/') => Some(rest),
        _ => None,
    }
}

async fn proxied(server: &WebServer, backend: &Backend, path: &str, mut request: Request) -> Response {
    set_path(&mut request, path);
    match backend.call(request).await {
        Ok(response) => response,
        Err(error) => {
            tracing::warn!(%error, "failed to reach a backend");
            let mut response = server.assets.index(&server.settings.sub_path).await;
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response
        }
    }
}

/// Replaces the path of a request; leading double slashes are merged.
fn set_path(request: &mut Request, path: &str) {
    let path = format!("/{}", path.trim_start_matches('/'));
    let target = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    if let Ok(uri) = target.parse() {
        *request.uri_mut() = uri;
    }
}

fn redirect(location: &str) -> Response {
    (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, location)]).into_response()
}

/// What the web server answers itself.
async fn page(State(server): State<Arc<WebServer>>, request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response();
    }
    let settings = &server.settings;
    match request.uri().path() {
        "/configuration.json" => generated_json(&Value::Object(settings.configuration.clone())),
        "/credentials.json" => match &settings.credentials {
            Some(credentials) => generated_json(credentials),
            None => StatusCode::NOT_FOUND.into_response(),
        },
        "/version.json" => generated_json(&json!({ "version": settings.version })),
        "/env.js" => {
            let sub_path =
                if settings.sub_path.is_empty() { String::new() } else { format!("/{}", settings.sub_path) };
            let script = format!("window.__env = {{ subPath: {} }};\n", Value::from(sub_path));
            generated("text/javascript; charset=utf-8", script)
        }
        path => server.assets.answer(path, request.headers(), &settings.sub_path).await,
    }
}

fn generated_json(value: &Value) -> Response {
    generated("application/json", value.to_string())
}

fn generated(content_type: &'static str, body: String) -> Response {
    let headers = [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-cache")];
    (headers, Body::from(body)).into_response()
}

/// The headers of all pages (spec 06 §2.2).
async fn page_headers(request: Request, next: Next) -> Response {
    let embeddable = below(request.uri().path(), "/widgets").is_some();
    let mut response = next.run(request).await;
    let shown = response.status().is_success() || response.status().is_redirection();
    let mut set = |name: HeaderName, value: &'static str| {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    };
    set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if shown {
        let ancestors = if embeddable { "frame-ancestors *" } else { "frame-ancestors 'self'" };
        set(header::CONTENT_SECURITY_POLICY, ancestors);
        set(header::X_XSS_PROTECTION, "1; mode=block");
        set(header::REFERRER_POLICY, "no-referrer-when-downgrade");
    }
    response
}
