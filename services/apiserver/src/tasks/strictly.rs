//! Which values a task takes: shapes of request fields, known members of nested objects, and the rules of
//! the stored document (spec 02 §2.1, §5.1).

use std::collections::HashSet;

use bson::{Bson, Document};

use super::schema::{ARTIFACT, CONFIGURATION, EXECUTION, MODEL_ITEM, MODELS, PARAMETER, SCRIPT, TASK};
use crate::{
    api::{ApiError, ApiResult, codes},
    query::{Field, Kind},
};

/// Fewest characters of a task's name.
const NAME_LENGTH: usize = 3;

/// 400/16 for a request field of the wrong kind.
pub(crate) fn expecting(what: &str, field: &str) -> ApiError {
    ApiError::new(codes::FIELDS_VALUE_ERROR).extra(format!("expecting {what}")).with("field", field)
}

/// Checks that lists are lists and objects are objects.
///
/// # Errors
/// 400/16
pub(crate) fn check_shapes(fields: &Document) -> ApiResult<()> {
    for field in ["tags", "system_tags"] {
        if fields.get(field).is_some_and(|value| value.as_array().is_none()) {
            return Err(expecting("list", field));
        }
    }
    for field in ["container", "hyperparams", "configuration", "runtime", "execution", "script", "models"] {
        if fields.get(field).is_some_and(|value| value.as_document().is_none()) {
            return Err(expecting("dict", field));
        }
    }
    Ok(())
}

/// Refuses members that nested objects don't have, and drops those of `execution`.
///
/// # Errors
/// 400/12 with `document=…, field=…` (or `fields=(…)`).
pub(crate) fn check_members(fields: &mut Document) -> ApiResult<()> {
    if let Ok(script) = fields.get_document_mut("script") {
        only(script, &SCRIPT, "Script")?;
    }
    if let Ok(models) = fields.get_document_mut("models") {
        only(models, &MODELS, "Models")?;
        for (_, list) in models.iter_mut() {
            let Bson::Array(items) = list else { continue };
            for item in items.iter_mut().filter_map(Bson::as_document_mut) {
                only(item, &MODEL_ITEM, "ModelItem")?;
            }
        }
    }
    if let Ok(sections) = fields.get_document_mut("hyperparams") {
        for (_, section) in sections.iter_mut() {
            only_in_each(section, &PARAMETER, "ParamsItem")?;
        }
    }
    if let Some(items) = fields.get_mut("configuration") {
        only_in_each(items, &CONFIGURATION, "ConfigurationItem")?;
    }
    if let Ok(execution) = fields.get_document_mut("execution") {
        let members = std::mem::take(execution).into_iter();
        *execution = members.filter(|(key, _)| EXECUTION.iter().any(|field| field.name == key)).collect();
        if let Some(artifacts) = execution.get_mut("artifacts") {
            only_in_each(artifacts, &ARTIFACT, "Artifact")?;
        }
    }
    Ok(())
}

/// How far [`check_document`] goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// The given fields only, and no required members of nested items: an edit.
    Edit,
    /// Everything that a stored task must have.
    Save,
}

/// Checks values against the rules of the stored document.
///
/// # Errors
/// 400/800 with the offending `field=text`.
pub(crate) fn check_document(fields: &Document, depth: Depth) -> ApiResult<()> {
    for (name, value) in fields {
        if let Some(field) = TASK.field(name) {
            check_value(name, value, field, depth)?;
        }
    }
    if let Ok(name) = fields.get_str("name")
        && name.trim().chars().count() < NAME_LENGTH
    {
        return Err(invalid("name", "String value is too short"));
    }
    if let Ok(labels) = fields.get_document("execution").and_then(|one| one.get_document("model_labels")) {
        check_labels(labels)?;
    }
    if let Ok(runtime) = fields.get_document("runtime")
        && runtime.keys().any(|key| key.is_empty() || key.starts_with('$'))
    {
        let text = "Invalid dictionary key name - keys may not be empty or start with \"$\"";
        return Err(invalid("runtime", text));
    }
    Ok(())
}

/// 400/800
pub(crate) fn invalid(field: &str, text: &str) -> ApiError {
    ApiError::new(codes::DATA_VALIDATION_ERROR).with(field, text)
}

