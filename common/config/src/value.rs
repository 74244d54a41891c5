//! Configuration values that know where they come from.

use std::{fmt, sync::Arc};

use indexmap::IndexMap;

/// The members of an object, in the order of their first appearance.
pub(crate) type Members = IndexMap<String, Value>;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// A file's path, or `environment variable NAME`.
    pub source: Arc<str>,
    /// Line in the file, from 1; 0: the source has no lines.
    pub line: u32,
}

/// A value with its origin.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    pub(crate) kind: Kind,
    pub(crate) origin: Origin,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Value>),
    Object(Members),
}

impl Origin {
    /// A source without lines.
    pub(crate) fn whole(source: impl Into<Arc<str>>) -> Self {
        Self { source: source.into(), line: 0 }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => formatter.write_str(&self.source),
            line => write!(formatter, "{}:{line}", self.source),
        }
    }
}

/// Values are equal if they say the same, wherever they come from.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl Value {
    pub(crate) fn new(kind: Kind, origin: Origin) -> Self {
        Self { kind, origin }
    }

    pub(crate) fn empty_object(origin: Origin) -> Self {
        Self::new(Kind::Object(Members::new()), origin)
    }

    pub(crate) fn as_object(&self) -> Option<&Members> {
        match &self.kind {
            Kind::Object(members) => Some(members),
            _ => None,
        }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value at a path below this one.
    pub(crate) fn at<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Option<&Self> {
        path.into_iter().try_fold(self, |value, key| value.as_object()?.get(key))
    }

    /// Makes this an object, dropping what it was before if it was none.
    pub(crate) fn object_mut(&mut self) -> &mut Members {
        if !matches!(self.kind, Kind::Object(_)) {
            self.kind = Kind::Object(Members::new());
        }
        match &mut self.kind {
            Kind::Object(members) => members,
            _ => unreachable!("made an object above"),
        }
    }

    /// Assigns at a path below this value, creating the objects on the way. A key that exists in another
    /// spelling (upper and lower case) keeps its spelling: variable names are often all upper case.
    pub(crate) fn assign(&mut self, path: &[&str], value: Self) {
        let Some((first, rest)) = path.split_first() else {
            *self = value;
            return;
        };
        let origin = value.origin.clone();
        let members = self.object_mut();
        let spelling = if members.contains_key(*first) {
            None
        } else {
            members.keys().find(|key| key.eq_ignore_ascii_case(first)).cloned()
        };
        let key = spelling.unwrap_or_else(|| (*first).to_owned());
        members.entry(key).or_insert_with(|| Self::empty_object(origin)).assign(rest, value);
    }

    /// What kind of value this is, for error texts.
    pub(crate) fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Null => "null",
            Kind::Bool(_) => "a boolean",
            Kind::Integer(_) | Kind::Float(_) => "a number",
            Kind::Text(_) => "text",
            Kind::List(_) => "a list",
            Kind::Object(_) => "an object",
        }
    }

    pub(crate) fn from_json(json: serde_json::Value, origin: &Origin) -> Self {
        use serde_json::Value as Json;
        let kind = match json {
            Json::Null => Kind::Null,
            Json::Bool(value) => Kind::Bool(value),
            Json::Number(number) => match number.as_i64() {
                Some(integer) => Kind::Integer(integer),
                None => Kind::Float(number.as_f64().unwrap_or(f64::INFINITY)),
            },
            Json::String(text) => Kind::Text(text),
            Json::Array(items) => {
                Kind::List(items.into_iter().map(|item| Self::from_json(item, origin)).collect())
            }
            Json::Object(members) => Kind::Object(
                members.into_iter().map(|(key, value)| (key, Self::from_json(value, origin))).collect(),
            ),
        };
        Self::new(kind, origin.clone())
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.kind {
            Kind::Null => Json::Null,
            Kind::Bool(value) => Json::Bool(*value),
            Kind::Integer(value) => Json::from(*value),
            Kind::Float(value) => Json::from(*value),
            Kind::Text(text) => Json::String(text.clone()),
            Kind::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Kind::Object(members) => {
                Json::Object(members.iter().map(|(key, value)| (key.clone(), value.to_json())).collect())
            }
        }
    }
}
