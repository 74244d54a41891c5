//! The page that shows the document: a viewer within the program, so it needs no other server.

use std::io::Read;

use axum::body::Body;
use flate2::read::GzDecoder;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::{cached, etag};

const PAGE: &str = include_str!("viewer/page.html");
const STARTER: &str = include_str!("viewer/page.js");
/// Swagger UI, compressed by gzip.
const SCRIPT: &[u8] = include_bytes!("viewer/swagger-ui-bundle.js.gz");
const STYLE: &[u8] = include_bytes!("viewer/swagger-ui.css.gz");

/// Everything comes from this server, and nothing of it runs that is not in a file.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const JAVASCRIPT: HeaderValue = HeaderValue::from_static("text/javascript; charset=utf-8");
const CSS: HeaderValue = HeaderValue::from_static("text/css; charset=utf-8");

/// The page at `/docs` and what belongs to it, addressed relative to it.
pub(super) fn answer(path: &str, request: &HeaderMap) -> Option<Response<Body>> {
    match path {
        "/docs" => {
            let mut response = plain(request, HTML, PAGE);
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY);
            Some(response)
        }
        // Its parts are found relative to the address without the slash.
        "/docs/" => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
            response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("../docs"));
            Some(response)
        }
        "/docs/page.js" => Some(plain(request, JAVASCRIPT, STARTER)),
        "/docs/swagger-ui-bundle.js" => Some(compressed(request, JAVASCRIPT, SCRIPT)),
        "/docs/swagger-ui.css" => Some(compressed(request, CSS, STYLE)),
        _ => None,
    }
}

fn plain(request: &HeaderMap, content_type: HeaderValue, content: &'static str) -> Response<Body> {
    match etag(content.as_bytes()) {
        Ok(etag) => cached(request, content_type, etag, content),
        Err(error) => failure(&error),
    }
}

/// Sent as it is to whom takes gzip.
fn compressed(request: &HeaderMap, content_type: HeaderValue, content: &'static [u8]) -> Response<Body> {
    let tag = match etag(content) {
        Ok(tag) => tag,
        Err(error) => return failure(&error),
    };
    if takes_gzip(request) {
        let mut response = cached(request, content_type, tag, content);
        if response.status() == StatusCode::OK {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        return response;
    }
    let mut unpacked = Vec::new();
    match GzDecoder::new(content).read_to_end(&mut unpacked) {
        Ok(_) => cached(request, content_type, tag, unpacked),
        Err(error) => failure(&error.into()),
    }
}

fn takes_gzip(request: &HeaderMap) -> bool {
    let accepted =
        request.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|encoding| {
        let mut parts = encoding.split(';').map(str::trim);
        parts.next() == Some("gzip")
            && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

fn failure(error: &anyhow::Error) -> Response<Body> {
    tracing::error!(%error, "failed to show the API");
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
