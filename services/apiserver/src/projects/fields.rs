//! Values of a project as a client sends them.

use bson::{Bson, Document};

use crate::api::{ApiError, ApiResult, codes};

/// A text that must be there.
///
/// # Errors
/// 400/12 when it is missing or no text.
pub(super) fn required_text<'a>(request: &'a Document, field: &str) -> ApiResult<&'a str> {
    match request.get(field) {
        Some(Bson::String(text)) => Ok(text),
        None | Some(Bson::Null) => {
            Err(ApiError::validation(format!("error for field '{field}'. field is required!")))
        }
        Some(_) => Err(ApiError::validation(format!(
            "error for field '{field}': ('value is wrong, expected type \"str\"', 5)."
        ))),
    }
}

/// Checks a field that holds text or null.
///
/// # Errors
/// 400/800 for anything else.
pub(super) fn text_value(field: &str, value: &Bson) -> ApiResult<Bson> {
    match value {
        Bson::Null => Ok(Bson::Null),
        Bson::String(text) => Ok(Bson::from(text.as_str())),
        _ => {
            Err(ApiError::new(codes::DATA_VALIDATION_ERROR)
                .with(field, "StringField only accepts string values"))
        }
    }
}

/// Checks a field that holds a list of texts, or null.
///
/// # Errors
/// 400/16 for no list, 400/800 for other items.
pub(super) fn tags_value(field: &str, value: &Bson) -> ApiResult<Bson> {
    match value {
        Bson::Null => Ok(Bson::Null),
        Bson::Array(tags) if tags.iter().all(|tag| matches!(tag, Bson::String(_))) => Ok(value.clone()),
        Bson::Array(_) => {
            Err(ApiError::new(codes::DATA_VALIDATION_ERROR)
                .with(field, "StringField only accepts string values"))
        }
        _ => Err(ApiError::new(codes::FIELDS_VALUE_ERROR).extra("expecting list").with("field", field)),
    }
}

/// Trimmed, if it is text.
pub(super) fn trimmed(value: Bson) -> Bson {
    match value {
        Bson::String(text) => Bson::from(text.trim()),
        other => other,
    }
}

/// Sorted, if it is a list of texts.
pub(super) fn sorted(value: Bson) -> Bson {
    match value {
        Bson::Array(mut items) => {
            items.sort_by(|left, right| left.as_str().cmp(&right.as_str()));
            Bson::Array(items)
        }
        other => other,
    }
}
