//! Whether a document fulfils a [`Filter`]: the one place that knows MongoDB's conditions.

use std::{cmp::Ordering, collections::HashSet};

use bson::{Bson, Document, RawBson, RawBsonRef, RawDocument, RawDocumentBuf};

use crate::{
    Filter, StoreError, StoreResult,
    filter::Subject,
    path::{Path, elements},
    regex::{Pattern, TOO_SLOW},
    value::{Class, Collation, class, compare, equal},
};

/// A [`Filter`] made ready to look at many documents.
#[derive(Debug)]
pub struct Matcher {
    node: Node,
    collation: Collation,
    /// All patterns in it.
    patterns: Vec<Pattern>,
}

#[derive(Debug)]
enum Node {
    Constant(bool),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Equal(Path, RawBson),
    Compare(Path, RawBson, &'static [Ordering]),
    In(Path, ValueSet),
    ContainsAll(Path, Vec<RawBson>),
    Size(Path, usize),
    Exists(Path),
    Regex(Path, Pattern),
    /// Whether the condition is one on fields: then elements that have none don't fulfil it.
    ElementMatches(Path, bool, Box<Node>),
}

/// Values to be compared with; texts, which are the many, by hash.
#[derive(Debug)]
struct ValueSet {
    texts: HashSet<String>,
    others: Vec<RawBson>,
}

impl Matcher {
    /// Compiles the filter. With `numeric_collation`, texts are compared (not equated) by the numeric
    /// collation. A [`Filter::Text`] is answered by a store's text index alone and matches nothing here.
    ///
    /// Errors: [`StoreError::InvalidRegex`], [`StoreError::InvalidValue`].
    pub fn new(filter: &Filter, numeric_collation: bool) -> StoreResult<Self> {
        let node = compile(filter)?;
        let mut patterns = Vec::new();
        node.collect_patterns(&mut patterns);
        Ok(Self { node, collation: Collation::new(numeric_collation), patterns })
    }

    /// Whether the document fulfils the condition.
    pub fn matches_raw(&self, document: &RawDocument) -> bool {
        self.node.matches(RawBsonRef::Document(document), self.collation)
    }

    /// Whether the answers so far can be relied upon.
    ///
    /// Errors: [`StoreError::InvalidRegex`] for a pattern that took too many steps on too many documents.
    pub(crate) fn check(&self) -> StoreResult<()> {
        if self.patterns.iter().any(Pattern::is_exhausted) {
            return Err(StoreError::InvalidRegex(TOO_SLOW.to_owned()));
        }
        Ok(())
    }

    /// Whether the document fulfils the condition.
    ///
    /// Errors: [`StoreError::InvalidValue`] when the document can't be written as BSON.
    pub fn matches(&self, document: &Document) -> StoreResult<bool> {
        let raw = RawDocumentBuf::try_from(document).map_err(invalid_value)?;
        Ok(self.matches_raw(&raw))
    }

