//! The way of a request through the server (spec 01 §2): path → endpoint → access → body → handler → answer.

use std::{sync::Arc, time::Instant};

use axum::{body::Body, extract::State};
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use tower_http::compression::{
    CompressionLayer, CompressionLevel,
    predicate::{Predicate, SizeAbove},
};
use tracing::Instrument;

use super::{
    ApiError, ApiVersion, Call, Endpoint, Registry, Reply,
    access::{Caller, Visit},
    body::{self, BodyLimits, RequestData},
    codes, cookie, cors,
    envelope::{self, Meta},
    headers, json, path,
};
use crate::{App, openapi::Reference};

/// Answers below this size are not worth compressing.
const COMPRESS_FROM: u64 = 500;

/// The whole API as one service: every path and method ends here.
pub fn router(app: Arc<App>, registry: Arc<Registry>) -> axum::Router {
    let is_compressed = app.settings.api.compress;
    let reference = Reference::new(Arc::clone(&registry), &app.settings.auth.cookie_name);
    let server = Arc::new(Server { app, registry, reference });
    let router = axum::Router::new().fallback(serve).with_state(server);
    if !is_compressed {
        return router;
    }
    let compression = CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(SizeAbove::new(COMPRESS_FROM).and(is_worth_compressing));
    router.layer(compression)
}

fn is_worth_compressing(
    status: StatusCode,
    _: http::Version,
    headers: &http::HeaderMap,
    _: &http::Extensions,
) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    status.is_success()
        && (content_type.starts_with(b"text/") || content_type.starts_with(b"application/json"))
}

struct Server {
    app: Arc<App>,
    registry: Arc<Registry>,
    /// Describes the API.
    reference: Reference,
}

async fn serve(State(server): State<Arc<Server>>, request: Request<Body>) -> Response<Body> {
    let settings = &server.app.settings.api;
    let (parts, body) = request.into_parts();
    let path = path::decode(parts.uri.path(), &settings.strip_prefix);
    let mut response = if let Some(response) = outside_api(&parts, &path) {
        response
    } else if let Some(response) = server.reference.answer(&parts, &path).await {
        response
    } else {
        server.call(&parts, body).await
    };
    let headers = response.headers_mut();
    if let Ok(name) = HeaderValue::from_str(&settings.server_header) {
        headers.insert(header::SERVER, name);
    }
    headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    cors::allow(&settings.cors, &parts.method, &parts.headers, headers);
    response
}

/// The answer to requests that are no calls.
fn outside_api(parts: &Parts, path: &str) -> Option<Response<Body>> {
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    let (status, content_type, text) = if parts.method == Method::OPTIONS {
        (StatusCode::OK, html, String::new())
    } else if let Some(encoding) = headers::text(&parts.headers, header::CONTENT_ENCODING) {
        let text = format!("Content encoding is not supported ({encoding})");
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, plain, text)
    } else if path.contains("/static/") {
        let text = "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n";
        (StatusCode::NOT_FOUND, html, text.to_owned())
    } else {
        return None;
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    Some(response)
}

impl Server {
    /// Answers one call, measures and logs it.
    async fn call(&self, parts: &Parts, body: Body) -> Response<Body> {
        let started = Instant::now();
        let id = self.app.new_id();
        let mut meta = Meta {
            trx: headers::prefixed(&parts.headers, "trx").unwrap_or_else(|| id.clone()),
            id,
            endpoint: String::new(),
            requested_version: None,
            actual_version: None,
        };
        let span = tracing::info_span!("call", call_id = %meta.id, endpoint = tracing::field::Empty);
        let outcome = self.answer(parts, body, &mut meta).instrument(span.clone()).await;
        span.record("endpoint", &meta.endpoint);
        let settings = &self.app.settings.api;
        let (mut response, failure) = match outcome {
            Ok(response) => (response, None),
            Err(error) => (meta.failure(&error, settings.return_stack), Some(error)),
        };
        if response.status() == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        span.in_scope(|| report(&meta, response.status(), failure.as_ref(), started));
        response
    }

    async fn answer(&self, parts: &Parts, body: Body, meta: &mut Meta) -> Result<Response<Body>, ApiError> {
        let app = &self.app;
        let endpoint = self.find_endpoint(parts, meta)?;
        let caller_ip = headers::caller_ip(&parts.headers, &parts.extensions);
        let worker = headers::prefixed(&parts.headers, "worker");
        let from = worker.clone().unwrap_or_else(|| caller_ip.clone());
        let caller = Visit { app, endpoint, headers: &parts.headers, from }.admit().await?;

        let settings = &app.settings.api;
        let limits = if caller.is_some() { BodyLimits::known(settings) } else { BodyLimits::open(settings) };
        let memory = &app.request_memory;
        let request = body::read(&parts.headers, parts.uri.query(), body, limits, memory).await?;
        check_shape(endpoint, &request)?;

        let (identity, claims) =
            caller.map_or((None, None), |Caller { identity, claims }| (Some(identity), claims));
        let call = Arc::new(Call {
            id: meta.id.clone(),
            trx: meta.trx.clone(),
            endpoint: endpoint.name,
            version: meta.requested_version.unwrap_or(ApiVersion::CURRENT),
            identity,
            claims,
            data: request.data,
            batch: request.batch,
            memory: request.memory,
            worker: worker.unwrap_or_else(|| "<unknown>".to_owned()),
            caller_ip,
            host: headers::host(&parts.headers, &parts.uri),
        });
        let reply = run(Arc::clone(app), endpoint, Arc::clone(&call)).await?;
        respond(app, &call, meta, reply)
    }

