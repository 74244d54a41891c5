//! The path of a call: `/[v<version>/]<service>.<action>[/]` (spec 01 §1.1).

use percent_encoding::percent_decode_str;

use super::{ApiError, ApiVersion, codes};

/// What a path asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ApiPath {
    /// `service.action`.
    pub(crate) endpoint: String,
    /// `None`: not given.
    pub(crate) version: Option<ApiVersion>,
}

/// The decoded path behind the configured prefix.
pub(crate) fn decode(path: &str, strip_prefix: &str) -> String {
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    let prefix = strip_prefix.trim_end_matches('/');
    match decoded.strip_prefix(prefix) {
        Some(rest) if !prefix.is_empty() && (rest.is_empty() || rest.starts_with('/')) => rest.to_owned(),
        _ => decoded.into_owned(),
    }
}

/// Parses a decoded path. Errors: 400/0 for anything that is no call, 400/2 for a component with a leading
/// zero.
pub(crate) fn parse(path: &str) -> Result<ApiPath, ApiError> {
    let invalid = || ApiError::bad_request(format!("Invalid request path {path}"));
    let inner = path.strip_prefix('/').unwrap_or(path);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    let (version, endpoint) = match inner.split_once('/') {
        Some((version, endpoint)) => (Some(version), endpoint),
        None => (None, inner),
    };
    let (service, action) = endpoint.split_once('.').ok_or_else(invalid)?;
    if !is_name(service) || !is_name(action) {
        return Err(invalid());
    }
    let version = match version {
        Some(text) => Some(parse_version(text).ok_or_else(invalid)??),
        None => None,
    };
    Ok(ApiPath { endpoint: endpoint.to_owned(), version })
}

fn is_name(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && text.chars().nth(1).is_some()
        && characters.all(|character| character.is_alphanumeric() || character == '_')
}

/// `v2.31` or `v12`; `None` if the text has another form. At least two digits in all, as clients know it.
fn parse_version(text: &str) -> Option<Result<ApiVersion, ApiError>> {
    let number = text.strip_prefix('v')?;
    let (major, minor) = match number.split_once('.') {
        Some((major, minor)) => (major, Some(minor)),
        None => (number, None),
    };
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(major) || minor.is_some_and(|minor| !is_number(minor)) {
        return None;
    }
    if minor.is_none() && major.len() < 2 {
        return None;
    }
    let has_leading_zero = |part: &str| part.len() > 1 && part.starts_with('0');
    if has_leading_zero(major) || minor.is_some_and(has_leading_zero) {
        return Some(Err(ApiError::new(codes::REQUEST_PATH_HAS_INVALID_VERSION)
            .with("version", number)
            .with("reason", format!("Invalid leading zero in: '{number}'"))));
    }
    let component = |part: &str| part.parse().unwrap_or(u32::MAX);
    Some(Ok(ApiVersion::new(component(major), minor.map_or(0, component))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_recognised() {
        for (path, endpoint, version) in [
            ("/tasks.get_all", "tasks.get_all", None),
            ("tasks.get_all", "tasks.get_all", None),
            ("/tasks.get_all/", "tasks.get_all", None),
            ("/v2.31/tasks.get_all", "tasks.get_all", Some((2, 31))),
            ("/v999.0/debug.ping", "debug.ping", Some((999, 0))),
            ("/v12/debug.ping/", "debug.ping", Some((12, 0))),
            ("/v2.0/__.a1", "__.a1", Some((2, 0))),
            ("/v99999999999.1/aa.bb", "aa.bb", Some((u32::MAX, 1))),
        ] {
            let version = version.map(|(major, minor)| ApiVersion::new(major, minor));
            assert_eq!(parse(path).unwrap(), ApiPath { endpoint: endpoint.into(), version }, "{path}");
        }
    }

    #[test]
    fn everything_else_is_400_0() {
        for path in [
            "",
            "/",
            "//",
            "/api/tasks.get_all",
            "/v2/tasks.get_all",
            "/v2.1.3/tasks.get_all",
            "/V2.1/tasks.get_all",
            "/2.1/tasks.get_all",
            "/v2.1/",
            "/tasks",
            "/tasks.",
            "/.get_all",
            "/t.get_all",
            "/tasks.g",
            "/1tasks.get",
            "/tasks.get.all",
            "/tasks.get-all",
            "//tasks.get_all",
            "/tasks.get_all//",
            "/v.1/tasks.get_all",
            "/v2./tasks.get_all",
            "/v2.1/v2.1/tasks.get_all",
            "/v2.1//tasks.get_all",
            "/tasks get_all",
            "/v٢.١/aa.bb",
        ] {
            let error = parse(path).unwrap_err();
            assert_eq!((error.code.status, error.code.subcode), (400, 0), "{path}");
            assert_eq!(error.message(), format!("Invalid request path {path}"));
        }
    }

    #[test]
    fn leading_zeros_are_400_2() {
        for path in ["/v2.01/tasks.get_all", "/v02.1/tasks.get_all", "/v00/tasks.get_all"] {
            assert_eq!(parse(path).unwrap_err().code, codes::REQUEST_PATH_HAS_INVALID_VERSION, "{path}");
        }
        assert!(parse("/v0.1/tasks.get_all").is_ok());
    }

    #[test]
    fn the_prefix_is_cut_at_whole_segments() {
        assert_eq!(decode("/api/tasks.get_all", "/api"), "/tasks.get_all");
        assert_eq!(decode("/api/tasks.get_all", "/api/"), "/tasks.get_all");
        assert_eq!(decode("/apis/tasks.get_all", "/api"), "/apis/tasks.get_all");
        assert_eq!(decode("/tasks%2Eget_all", ""), "/tasks.get_all");
    }
}