    /// Whether a value, say an element of an array, fulfils the condition; `""` is the path of the value
    /// itself.
    pub(crate) fn matches_value(&self, value: &Bson) -> StoreResult<bool> {
        let raw = RawBson::try_from(value.clone()).map_err(invalid_value)?;
        Ok(self.node.matches(raw.as_raw_bson_ref(), self.collation))
    }
}

/// What a value that BSON can't hold is called.
pub(crate) fn invalid_value(error: impl std::fmt::Display) -> StoreError {
    StoreError::InvalidValue(error.to_string())
}

fn raw(value: &Bson) -> StoreResult<RawBson> {
    RawBson::try_from(value.clone()).map_err(invalid_value)
}

fn compile_all(filters: &[Filter]) -> StoreResult<Vec<Node>> {
    filters.iter().map(compile).collect()
}

fn compile(filter: &Filter) -> StoreResult<Node> {
    let compare = |path: &str, value: &Bson, orders: &'static [Ordering]| {
        Ok(Node::Compare(Path::new(path), raw(value)?, orders))
    };
    let not = |node: StoreResult<Node>| Ok(Node::Not(Box::new(node?)));
    match filter {
        Filter::Everything => Ok(Node::Constant(true)),
        Filter::Nothing | Filter::Text(_) => Ok(Node::Constant(false)),
        Filter::And(all) => Ok(Node::And(compile_all(all)?)),
        Filter::Or(any) => Ok(Node::Or(compile_all(any)?)),
        Filter::Not(inner) => not(compile(inner)),
        Filter::Equal(path, value) => Ok(Node::Equal(Path::new(path), raw(value)?)),
        Filter::NotEqual(path, value) => not(Ok(Node::Equal(Path::new(path), raw(value)?))),
        Filter::Greater(path, value) => compare(path, value, &[Ordering::Greater]),
        Filter::GreaterOrEqual(path, value) => compare(path, value, &[Ordering::Greater, Ordering::Equal]),
        Filter::Less(path, value) => compare(path, value, &[Ordering::Less]),
        Filter::LessOrEqual(path, value) => compare(path, value, &[Ordering::Less, Ordering::Equal]),
        Filter::In(path, values) => Ok(Node::In(Path::new(path), ValueSet::new(values)?)),
        Filter::NotIn(path, values) => not(Ok(Node::In(Path::new(path), ValueSet::new(values)?))),
        Filter::ContainsAll(path, values) => {
            Ok(Node::ContainsAll(Path::new(path), values.iter().map(raw).collect::<StoreResult<_>>()?))
        }
        Filter::Size(path, size) => Ok(match usize::try_from(*size) {
            Ok(size) => Node::Size(Path::new(path), size),
            Err(_) => Node::Constant(false),
        }),
        Filter::Exists(path, true) => Ok(Node::Exists(Path::new(path))),
        Filter::Exists(path, false) => not(Ok(Node::Exists(Path::new(path)))),
        Filter::Regex { path, pattern, case_insensitive } => {
            Ok(Node::Regex(Path::new(path), Pattern::new(pattern, *case_insensitive)?))
        }
        Filter::ElementMatches(path, inner) => {
            let of_fields = matches!(inner.subject(), Subject::Fields | Subject::Both);
            Ok(Node::ElementMatches(Path::new(path), of_fields, Box::new(compile(inner)?)))
        }
    }
}

impl ValueSet {
    fn new(values: &[Bson]) -> StoreResult<Self> {
        let mut set = Self { texts: HashSet::new(), others: Vec::new() };
        for value in values {
            match value {
                Bson::String(text) => {
                    set.texts.insert(text.clone());
                }
                other => set.others.push(raw(other)?),
            }
        }
        Ok(set)
    }

    fn contains(&self, value: Option<RawBsonRef<'_>>) -> bool {
        if let Some(text) = value.and_then(RawBsonRef::as_str) {
            return self.texts.contains(text);
        }
        self.others.iter().any(|wanted| equals(value, wanted.as_raw_bson_ref()))
    }
}

impl Node {
    fn collect_patterns(&self, patterns: &mut Vec<Pattern>) {
        match self {
            Self::Regex(_, pattern) => patterns.push(pattern.clone()),
            Self::And(nodes) | Self::Or(nodes) => {
                for node in nodes {
                    node.collect_patterns(patterns);
                }
            }
            Self::Not(node) | Self::ElementMatches(_, _, node) => node.collect_patterns(patterns),
            Self::Constant(_)
            | Self::Equal(..)
            | Self::Compare(..)
            | Self::In(..)
            | Self::ContainsAll(..)
            | Self::Size(..)
            | Self::Exists(_) => {}
        }
    }

    fn matches(&self, root: RawBsonRef<'_>, collation: Collation) -> bool {
        match self {
            Self::Constant(answer) => *answer,
            Self::And(all) => all.iter().all(|node| node.matches(root, collation)),
            Self::Or(any) => any.iter().any(|node| node.matches(root, collation)),
            Self::Not(node) => !node.matches(root, collation),
            Self::Equal(path, wanted) => equals_at(path, root, wanted.as_raw_bson_ref()),
            Self::Compare(path, bound, orders) => {
                let bound = bound.as_raw_bson_ref();
                path.any_unwound(root, |value| compares(value, bound, orders, collation))
            }
            Self::In(path, set) => path.any_unwound(root, |value| set.contains(value)),
            Self::ContainsAll(path, wanted) => {
                !wanted.is_empty()
                    && wanted.iter().all(|wanted| equals_at(path, root, wanted.as_raw_bson_ref()))
            }
            Self::Size(path, size) => path.any(root, |value| {
                value.and_then(RawBsonRef::as_array).is_some_and(|array| elements(array).count() == *size)
            }),
            Self::Exists(path) => path.any(root, |value| value.is_some()),
            Self::Regex(path, pattern) => path.any_unwound(root, |value| {
                value.and_then(RawBsonRef::as_str).is_some_and(|text| pattern.is_match(text))
            }),
            Self::ElementMatches(path, of_fields, node) => path.any(root, |value| {
                let holds = |element: RawBsonRef<'_>| {
                    let has_fields = element.as_document().is_some();
                    (has_fields || !of_fields) && node.matches(element, collation)
                };
                value.and_then(RawBsonRef::as_array).is_some_and(|array| elements(array).any(holds))
            }),
        }
    }
}

