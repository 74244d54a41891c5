//! `DELETE /<path>` and `POST /delete_many` (spec 06 §1.4).

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use clearml_files::{FileError, FilePath};
use http::StatusCode;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::{FileServer, delete_request::requested_files, failure_status, json};

/// Items that are deleted at the same time.
const BATCH: usize = 1000;

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
            failure_status(&error).into_response()
        }
    }
}

/// Deletes many files and folders; each item is answered as deleted or under the reason why not.
pub(crate) async fn delete_many(server: &FileServer, body: Body) -> Response {
    let items = match requested_files(body).await {
        Ok(items) => items,
        Err(refusal) => return refusal.into_response(),
    };
    let mut deleted = Map::new();
    let mut errors = Map::new();
    for batch in items.chunks(BATCH) {
        for (item, outcome) in batch.iter().zip(delete_items(server, batch).await) {
            match outcome {
                Ok(path) => drop(deleted.insert(item.clone(), path.into())),
                Err(failure) => {
                    let list = errors.entry(failure.reason()).or_insert_with(|| Value::Array(Vec::new()));
                    if let Value::Array(list) = list {
                        list.push(item.as_str().into());
                    }
                }
            }
        }
    }
    let answer: Map<_, _> =
        [("deleted".to_owned(), deleted.into()), ("errors".to_owned(), errors.into())].into_iter().collect();
    json(StatusCode::OK, &answer.into())
}

/// Why an item is still there.
enum Failure {
    EmptyPath,
    File(FileError),
}

impl Failure {
    fn reason(&self) -> String {
        match self {
            Self::EmptyPath => "Empty path not allowed".to_owned(),
            Self::File(FileError::NotFound) => "Not found".to_owned(),
            Self::File(FileError::NotAFile) => "Not a file or folder".to_owned(),
            Self::File(other) => other.to_string(),
        }
    }
}

/// Deletes what the items name; for each its decoded path, or why it is still there.
async fn delete_items(server: &FileServer, items: &[String]) -> Vec<Result<String, Failure>> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let decoded = items.iter().map(|item| decode(&item.replace('+', " "))).collect();
    let mut outcomes = delete_paths(server, decoded).await;
    // A `+` means a space in a form-encoded path, but a file may have one in its name.
    let again: Vec<usize> = (0..items.len())
        .filter(|at| items[*at].contains('+'))
        .filter(|at| matches!(outcomes[*at], Err(Failure::File(FileError::NotFound))))
        .collect();
    let literal = again.iter().map(|at| decode(&items[*at])).collect();
    for (at, outcome) in again.into_iter().zip(delete_paths(server, literal).await) {
        outcomes[at] = outcome;
    }
    outcomes
}

async fn delete_paths(server: &FileServer, paths: Vec<String>) -> Vec<Result<String, Failure>> {
    let parsed: Vec<Result<FilePath, Failure>> = paths
        .iter()
        .map(|path| match path.trim_matches('/') {
            "" => Err(Failure::EmptyPath),
            _ => FilePath::parse(path).map_err(|_| Failure::File(FileError::NotFound)),
        })
        .collect();
    let files: Vec<FilePath> = parsed.iter().filter_map(|path| path.as_ref().ok()).cloned().collect();
    let mut results = server.files.delete_all(&files).await.into_iter();
    let mut outcomes = Vec::with_capacity(paths.len());
    for (path, parsed) in paths.into_iter().zip(parsed) {
        outcomes.push(match parsed {
            Err(failure) => Err(failure),
            Ok(_) => results.next().unwrap_or(Err(FileError::NotFound)).map(|()| path).map_err(Failure::File),
        });
    }
    outcomes
}
