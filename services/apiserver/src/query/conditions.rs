//! From the parameters of a request to the condition on documents (spec 03 §1.2 to §1.9).

use bson::{Bson, Document};
use clearml_documents::Filter;

use super::{
    Entity,
    comparisons::{datetime_filter, parse_failure, range_filter},
    list_filter::{dictionary_filter, operator_filter},
    lookup::{given, is_truthy, resolve, stored_path},
};
use crate::api::{ApiError, ApiResult, codes};

/// The condition that the query parameters of a request make. Keys that are no query parameters of the
/// entity do not matter; visibility, text search, order and paging are not part of it.
///
/// # Errors
/// The 400s of spec 03 §1.3 to §1.9.
pub(crate) fn request_filter(entity: &Entity, request: &Document) -> ApiResult<Filter> {
    let queries = &entity.queries;
    let mut filter = Filter::Everything;

    for (field, value) in matching(request, queries.pattern) {
        if is_truthy(Some(value)) {
            filter = filter.and(pattern_filter(field, value)?);
        }
    }
    let dictionaries = dictionaries(request)?;
    for (field, value) in dictionaries.into_iter().flatten() {
        if matches_any(field, queries.list) {
            filter = filter.and(dictionary_filter(field, value)?);
        }
    }
    for (field, value) in matching(request, queries.list) {
        if *value != Bson::Null && !dictionaries.is_some_and(|fields| fields.contains_key(field)) {
            filter = filter.and(operator_filter(entity, field, &numbers_for_metrics(field, value))?);
        }
    }
    for (field, value) in matching(request, queries.range) {
        if *value != Bson::Null {
            filter = filter.and(range_filter(entity, field, &numbers_for_metrics(field, value))?);
        }
    }
    for (field, value) in matching(request, queries.equality) {
        if *value != Bson::Null {
            filter = filter.and(Filter::eq(stored_path(field), value.clone()));
        }
    }
    for (field, value) in matching(request, queries.datetime) {
        if !is_half_open_below(value) {
            filter = filter.and(datetime_filter(entity, field, value)?);
        }
    }
    for (key, joined_by_or) in [("_any_", true), ("_or_", true), ("_all_", false), ("_and_", false)] {
        if let Some(value) = request.get(key) {
            filter = filter.and(multi_field_filter(entity, key, joined_by_or, value)?);
        }
    }
    Ok(filter)
}

/// The request's parameters among the declared ones, in the order of the declaration.
fn matching<'a>(
    request: &'a Document,
    declared: &'static [&'static str],
) -> impl Iterator<Item = (&'a str, &'a Bson)> {
    declared.iter().flat_map(move |pattern| {
        request
            .iter()
            .filter(move |(key, _)| matches_pattern(key, pattern))
            .map(|(key, value)| (key.as_str(), value))
    })
}

fn matches_any(key: &str, patterns: &[&str]) -> bool {
    patterns.iter().any(|pattern| matches_pattern(key, pattern))
}

/// Whether a key is `pattern`, or starts with `prefix.` for the pattern `prefix.*`.
fn matches_pattern(key: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => key.len() > prefix.len() && key.starts_with(prefix),
        None => key == pattern,
    }
}

/// Numbers for the values of `last_metrics.*` that are written as text.
fn numbers_for_metrics(field: &str, value: &Bson) -> Bson {
    let number = |value: &Bson| match value {
        Bson::String(text) => text.trim().parse().map_or_else(|_| value.clone(), Bson::Double),
        other => other.clone(),
    };
    match value {
        _ if !field.starts_with("last_metrics.") => value.clone(),
        Bson::Array(items) => Bson::Array(items.iter().map(number).collect()),
        single => number(single),
    }
}

fn pattern_filter(field: &str, value: &Bson) -> ApiResult<Filter> {
    let Bson::String(pattern) = value else {
        return Err(ApiError::validation(format!("the pattern of field {field} is not text")));
    };
    Ok(Filter::Regex {
        path: stored_path(field).to_owned(),
        pattern: pattern.clone(),
        case_insensitive: false,
    })
}

fn dictionaries(request: &Document) -> ApiResult<Option<&Document>> {
    match request.get("filters") {
        Some(Bson::Document(filters)) => Ok(Some(filters)),
        other if !is_truthy(other) => Ok(None),
        other => Err(ApiError::new(codes::FIELDS_VALUE_ERROR)
            .extra("invalid value type, string expected")
            .with("field", "filters")
            .with("value", other.cloned().unwrap_or(Bson::Null))),
    }
}

/// `[null, date]`: ignored as a parameter of its own, as clients are used to.
fn is_half_open_below(value: &Bson) -> bool {
    matches!(value, Bson::Array(bounds) if bounds.len() == 2 && bounds[0] == Bson::Null)
}

/// The condition of `{fields, pattern}` or `{fields, datetime}` (spec 03 §1.9).
fn multi_field_filter(entity: &Entity, key: &str, joined_by_or: bool, value: &Bson) -> ApiResult<Filter> {
    let incorrect = || parse_failure(key, format!("incorrect field format: field={key}"));
    let Bson::Document(specification) = value else { return Err(incorrect()) };
    if specification.keys().any(|key| !matches!(key.as_str(), "fields" | "pattern" | "datetime")) {
        return Err(incorrect());
    }
    let fields = read_fields(specification).ok_or_else(incorrect)?;
    let conditions = match (given(specification.get("pattern")), given(specification.get("datetime"))) {
        (Some(pattern), None) => patterns(entity, key, &fields, pattern)?,
        (None, Some(datetime)) => datetimes(entity, key, &fields, datetime)?,
        _ => return Err(incorrect()),
    };
    Ok(match conditions.len() {
        0 => Filter::Everything,
        1 => conditions.into_iter().next().unwrap_or(Filter::Everything),
        _ if joined_by_or => Filter::Or(conditions),
        _ => Filter::And(conditions),
    })
}

fn read_fields(specification: &Document) -> Option<Vec<&str>> {
    match specification.get("fields") {
        None | Some(Bson::Null) => Some(Vec::new()),
        Some(Bson::Array(fields)) => fields.iter().map(Bson::as_str).collect(),
        Some(_) => None,
    }
}

fn patterns(entity: &Entity, key: &str, fields: &[&str], pattern: &Bson) -> ApiResult<Vec<Filter>> {
    let Bson::String(pattern) = pattern else {
        return Err(parse_failure(key, "the pattern is not text"));
    };
    // Names with a leading underscore can't be declared: such paths are taken as they are.
    let raw = fields.iter().any(|field| field.contains("._"));
    fields
        .iter()
        .map(|field| {
            if !raw {
                resolve(entity, field)?;
            }
            Ok(Filter::Regex {
                path: if raw { (*field).to_owned() } else { stored_path(field).to_owned() },
                pattern: pattern.clone(),
                case_insensitive: true,
            })
        })
        .collect()
}

fn datetimes(entity: &Entity, key: &str, fields: &[&str], value: &Bson) -> ApiResult<Vec<Filter>> {
    if fields.is_empty() {
        return Ok(Vec::new());
    }
    if entity.queries.datetime.is_empty() {
        return Err(parse_failure(key, "argument of type 'NoneType' is not iterable"));
    }
    fields
        .iter()
        .filter(|field| matches_any(field, entity.queries.datetime))
        .map(|field| datetime_filter(entity, field, value))
        .collect()
}

#[cfg(test)]
mod tests;
