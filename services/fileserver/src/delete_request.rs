//! The body of `delete_many`, read without keeping what is not needed.

use std::fmt;

use axum::body::Body;
use http::StatusCode;
use serde::{
    Deserialize, Deserializer,
    de::{self, SeqAccess},
};
use serde_json::value::RawValue;

/// Greatest body: ten thousand long paths, what the API server sends at most.
const MAX_BODY: usize = 16 * 1024 * 1024;
/// Most files of one request.
const MAX_FILES: usize = 100_000;

/// The files that a body names; errors: the status and text of the answer.
pub(crate) async fn requested_files(body: Body) -> Result<Vec<String>, (StatusCode, &'static str)> {
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        return Err((StatusCode::PAYLOAD_TOO_LARGE, "The body is too large"));
    };
    files_of(&body)
}

#[derive(Deserialize)]
struct Request<'b> {
    #[serde(borrow)]
    files: Option<&'b RawValue>,
}

fn files_of(body: &[u8]) -> Result<Vec<String>, (StatusCode, &'static str)> {
    let bad_request = |text| (StatusCode::BAD_REQUEST, text);
    let no_json = |_| bad_request("The body is not JSON");
    let text = serde_json::from_slice::<&RawValue>(body).map_err(no_json)?.get();
    let Some(members) = text.strip_prefix('{') else {
        let says_nothing = matches!(text, "null" | "false");
        return Err(bad_request(if says_nothing {
            "Json payload is missing"
        } else {
            "The body is not an object"
        }));
    };
    if members.trim_start() == "}" {
        return Err(bad_request("Json payload is missing"));
    }
    let request: Request<'_> = serde_json::from_str(text).map_err(no_json)?;
    let files = request.files.map_or("null", RawValue::get);
    if !files.starts_with('[') {
        return Err(bad_request(if files == "null" { "files are missing" } else { "files is not a list" }));
    }
    match serde_json::from_str(files).map_err(no_json)? {
        Files::List(files) if files.is_empty() => Err(bad_request("files are missing")),
        Files::List(files) => Ok(files),
        Files::NoText => Err(bad_request("files holds something that is no text")),
        Files::TooMany => Err((StatusCode::PAYLOAD_TOO_LARGE, "Too many files")),
    }
}

enum Files {
    List(Vec<String>),
    NoText,
    TooMany,
}

impl<'de> Deserialize<'de> for Files {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(FilesVisitor)
    }
}

struct FilesVisitor;

impl<'de> de::Visitor<'de> for FilesVisitor {
    type Value = Files;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Files, A::Error> {
        let mut files = Files::List(Vec::new());
        while let Some(item) = items.next_element::<&RawValue>()? {
            let Files::List(list) = &mut files else { continue };
            let Ok(text) = serde_json::from_str(item.get()) else {
                files = Files::NoText;
                continue;
            };
            if list.len() == MAX_FILES {
                files = Files::TooMany;
            } else {
                list.push(text);
            }
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_told_apart() {
        let answer = |body: &str| files_of(body.as_bytes());
        assert_eq!(answer(r#" {"x": [1], "files": ["a\u00e9", ""], "y": {}} "#).unwrap(), ["aé", ""]);
        for (body, text) in [
            ("", "The body is not JSON"),
            ("{\"files\": [", "The body is not JSON"),
            ("null", "Json payload is missing"),
            ("false", "Json payload is missing"),
            (" { } ", "Json payload is missing"),
            ("[]", "The body is not an object"),
            ("1", "The body is not an object"),
            (r#"{"x": 1}"#, "files are missing"),
            (r#"{"files": null}"#, "files are missing"),
            (r#"{"files": [ ]}"#, "files are missing"),
            (r#"{"files": {"a": 1}}"#, "files is not a list"),
            (r#"{"files": ["a", ["b"]]}"#, "files holds something that is no text"),
        ] {
            assert_eq!(answer(body).unwrap_err(), (StatusCode::BAD_REQUEST, text), "{body}");
        }
        let many = format!("{{\"files\": [{}\"\"]}}", "\"\",".repeat(MAX_FILES));
        assert_eq!(answer(&many).unwrap_err().0, StatusCode::PAYLOAD_TOO_LARGE);
    }
}
