//! Requests as types: a lenient deserializer that accepts what the official server accepts and words its
//! refusals in the same way (spec 01 §2).
//!
//! | field type | accepts |
//! |---|---|
//! | `String` | strings |
//! | integers | numbers (floats are truncated), numeric strings, booleans |
//! | `f64` | numbers |
//! | `bool` | anything, by its truth |
//! | `Vec<T>` | lists; anything falsy is the empty list |
//! | maps, [`bson::Document`], [`Object`] | objects; null is the empty one |
//! | `Option<T>` | null or absent: `None` |
//! | enums | their names |
//! | [`Patch<T>`] (with `#[serde(default)]`) | tells absent from null |
//! | [`bson::Bson`], [`Any`] | anything; only `Any` and `Object` take keys that begin with `$` |
//!
//! Unknown fields are ignored. Lists and maps that may be absent need `#[serde(default)]`.

use std::borrow::Cow;

use bson::{Bson, Document};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor},
    forward_to_deserialize_any,
};

use super::{ApiError, error::python_repr};

/// Parses a request, or any document of a client, into `R`. Errors: 400/12.
pub fn from_document<R: DeserializeOwned>(document: &Document) -> Result<R, ApiError> {
    R::deserialize(Members { document }).map_err(Refusal::into_api_error)
}

/// A field of a partial update: absent, null, or a value. Needs `#[serde(default)]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Patch<T> {
    #[default]
    Absent,
    Null,
    Value(T),
}

impl<T> Patch<T> {
    /// The value, if there is one.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// Whether the request names the field.
    pub const fn is_present(&self) -> bool {
        !matches!(self, Self::Absent)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Null, Self::Value))
    }
}

/// Any value, taken as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Any(pub Bson);

/// Any object, taken as it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Object(pub Document);

/// Marks that a value is to be taken as it is.
const AS_IT_IS: &str = "clearml::as_it_is";

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(AS_IT_IS, AnyVisitor).map(Self)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Any::deserialize(deserializer)?.0 {
            Bson::Document(document) => Ok(Self(document)),
            Bson::Null => Ok(Self::default()),
            other => Err(de::Error::custom(wrong_type("dict", &other))),
        }
    }
}

impl<T: JsonSchema> JsonSchema for Patch<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Option::<T>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Option::<T>::json_schema(generator)
    }
}

impl JsonSchema for Any {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Any".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({})
    }
}

