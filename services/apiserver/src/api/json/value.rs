//! A light tree of JSON that borrows from its text.

use std::borrow::Cow;

use bson::{Bson, Document};

/// A JSON value. Strings borrow from the text unless they hold escapes.
#[derive(Debug, Clone, PartialEq)]
pub enum Json<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    /// Also integers beyond 64 bits, `NaN` and the infinities.
    Float(f64),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    /// Members in the order of the text. A repeated key counts by its last value; see [`Json::get`].
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl<'a> Json<'a> {
    /// The value of a member; `None` if this is no object or has no such member.
    pub fn get(&self, key: &str) -> Option<&Json<'a>> {
        match self {
            Self::Object(members) => {
                members.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// The text, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The name of the type, as error messages have it.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "NoneType",
            Self::Boolean(_) => "bool",
            Self::Integer(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "str",
            Self::List(_) => "list",
            Self::Object(_) => "dict",
        }
    }

    /// `null`, `false`, `0`, `""`, `[]`, `{}`.
    pub fn is_falsy(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Boolean(value) => !value,
            Self::Integer(value) => *value == 0,
            Self::Float(value) => *value == 0.0,
            Self::Text(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Object(members) => members.is_empty(),
        }
    }
}

impl From<Json<'_>> for Bson {
    fn from(value: Json<'_>) -> Self {
        match value {
            Json::Null => Self::Null,
            Json::Boolean(value) => Self::Boolean(value),
            Json::Integer(value) => Self::Int64(value),
            Json::Float(value) => Self::Double(value),
            Json::Text(text) => Self::String(text.into_owned()),
            Json::List(items) => Self::Array(items.into_iter().map(Into::into).collect()),
            Json::Object(members) => Self::Document(into_document(members)),
        }
    }
}

fn into_document(members: Vec<(Cow<'_, str>, Json<'_>)>) -> Document {
    let mut document = Document::new();
    for (key, value) in members {
        document.insert(key.into_owned(), Bson::from(value));
    }
    document
}
