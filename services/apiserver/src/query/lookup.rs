//! Which declared field a dotted request path leads to.

use bson::Bson;

use super::{Entity, Field, Kind, entity::find_field};
use crate::api::{ApiError, codes};

/// What a path leads to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// The document's id.
    Id,
    /// A declared field, of the document or of a sub-document in it.
    Field(&'static Field),
    /// Something inside a map, list or free object: its kind is not known.
    Inner,
}

/// Finds the field that a path leads to. References are not followed.
///
/// # Errors
/// 400/14 `Lookup error` that names the first part that is not declared.
pub(crate) fn resolve(entity: &Entity, path: &str) -> Result<Target, ApiError> {
    if path == "id" || path == "_id" {
        return Ok(Target::Id);
    }
    let parts: Vec<&str> = path.split('.').collect();
    resolve_parts(entity.fields, &parts, false)
}

/// As [`resolve`], among the fields of a sub-document.
fn resolve_parts(fields: &'static [Field], parts: &[&str], inside_map: bool) -> Result<Target, ApiError> {
    let Some((name, rest)) = parts.split_first() else { return Ok(Target::Inner) };
    let field = find_field(fields, name).ok_or_else(|| lookup_error(name))?;
    let Some(next) = rest.first() else {
        return Ok(if inside_map { Target::Inner } else { Target::Field(field) });
    };
    match &field.kind {
        Kind::EmbeddedList(inner) if is_index(next) => resolve_parts(inner, &rest[1..], true),
        Kind::Embedded(inner) | Kind::EmbeddedList(inner) => resolve_parts(inner, rest, inside_map),
        Kind::Map { depth, fields: inner } if rest.len() > *depth => {
            resolve_parts(inner, &rest[*depth..], true)
        }
        Kind::Map { .. } | Kind::Any => Ok(Target::Inner),
        Kind::Texts if is_index(next) && rest.len() == 1 => Ok(Target::Inner),
        Kind::Text
        | Kind::Integer
        | Kind::Float
        | Kind::Boolean
        | Kind::Date
        | Kind::Texts
        | Kind::Reference(_) => Err(lookup_error(next)),
    }
}

fn is_index(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}

/// 400/14 for a part of a path that no field answers to.
pub(crate) fn lookup_error(part: &str) -> ApiError {
    ApiError::new(codes::INVALID_FIELDS)
        .text("Lookup error (probably an invalid field name or unsupported nested field)")
        .with("err", format!("Cannot resolve field \"{part}\""))
}

/// The stored path of a request path: `id` is stored as `_id`.
pub(crate) fn stored_path(path: &str) -> &str {
    if path == "id" { "_id" } else { path }
}

/// Whether a request value counts as given in the loose sense: not null, false, zero or empty.
pub(crate) fn is_truthy(value: Option<&Bson>) -> bool {
    value.is_some_and(crate::api::is_truthy)
}

/// Whether a request value is there and not null.
pub(crate) fn given(value: Option<&Bson>) -> Option<&Bson> {
    value.filter(|value| !matches!(value, Bson::Null | Bson::Undefined))
}

/// A request value as a list: a scalar is a list of one.
pub(crate) fn as_list(value: &Bson) -> Vec<Bson> {
    match value {
        Bson::Array(items) => items.clone(),
        scalar => vec![scalar.clone()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::schema::TASK;

    fn kind(path: &str) -> String {
        match resolve(&TASK, path) {
            Ok(Target::Id) => "id".to_owned(),
            Ok(Target::Field(field)) => field.name.to_owned(),
            Ok(Target::Inner) => "inner".to_owned(),
            Err(error) => error.message(),
        }
    }

    #[test]
    fn finds_declared_and_inner_fields() {
        for (path, expected) in [
            ("id", "id"),
            ("name", "name"),
            ("execution.queue", "queue"),
            ("models.input.model", "model"),
            ("models.input.0.model", "inner"),
            ("hyperparams.Args.lr.value", "inner"),
            ("hyperparams.Args", "inner"),
            ("hyperparams", "hyperparams"),
            ("runtime.a.b.c", "inner"),
            ("tags.0", "inner"),
        ] {
            assert_eq!(kind(path), expected, "{path}");
        }
    }

    #[test]
    fn names_the_part_that_is_not_declared() {
        for (path, part) in [
            ("foo", "foo"),
            ("project.name", "name"),
            ("execution.model", "model"),
            ("name.x", "x"),
            ("hyperparams.Args.lr.foo", "foo"),
            ("*", "*"),
            ("", ""),
        ] {
            assert_eq!(
                kind(path),
                format!(
                    "Lookup error (probably an invalid field name or unsupported nested field): \
                     err=Cannot resolve field \"{part}\""
                ),
            );
        }
    }
}
