//! How the API sees a collection: its fields with their kinds and defaults, and what can be asked of it.

use clearml_documents::Collection;

/// A kind of object that the API reads with the generic query language.
#[derive(Debug)]
pub struct Entity {
    /// As error messages name it: `Task`, `Project`, …
    pub name: &'static str,
    pub collection: Collection,
    /// Declared fields, in the order in which answers list them. Stored fields that are not declared are not
    /// answered. `_id` is implied and answered as `id`.
    pub fields: &'static [Field],
    pub queries: QueryFields,
    /// Answered only when named in the projection.
    pub default_excluded: &'static [&'static str],
    /// Queries and orders on these key prefixes compare with numeric collation.
    pub collated_prefixes: &'static [&'static str],
}

/// Which request keys constrain a query, by their form (spec 03 §1.2). `prefix.*` matches any key that
/// starts with `prefix.`.
#[derive(Debug)]
pub struct QueryFields {
    pub pattern: &'static [&'static str],
    pub list: &'static [&'static str],
    pub range: &'static [&'static str],
    pub datetime: &'static [&'static str],
    pub equality: &'static [&'static str],
}

/// A declared field.
#[derive(Debug)]
pub struct Field {
    pub name: &'static str,
    pub kind: Kind,
    pub default: Default,
}

/// The type of a field.
#[derive(Debug)]
pub enum Kind {
    Text,
    Integer,
    Float,
    Boolean,
    Date,
    /// A list of strings.
    Texts,
    /// Anything, passed through as stored.
    Any,
    /// The id of an object of another kind; `get_all_ex` answers an object instead.
    Reference(&'static Entity),
    /// A sub-document with declared fields.
    Embedded(&'static [Field]),
    /// A list of sub-documents with declared fields.
    EmbeddedList(&'static [Field]),
    /// A map (escaped or hashed keys) to sub-documents with declared fields, `depth` levels of keys above.
    Map { depth: usize, fields: &'static [Field] },
}

/// What is answered when the field is absent or null.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Default {
    /// Nothing: the field is left out.
    Absent,
    EmptyList,
    EmptyObject,
    Integer(i64),
    Text(&'static str),
    Boolean(bool),
}

impl Field {
    /// A field without a default.
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, default: Default::Absent }
    }

    /// A field with a default.
    pub const fn with(name: &'static str, kind: Kind, default: Default) -> Self {
        Self { name, kind, default }
    }
}
