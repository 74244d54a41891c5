//! `GET`/`HEAD /<path>`: download (spec 06 §1.5).

use std::{
    ops::Range,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use clearml_files::{Entry, FileError, FilePath};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts};

use crate::{
    FileServer,
    content::{disposition_header, media_type},
    failure_status,
};

/// Answers a file, one range of it, or that the client has it already.
pub(crate) async fn download(server: &FileServer, path: &str, request: &Parts) -> Response {
    let Ok(path) = FilePath::parse(path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let (size, modified, tag) = match server.files.entry(&path).await {
        Ok(Entry::File { size, modified, tag }) => {
            (size, modified, entity_tag(size, modified, tag.as_deref()))
        }
        Ok(Entry::Folder) => return StatusCode::NOT_FOUND.into_response(),
        Err(error) => return failure(&error),
    };
    let attachment = request.uri.query().is_some_and(has_download_argument);
    let headers = file_headers(server, &path, modified, &tag, attachment);
    if is_unchanged(&request.headers, &headers, modified) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let Ok(range) = requested_range(&request.headers, &headers, size) else {
        let content_range = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
        return (StatusCode::RANGE_NOT_SATISFIABLE, content_range).into_response();
    };
    let sent = range.clone().unwrap_or(0..size);
    let body = if request.method == Method::HEAD {
        Body::empty()
    } else {
        match server.files.read(&path, sent.clone()).await {
            Ok(stream) => Body::from_stream(stream),
            Err(error) => return failure(&error),
        }
    };
    let mut response = (StatusCode::OK, headers, body).into_response();
    if let Some(range) = range {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let value = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        insert(response.headers_mut(), header::CONTENT_RANGE, &value);
    }
    insert(response.headers_mut(), header::CONTENT_LENGTH, &(sent.end - sent.start).to_string());
    response
}

fn failure(error: &FileError) -> Response {
    match error {
        FileError::NotFound | FileError::NotAFile => StatusCode::NOT_FOUND.into_response(),
        _ => {
            tracing::error!(%error, "failed to read a file");
            failure_status(error).into_response()
        }
    }
}

/// A strong tag: the store's own, else of the time and the size.
fn entity_tag(size: u64, modified: SystemTime, tag: Option<&str>) -> String {
    if let Some(tag) = tag {
        let tag: String =
            tag.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.+/=".contains(*c)).collect();
        return format!("\"{tag}-{size:x}\"");
    }
    let nanoseconds = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("\"{nanoseconds:x}-{size:x}\"")
}

fn has_download_argument(query: &str) -> bool {
    query.split('&').any(|argument| argument.split('=').next() == Some("download"))
}

fn file_headers(
    server: &FileServer,
    path: &FilePath,
    modified: SystemTime,
    tag: &str,
    attachment: bool,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let kind = if attachment { "attachment" } else { "inline" };
    insert(&mut headers, header::CONTENT_DISPOSITION, &disposition_header(kind, path.file_name()));
    insert(&mut headers, header::CONTENT_TYPE, &media_type(path.file_name()));
    insert(&mut headers, header::LAST_MODIFIED, &httpdate::fmt_http_date(modified));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    insert(&mut headers, header::ETAG, tag);
    if server.settings.disable_browser_caching {
        for name in ["pragma-directive", "cache-directive", "cache-control", "pragma"] {
            headers.insert(name, HeaderValue::from_static("no-cache"));
        }
        headers.insert(header::EXPIRES, HeaderValue::from_static("0"));
    } else {
        let seconds = server.settings.cache_timeout_sec;
        insert(&mut headers, header::CACHE_CONTROL, &format!("public, max-age={seconds}"));
        let expires = SystemTime::now() + Duration::from_secs(seconds);
        insert(&mut headers, header::EXPIRES, &httpdate::fmt_http_date(expires));
    }
    headers
}

fn insert(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        headers.insert(name, value);
    }
}

/// Whether the client's copy is still right: by tag if it sent one, else by date.
fn is_unchanged(request: &HeaderMap, response: &HeaderMap, modified: SystemTime) -> bool {
    if let Some(tags) = text(request, header::IF_NONE_MATCH) {
        let tag = text(response, header::ETAG).unwrap_or_default();
        return tags.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag);
    }
    let since =
        text(request, header::IF_MODIFIED_SINCE).and_then(|date| httpdate::parse_http_date(date).ok());
    since.is_some_and(|since| whole_seconds(modified) <= whole_seconds(since))
}

fn whole_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The one range asked for; `None`: the whole file; `Err`: not satisfiable.
fn requested_range(request: &HeaderMap, response: &HeaderMap, size: u64) -> Result<Option<Range<u64>>, ()> {
    let Some(range) = text(request, header::RANGE).and_then(|value| value.strip_prefix("bytes=")) else {
        return Ok(None);
    };
    // A range of a file that changed meanwhile makes no sense: the whole new file is due.
    if let Some(expected) = text(request, header::IF_RANGE)
        && Some(expected) != text(response, header::ETAG)
        && Some(expected) != text(response, header::LAST_MODIFIED)
    {
        return Ok(None);
    }
    let (first, last) = range.trim().split_once('-').ok_or(())?;
    let range = if first.is_empty() {
        let length: u64 = last.parse().map_err(|_| ())?;
        size.saturating_sub(length)..size
    } else {
        let first = first.parse().map_err(|_| ())?;
        let end = if last.is_empty() {
            size
        } else {
            last.parse::<u64>().map_err(|_| ())?.saturating_add(1).min(size)
        };
        first..end
    };
    if range.start < range.end { Ok(Some(range)) } else { Err(()) }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