fn only(object: &mut Document, known: &[Field], name: &str) -> ApiResult<()> {
    object.remove("_cls");
    let unknown: Vec<Bson> = object
        .keys()
        .filter(|key| !known.iter().any(|field| field.name == *key))
        .map(|key| Bson::from(key.as_str()))
        .collect();
    let error = ApiError::new(codes::VALIDATION_ERROR).with("document", name);
    match unknown.as_slice() {
        [] => Ok(()),
        [field] => Err(error.with("field", field.clone())),
        _ => Err(error.with("fields", unknown)),
    }
}

fn only_in_each(map: &mut Bson, known: &[Field], name: &str) -> ApiResult<()> {
    let Bson::Document(map) = map else { return Ok(()) };
    for (_, item) in map.iter_mut() {
        if let Bson::Document(item) = item {
            only(item, known, name)?;
        }
    }
    Ok(())
}

fn check_value(path: &str, value: &Bson, field: &Field, depth: Depth) -> ApiResult<()> {
    if *value == Bson::Null {
        return Ok(());
    }
    match &field.kind {
        Kind::Text | Kind::Reference(_) if value.as_str().is_none() => {
            Err(invalid(path, "StringField only accepts string values"))
        }
        Kind::Integer if !is_integer(value) => {
            Err(invalid(path, &format!("{} could not be converted to int", crate::python::str_of(value))))
        }
        Kind::Texts => match value {
            Bson::Array(items) if items.iter().all(|item| item.as_str().is_some()) => Ok(()),
            Bson::Array(_) => Err(invalid(path, "StringField only accepts string values")),
            _ => Err(invalid(path, "Only lists and tuples may be used in a list field")),
        },
        Kind::Embedded(fields) => check_object(path, value, fields, None, depth),
        Kind::EmbeddedList(fields) => {
            let Bson::Array(items) = value else {
                return Err(invalid(path, "Only lists and tuples may be used in a list field"));
            };
            items.iter().try_for_each(|item| check_object(path, item, fields, None, depth))
        }
        Kind::Map { depth: levels, fields } => check_map(path, value, *levels, fields, depth),
        _ => Ok(()),
    }
}

fn check_map(path: &str, value: &Bson, levels: usize, fields: &[Field], depth: Depth) -> ApiResult<()> {
    let Bson::Document(map) = value else {
        return Err(invalid(path, "Only dictionaries may be used in a DictField"));
    };
    for (key, item) in map {
        let path = format!("{path}.{key}");
        if levels > 1 {
            check_map(&path, item, levels - 1, fields, depth)?;
        } else {
            check_object(&path, item, fields, Some(required_members(fields)), depth)?;
        }
    }
    Ok(())
}

/// Members that an item of a map must have: parameters, configurations and artifacts.
fn required_members(fields: &[Field]) -> &'static [&'static str] {
    let has = |name| fields.iter().any(|field| field.name == name);
    if has("key") {
        &["key", "type"]
    } else if has("section") {
        &["section", "name", "value"]
    } else if has("value") && has("name") {
        &["name", "value"]
    } else {
        &[]
    }
}

fn check_object(
    path: &str,
    value: &Bson,
    fields: &[Field],
    required: Option<&[&str]>,
    depth: Depth,
) -> ApiResult<()> {
    let Bson::Document(object) = value else {
        return Err(invalid(path, "Invalid embedded document instance provided to an EmbeddedDocumentField"));
    };
    for field in fields {
        if let Some(value) = object.get(field.name) {
            check_value(&format!("{path}.{}", field.name), value, field, depth)?;
        }
    }
    let required = required.filter(|_| depth == Depth::Save).unwrap_or_default();
    for member in required {
        if matches!(object.get(member), None | Some(Bson::Null)) {
            return Err(invalid(&format!("{path}.{member}"), "Field is required"));
        }
    }
    Ok(())
}

/// Ids of labels are numbers; those that are neither 0 nor null are unique.
fn check_labels(labels: &Document) -> ApiResult<()> {
    const FIELD: &str = "execution.model_labels";
    let mut seen = HashSet::new();
    for id in labels.iter().map(|(_, id)| id).filter(|id| **id != Bson::Null) {
        let Some(id) = as_integer(id) else {
            return Err(invalid(
                FIELD,
                &format!("{} could not be converted to int", crate::python::str_of(id)),
            ));
        };
        if id != 0 && !seen.insert(id) {
            return Err(invalid(FIELD, "Same label id appears more than once in model labels"));
        }
    }
    Ok(())
}

