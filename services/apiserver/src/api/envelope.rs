//! The answer around every result: `{"meta": {…}, "data": {…}}` (spec 01 §1.4).

use axum::body::Body;
use bson::{Bson, Document, doc};
use http::{HeaderValue, Response, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use unicode_normalization::UnicodeNormalization as _;

use super::{ApiError, ApiVersion, json};

/// What is known of a call when it is answered.
#[derive(Debug, Clone)]
pub(crate) struct Meta {
    pub(crate) id: String,
    pub(crate) trx: String,
    pub(crate) endpoint: String,
    /// `None`: the path could not be understood.
    pub(crate) requested_version: Option<ApiVersion>,
    /// `None`: no such endpoint.
    pub(crate) actual_version: Option<ApiVersion>,
}

impl Meta {
    fn endpoint_document(&self) -> Document {
        let (requested, actual) = match self.requested_version {
            Some(requested) => (
                requested.in_envelope_of(requested),
                self.actual_version.map_or(Bson::Null, |actual| actual.in_envelope_of(requested)),
            ),
            None => (Bson::Double(1.0), Bson::Null),
        };
        doc! {"name": &self.endpoint, "requested_version": requested, "actual_version": actual}
    }

    fn document(&self, status: u16, subcode: u16, message: &str, stack: Bson) -> Document {
        doc! {
            "id": &self.id,
            "trx": &self.trx,
            "endpoint": self.endpoint_document(),
            "result_code": i32::from(status),
            "result_subcode": i32::from(subcode),
            "result_msg": message,
            "error_stack": stack,
            "error_data": {},
        }
    }

    /// The answer of a success, with `data` written as JSON. Its stack is empty, or null where none is returned.
    pub(crate) fn success(&self, data: &[u8], return_stack: bool) -> Result<Response<Body>, ApiError> {
        let stack = if return_stack { Bson::String(String::new()) } else { Bson::Null };
        let meta = self.document(200, 0, "OK", stack);
        respond(StatusCode::OK, &meta, data)
    }

    /// The answer of a failure.
    pub(crate) fn failure(&self, error: &ApiError, return_stack: bool) -> Response<Body> {
        let message = error.message();
        let stack = if return_stack && (error.code.status, error.code.subcode) == (500, 0) {
            Bson::String(message.clone())
        } else {
            Bson::Null
        };
        let meta = self.document(error.code.status, error.code.subcode, &message, stack);
        let status = StatusCode::from_u16(error.code.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        respond(status, &meta, b"{}").unwrap_or_else(|_| Response::new(Body::empty()))
    }
}

fn respond(status: StatusCode, meta: &Document, data: &[u8]) -> Result<Response<Body>, ApiError> {
    let mut body = Vec::with_capacity(data.len() + 512);
    body.extend_from_slice(b"{\"meta\":");
    json::write_document(&mut body, meta).map_err(unserializable)?;
    body.extend_from_slice(b",\"data\":");
    body.extend_from_slice(data);
    body.push(b'}');
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// 500/0 for data that JSON cannot hold.
pub(crate) fn unserializable(error: json::WriteError) -> ApiError {
    ApiError::unexpected(format!("Error serializing response data: {error}"))
}

/// Characters that stand for themselves in `filename*`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A streamed answer outside the envelope: a file to be saved.
pub(crate) fn attachment(content_type: &'static str, file_name: &str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store, max-age=0"));
    if let Ok(disposition) = HeaderValue::from_str(&disposition(file_name)) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    response
}

fn disposition(file_name: &str) -> String {
    // Letters without their accents are better than none.
    let ascii: String = file_name.nfkd().filter(|character| (' '..='~').contains(character)).collect();
    let is_token = !ascii.is_empty()
        && ascii.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    let plain = if is_token {
        ascii.clone()
    } else {
        format!("\"{}\"", ascii.replace('\\', "\\\\").replace('"', "\\\""))
    };
    if ascii == file_name {
        format!("attachment; filename={plain}")
    } else {
        format!("attachment; filename={plain}; filename*=UTF-8''{}", utf8_percent_encode(file_name, ENCODED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_quoted_and_encoded_where_needed() {
        assert_eq!(disposition("task.log"), "attachment; filename=task.log");
        assert_eq!(disposition("my task.log"), "attachment; filename=\"my task.log\"");
        assert_eq!(disposition("a\"b"), "attachment; filename=\"a\\\"b\"");
        assert_eq!(disposition("ü1.csv"), "attachment; filename=u1.csv; filename*=UTF-8''%C3%BC1.csv");
        assert_eq!(disposition("a\r\nb"), "attachment; filename=ab; filename*=UTF-8''a%0D%0Ab");
    }
}
