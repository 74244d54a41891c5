//! Checks of the values that are stored in models (spec 04 §1.2, §1.4).

use std::collections::HashSet;

use bson::{Bson, Document};

use super::schema::MODEL;
use crate::{
    api::{ApiError, ApiResult, codes},
    query::{Kind, escape_key},
};

/// Characters that a name has at least.
const MIN_NAME_LENGTH: usize = 3;

fn invalid_data(field: &str, reason: &str) -> ApiError {
    ApiError::new(codes::DATA_VALIDATION_ERROR).with(field, reason)
}

/// The rules of the stored document for these of its fields; strips text that is stored stripped.
/// Errors: 400/800 for a value of another type, a name that is too short, a key that can't be stored.
pub(super) fn check_stored(fields: &mut Document) -> ApiResult<()> {
    check_types(fields)?;
    check_keys(fields)?;
    check_texts(fields)
}

fn check_types(fields: &Document) -> ApiResult<()> {
    const NO_TEXT: &str = "StringField only accepts string values";
    for (name, value) in fields {
        let (Some(field), false) = (MODEL.field(name), *value == Bson::Null) else { continue };
        let refusal = match &field.kind {
            Kind::Text | Kind::Reference(_) => value.as_str().is_none().then_some(NO_TEXT),
            Kind::Boolean => value.as_bool().is_none().then_some("BooleanField only accepts boolean values"),
            Kind::Date => value.as_datetime().is_none().then_some("cannot parse date"),
            Kind::Texts => match value.as_array() {
                Some(items) => items.iter().any(|item| item.as_str().is_none()).then_some(NO_TEXT),
                None => Some("Only lists and tuples may be used in a list field"),
            },
            Kind::Any => {
                value.as_document().is_none().then_some("Only dictionaries may be used in a DictField")
            }
            _ => None,
        };
        if let Some(reason) = refusal {
            return Err(invalid_data(name, reason));
        }
    }
    Ok(())
}

fn check_texts(fields: &mut Document) -> ApiResult<()> {
    for field in ["name", "uri"] {
        if let Some(Bson::String(text)) = fields.get_mut(field) {
            *text = text.trim().to_owned();
        }
    }
    match fields.get("name") {
        Some(Bson::String(name)) if name.chars().count() < MIN_NAME_LENGTH => {
            Err(invalid_data("name", "String value is too short"))
        }
        _ => Ok(()),
    }
}

/// Errors: 400/800 for an empty key, or one that begins with `$`, in a free-form object.
fn check_keys(fields: &Document) -> ApiResult<()> {
    for field in ["labels", "design", "ui_cache"] {
        let Ok(object) = fields.get_document(field) else { continue };
        if object.keys().any(|key| key.is_empty() || key.starts_with('$')) {
            let reason =
                "Invalid dictionary key - documents must not contain empty keys or keys starting with \"$\"";
            return Err(invalid_data(field, reason));
        }
    }
    Ok(())
}

/// The labels of a new model. Errors: 400/800 for text as value and for an id that two labels share, 400/12
/// for other values that are no integers.
pub(super) fn check_new_labels(labels: &Document) -> ApiResult<()> {
    let mut seen = HashSet::new();
    for value in labels.values() {
        let id = match value {
            Bson::Null => continue,
            Bson::Int32(id) => i64::from(*id),
            Bson::Int64(id) => *id,
            Bson::String(_) => {
                return Err(invalid_data("labels", "IntField only accepts integer values"));
            }
            _ => return Err(labels_error("labels values must be integers", vec![value.clone()])),
        };
        if id != 0 && !seen.insert(id) {
            return Err(invalid_data("labels", "Same label id appears more than once in model labels"));
        }
    }
    Ok(())
}

/// The labels that replace a model's. Errors: 400/12 for values that are no integers.
pub(super) fn check_replaced_labels(labels: &Document) -> ApiResult<()> {
    let is_integer = |value: &&Bson| matches!(value, Bson::Int32(_) | Bson::Int64(_));
    let others: Vec<Bson> = labels.values().filter(|value| !is_integer(value)).cloned().collect();
    if others.is_empty() { Ok(()) } else { Err(labels_error("labels values must be integers", others)) }
}

fn labels_error(text: &str, values: Vec<Bson>) -> ApiError {
    ApiError::validation(text).with("values", values)
}

/// The stored form of metadata given as sent: an object of items by key, or a list of items that carry their
/// keys. Errors: 400/12 for an empty key, 400/16 for another kind of value.
pub(super) fn stored_metadata(value: Bson) -> ApiResult<Bson> {
    let items: Vec<(String, Bson)> = match value {
        Bson::Document(items) => items.into_iter().collect(),
        Bson::Array(items) => items
            .into_iter()
            .filter_map(|item| {
                let key = item.as_document()?.get_str("key").ok()?.to_owned();
                Some((key, item))
            })
            .collect(),
        _ => return Err(expecting("list", "metadata")),
    };
    let map =
        items.into_iter().map(|(key, item)| Ok((escape_key(&key)?, item))).collect::<ApiResult<Document>>();
    Ok(map?.into())
}

/// Errors: 400/16 for fields of another kind than stored.
pub(super) fn check_shapes(fields: &Document) -> ApiResult<()> {
    for (name, value) in fields {
        let fits = match name.as_str() {
            "tags" | "system_tags" => matches!(value, Bson::Array(_)),
            "design" | "labels" | "ui_cache" => matches!(value, Bson::Document(_)),
            _ => continue,
        };
        if !fits && *value != Bson::Null {
            let kind = if name.ends_with("tags") { "list" } else { "dict" };
            return Err(expecting(kind, name));
        }
    }
    Ok(())
}

fn expecting(kind: &str, field: &str) -> ApiError {
    ApiError::new(codes::FIELDS_VALUE_ERROR).extra(format!("expecting {kind}")).with("field", field)
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn label_ids_are_integers_and_unique_but_for_zero() {
        assert!(check_new_labels(&doc! {"a": 0, "b": 0, "c": 1, "d": null}).is_ok());
        assert_eq!(check_new_labels(&doc! {"a": 1, "b": 1_i64}).unwrap_err().code.subcode, 800);
        assert_eq!(check_new_labels(&doc! {"a": "1"}).unwrap_err().code.subcode, 800);
        assert_eq!(check_new_labels(&doc! {"a": 1.5}).unwrap_err().code.subcode, 12);
        assert!(check_replaced_labels(&doc! {"a": 1, "b": 1}).is_ok());
        assert_eq!(check_replaced_labels(&doc! {"a": null}).unwrap_err().code.subcode, 12);
    }

    #[test]
    fn metadata_is_keyed_by_escaped_keys() {
        let item = doc! {"key": "a.b", "type": "str", "value": "v"};
        let stored = Bson::from(doc! {"a%2Eb": item.clone()});
        assert_eq!(stored_metadata(doc! {"a.b": item.clone()}.into()).unwrap(), stored);
        assert_eq!(stored_metadata(vec![Bson::from(item)].into()).unwrap(), stored);
        assert_eq!(stored_metadata(Bson::Int32(1)).unwrap_err().code.subcode, 16);
    }
}
