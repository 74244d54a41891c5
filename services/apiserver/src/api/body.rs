//! The request's data: body, query arguments and form fields (spec 01 §1.2).

use std::time::Duration;

use axum::body::Body;
use bson::{Bson, Document};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt;

use super::{
    ApiError, ApiSettings, codes,
    error::NOT_UNDERSTOOD,
    json::{self, Json, Limits},
    parameters,
};

/// Bodies above this size are parsed on a thread that may block.
const INLINE_PARSE: usize = 128 << 10;

/// What a request brings.
#[derive(Debug, Default)]
pub(crate) struct RequestData {
    pub(crate) data: Document,
    pub(crate) batch: Option<Bytes>,
}

/// Most JSON values in the body of somebody unknown.
const OPEN_VALUES: usize = 50_000;

/// What a body may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimits {
    /// Largest body.
    bytes: usize,
    /// Longest pause within it.
    pause: Duration,
    json: Limits,
}

impl BodyLimits {
    /// For an authenticated caller.
    pub(crate) fn known(settings: &ApiSettings) -> Self {
        Self { bytes: settings.max_body, pause: settings.body_timeout, json: settings.json }
    }

    /// For anybody.
    pub(crate) fn open(settings: &ApiSettings) -> Self {
        let json = Limits { values: settings.json.values.min(OPEN_VALUES), ..settings.json };
        Self { bytes: settings.max_open_body, json, ..Self::known(settings) }
    }
}

/// Reads and parses the request.
pub(crate) async fn read(
    headers: &HeaderMap,
    query: Option<&str>,
    body: Body,
    limits: BodyLimits,
) -> Result<RequestData, ApiError> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let bytes = collect(body, declared, limits).await?;
    let content_type = headers.get(header::CONTENT_TYPE).map_or(&b""[..], header::HeaderValue::as_bytes);

    if content_type == b"application/json-lines" {
        let batch = (!bytes.is_empty()).then_some(bytes);
        return Ok(RequestData { data: Document::new(), batch });
    }

    let form = form_fields(content_type, &bytes).await?;
    let mut data = match &form {
        Some(_) => Document::new(),
        None => parse_object(bytes, limits.json).await?,
    };
    let mut pairs = query.map(|query| parameters::decode(query.as_bytes())).unwrap_or_default();
    pairs.extend(form.unwrap_or_default());
    parameters::merge(&mut data, pairs)?;
    Ok(RequestData { data, batch: None })
}

async fn collect(mut body: Body, declared: Option<usize>, limits: BodyLimits) -> Result<Bytes, ApiError> {
    let limit = limits.bytes;
    let too_large = || ApiError::new(codes::REQUEST_TOO_LARGE).extra(format!("more than {limit} bytes"));
    if declared.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut bytes = BytesMut::new();
    loop {
        let frame = tokio::time::timeout(limits.pause, body.frame()).await;
        match frame {
            Err(_) => return Err(broken("the body did not arrive in time")),
            Ok(None) => return Ok(bytes.freeze()),
            Ok(Some(Err(error))) => return Err(broken(&error.to_string())),
            Ok(Some(Ok(frame))) => {
                let Ok(data) = frame.into_data() else { continue };
                if bytes.len() + data.len() > limit {
                    return Err(too_large());
                }
                bytes.extend_from_slice(&data);
            }
        }
    }
}

fn broken(reason: &str) -> ApiError {
    tracing::debug!(reason, "broken request body");
    ApiError::bad_request(NOT_UNDERSTOOD)
}

/// The fields of a form body (files are left out); `None` if the body is no form.
async fn form_fields(content_type: &[u8], body: &Bytes) -> Result<Option<Vec<(String, String)>>, ApiError> {
    let Ok(content_type) = std::str::from_utf8(content_type) else { return Ok(None) };
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind == "application/x-www-form-urlencoded" {
        return Ok(Some(parameters::decode(body)));
    }
    if kind != "multipart/form-data" {
        return Ok(None);
    }
    let boundary = multer::parse_boundary(content_type).map_err(|error| broken(&error.to_string()))?;
    let body = body.clone();
    let stream = futures::stream::once(async move { Ok::<_, std::convert::Infallible>(body) });
    let mut form = multer::Multipart::new(stream, boundary);
    let mut fields = Vec::new();
    while let Some(field) = form.next_field().await.map_err(|error| broken(&error.to_string()))? {
        let Some(name) = field.name().map(str::to_owned) else { continue };
        if field.file_name().is_none() {
            fields.push((name, field.text().await.map_err(|error| broken(&error.to_string()))?));
        }
    }
    Ok(Some(fields))
}

/// The JSON object of a body; anything falsy counts as an empty one.
async fn parse_object(body: Bytes, limits: Limits) -> Result<Document, ApiError> {
    if body.is_empty() {
        return Ok(Document::new());
    }
    if body.len() <= INLINE_PARSE {
        return object_of(&body, limits);
    }
    tokio::task::spawn_blocking(move || object_of(&body, limits))
        .await
        .map_err(|error| ApiError::unexpected(error.to_string()))?
}

fn object_of(body: &[u8], limits: Limits) -> Result<Document, ApiError> {
    let value = json::read(body, limits).map_err(|error| ApiError::not_understood(&error))?;
    if value.is_falsy() {
        return Ok(Document::new());
    }
    match value {
        object @ Json::Object(_) => match Bson::from(object) {
            Bson::Document(document) => Ok(document),
            _ => Ok(Document::new()),
        },
        _ => Err(ApiError::bad_request("Data should be a dict")),
    }
}