fn is_integer(value: &Bson) -> bool {
    as_integer(value).is_some()
}

/// The whole number that a value is, or that its text reads as.
pub(crate) fn as_integer(value: &Bson) -> Option<i64> {
    match value {
        Bson::Int32(number) => Some(i64::from(*number)),
        Bson::Int64(number) => Some(*number),
        Bson::Double(number) if number.is_finite() => Some(number.trunc() as i64),
        Bson::Boolean(flag) => Some(i64::from(*flag)),
        Bson::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Makes a member that reads as a whole number one.
pub(crate) fn make_integer(object: &mut Document, member: &str) {
    if let Some(value) = object.get_mut(member)
        && let Some(number) = as_integer(value)
    {
        *value = Bson::Int64(number);
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    fn message(result: ApiResult<()>) -> (u16, u16, String) {
        let error = result.unwrap_err();
        (error.code.status, error.code.subcode, error.message())
    }

    #[test]
    fn shapes() {
        assert_eq!(
            message(check_shapes(&doc! {"tags": "a"})),
            (400, 16, "Invalid value for fields (expecting list): field=tags".to_owned())
        );
        assert_eq!(
            message(check_shapes(&doc! {"container": []})),
            (400, 16, "Invalid value for fields (expecting dict): field=container".to_owned())
        );
        assert!(check_shapes(&doc! {"tags": [], "runtime": {}}).is_ok());
    }

    #[test]
    fn unknown_members_are_refused_except_in_execution() {
        let mut fields = doc! {"script": {"branch": "b", "x": 1, "y": 2}};
        assert_eq!(
            message(check_members(&mut fields)),
            (400, 12, "Validation error: document=Script, fields=(x, y)".to_owned())
        );
        let mut fields = doc! {"hyperparams": {"Args": {"a": {"name": "a", "foo": 1}}}};
        assert_eq!(
            message(check_members(&mut fields)),
            (400, 12, "Validation error: document=ParamsItem, field=foo".to_owned())
        );
        for (fields, document) in [
            (doc! {"models": {"x": []}}, "Models"),
            (doc! {"models": {"input": [{"x": 1}]}}, "ModelItem"),
            (doc! {"configuration": {"c": {"x": 1}}}, "ConfigurationItem"),
            (doc! {"execution": {"artifacts": {"i": {"x": 1}}}}, "Artifact"),
        ] {
            let mut fields = fields;
            let (_, _, text) = message(check_members(&mut fields));
            assert_eq!(text, format!("Validation error: document={document}, field=x"));
        }
        let mut fields = doc! {"execution": {"queue": "q", "dataviews": []}, "script": {"_cls": "Script"}};
        check_members(&mut fields).unwrap();
        assert_eq!(fields, doc! {"execution": {"queue": "q"}, "script": {}});
    }

    #[test]
    fn documents() {
        for (fields, text) in [
            (doc! {"name": " ab "}, "name=String value is too short"),
            (doc! {"comment": 1}, "comment=StringField only accepts string values"),
            (doc! {"tags": [1]}, "tags=StringField only accepts string values"),
            (
                doc! {"hyperparams": {"a": {"b": {"section": "a", "name": "b"}}}},
                "hyperparams.a.b.value=Field is required",
            ),
            (
                doc! {"hyperparams": {"a": {"b": {"section": "a", "name": "b", "value": 1}}}},
                "hyperparams.a.b.value=StringField only accepts string values",
            ),
            (
                doc! {"execution": {"model_labels": {"a": 1, "b": 1}}},
                "execution.model_labels=Same label id appears more than once in model labels",
            ),
        ] {
            let expected = format!("Data validation error: {text}");
            assert_eq!(message(check_document(&fields, Depth::Save)), (400, 800, expected));
        }
        assert!(check_document(&doc! {"runtime": {"": 1}}, Depth::Save).is_err());
        assert!(check_document(&doc! {"runtime": {"$x": 1}}, Depth::Save).is_err());
        assert!(check_document(&doc! {"runtime": {"a.b": 1}}, Depth::Save).is_ok());
        let labels = doc! {"execution": {"model_labels": {"a": 0, "b": 0, "c": Bson::Null, "d": 2}}};
        assert!(check_document(&labels, Depth::Save).is_ok());
        let incomplete = doc! {"hyperparams": {"a": {"b": {"name": "b"}}}};
        assert!(check_document(&incomplete, Depth::Edit).is_ok());
    }
}
