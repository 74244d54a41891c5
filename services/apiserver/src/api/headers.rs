//! Request headers (spec 01 §1.6).

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use http::{Extensions, HeaderMap, header};

/// The text of a header, read as Latin-1 where it is not ASCII.
pub(crate) fn text(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<String> {
    let value = headers.get(name)?;
    Some(value.as_bytes().iter().map(|byte| char::from(*byte)).collect())
}

/// The value of `X-Clearml-<name>`, else of `X-Trains-<name>`.
pub(crate) fn prefixed(headers: &HeaderMap, name: &str) -> Option<String> {
    ["x-clearml-", "x-trains-"]
        .iter()
        .find_map(|prefix| text(headers, format!("{prefix}{name}")))
        .filter(|value| !value.is_empty())
}

/// Address of the caller: `X-Forwarded-For`, else `X-Real-IP`, else the peer's, else `untrackable`.
pub(crate) fn caller_ip(headers: &HeaderMap, extensions: &Extensions) -> String {
    let forwarded = text(headers, "x-forwarded-for").or_else(|| text(headers, "x-real-ip"));
    let peer = || extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip().to_string());
    forwarded.filter(|ip| !ip.is_empty()).or_else(peer).unwrap_or_else(|| "untrackable".to_owned())
}

/// The host that was asked, without its port.
pub(crate) fn host(headers: &HeaderMap, uri: &http::Uri) -> String {
    let host = text(headers, header::HOST).or_else(|| uri.authority().map(ToString::to_string));
    let host = host.unwrap_or_default();
    if host.parse::<IpAddr>().is_ok() {
        return host;
    }
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name.to_owned(),
        _ => host,
    }
}

/// The value of a cookie.
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.trim_matches('"').to_owned())
        .filter(|value| !value.is_empty())
}
