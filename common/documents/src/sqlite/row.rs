//! What the columns, side tables and text indexes hold of a document.

use std::{cmp::Ordering, ops::ControlFlow};

use bson::{Bson, DateTime, RawBsonRef, RawDocument};
use rusqlite::types::{Value, ValueRef};

use super::{
    layout::{Column, Layout, Side},
    text,
};
use crate::{
    path::{Path, elements},
    value::Number,
};

/// The derived values of one document.
#[derive(Debug)]
pub(super) struct Derived {
    /// As [`Layout::columns`].
    pub(super) columns: Vec<Value>,
    /// As [`Layout::sides`], each in order and without duplicates.
    pub(super) sides: Vec<Vec<Value>>,
    /// As [`Layout::text`].
    pub(super) texts: Vec<String>,
    /// All texts whose trigrams are indexed.
    pub(super) patterns: String,
    /// Bit set of columns whose value is not of the kind that the column can hold (see [`Column`]).
    pub(super) irregular: u64,
}

impl Derived {
    pub(super) fn of(layout: &Layout, document: &RawDocument) -> Self {
        let mut irregular = 0;
        let columns = layout.columns.iter().enumerate().map(|(position, column)| {
            column_value(column, document).unwrap_or_else(|| {
                irregular |= 1 << position;
                Value::Null
            })
        });
        Self {
            columns: columns.collect(),
            sides: layout.sides.iter().map(|side| side_values(side, document)).collect(),
            texts: layout.text.iter().map(|(path, _)| text_at(path, document)).collect(),
            patterns: joined_texts(layout.trigrams.iter().map(|(_, path)| path), document),
            irregular,
        }
    }
}

/// The value for a column; `None` when the document holds one that the column can't express.
fn column_value(column: &Column, document: &RawDocument) -> Option<Value> {
    if let Some(flag) = column.flag {
        let contains = |value: Option<RawBsonRef<'_>>| value.and_then(RawBsonRef::as_str) == Some(flag);
        let is_set = column.path.any_unwound(RawBsonRef::Document(document), contains);
        return Some(Value::Integer(i64::from(is_set)));
    }
    let mut found = Vec::with_capacity(1);
    let _ = column.path.visit(RawBsonRef::Document(document), &mut |value| {
        found.push(value);
        ControlFlow::Continue(())
    });
    let [value] = found[..] else { return None };
    match value {
        None | Some(RawBsonRef::Null) => Some(Value::Null),
        Some(RawBsonRef::DateTime(date)) if column.date => Some(Value::Integer(date.timestamp_millis())),
        Some(value) if !column.date => scalar(value),
        Some(_) => None,
    }
}

/// Texts and numbers, which SQL orders and equates as MongoDB does.
fn scalar(value: RawBsonRef<'_>) -> Option<Value> {
    match value {
        RawBsonRef::String(text) => Some(Value::Text(text.to_owned())),
        RawBsonRef::Int32(number) => Some(Value::Integer(i64::from(number))),
        RawBsonRef::Int64(number) => Some(Value::Integer(number)),
        RawBsonRef::Double(number) if !number.is_nan() => Some(Value::Real(number)),
        _ => None,
    }
}

/// As [`scalar`], for a value of a filter.
pub(super) fn scalar_of(value: &Bson) -> Option<Value> {
    match value {
        Bson::String(text) => Some(Value::Text(text.clone())),
        Bson::Int32(number) => Some(Value::Integer(i64::from(*number))),
        Bson::Int64(number) => Some(Value::Integer(*number)),
        Bson::Double(number) if !number.is_nan() => Some(Value::Real(*number)),
        _ => None,
    }
}

/// The BSON value of a column or side value.
pub(super) fn bson_of(value: ValueRef<'_>, date: bool) -> Bson {
    match value {
        ValueRef::Null | ValueRef::Blob(_) => Bson::Null,
        ValueRef::Integer(millis) if date => Bson::DateTime(DateTime::from_millis(millis)),
        ValueRef::Integer(number) => Bson::Int64(number),
        ValueRef::Real(number) => Bson::Double(number),
        ValueRef::Text(text) => Bson::String(String::from_utf8_lossy(text).into_owned()),
    }
}

fn side_values(side: &Side, document: &RawDocument) -> Vec<Value> {
    let mut values: Vec<Value> = Vec::new();
    let mut add = |value: RawBsonRef<'_>| values.extend(scalar(value));
    let _ = side.path.visit(RawBsonRef::Document(document), &mut |value| {
        match value {
            Some(RawBsonRef::Array(array)) => elements(array).for_each(&mut add),
            Some(value) => add(value),
            None => {}
        }
        ControlFlow::Continue(())
    });
    values.sort_unstable_by(order);
    values.dedup_by(|left, right| order(left, right).is_eq());
    values
}

/// The values that are not among the others, both in order.
pub(super) fn without(values: &[Value], others: &[Value]) -> Vec<Value> {
    let is_new = |value: &&Value| others.binary_search_by(|other| order(other, value)).is_err();
    values.iter().filter(is_new).cloned().collect()
}

/// Order of texts and numbers as SQL has it.
fn order(left: &Value, right: &Value) -> Ordering {
    match (number(left), number(right)) {
        (Some(left), Some(right)) => left.compare(right),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => text_of(left).cmp(text_of(right)),
    }
}

fn number(value: &Value) -> Option<Number> {
    match value {
        Value::Integer(number) => Some(Number::Integer(*number)),
        Value::Real(number) => Some(Number::Float(*number)),
        _ => None,
    }
}

fn text_of(value: &Value) -> &str {
    if let Value::Text(text) = value { text } else { "" }
}

fn text_at(path: &Path, document: &RawDocument) -> String {
    text::indexed(joined_texts(std::iter::once(path), document))
}

/// The texts at some paths, and those in arrays there, each on a line.
fn joined_texts<'p>(paths: impl Iterator<Item = &'p Path>, document: &RawDocument) -> String {
    let mut texts: Vec<&str> = Vec::new();
    for path in paths {
        let _ = path.visit(RawBsonRef::Document(document), &mut |value| {
            match value {
                Some(RawBsonRef::String(text)) => texts.push(text),
                Some(RawBsonRef::Array(array)) => {
                    texts.extend(elements(array).filter_map(RawBsonRef::as_str));
                }
                _ => {}
            }
            ControlFlow::Continue(())
        });
    }
    texts.join("\n")
}
