//! `DELETE /<path>` and `POST /delete_many` (spec 06 §1.4).

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use clearml_files::{Entry, FileError, FilePath};
use http::StatusCode;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::{FileServer, json};

/// Greatest body of `delete_many`: the API server sends at most 10 000 paths at once.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// Deletes one file.
pub(crate) async fn delete_one(server: &FileServer, path: &str) -> Response {
    let not_found = || (StatusCode::NOT_FOUND, format!("File {path} not found")).into_response();
    let Ok(file) = FilePath::parse(path) else {
        return not_found();
    };
    match server.files.delete_file(&file).await {
        Ok(()) => json(StatusCode::OK, &Value::from(file.as_str())),
        Err(FileError::NotFound | FileError::NotAFile) => not_found(),
        Err(error) => {
            tracing::error!(%error, "failed to delete a file");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Deletes many files and folders; each item is answered as deleted or under the reason why not.
pub(crate) async fn delete_many(server: &FileServer, body: Body) -> Response {
    let bad_request = |text: &'static str| (StatusCode::BAD_REQUEST, text).into_response();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let request = match serde_json::from_slice::<Value>(&body) {
        Err(_) => return bad_request("The body is not JSON"),
        Ok(Value::Object(request)) if !request.is_empty() => request,
        Ok(Value::Null | Value::Object(_) | Value::Bool(false)) => {
            return bad_request("Json payload is missing");
        }
        Ok(_) => return bad_request("The body is not an object"),
    };
    let items = match request.get("files") {
        None | Some(Value::Null) => return bad_request("files are missing"),
        Some(Value::Array(items)) if items.is_empty() => return bad_request("files are missing"),
        Some(Value::Array(items)) => items,
        Some(_) => return bad_request("files is not a list"),
    };
    let Some(items) = items.iter().map(Value::as_str).collect::<Option<Vec<_>>>() else {
        return bad_request("files holds something that is no text");
    };
    let mut deleted = Map::new();
    let mut errors = Map::new();
    for item in items {
        match delete_item(server, item).await {
            Ok(path) => drop(deleted.insert(item.to_owned(), path.into())),
            Err(reason) => {
                if let Value::Array(list) = errors.entry(reason).or_insert_with(|| Value::Array(Vec::new())) {
                    list.push(item.into());
                }
            }
        }
    }
    let answer: Map<_, _> =
        [("deleted".to_owned(), deleted.into()), ("errors".to_owned(), errors.into())].into_iter().collect();
    json(StatusCode::OK, &answer.into())
}

/// Deletes what an item names; its decoded path, or the reason why not.
async fn delete_item(server: &FileServer, item: &str) -> Result<String, String> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let decoded = decode(&item.replace('+', " "));
    if decoded.trim_matches('/').is_empty() {
        return Err("Empty path not allowed".to_owned());
    }
    match delete_path(server, &decoded).await {
        // A `+` means a space in a form-encoded path, but a file may have one in its name.
        Err(FileError::NotFound) if item.contains('+') => {
            let literal = decode(item);
            delete_path(server, &literal).await.map(|()| literal)
        }
        outcome => outcome.map(|()| decoded),
    }
    .map_err(|error| match error {
        FileError::NotFound => "Not found".to_owned(),
        FileError::NotAFile => "Not a file or folder".to_owned(),
        other => other.to_string(),
    })
}

async fn delete_path(server: &FileServer, path: &str) -> Result<(), FileError> {
    let path = FilePath::parse(path).map_err(|_| FileError::NotFound)?;
    match server.files.entry(&path).await? {
        Entry::File { .. } => server.files.delete_file(&path).await,
        Entry::Folder => server.files.delete_folder(&path).await,
    }
}
