//! Groups as one aggregation.

use bson::{Bson, Document, doc};

use super::{
    expression::{Expression, Root, and, has_type, or_null, when},
    filter, path,
};
use crate::{Accumulator, GroupBy, GroupKey, StoreResult};

/// The stages of a grouping. Names may hold any character, so members are numbered.
pub(super) fn pipeline(group: &GroupBy) -> StoreResult<Vec<Document>> {
    let mut keys = Document::new();
    for (position, (_, key)) in group.keys.iter().enumerate() {
        let value = match key {
            // A missing field and null are one group.
            GroupKey::Field(path) => or_null(field(path)?),
            GroupKey::Matches(filter) => Expression::of(filter, &Root::document())?,
        };
        keys.insert(format!("key{position}"), value);
    }
    let id: Bson = if keys.is_empty() { Bson::Null } else { keys.into() };
    let mut stage = doc! {"_id": id};
    for (position, (_, value)) in group.values.iter().enumerate() {
        stage.insert(format!("value{position}"), accumulator(value)?);
    }
    Ok(vec![doc! {"$match": filter::condition(&group.filter)?}, doc! {"$group": stage}])
}

fn field(path: &str) -> StoreResult<Bson> {
    path::check_name(path)?;
    Ok(path::field(path))
}

fn accumulator(value: &Accumulator) -> StoreResult<Document> {
    Ok(match value {
        Accumulator::Count => doc! {"$sum": 1},
        Accumulator::CountIf(filter) => {
            doc! {"$sum": when(Expression::of(filter, &Root::document())?, 1, 0)}
        }
        Accumulator::Sum(path) => doc! {"$sum": field(path)?},
        Accumulator::SumSeconds { from, to } => {
            let (from, to) = (field(from)?, field(to)?);
            let is_date = |value: &Bson| has_type(value.clone(), &["date"]);
            let later = doc! {"$gt": [to.clone(), from.clone()]}.into();
            let whole = and(vec![is_date(&from), is_date(&to), later]);
            let millis = doc! {"$subtract": [{"$toLong": to}, {"$toLong": from}]};
            let seconds = doc! {"$toLong": {"$floor": {"$divide": [millis, 1000]}}};
            doc! {"$sum": when(whole, seconds, 0)}
        }
        Accumulator::Max(path) => doc! {"$max": field(path)?},
        Accumulator::Min(path) => doc! {"$min": field(path)?},
    })
}

/// The groups with the names that the caller gave.
pub(super) fn named(group: &GroupBy, found: Vec<Document>) -> Vec<Document> {
    let rename = |mut answer: Document| {
        let mut keys = match answer.remove("_id") {
            Some(Bson::Document(keys)) => keys,
            _ => Document::new(),
        };
        let take = |members: &mut Document, name: String| members.remove(name).unwrap_or(Bson::Null);
        let mut named = Document::new();
        for (position, (name, _)) in group.keys.iter().enumerate() {
            named.insert(name, take(&mut keys, format!("key{position}")));
        }
        for (position, (name, value)) in group.values.iter().enumerate() {
            let result = take(&mut answer, format!("value{position}"));
            named.insert(name, if counts(value) { long(result) } else { result });
        }
        named
    };
    found.into_iter().map(rename).collect()
}

fn counts(value: &Accumulator) -> bool {
    match value {
        Accumulator::Count
        | Accumulator::CountIf(_)
        | Accumulator::Sum(_)
        | Accumulator::SumSeconds { .. } => true,
        Accumulator::Max(_) | Accumulator::Min(_) => false,
    }
}

/// Small sums come as 32 bits.
fn long(value: Bson) -> Bson {
    match value {
        Bson::Int32(number) => Bson::Int64(number.into()),
        other => other,
    }
}
