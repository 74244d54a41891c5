//! Filters as MongoDB's conditions.

use bson::{Bson, Document, doc};

use super::{
    expression::{Expression, Root},
    path::check_name,
};
use crate::{Filter, StoreError, StoreResult, filter::Subject, regex::Pattern};

/// The condition as the `filter` of a command or a `$match` stage.
///
/// Errors: [`StoreError::InvalidRegex`], [`StoreError::InvalidValue`] for a path that starts with `$`.
pub(super) fn condition(filter: &Filter) -> StoreResult<Document> {
    let compiled = compile(filter, Scope::Document)?;
    // At the top, what has no form of its own becomes an expression.
    compiled.ok_or_else(|| StoreError::Backend("a condition could not be expressed".to_owned()))
}

/// What `$elemMatch` or `$pull` take for a condition on an element; `None` when only an expression can say it.
pub(super) fn element_condition(filter: &Filter) -> StoreResult<Option<Document>> {
    match filter.subject() {
        Subject::Element => value_condition(filter),
        Subject::Fields => compile(filter, Scope::Element),
        Subject::Both => Ok(None),
        Subject::None if is_constant_true(filter) => Ok(Some(doc! {"$nin": []})),
        Subject::None => Ok(Some(doc! {"$in": []})),
    }
}

/// Where a condition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Document,
    /// Inside `$elemMatch`, where `$expr` is not allowed.
    Element,
}

fn compile_all(filters: &[Filter], scope: Scope) -> StoreResult<Option<Vec<Document>>> {
    filters.iter().map(|filter| compile(filter, scope)).collect()
}

fn compile(filter: &Filter, scope: Scope) -> StoreResult<Option<Document>> {
    let member = |path: &str, operators: Document| -> StoreResult<Option<Document>> {
        check_name(path)?;
        Ok(Some(doc! {path: operators}))
    };
    Ok(match filter {
        Filter::Everything => Some(doc! {}),
        Filter::Nothing => Some(nothing()),
        Filter::And(all) if all.is_empty() => Some(doc! {}),
        Filter::Or(any) if any.is_empty() => Some(nothing()),
        Filter::And(all) => compile_all(all, scope)?.map(together),
        Filter::Or(any) => compile_all(any, scope)?.map(|any| doc! {"$or": any}),
        Filter::Not(inner) => compile(inner, scope)?.map(|inner| doc! {"$nor": [inner]}),
        Filter::Size(path, size) if i32::try_from(*size).is_err() || *size < 0 => {
            check_name(path)?;
            Some(nothing())
        }
        Filter::ElementMatches(path, inner) => match element_condition(inner)? {
            Some(inner) => return member(path, doc! {"$elemMatch": inner}),
            None if scope == Scope::Document => {
                Some(doc! {"$expr": Expression::of(filter, &Root::document())?})
            }
            None => None,
        },
        Filter::Text(search) => Some(doc! {"$text": {"$search": search}}),
        Filter::Equal(path, _)
        | Filter::NotEqual(path, _)
        | Filter::Greater(path, _)
        | Filter::GreaterOrEqual(path, _)
        | Filter::Less(path, _)
        | Filter::LessOrEqual(path, _)
        | Filter::In(path, _)
        | Filter::NotIn(path, _)
        | Filter::ContainsAll(path, _)
        | Filter::Size(path, _)
        | Filter::Exists(path, _)
        | Filter::Regex { path, .. } => match operators(filter)? {
            Some(operators) => return member(path, operators),
            None => None,
        },
    })
}

/// All of the conditions: members of one document where each has a field of its own.
fn together(all: Vec<Document>) -> Document {
    let mut merged = Document::new();
    for (field, condition) in all.iter().flatten() {
        if field.starts_with('$') || merged.contains_key(field) {
            return doc! {"$and": all};
        }
        merged.insert(field, condition.clone());
    }
    merged
}

/// No document.
fn nothing() -> Document {
    doc! {"_id": {"$in": []}}
}

/// The operators of a condition on one path, without the path.
fn operators(filter: &Filter) -> StoreResult<Option<Document>> {
    Ok(Some(match filter {
        Filter::Equal(_, value) => doc! {"$eq": value},
        Filter::NotEqual(_, value) => doc! {"$ne": value},
        Filter::Greater(_, value) => doc! {"$gt": value},
        Filter::GreaterOrEqual(_, value) => doc! {"$gte": value},
        Filter::Less(_, value) => doc! {"$lt": value},
        Filter::LessOrEqual(_, value) => doc! {"$lte": value},
        Filter::In(_, values) => doc! {"$in": values},
        Filter::NotIn(_, values) => doc! {"$nin": values},
        Filter::ContainsAll(_, values) if values.is_empty() => doc! {"$in": []},
        Filter::ContainsAll(_, values) => doc! {"$all": values},
        Filter::Size(_, size) => doc! {"$size": size},
        Filter::Exists(_, present) => doc! {"$exists": present},
        Filter::Regex { pattern, case_insensitive, .. } => {
            check_pattern(pattern, *case_insensitive)?;
            doc! {"$regex": pattern, "$options": if *case_insensitive { "i" } else { "" }}
        }
        Filter::Everything
        | Filter::Nothing
        | Filter::And(_)
        | Filter::Or(_)
        | Filter::Not(_)
        | Filter::ElementMatches(..)
        | Filter::Text(_) => return Ok(None),
    }))
}