fn equals_at(path: &Path, root: RawBsonRef<'_>, wanted: RawBsonRef<'_>) -> bool {
    path.any_unwound(root, |value| equals(value, wanted))
}

fn equals(value: Option<RawBsonRef<'_>>, wanted: RawBsonRef<'_>) -> bool {
    match value {
        Some(value) => equal(value, wanted),
        None => class(wanted) == Class::Null,
    }
}

fn compares(
    value: Option<RawBsonRef<'_>>,
    bound: RawBsonRef<'_>,
    orders: &[Ordering],
    collation: Collation,
) -> bool {
    let value = value.unwrap_or(RawBsonRef::Null);
    if class(value) != class(bound) {
        return false;
    }
    let order = compare(value, bound, collation);
    // Not-a-number is equal to itself and neither less nor greater than any number.
    if order.is_ne() && (is_nan(value) || is_nan(bound)) {
        return false;
    }
    orders.contains(&order)
}

fn is_nan(value: RawBsonRef<'_>) -> bool {
    value.as_f64().is_some_and(f64::is_nan)
}

#[cfg(test)]
mod tests {
    use bson::{DateTime, bson, doc};

    use super::*;

    fn matches(document: &Document, filter: &Filter) -> bool {
        Matcher::new(filter, false).unwrap().matches(document).unwrap()
    }

    #[track_caller]
    fn check(document: &Document, filter: &Filter, expected: bool) {
        assert_eq!(matches(document, filter), expected, "{filter:?} on {document}");
        assert_eq!(matches(document, &filter.clone().negate()), !expected, "not {filter:?} on {document}");
    }

    #[test]
    fn equality_looks_into_arrays_and_null_matches_missing() {
        let document = doc! {"name": "x", "tags": ["a", "b"], "none": null, "entries": [{"task": "t1"}]};
        check(&document, &Filter::eq("name", "x"), true);
        check(&document, &Filter::eq("tags", "a"), true);
        check(&document, &Filter::eq("tags", bson!(["a", "b"])), true);
        check(&document, &Filter::eq("tags", bson!(["b", "a"])), false);
        check(&document, &Filter::eq("entries.task", "t1"), true);
        check(&document, &Filter::empty("none"), true);
        check(&document, &Filter::empty("missing"), true);
        check(&document, &Filter::empty("missing.deep"), true);
        check(&document, &Filter::empty("name.below"), true);
        check(&document, &Filter::empty("tags"), false);
        check(&document, &Filter::empty("tags.below"), false);
        check(&document, &Filter::ne("tags", "a"), false);
        check(&document, &Filter::ne("tags", "c"), true);
        check(&document, &Filter::ne("missing", Bson::Null), false);
    }

    #[test]
    fn numbers_are_equal_across_kinds() {
        let document = doc! {"n": 3_i32, "m": 3.0, "l": 3_i64, "many": [1, 2.5]};
        for path in ["n", "m", "l"] {
            for value in [Bson::Int32(3), Bson::Int64(3), Bson::Double(3.0)] {
                check(&document, &Filter::eq(path, value.clone()), true);
                check(&document, &Filter::gt(path, value), false);
            }
        }
        check(&document, &Filter::eq("many", 2.5), true);
        check(&document, &Filter::eq("n", "3"), false);
    }

    #[test]
    fn comparisons_stay_in_the_type_class() {
        let date = |millis| Bson::DateTime(DateTime::from_millis(millis));
        let document =
            doc! {"n": 5, "text": "b", "date": date(10), "none": null, "nan": f64::NAN, "list": [1, 9]};
        check(&document, &Filter::gt("n", 4), true);
        check(&document, &Filter::gt("n", "4"), false);
        check(&document, &Filter::lt("text", "c"), true);
        check(&document, &Filter::lt("text", 1000), false);
        check(&document, &Filter::gte("date", date(10)), true);
        check(&document, &Filter::lt("date", date(10)), false);
        check(&document, &Filter::gt("date", 1), false);
        check(&document, &Filter::gte("none", Bson::Null), true);
        check(&document, &Filter::lte("missing", Bson::Null), true);
        check(&document, &Filter::gt("none", Bson::Null), false);
        check(&document, &Filter::gte("none", 0), false);
        check(&document, &Filter::lt("nan", 1), false);
        check(&document, &Filter::lte("nan", f64::NAN), true);
        check(&document, &Filter::gt("list", 8), true);
        check(&document, &Filter::And(vec![Filter::gt("list", 8), Filter::lt("list", 2)]), true);
        check(&document, &Filter::gt("list", 9), false);
    }

