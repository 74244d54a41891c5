//! Conditions on list fields: the operator form (spec 03 §1.4) and the dictionary form (§1.5).

use bson::{Bson, Document};
use clearml_documents::Filter;

use super::{
    Entity, Kind,
    lookup::{Target, as_list, is_truthy, resolve, stored_path},
};
use crate::api::{ApiError, ApiResult, codes};

/// How conditions are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    And,
    Or,
}

impl Operator {
    fn combine(self, conditions: Vec<Filter>) -> Filter {
        let mut conditions = conditions;
        if conditions.len() == 1 {
            return conditions.remove(0);
        }
        match self {
            Self::And => Filter::And(conditions),
            Self::Or => Filter::Or(conditions),
        }
    }
}

/// What a list of values with operators asks for.
#[derive(Debug)]
struct Conditions {
    any: Vec<Bson>,
    all: Vec<Bson>,
    none: Vec<Bson>,
    allow_empty: bool,
    global: Operator,
}

/// The condition of a list of values with operators: `["a", "-b"]`, `["__$all", "a", "b"]`, `["a", null]`.
///
/// # Errors
/// 400/16 for unknown operators, missing values and values that are not text.
pub(crate) fn operator_filter(entity: &Entity, field: &str, value: &Bson) -> ApiResult<Filter> {
    let conditions = read_operators(field, &as_list(value))?;
    let path = stored_path(field);
    let mut filters = Vec::new();
    if !conditions.any.is_empty() {
        filters.push(match <[Bson; 1]>::try_from(conditions.any) {
            Ok([single]) => Filter::eq(path, single),
            Err(several) => Filter::In(path.to_owned(), several),
        });
    }
    if !conditions.all.is_empty() {
        filters.push(Filter::ContainsAll(path.to_owned(), conditions.all));
    }
    if !conditions.none.is_empty() {
        filters.push(Filter::NotIn(path.to_owned(), conditions.none));
    }
    if !conditions.allow_empty {
        return Ok(if filters.is_empty() { Filter::Everything } else { conditions.global.combine(filters) });
    }
    let empty = empty_list(entity, field);
    if filters.is_empty() {
        return Ok(empty);
    }
    Ok(Filter::Or(vec![conditions.global.combine(filters)]).or(empty))
}

/// Missing, null or an empty list.
fn empty_list(entity: &Entity, field: &str) -> Filter {
    let path = stored_path(field);
    let mut empty = vec![Filter::empty(path)];
    if path.contains('.') {
        // Below an empty array a path is missing without being equal to null.
        empty.push(Filter::Exists(path.to_owned(), false));
    }
    if let Ok(Target::Field(declared)) = resolve(entity, field)
        && matches!(declared.kind, Kind::Texts | Kind::EmbeddedList(_))
    {
        empty.push(Filter::Size(path.to_owned(), 0));
    }
    Operator::Or.combine(empty)
}

fn read_operators(field: &str, tokens: &[Bson]) -> ApiResult<Conditions> {
    let mut conditions = Conditions {
        any: Vec::new(),
        all: Vec::new(),
        none: Vec::new(),
        allow_empty: false,
        global: Operator::And,
    };
    let mut context = Operator::Or;
    let mut legacy_exclude = true;
    let mut exclude_next = false;
    // Only an operator ahead of everything else decides how the conditions are combined.
    let mut global_open = true;

    for token in tokens {
        let text = match token {
            Bson::Null => {
                conditions.allow_empty = true;
                exclude_next = false;
                global_open = false;
                continue;
            }
            Bson::String(text) => text.as_str(),
            other => {
                return Err(value_error("invalid value type, string expected")
                    .with("field", field)
                    .with("value", other.clone()));
            }
        };
        if text == "__$nop" {
            (context, legacy_exclude, exclude_next, global_open) = (Operator::Or, true, false, false);
            continue;
        }
        if text.starts_with("__$") && exclude_next {
            return Err(value_error("Value is expected after")
                .with("field", field)
                .with("operator", "__$not"));
        }
        match text {
            "__$all" | "__$and" | "__$any" | "__$or" => {
                context = if matches!(text, "__$all" | "__$and") { Operator::And } else { Operator::Or };
                legacy_exclude = false;
                if global_open {
                    conditions.global = context;
                    global_open = false;
                }
            }
            "__$not" => exclude_next = true,
            unknown if unknown.starts_with("__$") => {
                return Err(value_error("Unsupported operator")
                    .with("field", field)
                    .with("operator", unknown));
            }
            value => {
                global_open = false;
                let (excluded, value) = match value.strip_prefix('-') {
                    Some("") if legacy_exclude && !exclude_next => {
                        return Err(value_error("Missing value after the exclude prefix -")
                            .with("field", field)
                            .with("value", ""));
                    }
                    Some(name) if legacy_exclude && !exclude_next => (true, name),
                    _ => (exclude_next, value),
                };
                exclude_next = false;
                let bucket = match (excluded, context) {
                    (true, _) => &mut conditions.none,
                    (false, Operator::And) => &mut conditions.all,
                    (false, Operator::Or) => &mut conditions.any,
                };
                push_once(bucket, Bson::from(value));
            }
        }
    }
    if exclude_next {
        return Err(value_error("Value is expected after").with("operator", "__$not"));
    }
    Ok(conditions)
}

