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
    /// How request paths into maps with escaped keys are spelled.
    pub paths: PathRules,
    /// Which tags older clients send and expect among `tags`.
    pub legacy_tags: LegacyTags,
}

/// Spelling of request paths (filter keys, projection, order) that lead into maps with escaped keys
/// (spec 03 §1.13).
#[derive(Debug)]
pub struct PathRules {
    /// Substrings of paths with what replaces them.
    pub replacements: &'static [(&'static str, &'static str)],
    /// Paths that start with one of these (ending in a dot) have their parts escaped.
    pub escaped_prefixes: &'static [&'static str],
    /// Greatest number of dotted parts of such a path; the smallest is 2.
    pub max_parts: usize,
    /// Text of the error for another number of parts.
    pub error: &'static str,
}

impl PathRules {
    /// Paths are taken as they are.
    pub const NONE: Self = Self { replacements: &[], escaped_prefixes: &[], max_parts: 0, error: "" };

    /// Paths below `metadata` have 2 or 3 parts and are escaped.
    pub const METADATA: Self =
        Self { replacements: &[], escaped_prefixes: &["metadata."], max_parts: 3, error: "invalid field" };
}

/// System tags that clients below API 2.3 know as plain tags (spec 03 §1.13).
#[derive(Debug)]
pub struct LegacyTags {
    pub names: &'static [&'static str],
    /// Tags that start with one of these, in any case, are system tags as well.
    pub prefixes: &'static [&'static str],
}

impl LegacyTags {
    /// No such tags.
    pub const NONE: Self = Self { names: &[], prefixes: &[] };

    /// Only these names.
    pub const fn names(names: &'static [&'static str]) -> Self {
        Self { names, prefixes: &[] }
    }
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
    Map {
        depth: usize,
        fields: &'static [Field],
    },
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

impl Entity {
    /// The declared top-level field.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        find_field(self.fields, name)
    }
}

/// The declared field of this name.
pub(crate) fn find_field(fields: &'static [Field], name: &str) -> Option<&'static Field> {
    fields.iter().find(|field| field.name == name)
}