    #[test]
    fn lists_sizes_and_presence() {
        let document = doc! {"tags": ["a", "b"], "empty": [], "none": null, "name": "a"};
        check(&document, &Filter::is_in("tags", ["x", "b"]), true);
        check(&document, &Filter::is_in("tags", Vec::<Bson>::new()), false);
        check(&document, &Filter::not_in("tags", ["x"]), true);
        check(&document, &Filter::is_in("missing", [Bson::Null]), true);
        check(&document, &Filter::ContainsAll("tags".into(), vec!["a".into(), "b".into()]), true);
        check(&document, &Filter::ContainsAll("tags".into(), vec!["a".into(), "c".into()]), false);
        check(&document, &Filter::ContainsAll("tags".into(), vec![]), false);
        check(&document, &Filter::ContainsAll("name".into(), vec!["a".into()]), true);
        check(&document, &Filter::Size("tags".into(), 2), true);
        check(&document, &Filter::Size("empty".into(), 0), true);
        check(&document, &Filter::Size("missing".into(), 0), false);
        check(&document, &Filter::Size("tags".into(), -1), false);
        check(&document, &Filter::exists("none"), true);
        check(&document, &Filter::exists("empty"), true);
        check(&document, &Filter::exists("missing"), false);
        check(&document, &Filter::eq("empty", bson!([])), true);
    }

    #[test]
    fn one_element_must_fulfil_the_whole_condition() {
        let document = doc! {"entries": [{"a": 1, "b": 2}, {"a": 3, "b": 4}], "n": [1, 10]};
        let both = |a: i32, b: i32| {
            let inner = Filter::eq("a", a).and(Filter::eq("b", b));
            Filter::ElementMatches("entries".into(), Box::new(inner))
        };
        check(&document, &both(1, 2), true);
        check(&document, &both(1, 4), false);
        let mixed = doc! {"list": [1, {"a": 2}]};
        let has_none = |path: &str| Filter::ElementMatches("list".into(), Box::new(Filter::empty(path)));
        check(&mixed, &has_none("a"), false);
        check(&mixed, &has_none("b"), true);
        let between = Filter::gt("", 3).and(Filter::lt("", 8));
        check(&document, &Filter::ElementMatches("n".into(), Box::new(between)), false);
        check(&document, &Filter::ElementMatches("n".into(), Box::new(Filter::gt("", 3))), true);
    }

    #[test]
    fn regular_expressions_search_text_and_text_elements() {
        let regex = |path: &str, pattern: &str| Filter::Regex {
            path: path.into(),
            pattern: pattern.into(),
            case_insensitive: false,
        };
        let document = doc! {"name": "alpha beta", "tags": ["one", "two"], "n": 1};
        check(&document, &regex("name", "a b"), true);
        check(&document, &regex("name", "^beta"), false);
        check(&document, &regex("tags", "^tw"), true);
        check(&document, &regex("n", "1"), false);
        check(&document, &regex("missing", ""), false);
        assert!(matches!(Matcher::new(&regex("n", "("), false), Err(StoreError::InvalidRegex(_))));
    }

    #[test]
    fn empty_lists_of_conditions_are_constants() {
        check(&doc! {}, &Filter::And(vec![]), true);
        check(&doc! {}, &Filter::Or(vec![]), false);
        check(&doc! {}, &Filter::Everything, true);
        check(&doc! {}, &Filter::Nothing, false);
    }

    #[test]
    fn numeric_collation_compares_texts_as_numbers() {
        let document = doc! {"lr": "10"};
        let above = Filter::gt("lr", "9");
        assert!(!Matcher::new(&above, false).unwrap().matches(&document).unwrap());
        assert!(Matcher::new(&above, true).unwrap().matches(&document).unwrap());
    }

    #[test]
    fn keys_may_hold_any_character() {
        let document = doc! {"h": {"a%2Eb": {"x y'\"": 1}}};
        check(&document, &Filter::eq("h.a%2Eb.x y'\"", 1), true);
    }
}
