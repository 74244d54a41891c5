//! Calls from web pages of other origins (spec 01 §1.6).

use http::{HeaderMap, HeaderValue, Method, header};

use super::CorsSettings;

const METHODS: HeaderValue = HeaderValue::from_static("DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");

/// Adds the headers that let the page of the request's `Origin` read the answer.
pub(crate) fn allow(settings: &CorsSettings, method: &Method, request: &HeaderMap, response: &mut HeaderMap) {
    let Some(origin) = request.get(header::ORIGIN) else { return };
    let is_allowed = settings.origins.iter().any(|allowed| allowed == "*" || allowed.as_bytes() == origin);
    if !is_allowed {
        return;
    }
    response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    response.append(header::VARY, HeaderValue::from_static("Origin"));
    if settings.supports_credentials {
        response.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    if method == Method::OPTIONS && request.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
        response.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        if let Some(names) = sorted_names(request) {
            response.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names);
        }
    }
}

fn sorted_names(request: &HeaderMap) -> Option<HeaderValue> {
    let requested = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS)?.to_str().ok()?;
    let mut names: Vec<&str> = requested.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    HeaderValue::from_str(&names.join(", ")).ok()
}
