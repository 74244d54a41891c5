//! The request's data: body, query arguments and form fields (spec 01 §1.2).

use std::time::Duration;

use axum::body::Body;
use bson::{Bson, Document};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt;

use super::{
    ApiError, ApiSettings,
    batch::{BYTES_AT_ONCE, VALUES_AT_ONCE},
    codes,
    error::NOT_UNDERSTOOD,
    json::{self, Limits},
    memory::{Arrival, RequestMemory, Reserved},
    parameters,
};

/// Bodies above this size are parsed on a thread that may block.
const INLINE_PARSE: usize = 128 << 10;

/// Most JSON values in the body of somebody unknown.
const OPEN_VALUES: usize = 20_000;

/// Least room that is made for a body of unknown size.
const FIRST_ROOM: usize = 4 << 10;

/// What a request brings.
#[derive(Debug, Default)]
pub(crate) struct RequestData {
    pub(crate) data: Document,
    pub(crate) batch: Option<Bytes>,
    /// What it takes of the memory for requests.
    pub(crate) memory: Reserved,
}

/// What a body may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimits {
    /// Largest body.
    bytes: usize,
    /// Largest body that is no batch.
    object_bytes: usize,
    /// Longest pause within it.
    pause: Duration,
    json: Limits,
    /// Of a caller who is known.
    known: bool,
}

impl BodyLimits {
    /// For an authenticated caller.
    pub(crate) fn known(settings: &ApiSettings) -> Self {
        Self {
            bytes: settings.max_body,
            object_bytes: settings.max_body.min(settings.max_json),
            pause: settings.body_timeout,
            json: settings.json,
            known: true,
        }
    }

    /// For anybody.
    pub(crate) fn open(settings: &ApiSettings) -> Self {
        let json = Limits { values: settings.json.values.min(OPEN_VALUES), ..settings.json };
        let bytes = settings.max_open_body.min(settings.max_json);
        Self { bytes, object_bytes: bytes, json, known: false, ..Self::known(settings) }
    }
}

/// Reads and parses the request.
pub(crate) async fn read(
    headers: &HeaderMap,
    query: Option<&str>,
    body: Body,
    limits: BodyLimits,
    memory: &RequestMemory,
) -> Result<RequestData, ApiError> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let content_type = headers.get(header::CONTENT_TYPE).map_or(&b""[..], header::HeaderValue::as_bytes);
    let is_batch = content_type == b"application/json-lines";
    let most = if is_batch { limits.bytes } else { limits.object_bytes };
    let mut arrival = if limits.known { memory.body(declared) } else { memory.open_body() };
    let bytes = collect(body, declared, most, limits, &mut arrival).await?;

    if is_batch {
        let share = Share::of_batch(&bytes);
        if share.longest_line > limits.object_bytes {
            return Err(too_large(limits.object_bytes));
        }
        let values = share.values.min(limits.json.values);
        let memory = memory.for_batch(bytes.len(), share.bytes, values).await?;
        let batch = (!bytes.is_empty()).then_some(bytes);
        return Ok(RequestData { data: Document::new(), batch, memory });
    }

    let is_form = form_kind(content_type);
    let values = estimate(&bytes, is_form.is_some()).await?;
    if values > limits.json.values {
        match is_form {
            Some(_) => return Err(ApiError::not_understood(&json::ReadError::TooMany(limits.json.values))),
            // The estimate may be twice the truth, and the text may be none: only reading it tells.
            None => check(&bytes, limits.json).await?,
        }
    }
    let reserved = memory.for_object(bytes.len(), values.min(limits.json.values)).await?;
    drop(arrival);
    let form = form_fields(is_form, content_type, &bytes).await?;
    let mut data = match &form {
        Some(_) => Document::new(),
        None => parse_object(bytes, limits.json).await?,
    };
    let mut pairs = query.map(|query| parameters::decode(query.as_bytes())).unwrap_or_default();
    pairs.extend(form.unwrap_or_default());
    parameters::merge(&mut data, pairs)?;
    Ok(RequestData { data, batch: None, memory: reserved })
}

fn too_large(limit: usize) -> ApiError {
    ApiError::new(codes::REQUEST_TOO_LARGE).extra(format!("more than {limit} bytes"))
}

