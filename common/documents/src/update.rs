//! Changes of documents, applied atomically per document.

use bson::Bson;

use crate::Filter;

/// Changes to apply to a document, in order. All conditions inside the changes read the document as it was
/// before the update.
pub type Update = Vec<Change>;

/// One change. Paths are dotted; missing parents are created.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Assign.
    Set(String, Bson),
    /// Assign only when the update inserts the document (upsert).
    SetOnInsert(String, Bson),
    /// Remove the field.
    Unset(String),
    /// Add to a number; a missing field counts as 0.
    Increment(String, i64),
    /// Assign if missing or smaller than the value.
    Max(String, Bson),
    /// Assign if missing or greater than the value.
    Min(String, Bson),
    /// Append to an array.
    Push(String, Bson),
    /// Append the values that the array does not contain yet.
    AddToSet(String, Vec<Bson>),
    /// Remove all elements equal to one of the values.
    PullAll(String, Vec<Bson>),
    /// Remove all elements that fulfil the condition (paths relative to the element).
    Pull(String, Filter),
    /// Remove the first element.
    PopFirst(String),
    /// Assign fields inside every element that fulfils the condition (paths relative to the element).
    SetInElements { array: String, matching: Filter, set: Vec<(String, Bson)> },
    /// Move the first element that fulfils the condition so that it ends at an index of the array:
    /// see [`Reposition`].
    MoveElement { array: String, matching: Filter, to: Reposition },
    /// If `path` is missing, null or greater than `value`: assign `value` to it, and each of `along`.
    SetIfLess { path: String, value: Bson, along: Vec<(String, Bson)> },
    /// If `path` is missing, null or less than `value`: assign `value` to it, and each of `along`.
    SetIfGreater { path: String, value: Bson, along: Vec<(String, Bson)> },
    /// If `path` is missing or null: assign `value` to it, and each of `along`.
    SetIfMissing { path: String, value: Bson, along: Vec<(String, Bson)> },
    /// `mean := round_half_even((mean*count + total)/(count+n), 2)`, `count := count + n`; missing as 0
    /// (spec 05 §3.6).
    RunningMean { mean: String, count: String, total: f64, n: i64 },
}

/// Where [`Change::MoveElement`] puts the element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reposition {
    /// Relative to its present index; clamped to the array.
    By(i64),
    /// To the first place.
    Front,
    /// To the last place.
    Back,
}

impl Change {
    /// Assign.
    pub fn set(path: impl Into<String>, value: impl Into<Bson>) -> Self {
        Self::Set(path.into(), value.into())
    }

    /// Remove the field.
    pub fn unset(path: impl Into<String>) -> Self {
        Self::Unset(path.into())
    }
}
