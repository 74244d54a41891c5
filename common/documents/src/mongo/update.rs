//! Updates as MongoDB's operators or, where these can't say it, as a pipeline.

use bson::{Bson, Document, doc};
use mongodb::options::UpdateModifications;

use super::{filter::element_condition, path::check_name, pipeline::Pipeline};
use crate::{Change, StoreResult, apply::check_path};

/// The update of a command. Plain operators where every path is changed once and no change depends on another
/// value; a pipeline reads and writes whole documents, but can say anything but what an upsert does on insert.
///
/// Errors: [`StoreError::InvalidValue`](crate::StoreError::InvalidValue) for paths that can't be written.
pub(super) fn compile(update: &[Change], upsert: bool) -> StoreResult<Compiled> {
    for change in update {
        for path in change.paths() {
            check_path(path)?;
            check_name(path)?;
        }
    }
    match operators(update)? {
        Some(operators) => Ok(Compiled::Operators(operators)),
        None => Ok(Compiled::Pipeline(Pipeline::of(update, upsert)?)),
    }
}

/// An update in MongoDB's words.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Compiled {
    Operators(Document),
    Pipeline(Vec<Document>),
}

impl From<Compiled> for UpdateModifications {
    fn from(compiled: Compiled) -> Self {
        match compiled {
            Compiled::Operators(operators) => Self::Document(operators),
            Compiled::Pipeline(stages) => Self::Pipeline(stages),
        }
    }
}

impl From<Compiled> for Bson {
    fn from(compiled: Compiled) -> Self {
        match compiled {
            Compiled::Operators(operators) => operators.into(),
            Compiled::Pipeline(stages) => stages.into(),
        }
    }
}

fn operators(update: &[Change]) -> StoreResult<Option<Document>> {
    let mut operators = Document::new();
    let mut paths: Vec<&str> = Vec::with_capacity(update.len());
    for change in update {
        let Some((operator, path, operand)) = operator(change)? else { return Ok(None) };
        if paths.iter().any(|known| overlap(known, path)) {
            return Ok(None);
        }
        paths.push(path);
        match operators.get_document_mut(operator) {
            Ok(members) => {
                members.insert(path, operand);
            }
            Err(_) => {
                operators.insert(operator, doc! {path: operand});
            }
        }
    }
    if operators.is_empty() {
        // An empty document would replace.
        operators.insert("$set", doc! {});
    }
    Ok(Some(operators))
}

/// The operator of a change, its path and its operand; `None` where a pipeline is needed.
fn operator(change: &Change) -> StoreResult<Option<(&'static str, &str, Bson)>> {
    Ok(Some(match change {
        Change::Set(path, value) => ("$set", path, value.clone()),
        Change::SetOnInsert(path, value) => ("$setOnInsert", path, value.clone()),
        Change::Unset(path) => ("$unset", path, "".into()),
        Change::Increment(path, amount) => ("$inc", path, Bson::Int64(*amount)),
        Change::Max(path, value) => ("$max", path, value.clone()),
        Change::Min(path, value) => ("$min", path, value.clone()),
        Change::Push(path, value) => ("$push", path, doc! {"$each": [value.clone()]}.into()),
        Change::AddToSet(path, values) => ("$addToSet", path, doc! {"$each": values}.into()),
        Change::PullAll(path, values) => ("$pullAll", path, values.clone().into()),
        Change::Pull(path, condition) => match element_condition(condition)? {
            // Whether `$not` in front is a condition on the element or a field's name is not documented.
            Some(condition) if condition.keys().next().is_some_and(|first| first != "$not") => {
                ("$pull", path, condition.into())
            }
            _ => return Ok(None),
        },
        Change::PopFirst(path) => ("$pop", path, (-1).into()),
        Change::SetInElements { .. }
        | Change::MoveElement { .. }
        | Change::SetIfLess { .. }
        | Change::SetIfGreater { .. }
        | Change::SetIfMissing { .. }
        | Change::RunningMean { .. } => return Ok(None),
    }))
}

/// Whether one path is the other or leads through it.
pub(super) fn overlap(left: &str, right: &str) -> bool {
    let (short, long) = if left.len() <= right.len() { (left, right) } else { (right, left) };
    long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl Change {
    /// The paths that the change writes.
    pub(super) fn paths(&self) -> Vec<&str> {
        match self {
            Self::Set(path, _)
            | Self::SetOnInsert(path, _)
            | Self::Unset(path)
            | Self::Increment(path, _)
            | Self::Max(path, _)
            | Self::Min(path, _)
            | Self::Push(path, _)
            | Self::AddToSet(path, _)
            | Self::PullAll(path, _)
            | Self::Pull(path, _)
            | Self::PopFirst(path) => vec![path],
            Self::SetInElements { array, .. } | Self::MoveElement { array, .. } => vec![array],
            Self::SetIfLess { path, along, .. }
            | Self::SetIfGreater { path, along, .. }
            | Self::SetIfMissing { path, along, .. } => {
                std::iter::once(path).chain(along.iter().map(|(path, _)| path)).map(String::as_str).collect()
            }
            Self::RunningMean { mean, count, .. } => vec![mean, count],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Filter;

    #[test]
    fn plain_changes_become_operators() {
        let update = [
            Change::set("a.b", 1),
            Change::set("c", "$x"),
            Change::unset("d"),
            Change::Push("e".into(), 1.into()),
            Change::Pull("f".into(), Filter::eq("task", "t")),
            Change::Pull("g".into(), Filter::gt("", 3)),
        ];
        let expected = doc! {
            "$set": {"a.b": 1, "c": "$x"}, "$unset": {"d": ""}, "$push": {"e": {"$each": [1]}},
            "$pull": {"f": {"task": {"$eq": "t"}}, "g": {"$gt": 3}},
        };
        assert_eq!(operators(&update).unwrap(), Some(expected));
        assert_eq!(operators(&[]).unwrap(), Some(doc! {"$set": {}}));
    }

    #[test]
    fn changes_of_one_path_need_a_pipeline() {
        let both = [Change::set("a", 1), Change::set("a.b", 1)];
        assert_eq!(operators(&both).unwrap(), None);
        assert!(overlap("a", "a") && overlap("a.b", "a") && !overlap("a", "ab"));
    }
}
