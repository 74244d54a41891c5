//! Order and equality of BSON values, as MongoDB has them.

use std::cmp::Ordering;

use bson::{RawArray, RawBsonRef, RawDocument};

use crate::collation::{collation_key, compare_collated};

/// How text compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Collation {
    /// By its bytes.
    #[default]
    Binary,
    /// `{locale: "en_US", numericOrdering: true}`.
    Numeric,
}

impl Collation {
    pub(crate) fn new(numeric: bool) -> Self {
        if numeric { Self::Numeric } else { Self::Binary }
    }
}

/// The type class of a value: comparison operators hold inside a class only, orders go by class first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Class {
    MinKey = 1,
    /// The key of an empty array in an order.
    Undefined = 5,
    Null = 10,
    Number = 20,
    Text = 30,
    Document = 40,
    Array = 50,
    Binary = 60,
    ObjectId = 70,
    Boolean = 80,
    Date = 90,
    Timestamp = 100,
    Regex = 110,
    Other = 120,
    MaxKey = 127,
}

/// The class of a value.
pub(crate) fn class(value: RawBsonRef<'_>) -> Class {
    match value {
        RawBsonRef::MinKey => Class::MinKey,
        RawBsonRef::Undefined | RawBsonRef::Null => Class::Null,
        RawBsonRef::Double(_) | RawBsonRef::Int32(_) | RawBsonRef::Int64(_) => Class::Number,
        RawBsonRef::String(_) | RawBsonRef::Symbol(_) => Class::Text,
        RawBsonRef::Document(_) => Class::Document,
        RawBsonRef::Array(_) => Class::Array,
        RawBsonRef::Binary(_) => Class::Binary,
        RawBsonRef::ObjectId(_) => Class::ObjectId,
        RawBsonRef::Boolean(_) => Class::Boolean,
        RawBsonRef::DateTime(_) => Class::Date,
        RawBsonRef::Timestamp(_) => Class::Timestamp,
        RawBsonRef::RegularExpression(_) => Class::Regex,
        RawBsonRef::MaxKey => Class::MaxKey,
        _ => Class::Other,
    }
}

/// A number without loss: whole, or with a fraction (or infinite, or not a number).
#[derive(Debug, Clone, Copy)]
pub(crate) enum Number {
    Integer(i64),
    Float(f64),
}

impl Number {
    pub(crate) fn of(value: RawBsonRef<'_>) -> Option<Self> {
        match value {
            RawBsonRef::Int32(number) => Some(Self::Integer(i64::from(number))),
            RawBsonRef::Int64(number) => Some(Self::Integer(number)),
            RawBsonRef::Double(number) => Some(Self::Float(number)),
            _ => None,
        }
    }

    /// Nearest double, and by how much an integer exceeds it (0 for doubles): together they order exactly.
    fn parts(self) -> (f64, i64) {
        match self {
            Self::Float(number) => (if number == 0.0 { 0.0 } else { number }, 0),
            Self::Integer(number) => {
                let nearest = number as f64;
                (nearest, (i128::from(number) - nearest as i128) as i64)
            }
        }
    }

    /// Order by value over both kinds; not-a-number is equal to itself and less than all others.
    pub(crate) fn compare(self, other: Self) -> Ordering {
        if let (Self::Integer(left), Self::Integer(right)) = (self, other) {
            return left.cmp(&right);
        }
        let ((left, left_rest), (right, right_rest)) = (self.parts(), other.parts());
        match (left.is_nan(), right.is_nan()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => {
                left.partial_cmp(&right).unwrap_or(Ordering::Equal).then(left_rest.cmp(&right_rest))
            }
        }
    }

    fn push_key(self, key: &mut Vec<u8>) {
        let (nearest, rest) = self.parts();
        let bits = nearest.to_bits();
        let ordered = match () {
            () if nearest.is_nan() => 0,
            () if bits >> 63 == 1 => !bits,
            () => bits | (1 << 63),
        };
        key.extend_from_slice(&ordered.to_be_bytes());
        key.extend_from_slice(&(rest as i16 as u16 ^ 0x8000).to_be_bytes());
    }
}

