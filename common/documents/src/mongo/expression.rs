//! Filters as aggregation expressions: for groups by a condition, counts of what fulfils one, and changes of
//! array elements. An expression compares plainly, so a condition's way through arrays, its type classes and
//! missing fields are spelled out.

use bson::{Bson, doc};

use super::{
    filter::{check_pattern, literal},
    path::{field, member},
};
use crate::{Filter, StoreResult, filter::Subject};

/// What the paths of a condition start from.
#[derive(Debug, Clone)]
pub(super) struct Root {
    /// The variable that holds it.
    variable: String,
    /// Number of arrays around it, for names of variables.
    depth: usize,
}

impl Root {
    /// The document itself.
    pub(super) fn document() -> Self {
        Self { variable: "$$ROOT".to_owned(), depth: 0 }
    }

    /// An element of an array of the document: the name for `as` and the root.
    pub(super) fn element(&self) -> (String, Self) {
        let name = format!("element{}", self.depth);
        let root = Self { variable: format!("$${name}"), depth: self.depth + 1 };
        (name, root)
    }

    fn is_document(&self) -> bool {
        self.depth == 0
    }
}

/// Makes expressions that are true or false.
pub(super) struct Expression;

impl Expression {
    /// Whether the root fulfils the filter.
    pub(super) fn of(filter: &Filter, root: &Root) -> StoreResult<Bson> {
        let all = |filters: &[Filter]| -> StoreResult<Vec<Bson>> {
            filters.iter().map(|filter| Self::of(filter, root)).collect()
        };
        let compare = |path: &str, operator: Comparison, bound: &Bson| {
            any_unwound(path, root, |value| operator.holds(value, bound))
        };
        Ok(match filter {
            Filter::Everything => Bson::Boolean(true),
            // Texts are searched by the text index alone.
            Filter::Nothing | Filter::Text(_) => Bson::Boolean(false),
            Filter::And(filters) => and(all(filters)?),
            Filter::Or(filters) => or(all(filters)?),
            Filter::Not(inner) => not(Self::of(inner, root)?),
            Filter::Equal(path, value) => equal(path, root, value),
            Filter::NotEqual(path, value) => not(equal(path, root, value)),
            Filter::Greater(path, value) => compare(path, Comparison::Greater, value),
            Filter::GreaterOrEqual(path, value) => compare(path, Comparison::GreaterOrEqual, value),
            Filter::Less(path, value) => compare(path, Comparison::Less, value),
            Filter::LessOrEqual(path, value) => compare(path, Comparison::LessOrEqual, value),
            Filter::In(path, values) => is_in(path, root, values),
            Filter::NotIn(path, values) => not(is_in(path, root, values)),
            Filter::ContainsAll(_, values) if values.is_empty() => Bson::Boolean(false),
            Filter::ContainsAll(path, values) => {
                and(values.iter().map(|value| equal(path, root, value)).collect())
            }
            Filter::Size(path, size) => any(path, root, |value| {
                let sized = doc! {"$eq": [{"$size": value.clone()}, *size]};
                when(is_array(value), sized, false)
            }),
            Filter::Exists(path, true) => any(path, root, is_present),
            Filter::Exists(path, false) => not(any(path, root, is_present)),
            Filter::Regex { path, pattern, case_insensitive } => {
                check_pattern(pattern, *case_insensitive)?;
                any_unwound(path, root, |value| {
                    let options = if *case_insensitive { "i" } else { "" };
                    let found = doc! {"$regexMatch": {"input": value.clone(), "regex": literal(pattern.as_str()), "options": options}};
                    when(has_type(value, &["string"]), found, false)
                })
            }
            Filter::ElementMatches(path, inner) => {
                let (name, element) = root.element();
                let mut holds = Self::of(inner, &element)?;
                if matches!(inner.subject(), Subject::Fields | Subject::Both) {
                    let document = has_type(element.variable.clone().into(), &["object"]);
                    holds = and(vec![document, holds]);
                }
                any(path, root, |value| {
                    let elements = doc! {"$map": {"input": value.clone(), "as": &name, "in": holds.clone()}};
                    when(is_array(value), doc! {"$anyElementTrue": [elements]}, false)
                })
            }
        })
    }
}

pub(super) fn and(all: Vec<Bson>) -> Bson {
    doc! {"$and": all}.into()
}

fn or(any: Vec<Bson>) -> Bson {
    doc! {"$or": any}.into()
}

pub(super) fn not(expression: Bson) -> Bson {
    doc! {"$not": [expression]}.into()
}

/// If, then, else.
pub(super) fn when(condition: Bson, then: impl Into<Bson>, otherwise: impl Into<Bson>) -> Bson {
    doc! {"$cond": [condition, then.into(), otherwise.into()]}.into()
}

pub(super) fn is_array(value: Bson) -> Bson {
    doc! {"$isArray": [value]}.into()
}

/// Whether the value's type is one of these.
pub(super) fn has_type(value: Bson, types: &[&str]) -> Bson {
    match types {
        [one] => doc! {"$eq": [{"$type": value}, *one]}.into(),
        many => doc! {"$in": [{"$type": value}, many]}.into(),
    }
}

fn is_present(value: Bson) -> Bson {
    doc! {"$ne": [{"$type": value}, "missing"]}.into()
}

/// The value, null for a missing one.
pub(super) fn or_null(value: Bson) -> Bson {
    doc! {"$ifNull": [value, null]}.into()
}

fn equals(value: Bson, wanted: &Bson) -> Bson {
    let value = if *wanted == Bson::Null { or_null(value) } else { value };
    doc! {"$eq": [value, literal(wanted.clone())]}.into()
}