/// What Python would refuse is refused before MongoDB is asked, so that the message is the same everywhere.
pub(super) fn check_pattern(pattern: &str, case_insensitive: bool) -> StoreResult<()> {
    if pattern.contains('\0') {
        return Err(StoreError::InvalidRegex("the pattern contains a zero byte".to_owned()));
    }
    Pattern::new(pattern, case_insensitive).map(drop)
}

/// A condition on the element itself (path `""`) as operators: `{"$gt": 3, "$lt": 8}`.
fn value_condition(filter: &Filter) -> StoreResult<Option<Document>> {
    Ok(match filter {
        Filter::Everything => Some(doc! {"$nin": []}),
        Filter::Nothing => Some(doc! {"$in": []}),
        Filter::And(all) => {
            let mut together = Document::new();
            for filter in all {
                let Some(operators) = value_condition(filter)? else { return Ok(None) };
                for (operator, operand) in operators {
                    if together.contains_key(&operator) {
                        return Ok(None);
                    }
                    together.insert(operator, operand);
                }
            }
            if together.is_empty() { Some(doc! {"$nin": []}) } else { Some(together) }
        }
        Filter::Not(inner) => value_condition(inner)?.map(|inner| doc! {"$not": inner}),
        Filter::ElementMatches(_, inner) => element_condition(inner)?.map(|inner| doc! {"$elemMatch": inner}),
        Filter::Or(_) | Filter::Text(_) => None,
        Filter::Equal(..)
        | Filter::NotEqual(..)
        | Filter::Greater(..)
        | Filter::GreaterOrEqual(..)
        | Filter::Less(..)
        | Filter::LessOrEqual(..)
        | Filter::In(..)
        | Filter::NotIn(..)
        | Filter::ContainsAll(..)
        | Filter::Size(..)
        | Filter::Exists(..)
        | Filter::Regex { .. } => operators(filter)?,
    })
}

fn is_constant_true(filter: &Filter) -> bool {
    match filter {
        Filter::Everything => true,
        Filter::And(all) => all.iter().all(is_constant_true),
        Filter::Or(any) => any.iter().any(is_constant_true),
        Filter::Not(inner) => !is_constant_true(inner),
        _ => false,
    }
}

/// A literal for an expression: texts that start with `$` are no field paths.
pub(super) fn literal(value: impl Into<Bson>) -> Bson {
    doc! {"$literal": value.into()}.into()
}

#[cfg(test)]
mod tests {
    use bson::bson;

    use super::*;

    #[test]
    fn conditions_keep_their_values_as_values() {
        let filter = Filter::eq("a.b", bson!({"$gt": 1})).and(Filter::is_in("c", ["x"]));
        assert_eq!(condition(&filter).unwrap(), doc! {"a.b": {"$eq": {"$gt": 1}}, "c": {"$in": ["x"]}});
        let twice = Filter::gt("a", 1).and(Filter::lt("a", 2));
        assert_eq!(condition(&twice).unwrap(), doc! {"$and": [{"a": {"$gt": 1}}, {"a": {"$lt": 2}}]});
        let operator = condition(&Filter::eq("$expr", bson!([1])));
        assert!(matches!(operator, Err(StoreError::InvalidValue(_))));
    }

    #[test]
    fn elements_are_matched_by_value_by_fields_or_by_an_expression() {
        let elements =
            |inner: Filter| condition(&Filter::ElementMatches("a".into(), Box::new(inner))).unwrap();
        assert_eq!(
            elements(Filter::gt("", 1).and(Filter::lt("", 5))),
            doc! {"a": {"$elemMatch": {"$gt": 1, "$lt": 5}}}
        );
        assert_eq!(
            elements(Filter::eq("k", 1).and(Filter::eq("v", 2))),
            doc! {"a": {"$elemMatch": {"k": {"$eq": 1}, "v": {"$eq": 2}}}}
        );
        assert!(elements(Filter::eq("", 1).or(Filter::eq("", 2))).contains_key("$expr"));
    }
}
