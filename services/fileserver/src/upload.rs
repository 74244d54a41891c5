//! `POST /`: upload of one or more files (spec 06 §1.3). The name of a form field is the path of its file.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use clearml_files::{FileError, FilePath};
use futures::StreamExt;
use http::{HeaderMap, StatusCode, header};
use multer::{Field, Multipart};
use serde_json::Value;

use crate::{FileServer, content::Disposition, failure_status, json};

/// Most parts in one body.
const MAX_PARTS: usize = 1000;
/// Most bytes of a part that is no file.
const MAX_PLAIN_FIELD: usize = 500_000;

/// Why an upload stops.
enum Failure {
    /// Answer this status.
    Status(StatusCode),
    /// The body is no proper multipart form: answer what is stored so far.
    Malformed,
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        tracing::warn!(%error, "failed to store an upload");
        Self::Status(failure_status(&error))
    }
}

impl From<multer::Error> for Failure {
    fn from(error: multer::Error) -> Self {
        match error {
            multer::Error::StreamReadFailed(source) if source.is::<TooLarge>() => {
                Self::Status(StatusCode::PAYLOAD_TOO_LARGE)
            }
            // The client went away or broke the chunked encoding.
            multer::Error::StreamReadFailed(_) | multer::Error::IncompleteFieldData { .. } => {
                Self::Status(StatusCode::BAD_REQUEST)
            }
            _ => Self::Malformed,
        }
    }
}

/// The body is greater than the settings allow.
#[derive(Debug, thiserror::Error)]
#[error("body too large")]
struct TooLarge;

/// Stores the files of a multipart form and lists their paths.
pub(crate) async fn upload(server: &FileServer, headers: &HeaderMap, body: Body) -> Response {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let Some(boundary) = content_type.and_then(|value| multer::parse_boundary(value).ok()) else {
        return json(StatusCode::OK, &Value::Array(Vec::new()));
    };
    let limit = match server.settings.max_upload_size {
        0 => u64::MAX,
        limit => limit,
    };
    if declared_length(headers).is_some_and(|length| length > limit) {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    let mut received = 0_u64;
    let body = body.into_data_stream().map(move |piece| -> Result<Bytes, axum::BoxError> {
        let piece = piece?;
        received += piece.len() as u64;
        if received > limit { Err(Box::new(TooLarge)) } else { Ok(piece) }
    });
    let mut stored = Vec::new();
    match store_parts(server, Multipart::new(body, boundary), &mut stored).await {
        Ok(()) | Err(Failure::Malformed) => json(StatusCode::OK, &stored.into()),
        Err(Failure::Status(status)) => status.into_response(),
    }
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn store_parts(
    server: &FileServer,
    mut form: Multipart<'static>,
    stored: &mut Vec<String>,
) -> Result<(), Failure> {
    let mut parts = 0;
    while let Some(part) = form.next_field().await? {
        parts += 1;
        if parts > MAX_PARTS {
            return Err(Failure::Status(StatusCode::PAYLOAD_TOO_LARGE));
        }
        let disposition = part
            .headers()
            .get(header::CONTENT_DISPOSITION)
            .map(|value| Disposition::parse(value.as_bytes()))
            .unwrap_or_default();
        if !disposition.is_file {
            skip(part, MAX_PLAIN_FIELD).await?;
            continue;
        }
        let name = disposition.name.trim_start_matches('/');
        if name.is_empty() {
            skip(part, usize::MAX).await?;
            continue;
        }
        let path = FilePath::parse(name).map_err(|_| Failure::Status(StatusCode::NOT_FOUND))?;
        if stored.iter().any(|earlier| earlier == path.as_str()) {
            skip(part, usize::MAX).await?;
            continue;
        }
        store(server, part, &path).await?;
        stored.push(path.as_str().to_owned());
    }
    Ok(())
}

async fn store(server: &FileServer, mut part: Field<'static>, path: &FilePath) -> Result<(), Failure> {
    let mut writer = server.files.create(path).await?;
    while let Some(piece) = part.chunk().await? {
        writer.write(piece).await?;
    }
    Ok(writer.finish().await?)
}

/// Reads a part to its end without keeping it.
async fn skip(mut part: Field<'static>, limit: usize) -> Result<(), Failure> {
    let mut size = 0_usize;
    while let Some(piece) = part.chunk().await? {
        size = size.saturating_add(piece.len());
        if size > limit {
            return Err(Failure::Status(StatusCode::PAYLOAD_TOO_LARGE));
        }
    }
    Ok(())
}