fn equal(path: &str, root: &Root, wanted: &Bson) -> Bson {
    any_unwound(path, root, |value| equals(value, wanted))
}

fn is_in(path: &str, root: &Root, values: &[Bson]) -> Bson {
    let list: Vec<Bson> = values.to_vec();
    let with_null = list.contains(&Bson::Null);
    any_unwound(path, root, |value| {
        let value = if with_null { or_null(value) } else { value };
        doc! {"$in": [value, literal(list.clone())]}.into()
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Comparison {
    /// Inside the type class of the bound; not-a-number is equal to itself and neither less nor greater.
    fn holds(self, value: Bson, bound: &Bson) -> Bson {
        let with_equal = matches!(self, Self::GreaterOrEqual | Self::LessOrEqual);
        let operator = match self {
            Self::Greater => "$gt",
            Self::GreaterOrEqual => "$gte",
            Self::Less => "$lt",
            Self::LessOrEqual => "$lte",
        };
        if matches!(bound, Bson::Double(number) if number.is_nan()) {
            return if with_equal { equals(value, bound) } else { Bson::Boolean(false) };
        }
        let types: &[&str] = match bound {
            Bson::Null | Bson::Undefined => {
                return if with_equal { equals(value, &Bson::Null) } else { Bson::Boolean(false) };
            }
            Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_) | Bson::Decimal128(_) => {
                &["int", "long", "double", "decimal"]
            }
            Bson::String(_) | Bson::Symbol(_) => &["string", "symbol"],
            Bson::Document(_) => &["object"],
            Bson::Array(_) => &["array"],
            Bson::Binary(_) => &["binData"],
            Bson::ObjectId(_) => &["objectId"],
            Bson::Boolean(_) => &["bool"],
            Bson::DateTime(_) => &["date"],
            Bson::Timestamp(_) => &["timestamp"],
            Bson::RegularExpression(_) => &["regex"],
            Bson::JavaScriptCode(_) | Bson::JavaScriptCodeWithScope(_) => &["javascript"],
            Bson::DbPointer(_) => &["dbPointer"],
            Bson::MinKey => &["minKey"],
            Bson::MaxKey => &["maxKey"],
        };
        let mut conditions = vec![
            has_type(value.clone(), types),
            doc! {operator: [value.clone(), literal(bound.clone())]}.into(),
        ];
        if types[0] == "int" {
            conditions.push(doc! {"$ne": [value, f64::NAN]}.into());
        }
        and(conditions)
    }
}

/// Whether any value at the path fulfils the condition; a missing field is one missing value.
fn any(path: &str, root: &Root, condition: impl Fn(Bson) -> Bson) -> Bson {
    if path.is_empty() {
        return condition(root.variable.clone().into());
    }
    let Some((parents, last)) = path.rsplit_once('.') else {
        // The common case: no array is on the way.
        let value =
            if root.is_document() { field(path) } else { member(root.variable.as_str().into(), path) };
        return condition(value);
    };
    let parent = || Bson::from("$$parent.value");
    let of_array = doc! {"$map": {
        "input": documents_in(parent()), "as": "inner", "in": condition(member("$$inner".into(), last)),
    }};
    let mut inside = vec![Bson::from(doc! {"$anyElementTrue": [of_array]})];
    if let Ok(index) = last.parse::<i32>() {
        let there = doc! {"$gt": [{"$size": parent()}, index]};
        inside.push(when(there.into(), condition(doc! {"$arrayElemAt": [parent(), index]}.into()), false));
    }
    let holds = when(is_array(parent()), or(inside), condition(member(parent(), last)));
    doc! {"$anyElementTrue": [{"$map": {"input": values(parents, root), "as": "parent", "in": holds}}]}.into()
}

fn documents_in(array: Bson) -> Bson {
    let is_document = has_type("$$inner".into(), &["object"]);
    doc! {"$filter": {"input": array, "as": "inner", "cond": is_document}}.into()
}

/// The same for the values and, where they are arrays, their elements.
fn any_unwound(path: &str, root: &Root, condition: impl Fn(Bson) -> Bson) -> Bson {
    any(path, root, |value| {
        let elements =
            doc! {"$map": {"input": value.clone(), "as": "item", "in": condition("$$item".into())}};
        let inside = when(is_array(value.clone()), doc! {"$anyElementTrue": [elements]}, false);
        or(vec![condition(value), inside])
    })
}

/// All values that a path leads to, as `{value: …}`, null where the field is missing: the way of
/// [`crate::path::Path::visit`].
fn values(path: &str, root: &Root) -> Bson {
    let start: Bson = vec![Bson::from(doc! {"value": root.variable.clone()})].into();
    path.split('.').fold(start, |candidates, name| {
        let this = || Bson::from("$$this.value");
        let members = doc! {"value": member("$$inner".into(), name)};
        let of_array = doc! {"$map": {"input": documents_in(this()), "as": "inner", "in": members}};
        let of_array = match name.parse::<i32>() {
            Ok(index) => {
                let element = vec![Bson::from(doc! {"value": {"$arrayElemAt": [this(), index]}})];
                let there = doc! {"$gt": [{"$size": this()}, index]};
                doc! {"$concatArrays": [when(there.into(), element, Vec::<Bson>::new()), of_array]}
            }
            Err(_) => of_array,
        };
        let of_other = vec![Bson::from(doc! {"value": member(this(), name)})];
        let step = when(is_array(this()), of_array, of_other);
        doc! {"$reduce": {
            "input": candidates,
            "initialValue": [],
            "in": {"$concatArrays": ["$$value", step]},
        }}
        .into()
    })
}
