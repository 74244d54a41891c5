//! Values -> typed settings, with errors that name file, key and expected type.
//!
//! As lenient as the official server, which has no types: `"8008"` is a number where one is expected,
//! `yes` a boolean, a single value a list of one.

use serde::{
    Deserialize,
    de::{self, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor},
    forward_to_deserialize_any,
};

use crate::{
    ConfigError,
    config::is_secret,
    value::{Kind, Origin, Value},
};

/// Reads a typed value.
pub(crate) fn from_value<'de, T: Deserialize<'de>>(value: &'de Value) -> Result<T, ConfigError> {
    T::deserialize(value).map_err(|error| error.into_config_error(value))
}

/// A mismatch on its way up to the root, collecting its path.
#[derive(Debug)]
pub(crate) struct Mismatch {
    /// Innermost key first.
    path: Vec<String>,
    origin: Option<Origin>,
    expected: String,
    found: Option<(&'static str, Option<String>)>,
}

impl Mismatch {
    fn of(value: &Value, expected: impl Into<String>) -> Self {
        let text = match &value.kind {
            Kind::Text(text) => Some(format!("{text:?}")),
            Kind::Integer(_) | Kind::Float(_) | Kind::Bool(_) => Some(value.to_json().to_string()),
            _ => None,
        };
        Self {
            path: Vec::new(),
            origin: Some(value.origin.clone()),
            expected: expected.into(),
            found: Some((value.kind_name(), text)),
        }
    }

    /// Adds what a serde error did not know.
    fn at(mut self, key: &str, value: &Value) -> Self {
        if self.origin.is_none() {
            self.origin = Some(value.origin.clone());
            self.found = Self::of(value, "").found;
        }
        self.path.push(key.to_owned());
        self
    }

    fn into_config_error(mut self, root: &Value) -> ConfigError {
        self.path.reverse();
        let found = match self.found {
            Some((kind, Some(text))) if !is_secret(&self.path) => format!("{kind} {text}"),
            Some((kind, _)) => kind.to_owned(),
            None => root.kind_name().to_owned(),
        };
        ConfigError::WrongType {
            origin: self.origin.unwrap_or_else(|| root.origin.clone()),
            key: self.path.join("."),
            expected: self.expected,
            found,
        }
    }
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "expected {}", self.expected)
    }
}

impl std::error::Error for Mismatch {}

impl de::Error for Mismatch {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self { path: Vec::new(), origin: None, expected: message.to_string(), found: None }
    }

    fn invalid_type(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(expected)
    }

    fn invalid_value(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(expected)
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format!("one of {}", expected.join(", ")))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format!("an object with the key {field}"))
    }
}

/// The members of an object that is null.
const NOTHING: [(&str, &str); 0] = [];

/// A whole number, as far as the value is one.
fn integer(value: &Value) -> Option<i64> {
    match &value.kind {
        Kind::Integer(integer) => Some(*integer),
        #[expect(clippy::float_cmp, reason = "asks whether the number is whole")]
        Kind::Float(float) if float.trunc() == *float && float.abs() < 9e15 => Some(*float as i64),
        Kind::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

macro_rules! integers {
    ($($method:ident $visit:ident $type:ty;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            match integer(self).and_then(|integer| <$type>::try_from(integer).ok()) {
                Some(integer) => visitor.$visit(integer),
                None => Err(Mismatch::of(self, format!(
                    "a whole number from {} to {}", <$type>::MIN, <$type>::MAX
                ))),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for &'de Value {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match &self.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Bool(value) => visitor.visit_bool(*value),
            Kind::Integer(value) => visitor.visit_i64(*value),
            Kind::Float(value) => visitor.visit_f64(*value),
            Kind::Text(text) => visitor.visit_borrowed_str(text),
            Kind::List(items) => visitor.visit_seq(Items(items.iter())),
            Kind::Object(members) => visitor.visit_map(Pairs { members: members.iter(), value: None }),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let lower = self.as_text().map(str::to_ascii_lowercase);
        match (&self.kind, lower.as_deref()) {
            (Kind::Bool(value), _) => visitor.visit_bool(*value),
            (Kind::Integer(1), _) | (_, Some("true" | "yes" | "on" | "1")) => visitor.visit_bool(true),
            (Kind::Integer(0), _) | (_, Some("false" | "no" | "off" | "0" | "")) => visitor.visit_bool(false),
            _ => Err(Mismatch::of(self, "true or false")),
        }
    }

    integers! {
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let integer = integer(self).ok_or_else(|| Mismatch::of(self, "a whole number"))?;
        visitor.visit_i64(integer)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let integer = integer(self).and_then(|integer| u64::try_from(integer).ok());
        visitor.visit_u64(integer.ok_or_else(|| Mismatch::of(self, "a whole number, 0 or more"))?)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let number = match &self.kind {
            Kind::Integer(integer) => Some(*integer as f64),
            Kind::Float(float) => Some(*float),
            Kind::Text(text) => text.trim().parse().ok(),
            _ => None,
        };
        visitor.visit_f64(number.ok_or_else(|| Mismatch::of(self, "a number"))?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match &self.kind {
            Kind::Text(text) => visitor.visit_borrowed_str(text),
            Kind::Bool(_) | Kind::Integer(_) | Kind::Float(_) => {
                visitor.visit_string(self.to_json().to_string())
            }
            _ => Err(Mismatch::of(self, "text")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_string(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.kind {
            Kind::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match &self.kind {
            Kind::List(items) => visitor.visit_seq(Items(items.iter())),
            Kind::Null => visitor.visit_seq(Items([].iter())),
            Kind::Text(text) if text.is_empty() => visitor.visit_seq(Items([].iter())),
            Kind::Object(_) => Err(Mismatch::of(self, "a list")),
            _ => visitor.visit_seq(Items(std::slice::from_ref(self).iter())),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match &self.kind {
            Kind::Object(members) => visitor.visit_map(Pairs { members: members.iter(), value: None }),
            Kind::Null => visitor.visit_map(de::value::MapDeserializer::new(NOTHING.iter().copied())),
            _ => Err(Mismatch::of(self, "an object")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.deserialize_map(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        let text =
            self.as_text().ok_or_else(|| Mismatch::of(self, format!("one of {}", variants.join(", "))))?;
        let variant = variants.iter().find(|variant| variant.eq_ignore_ascii_case(text));
        visitor.visit_enum(variant.map_or(text, |variant| *variant).into_deserializer())
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct identifier
    }
}

struct Items<'de>(std::slice::Iter<'de, Value>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Mismatch;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Mismatch> {
        let Some(item) = self.0.next() else { return Ok(None) };
        let read = seed.deserialize(item).map(Some);
        read.map_err(|mut error| {
            error.origin.get_or_insert_with(|| item.origin.clone());
            error.found = error.found.or_else(|| Mismatch::of(item, "").found);
            error
        })
    }
}

struct Pairs<'de> {
    members: indexmap::map::Iter<'de, String, Value>,
    value: Option<(&'de str, &'de Value)>,
}

impl<'de> MapAccess<'de> for Pairs<'de> {
    type Error = Mismatch;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Mismatch> {
        let Some((key, value)) = self.members.next() else { return Ok(None) };
        self.value = Some((key, value));
        seed.deserialize(de::value::BorrowedStrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mismatch> {
        let Some((key, value)) = self.value.take() else {
            return Err(de::Error::custom("a value after its key"));
        };
        seed.deserialize(value).map_err(|error| error.at(key, value))
    }
}