async fn collect(
    mut body: Body,
    declared: Option<usize>,
    most: usize,
    limits: BodyLimits,
    arrival: &mut Arrival<'_>,
) -> Result<Bytes, ApiError> {
    if declared.is_some_and(|length| length > most) {
        return Err(too_large(most));
    }
    let mut bytes = BytesMut::new();
    if limits.known
        && let Some(size) = declared
    {
        // All at once: many that wait for each other's rest would wait in vain.
        arrival.grow(size).await?;
        bytes.reserve(size);
    }
    loop {
        let frame = tokio::time::timeout(limits.pause, body.frame()).await;
        match frame {
            Err(_) => return Err(broken("the body did not arrive in time")),
            Ok(None) => return Ok(bytes.freeze()),
            Ok(Some(Err(error))) => return Err(broken(&error.to_string())),
            Ok(Some(Ok(frame))) => {
                let Ok(data) = frame.into_data() else { continue };
                let size = bytes.len() + data.len();
                if size > most {
                    return Err(too_large(most));
                }
                if size > bytes.capacity() {
                    let room =
                        (bytes.capacity() * 2).max(size).max(FIRST_ROOM.min(declared.unwrap_or(FIRST_ROOM)));
                    let room = room.min(most);
                    arrival.grow(room).await?;
                    bytes.reserve(room - bytes.len());
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

/// What of a batch is worked on at once, at most.
struct Share {
    longest_line: usize,
    bytes: usize,
    values: usize,
}

impl Share {
    fn of_batch(body: &[u8]) -> Self {
        let mut longest = 0;
        let mut from = 0;
        for end in memchr::memchr_iter(b'\n', body).chain([body.len()]) {
            longest = longest.max(end - from);
            from = end + 1;
        }
        let bytes = body.len().min(BYTES_AT_ONCE.max(longest));
        // Two characters are the least for a value; most have ten and more.
        Self { longest_line: longest, bytes, values: (bytes / 8).min(VALUES_AT_ONCE) }
    }
}

/// How many values a body holds, roughly; not less.
async fn estimate(bytes: &Bytes, is_form: bool) -> Result<usize, ApiError> {
    let count = move |bytes: &[u8]| {
        if is_form {
            1 + memchr::memchr_iter(b'&', bytes).count() + memchr::memchr_iter(b'\n', bytes).count() / 4
        } else {
            json::estimate_values(bytes)
        }
    };
    if bytes.len() <= INLINE_PARSE {
        return Ok(count(bytes));
    }
    let bytes = bytes.clone();
    let counted = tokio::task::spawn_blocking(move || count(&bytes)).await;
    counted.map_err(|error| ApiError::unexpected(error.to_string()))
}

/// Reads JSON without keeping anything of it: errors as reading it has.
async fn check(bytes: &Bytes, limits: Limits) -> Result<(), ApiError> {
    let bytes = bytes.clone();
    let checked = tokio::task::spawn_blocking(move || json::check(&bytes, limits)).await;
    let checked = checked.map_err(|error| ApiError::unexpected(error.to_string()))?;
    checked.map_err(|error| ApiError::not_understood(&error))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    UrlEncoded,
    Multipart,
}

/// The kind of form that a body is; `None` if it is none.
fn form_kind(content_type: &[u8]) -> Option<Form> {
    let content_type = std::str::from_utf8(content_type).ok()?;
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        Some(Form::UrlEncoded)
    } else if kind.eq_ignore_ascii_case("multipart/form-data") {
        Some(Form::Multipart)
    } else {
        None
    }
}

/// The fields of a form body (files are left out); `None` if the body is no form.
async fn form_fields(
    form: Option<Form>,
    content_type: &[u8],
    body: &Bytes,
) -> Result<Option<Vec<(String, String)>>, ApiError> {
    match form {
        None => return Ok(None),
        Some(Form::UrlEncoded) => return Ok(Some(parameters::decode(body))),
        Some(Form::Multipart) => {}
    }
    let content_type = std::str::from_utf8(content_type).unwrap_or_default();
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
    match json::read_bson(body, limits).map_err(|error| ApiError::not_understood(&error))? {
        Bson::Document(document) => Ok(document),
        other if !super::is_truthy(&other) => Ok(Document::new()),
        _ => Err(ApiError::bad_request("Data should be a dict")),
    }
}