fn push_once(values: &mut Vec<Bson>, value: Bson) {
    if !values.contains(&value) {
        values.push(value);
    }
}

fn value_error(extra: &str) -> ApiError {
    ApiError::new(codes::FIELDS_VALUE_ERROR).extra(extra)
}

/// The condition of `{any: {include, exclude}, all: {include, exclude}, op}` on a field.
///
/// # Errors
/// 400/12 when the value has another form.
pub(crate) fn dictionary_filter(field: &str, value: &Bson) -> ApiResult<Filter> {
    if !is_truthy(Some(value)) {
        return Ok(Filter::Everything);
    }
    let Bson::Document(parts) = value else {
        return Err(ApiError::validation("invalid filter for field, dictionary expected")
            .with("field", field)
            .with("value", value.clone()));
    };
    let path = stored_path(field);
    let mut operator = Operator::And;
    let (mut any, mut all) = (Filter::Everything, Filter::Everything);
    for (key, part) in parts {
        match key.as_str() {
            "any" => any = any_part(path, &read_part(field, part)?),
            "all" => all = all_part(path, &read_part(field, part)?),
            "op" => operator = read_operator(field, part)?,
            unknown => {
                return Err(dictionary_error(field, format!("Invalid list query filter key: {unknown}")));
            }
        }
    }
    let conditions: Vec<Filter> =
        [any, all].into_iter().filter(|condition| *condition != Filter::Everything).collect();
    Ok(if conditions.is_empty() { Filter::Everything } else { operator.combine(conditions) })
}

fn dictionary_error(field: &str, text: String) -> ApiError {
    ApiError::new(codes::VALIDATION_ERROR).with("field", field).with("value", text)
}

fn read_operator(field: &str, value: &Bson) -> ApiResult<Operator> {
    match value {
        Bson::Null => Ok(Operator::And),
        Bson::String(text) if text == "and" => Ok(Operator::And),
        Bson::String(text) if text == "or" => Ok(Operator::Or),
        other => {
            let given = other.as_str().map_or_else(|| other.to_string(), ToOwned::to_owned);
            Err(dictionary_error(
                field,
                format!("Invalid list query filter operator: {given}. Should be one of ['and', 'or']"),
            ))
        }
    }
}

/// The values of one part, without null, and whether null was among them.
#[derive(Debug, Default)]
struct Part {
    include: Vec<Bson>,
    include_empty: bool,
    exclude: Vec<Bson>,
    exclude_empty: bool,
}

fn read_part(field: &str, value: &Bson) -> ApiResult<Part> {
    let document = match value {
        Bson::Null => return Ok(Part::default()),
        Bson::Document(document) => document,
        other => {
            return Err(dictionary_error(field, format!("Invalid list query filter part: {other}")));
        }
    };
    check_part_keys(field, document)?;
    let (include, include_empty) = part_values(document, "include");
    let (exclude, exclude_empty) = part_values(document, "exclude");
    Ok(Part { include, include_empty, exclude, exclude_empty })
}

fn check_part_keys(field: &str, part: &Document) -> ApiResult<()> {
    match part.keys().find(|key| !matches!(key.as_str(), "include" | "exclude")) {
        Some(unknown) => Err(dictionary_error(field, format!("Invalid list query filter key: {unknown}"))),
        None => Ok(()),
    }
}

fn part_values(part: &Document, key: &str) -> (Vec<Bson>, bool) {
    let given = match part.get(key) {
        None | Some(Bson::Null) => return (Vec::new(), false),
        Some(value) => as_list(value),
    };
    let with_null = given.contains(&Bson::Null);
    let mut values = Vec::new();
    for value in given {
        if value != Bson::Null {
            push_once(&mut values, value);
        }
    }
    (values, with_null)
}

fn any_part(path: &str, part: &Part) -> Filter {
    let mut conditions = Vec::new();
    if !part.include.is_empty() {
        conditions.push(Filter::In(path.to_owned(), part.include.clone()));
    }
    if part.include_empty {
        conditions.push(Filter::Size(path.to_owned(), 0));
    }
    if !part.exclude.is_empty() {
        conditions.push(Filter::ContainsAll(path.to_owned(), part.exclude.clone()).negate());
    }
    if part.exclude_empty {
        conditions.push(Filter::Size(path.to_owned(), 0).negate());
    }
    if conditions.is_empty() { Filter::Everything } else { Operator::Or.combine(conditions) }
}

fn all_part(path: &str, part: &Part) -> Filter {
    let mut conditions = Vec::new();
    if !part.include.is_empty() {
        conditions.push(Filter::ContainsAll(path.to_owned(), part.include.clone()));
    }
    if part.include_empty {
        conditions.push(Filter::Size(path.to_owned(), 0));
    }
    if !part.exclude.is_empty() {
        conditions.push(Filter::NotIn(path.to_owned(), part.exclude.clone()));
    }
    if part.exclude_empty {
        conditions.push(Filter::Size(path.to_owned(), 0).negate());
    }
    if conditions.is_empty() { Filter::Everything } else { Operator::And.combine(conditions) }
}

#[cfg(test)]
mod tests;