/// Total order of values: MongoDB's, with class first.
pub(crate) fn compare(left: RawBsonRef<'_>, right: RawBsonRef<'_>, collation: Collation) -> Ordering {
    let classes = class(left).cmp(&class(right));
    if classes.is_ne() {
        return classes;
    }
    if let (Some(left), Some(right)) = (Number::of(left), Number::of(right)) {
        return left.compare(right);
    }
    match (left, right) {
        (
            RawBsonRef::String(left) | RawBsonRef::Symbol(left),
            RawBsonRef::String(right) | RawBsonRef::Symbol(right),
        ) => match collation {
            Collation::Binary => left.cmp(right),
            Collation::Numeric => compare_collated(left, right),
        },
        (RawBsonRef::Document(left), RawBsonRef::Document(right)) => {
            compare_documents(left, right, collation)
        }
        (RawBsonRef::Array(left), RawBsonRef::Array(right)) => compare_arrays(left, right, collation),
        (RawBsonRef::Boolean(left), RawBsonRef::Boolean(right)) => left.cmp(&right),
        (RawBsonRef::DateTime(left), RawBsonRef::DateTime(right)) => left.cmp(&right),
        (RawBsonRef::ObjectId(left), RawBsonRef::ObjectId(right)) => left.cmp(&right),
        (RawBsonRef::Timestamp(left), RawBsonRef::Timestamp(right)) => left.cmp(&right),
        (RawBsonRef::Binary(left), RawBsonRef::Binary(right)) => left
            .bytes
            .len()
            .cmp(&right.bytes.len())
            .then_with(|| u8::from(left.subtype).cmp(&u8::from(right.subtype)))
            .then_with(|| left.bytes.cmp(right.bytes)),
        (left, right) => {
            if left == right {
                Ordering::Equal
            } else {
                format!("{left:?}").cmp(&format!("{right:?}"))
            }
        }
    }
}

/// Whether the values are equal: numbers by value, documents with the same fields in the same order.
pub(crate) fn equal(left: RawBsonRef<'_>, right: RawBsonRef<'_>) -> bool {
    compare(left, right, Collation::Binary).is_eq()
}

fn compare_documents(left: &RawDocument, right: &RawDocument, collation: Collation) -> Ordering {
    let mut others = right.iter().filter_map(Result::ok);
    for (name, value) in left.iter().filter_map(Result::ok) {
        let Some((other_name, other_value)) = others.next() else { return Ordering::Greater };
        let order = class(value)
            .cmp(&class(other_value))
            .then_with(|| name.as_str().cmp(other_name.as_str()))
            .then_with(|| compare(value, other_value, collation));
        if order.is_ne() {
            return order;
        }
    }
    if others.next().is_some() { Ordering::Less } else { Ordering::Equal }
}

fn compare_arrays(left: &RawArray, right: &RawArray, collation: Collation) -> Ordering {
    let mut others = right.into_iter().filter_map(Result::ok);
    for value in left.into_iter().filter_map(Result::ok) {
        let Some(other) = others.next() else { return Ordering::Greater };
        let order = compare(value, other, collation);
        if order.is_ne() {
            return order;
        }
    }
    if others.next().is_some() { Ordering::Less } else { Ordering::Equal }
}

/// Bytes whose order is the order of the values, up to [`compare`]'s finest differences inside documents.
pub(crate) fn order_key(value: RawBsonRef<'_>, collation: Collation) -> Vec<u8> {
    let mut key = Vec::with_capacity(24);
    push_order_key(value, collation, &mut key);
    key
}

fn push_order_key(value: RawBsonRef<'_>, collation: Collation, key: &mut Vec<u8>) {
    key.push(class(value) as u8);
    if let Some(number) = Number::of(value) {
        number.push_key(key);
        return;
    }
    match value {
        RawBsonRef::String(text) | RawBsonRef::Symbol(text) => match collation {
            Collation::Binary => push_terminated(text.as_bytes(), key),
            Collation::Numeric => push_terminated(&collation_key(text), key),
        },
        RawBsonRef::Document(document) => {
            for (name, value) in document.iter().filter_map(Result::ok) {
                key.push(class(value) as u8);
                push_terminated(name.as_str().as_bytes(), key);
                push_order_key(value, collation, key);
            }
            key.push(0);
        }
        RawBsonRef::Array(array) => {
            for value in array.into_iter().filter_map(Result::ok) {
                push_order_key(value, collation, key);
            }
            key.push(0);
        }
        RawBsonRef::Boolean(value) => key.push(u8::from(value)),
        RawBsonRef::DateTime(date) => {
            key.extend_from_slice(&(date.timestamp_millis() as u64 ^ (1 << 63)).to_be_bytes());
        }
        RawBsonRef::ObjectId(id) => key.extend_from_slice(&id.bytes()),
        RawBsonRef::Timestamp(timestamp) => {
            key.extend_from_slice(&timestamp.time.to_be_bytes());
            key.extend_from_slice(&timestamp.increment.to_be_bytes());
        }
        RawBsonRef::Binary(binary) => {
            key.extend_from_slice(&(binary.bytes.len() as u32).to_be_bytes());
            key.push(binary.subtype.into());
            key.extend_from_slice(binary.bytes);
        }
        RawBsonRef::Null | RawBsonRef::Undefined | RawBsonRef::MinKey | RawBsonRef::MaxKey => {}
        other => push_terminated(format!("{other:?}").as_bytes(), key),
    }
}

