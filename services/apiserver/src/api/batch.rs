//! Several objects in one call: json-lines bodies, and `*_many` endpoints.

use std::{borrow::Cow, future::Future};

use bson::{Bson, Document, doc};

use super::{
    ApiError,
    json::{Json, Limits, read_counted},
};

/// Bytes of a batch that are worked on at once, if a single line is not longer.
pub(crate) const BYTES_AT_ONCE: usize = 4 << 20;

/// JSON values of a batch that are worked on at once, if a single line has no more.
pub(crate) const VALUES_AT_ONCE: usize = 200_000;

/// One item of a json-lines body.
#[derive(Debug)]
pub struct Line<'a> {
    /// The members of the object.
    pub members: Vec<(Cow<'a, str>, Json<'a>)>,
    /// JSON values in it.
    pub values: usize,
    /// Bytes of its text.
    pub bytes: usize,
}

/// The items of a json-lines body. A line that is no JSON object is an error: 400/0. A final newline is fine,
/// an empty line is not. The limits hold for each line; they are read one by one, as the caller goes on.
pub fn lines(body: &[u8], limits: Limits) -> impl Iterator<Item = Result<Line<'_>, ApiError>> {
    let body = body.strip_suffix(b"\n").unwrap_or(body);
    let mut rest = Some(body);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = memchr::memchr(b'\n', text);
        rest = end.map(|end| &text[end + 1..]);
        let line = &text[..end.unwrap_or(text.len())];
        Some(match read_counted(line, limits) {
            Ok((Json::Object(members), values)) => Ok(Line { members, values, bytes: line.len() }),
            Ok((other, _)) => Err(ApiError::bad_request(format!(
                "json lines must contain objects, found: {}",
                other.type_name()
            ))),
            Err(error) => Err(ApiError::not_understood(&error)),
        })
    })
}

/// Collects the results of a `*_many` call (spec 02 §1.5): `{succeeded: [{id, …}], failed: [{id, error}]}`.
#[derive(Debug, Default)]
pub struct Many {
    succeeded: Vec<Bson>,
    failed: Vec<Bson>,
}

impl Many {
    /// Runs `operation` for each id in order. API errors are collected, unexpected ones (500) end the call.
    /// The document of a success gets its `id` in front.
    pub async fn run<F, T>(ids: &[String], mut operation: F) -> Result<Self, ApiError>
    where
        F: FnMut(String) -> T,
        T: Future<Output = Result<Document, ApiError>>,
    {
        let mut many = Self::default();
        for id in ids {
            match operation(id.clone()).await {
                Ok(fields) => many.succeed(id, fields),
                Err(error) if error.is_unexpected() => return Err(error),
                Err(error) => many.fail(id, &error),
            }
        }
        Ok(many)
    }

    /// Adds a success.
    pub fn succeed(&mut self, id: &str, fields: Document) {
        let mut entry = doc! {"id": id};
        entry.extend(fields);
        self.succeeded.push(entry.into());
    }

    /// Adds a failure.
    pub fn fail(&mut self, id: &str, error: &ApiError) {
        self.failed.push(doc! {"id": id, "error": error.to_batch_entry()}.into());
    }

    /// Number of successes.
    pub fn succeeded(&self) -> usize {
        self.succeeded.len()
    }

    /// The answer.
    pub fn into_document(self) -> Document {
        doc! {"succeeded": self.succeeded, "failed": self.failed}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(body: &str) -> Result<Vec<Line<'_>>, ApiError> {
        lines(body.as_bytes(), Limits::default()).collect()
    }

    #[test]
    fn lines_are_objects() {
        assert_eq!(read_all("{\"a\":1}\n{}\n").unwrap().len(), 2);
        assert_eq!(read_all("{\"a\":1}\n{}").unwrap().len(), 2);
        assert_eq!(read_all("{\"a\":1}\r\n{}").unwrap().len(), 2);
    }

    #[test]
    fn empty_and_malformed_lines_are_400_0() {
        for body in ["\n", "{}\n\n{}", "{}\n{", "\n{}", "{}\n\n", "{}\nNone", "{\"a\":\n1}"] {
            assert_eq!(read_all(body).unwrap_err().code.status, 400, "{body:?}");
        }
    }

    #[test]
    fn other_values_are_named_in_the_error() {
        for (body, name) in [
            ("[]", "list"),
            ("1", "int"),
            ("1.5", "float"),
            ("\"a\"", "str"),
            ("null", "NoneType"),
            ("true", "bool"),
        ] {
            let error = read_all(body).unwrap_err();
            assert_eq!(error.message(), format!("json lines must contain objects, found: {name}"));
        }
    }
}
