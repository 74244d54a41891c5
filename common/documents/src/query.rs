//! What to read: order, page, projection, aggregation.

use crate::Filter;

/// Ascending or descending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Ascending,
    Descending,
}

/// What to order by.
#[derive(Debug, Clone, PartialEq)]
pub enum SortKey {
    /// A field path; missing and null come first when ascending, then numbers, text, dates (MongoDB's order).
    Field(String),
    /// The relevance of a [`Filter::Text`] match, best first whatever the order says.
    TextScore,
}

/// One part of an order.
#[derive(Debug, Clone, PartialEq)]
pub struct Sort {
    pub key: SortKey,
    pub order: Order,
}

impl Sort {
    /// Ascending by a field.
    pub fn ascending(path: impl Into<String>) -> Self {
        Self { key: SortKey::Field(path.into()), order: Order::Ascending }
    }

    /// Descending by a field.
    pub fn descending(path: impl Into<String>) -> Self {
        Self { key: SortKey::Field(path.into()), order: Order::Descending }
    }
}

/// Which fields of a document come back. `_id` always does.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Projection {
    /// All fields.
    #[default]
    All,
    /// These paths only, each with everything below it.
    Include(Vec<String>),
    /// All but these paths.
    Exclude(Vec<String>),
}

/// A query for documents.
#[derive(Debug, Clone, PartialEq)]
pub struct Find {
    pub filter: Filter,
    /// Empty: the order in which the store comes across them, which is that of insertion when all documents are
    /// asked for.
    pub sort: Vec<Sort>,
    pub skip: u64,
    pub limit: Option<u64>,
    pub projection: Projection,
    /// Compare text as `{locale: "en_US", numericOrdering: true}`: `"2" < "10"`, in the filter's comparisons
    /// and in the order. Equality stays exact in the embedded store.
    pub numeric_collation: bool,
}

impl Find {
    /// All documents that fulfil the filter.
    pub fn new(filter: Filter) -> Self {
        Self {
            filter,
            sort: Vec::new(),
            skip: 0,
            limit: None,
            projection: Projection::All,
            numeric_collation: false,
        }
    }

    /// Adds an order, after the ones given before.
    #[must_use]
    pub fn sort(mut self, sort: Sort) -> Self {
        self.sort.push(sort);
        self
    }

    /// At most this many documents.
    #[must_use]
    pub fn limit(mut self, limit: u64) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Only these paths (and `_id`).
    #[must_use]
    pub fn include<P: Into<String>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.projection = Projection::Include(paths.into_iter().map(Into::into).collect());
        self
    }
}

/// Grouping with counts and sums, computed inside the store.
/// Each result document has one member per key and per accumulator, under its name.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupBy {
    pub filter: Filter,
    pub keys: Vec<(String, GroupKey)>,
    pub values: Vec<(String, Accumulator)>,
}

/// A value to group by.
#[derive(Debug, Clone, PartialEq)]
pub enum GroupKey {
    /// The field's value; missing is null.
    Field(String),
    /// Whether the document fulfils the condition (true or false).
    Matches(Filter),
}

/// A value computed per group.
#[derive(Debug, Clone, PartialEq)]
pub enum Accumulator {
    /// Number of documents.
    Count,
    /// Number of documents that fulfil the condition.
    CountIf(Filter),
    /// Sum of a numeric field, missing as 0.
    Sum(String),
    /// Sum of whole seconds between two date fields, over documents that have both with `to` after `from`.
    SumSeconds { from: String, to: String },
    /// Greatest value of a field; null when no document has it.
    Max(String),
    /// Smallest value of a field; null when no document has it.
    Min(String),
}