/// Appends bytes so that a prefix comes first and no other value's bytes can follow: 0 becomes 0 255, the
/// end is 0 0.
fn push_terminated(bytes: &[u8], key: &mut Vec<u8>) {
    for &byte in bytes {
        key.push(byte);
        if byte == 0 {
            key.push(0xff);
        }
    }
    key.extend_from_slice(&[0, 0]);
}

#[cfg(test)]
mod tests {
    use bson::{Bson, DateTime, RawBson, bson, oid::ObjectId};

    use super::*;

    fn raw(value: Bson) -> RawBson {
        RawBson::try_from(value).unwrap()
    }

    fn ladder() -> Vec<RawBson> {
        [
            Bson::Null,
            Bson::Double(f64::NAN),
            Bson::Double(f64::NEG_INFINITY),
            Bson::Int64(i64::MIN),
            Bson::Int32(-3),
            Bson::Double(-0.5),
            Bson::Int32(0),
            Bson::Double(0.5),
            Bson::Int32(2),
            Bson::Int64(10),
            Bson::Double(9_007_199_254_740_992.0),
            Bson::Int64(9_007_199_254_740_993),
            Bson::Int64(i64::MAX),
            Bson::Double(9_223_372_036_854_775_808.0),
            Bson::Double(f64::INFINITY),
            bson!(""),
            bson!("a"),
            bson!("a\0"),
            bson!("a\0b"),
            bson!("ab"),
            bson!("b"),
            bson!({}),
            bson!({"a": 1}),
            bson!({"a": 1, "b": 1}),
            bson!({"a": 2}),
            bson!([]),
            bson!([1]),
            bson!([1, 2]),
            bson!([2]),
            bson!(["x"]),
            Bson::ObjectId(ObjectId::from_bytes([1; 12])),
            bson!(false),
            bson!(true),
            Bson::DateTime(DateTime::from_millis(-5)),
            Bson::DateTime(DateTime::from_millis(5)),
        ]
        .into_iter()
        .map(raw)
        .collect()
    }

    #[test]
    fn values_are_ordered_by_class_then_value() {
        let ladder = ladder();
        for (low, left) in ladder.iter().enumerate() {
            for (high, right) in ladder.iter().enumerate() {
                let order = compare(left.as_raw_bson_ref(), right.as_raw_bson_ref(), Collation::Binary);
                assert_eq!(order, low.cmp(&high), "{left:?} {right:?}");
            }
        }
    }

    #[test]
    fn order_keys_have_the_order_of_values() {
        for collation in [Collation::Binary, Collation::Numeric] {
            let keys: Vec<_> =
                ladder().iter().map(|value| order_key(value.as_raw_bson_ref(), collation)).collect();
            assert!(keys.is_sorted_by(|low, high| low < high));
        }
    }

    #[test]
    fn numbers_are_equal_across_kinds() {
        for other in [Bson::Int64(1), Bson::Double(1.0)] {
            let (left, right) = (raw(Bson::Int32(1)), raw(other));
            assert!(equal(left.as_raw_bson_ref(), right.as_raw_bson_ref()));
            assert_eq!(
                order_key(left.as_raw_bson_ref(), Collation::Binary),
                order_key(right.as_raw_bson_ref(), Collation::Binary)
            );
        }
        assert!(equal(raw(Bson::Double(-0.0)).as_raw_bson_ref(), raw(Bson::Int32(0)).as_raw_bson_ref()));
    }
}