    fn find_endpoint(&self, parts: &Parts, meta: &mut Meta) -> Result<&Endpoint, ApiError> {
        let settings = &self.app.settings.api;
        let path = path::decode(parts.uri.path(), &settings.strip_prefix);
        let api_path = path::parse(&path)?;
        if settings.version_required && api_path.version.is_none() {
            return Err(ApiError::bad_request(format!("Invalid request path {path}")));
        }
        let version = api_path.version.unwrap_or(ApiVersion::CURRENT);
        meta.endpoint = api_path.endpoint;
        meta.requested_version = Some(version);
        if settings.check_max_version && version > ApiVersion::CURRENT {
            return Err(ApiError::bad_request(format!(
                "Invalid API version (max. supported version is {})",
                ApiVersion::CURRENT
            )));
        }
        let endpoint = self.registry.find(&meta.endpoint, version)?;
        meta.actual_version = Some(endpoint.since);
        Ok(endpoint)
    }
}

/// Refuses batches where none are taken, and requests without the keys that must be there.
fn check_shape(endpoint: &Endpoint, request: &RequestData) -> Result<(), ApiError> {
    if request.batch.is_some() {
        if endpoint.batch {
            return Ok(());
        }
        return Err(ApiError::bad_request(format!("{} takes no batch", endpoint.name)));
    }
    let missing: Vec<&str> =
        endpoint.required.iter().copied().filter(|key| !request.data.contains_key(key)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(ApiError::new(codes::MISSING_REQUIRED_FIELDS).with("missing", missing))
}

/// Runs the handler on a task of its own: it completes even if the client goes away in between, and a panic
/// ends only this call.
async fn run(app: Arc<App>, endpoint: &Endpoint, call: Arc<Call>) -> Result<Reply, ApiError> {
    let work = (endpoint.handler)(app, call).instrument(tracing::Span::current());
    match tokio::spawn(work).await {
        Ok(result) => result,
        Err(error) => {
            tracing::error!(%error, endpoint = endpoint.name, "handler panicked");
            Err(ApiError::unexpected("General server error"))
        }
    }
}

fn respond(app: &App, call: &Call, meta: &Meta, reply: Reply) -> Result<Response<Body>, ApiError> {
    let return_stack = app.settings.api.return_stack;
    let (data, session) = match reply {
        Reply::Data(data) => (data, None),
        Reply::WithCookie { data, token } => (data, Some(token)),
        Reply::Json(data) => return meta.success(&data, return_stack),
        Reply::Raw { content_type, file_name, body } => {
            return Ok(envelope::attachment(content_type, &file_name, body));
        }
    };
    let mut written = Vec::new();
    json::write_document(&mut written, &data).map_err(envelope::unserializable)?;
    let mut response = meta.success(&written, return_stack)?;
    if let Some(token) = session {
        let cookie = session_cookie(app, call, token.as_deref());
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    Ok(response)
}

/// `Set-Cookie` for the session: sets the token, or removes the cookie.
fn session_cookie(app: &App, call: &Call, token: Option<&str>) -> String {
    let auth = &app.settings.auth;
    let name = auth.cookie_name.as_str();
    let mut settings = auth.custom_cookies.get(name).unwrap_or(&auth.cookies).clone();
    if let Some(domain) = auth.cookie_domains.get(call.company()) {
        settings.domain.clone_from(domain);
    }
    match token {
        Some(token) => cookie::set(name, token, &settings, &call.host, app.now()),
        None => cookie::remove(name, &settings, &call.host),
    }
}

/// Bytes of an error's message that are logged: it may hold all that the caller sent.
const LONGEST_LOGGED: usize = 2000;

/// One log line and the metrics of a call.
fn report(meta: &Meta, status: StatusCode, failure: Option<&ApiError>, started: Instant) {
    let elapsed = started.elapsed();
    let ms = elapsed.as_millis();
    let code = status.as_u16();
    let endpoint = &meta.endpoint;
    let message = failure.map(ApiError::message).unwrap_or_default();
    let message = &message[..message.floor_char_boundary(LONGEST_LOGGED)];
    match code {
        0..300 => tracing::info!("Returned {code} for {endpoint} in {ms}ms"),
        300..500 => tracing::warn!("Returned {code} for {endpoint} in {ms}ms, msg={message}"),
        _ => tracing::error!("Returned {code} for {endpoint} in {ms}ms, msg={message}"),
    }
    // Names that clients make up must not become labels.
    let label = if meta.actual_version.is_some() { endpoint.clone() } else { "unknown".to_owned() };
    metrics::counter!("clearml_api_calls_total", "endpoint" => label.clone(), "status" => code.to_string())
        .increment(1);
    metrics::histogram!("clearml_api_call_seconds", "endpoint" => label).record(elapsed.as_secs_f64());
}
