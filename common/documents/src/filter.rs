//! Conditions on documents, with MongoDB's semantics.

use bson::Bson;

/// A condition on a document. Paths are dotted (`models.input.model`); a path that leads through an array
/// means "any element". Comparison with `null` matches a missing field too, as in MongoDB.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Every document.
    Everything,
    /// No document.
    Nothing,
    /// All of these; an empty list is [`Filter::Everything`].
    And(Vec<Filter>),
    /// Any of these; an empty list is [`Filter::Nothing`].
    Or(Vec<Filter>),
    /// Not this.
    Not(Box<Filter>),
    /// Field equals the value, or is an array that contains it.
    Equal(String, Bson),
    /// Negation of [`Filter::Equal`]: for arrays, "does not contain".
    NotEqual(String, Bson),
    /// Field > value, of the same type class only.
    Greater(String, Bson),
    /// Field >= value.
    GreaterOrEqual(String, Bson),
    /// Field < value.
    Less(String, Bson),
    /// Field <= value.
    LessOrEqual(String, Bson),
    /// Field equals (or contains) one of the values.
    In(String, Vec<Bson>),
    /// Negation of [`Filter::In`].
    NotIn(String, Vec<Bson>),
    /// Array contains all the values (a scalar counts as an array of one); an empty list matches nothing.
    ContainsAll(String, Vec<Bson>),
    /// Array of exactly this length; a missing field has none.
    Size(String, i64),
    /// Field is present (null counts as present) or absent.
    Exists(String, bool),
    /// Text field (or any text element) has a match of the regular expression anywhere.
    Regex { path: String, pattern: String, case_insensitive: bool },
    /// One single element of the array fulfils the whole condition; paths in it are relative to the element.
    /// For arrays of scalars the path is `""`.
    ElementMatches(String, Box<Filter>),
    /// Full-text search over the collection's text index, with the words as a user types them.
    Text(String),
}

impl Filter {
    /// Field equals value.
    pub fn eq(path: impl Into<String>, value: impl Into<Bson>) -> Self {
        Self::Equal(path.into(), value.into())
    }

    /// Field differs from value (arrays: does not contain it).
    pub fn ne(path: impl Into<String>, value: impl Into<Bson>) -> Self {
        Self::NotEqual(path.into(), value.into())
    }

    /// Field > value.
    pub fn gt(path: impl Into<String>, value: impl Into<Bson>) -> Self {
        Self::Greater(path.into(), value.into())
    }

    /// Field >= value.
    pub fn gte(path: impl Into<String>, value: impl Into<Bson>) -> Self {
        Self::GreaterOrEqual(path.into(), value.into())
    }

    /// Field < value.
    pub fn lt(path: impl Into<String>, value: impl Into<Bson>) -> Self {
        Self::Less(path.into(), value.into())
    }

    /// Field <= value.
    pub fn lte(path: impl Into<String>, value: impl Into<Bson>) -> Self {
        Self::LessOrEqual(path.into(), value.into())
    }

    /// Field is one of the values.
    pub fn is_in<V: Into<Bson>>(path: impl Into<String>, values: impl IntoIterator<Item = V>) -> Self {
        Self::In(path.into(), values.into_iter().map(Into::into).collect())
    }

    /// Field is none of the values.
    pub fn not_in<V: Into<Bson>>(path: impl Into<String>, values: impl IntoIterator<Item = V>) -> Self {
        Self::NotIn(path.into(), values.into_iter().map(Into::into).collect())
    }

    /// Field is present.
    pub fn exists(path: impl Into<String>) -> Self {
        Self::Exists(path.into(), true)
    }

    /// Field is absent or null.
    pub fn empty(path: impl Into<String>) -> Self {
        Self::Equal(path.into(), Bson::Null)
    }

    /// The document with this id.
    pub fn id(id: impl Into<Bson>) -> Self {
        Self::eq("_id", id)
    }

    /// The documents with these ids.
    pub fn ids<V: Into<Bson>>(ids: impl IntoIterator<Item = V>) -> Self {
        Self::is_in("_id", ids)
    }

    /// Both conditions; flattens and drops [`Filter::Everything`].
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Everything, one) | (one, Self::Everything) => one,
            (Self::And(mut all), Self::And(more)) => {
                all.extend(more);
                Self::And(all)
            }
            (Self::And(mut all), one) => {
                all.push(one);
                Self::And(all)
            }
            (one, Self::And(mut all)) => {
                all.insert(0, one);
                Self::And(all)
            }
            (one, another) => Self::And(vec![one, another]),
        }
    }

    /// Either condition.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Or(mut any), Self::Or(more)) => {
                any.extend(more);
                Self::Or(any)
            }
            (Self::Or(mut any), one) => {
                any.push(one);
                Self::Or(any)
            }
            (one, another) => Self::Or(vec![one, another]),
        }
    }

    /// Not this condition.
    #[must_use]
    pub fn negate(self) -> Self {
        Self::Not(Box::new(self))
    }
}

/// What a condition on an array's element looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Nothing: the condition is constant.
    None,
    /// The element itself, by the path `""`.
    Element,
    /// Fields of the element: then the element is a document.
    Fields,
    /// Both.
    Both,
}

impl Filter {
    /// What the condition looks at, when it is one on an element.
    pub(crate) fn subject(&self) -> Subject {
        let of = |path: &str| if path.is_empty() { Subject::Element } else { Subject::Fields };
        match self {
            Self::Everything | Self::Nothing | Self::Text(_) => Subject::None,
            Self::And(filters) | Self::Or(filters) => {
                filters.iter().map(Self::subject).fold(Subject::None, Subject::with)
            }
            Self::Not(inner) => inner.subject(),
            Self::Equal(path, _)
            | Self::NotEqual(path, _)
            | Self::Greater(path, _)
            | Self::GreaterOrEqual(path, _)
            | Self::Less(path, _)
            | Self::LessOrEqual(path, _)
            | Self::In(path, _)
            | Self::NotIn(path, _)
            | Self::ContainsAll(path, _)
            | Self::Size(path, _)
            | Self::Exists(path, _)
            | Self::Regex { path, .. }
            | Self::ElementMatches(path, _) => of(path),
        }
    }
}

impl Subject {
    fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, one) | (one, Self::None) => one,
            (one, another) if one == another => one,
            _ => Self::Both,
        }
    }
}