impl JsonSchema for Object {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Object".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object"})
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Bson;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Bson, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_unit<E>(self) -> Result<Bson, E> {
        Ok(Bson::Null)
    }

    fn visit_none<E>(self) -> Result<Bson, E> {
        Ok(Bson::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Bson, E> {
        Ok(Bson::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Bson, E> {
        Ok(Bson::Int64(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Bson, E> {
        Ok(Bson::Double(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Bson, E> {
        Ok(Bson::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Bson, A::Error> {
        let mut array = Vec::new();
        while let Some(Any(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(Bson::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Bson, A::Error> {
        let mut document = Document::new();
        while let Some(key) = members.next_key::<String>()? {
            let Any(value) = members.next_value()?;
            document.insert(key, value);
        }
        Ok(Bson::Document(document))
    }
}

/// Why a request does not fit its type.
#[derive(Debug)]
struct Refusal {
    field: Option<String>,
    detail: String,
    /// The detail stands alone, without naming the field.
    bare: bool,
}

impl Refusal {
    fn new(detail: impl Into<String>) -> Self {
        Self { field: None, detail: detail.into(), bare: false }
    }

    fn bare(detail: impl Into<String>) -> Self {
        Self { bare: true, ..Self::new(detail) }
    }

    /// Names the field, unless an inner one is named already.
    fn of_field(mut self, field: &str) -> Self {
        self.field.get_or_insert_with(|| field.to_owned());
        self
    }

    fn into_api_error(self) -> ApiError {
        ApiError::validation(self.to_string().to_lowercase())
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.field {
            Some(field) if !self.bare => write!(formatter, "error for field '{field}': {}.", self.detail),
            _ => formatter.write_str(&self.detail),
        }
    }
}

impl std::error::Error for Refusal {}

impl de::Error for Refusal {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::bare(format!("error for field '{field}'. field is required!"))
    }
}

/// `('value is wrong, expected type "str"', 5)`.
fn wrong_type(expected: &str, value: &Bson) -> String {
    format!("('value is wrong, expected type \"{expected}\"', {})", python_repr(value))
}

fn type_name(value: &Bson) -> &'static str {
    match value {
        Bson::String(_) => "str",
        Bson::Boolean(_) => "bool",
        Bson::Int32(_) | Bson::Int64(_) => "int",
        Bson::Double(_) => "float",
        Bson::Array(_) => "list",
        Bson::Document(_) => "dict",
        Bson::DateTime(_) => "datetime",
        _ => "NoneType",
    }
}

/// Python's truth of a value.
pub(crate) fn is_truthy(value: &Bson) -> bool {
    match value {
        Bson::Null | Bson::Undefined => false,
        Bson::Boolean(value) => *value,
        Bson::Int32(number) => *number != 0,
        Bson::Int64(number) => *number != 0,
        Bson::Double(number) => *number != 0.0,
        Bson::String(text) => !text.is_empty(),
        Bson::Array(items) => !items.is_empty(),
        Bson::Document(document) => !document.is_empty(),
        _ => true,
    }
}

/// 2^63.
const BEYOND_I64: f64 = 9_223_372_036_854_775_808.0;

/// A document as the source of a struct or map.
#[derive(Clone, Copy)]
struct Members<'de> {
    document: &'de Document,
}

impl<'de> Deserializer<'de> for Members<'de> {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_map(MemberAccess::new(self.document, None, false))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_map(MemberAccess::new(self.document, Some(fields), false))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        if name == AS_IT_IS {
            return visitor.visit_map(MemberAccess::new(self.document, None, true));
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_some(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_unit()
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf seq tuple
        tuple_struct map enum identifier
    }
}

struct MemberAccess<'de> {
    members: Option<bson::document::Iter<'de>>,
    /// Only these are wanted.
    fields: Option<&'static [&'static str]>,
    as_it_is: bool,
    current: Option<(&'de str, &'de Bson)>,
}

impl<'de> MemberAccess<'de> {
    fn new(document: &'de Document, fields: Option<&'static [&'static str]>, as_it_is: bool) -> Self {
        Self { members: Some(document.iter()), fields, as_it_is, current: None }
    }

    const fn empty() -> Self {
        Self { members: None, fields: None, as_it_is: false, current: None }
    }
}

impl<'de> MapAccess<'de> for MemberAccess<'de> {
    type Error = Refusal;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refusal> {
        for (key, value) in self.members.iter_mut().flatten() {
            let key = key.as_str();
            match self.fields {
                Some(fields) if !fields.contains(&key) => continue,
                // To the BSON library such keys mean types (`{"$date": …}`), which no client may conjure up.
                None if key.starts_with('$') && !self.as_it_is => {
                    return Err(Refusal::new(format!("key '{key}' may not start with '$'")));
                }
                _ => {}
            }
            self.current = Some((key, value));
            return seed.deserialize(de::value::BorrowedStrDeserializer::new(key)).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Refusal> {
        let (key, value) = self.current.take().unwrap_or(("", &Bson::Null));
        let deserializer = Value { source: value, in_list: false, as_it_is: self.as_it_is };
        seed.deserialize(deserializer).map_err(|refusal| refusal.of_field(key))
    }
}

/// One value.
#[derive(Clone, Copy)]
struct Value<'de> {
    source: &'de Bson,
    in_list: bool,
    as_it_is: bool,
}

impl<'de> Value<'de> {
    fn wrong_type(self, expected: &str) -> Refusal {
        if self.in_list {
            let actual = type_name(self.source);
            return Refusal::new(format!(
                "all items must be instances of \"{expected}\", and not \"{actual}\"."
            ));
        }
        Refusal::new(wrong_type(expected, self.source))
    }

    fn integer(self) -> Result<i64, Refusal> {
        match self.source {
            Bson::Boolean(value) => Ok(i64::from(*value)),
            Bson::Int32(number) => Ok(i64::from(*number)),
            Bson::Int64(number) => Ok(*number),
            Bson::Double(number) if number.is_nan() => {
                Err(Refusal::bare("cannot convert float NaN to integer"))
            }
            Bson::Double(number) if number.abs() < BEYOND_I64 => Ok(*number as i64),
            Bson::String(text) => text.trim().parse().map_err(|_| {
                Refusal::bare(format!("invalid literal for int() with base 10: {}", python_repr(self.source)))
            }),
            _ => Err(self.wrong_type("int")),
        }
    }

    fn float(self) -> Result<f64, Refusal> {
        match self.source {
            Bson::Boolean(value) => Ok(f64::from(u8::from(*value))),
            Bson::Int32(number) => Ok(f64::from(*number)),
            Bson::Int64(number) => Ok(*number as f64),
            Bson::Double(number) => Ok(*number),
            _ => Err(self.wrong_type("float")),
        }
    }

    fn text(self) -> Result<&'de str, Refusal> {
        match self.source {
            Bson::String(text) => Ok(text),
            _ => Err(self.wrong_type("str")),
        }
    }

    fn visit_integer<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        // A number that the field's type cannot hold comes back as the visitor's error.
        visitor.visit_i64(self.integer()?).map_err(|_: Refusal| self.wrong_type("int"))
    }
}

macro_rules! as_integer {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
            self.visit_integer(visitor)
        }
    )*};
}

macro_rules! as_text {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
            visitor.visit_borrowed_str(self.text()?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = Refusal;

    as_integer! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    as_text! { deserialize_char deserialize_str deserialize_string deserialize_identifier }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.source {
            Bson::Boolean(value) => visitor.visit_bool(*value),
            Bson::Int32(number) => visitor.visit_i64(i64::from(*number)),
            Bson::Int64(number) => visitor.visit_i64(*number),
            Bson::Double(number) => visitor.visit_f64(*number),
            Bson::String(text) => visitor.visit_borrowed_str(text),
            Bson::Array(items) => visitor.visit_seq(Items { items: items.iter(), as_it_is: self.as_it_is }),
            Bson::Document(document) => visitor.visit_map(MemberAccess::new(document, None, self.as_it_is)),
            _ => visitor.visit_unit(),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_bool(is_truthy(self.source))
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_f64(self.float()?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_f64(self.float()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        if *self.source == Bson::Null { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_newtype_struct(Self { as_it_is: self.as_it_is || name == AS_IT_IS, ..self })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.source {
            Bson::Array(items) => visitor.visit_seq(Items { items: items.iter(), as_it_is: self.as_it_is }),
            falsy if !is_truthy(falsy) => visitor.visit_seq(Items { items: [].iter(), as_it_is: false }),
            _ => Err(self.wrong_type("list")),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.source {
            Bson::Document(document) => visitor.visit_map(MemberAccess::new(document, None, self.as_it_is)),
            Bson::Null => visitor.visit_map(MemberAccess::empty()),
            _ => Err(self.wrong_type("dict")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        match self.source {
            Bson::Document(document) => visitor.visit_map(MemberAccess::new(document, Some(fields), false)),
            _ => Err(self.wrong_type("dict")),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        match self.source {
            Bson::String(text) if variants.contains(&text.as_str()) => {
                visitor.visit_enum(text.as_str().into_deserializer())
            }
            other => Err(Refusal::new(format!(
                "value '{}' is not a valid choice.",
                super::error::python_text(other)
            ))),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { i128 u128 bytes byte_buf unit unit_struct }
}

struct Items<'de> {
    items: std::slice::Iter<'de, Bson>,
    as_it_is: bool,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Refusal;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refusal> {
        let Some(value) = self.items.next() else { return Ok(None) };
        seed.deserialize(Value { source: value, in_list: true, as_it_is: self.as_it_is }).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

#[cfg(test)]
mod tests;
