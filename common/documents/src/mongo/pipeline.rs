//! Updates as an aggregation pipeline.
//!
//! All changes become one `$set` stage where they can: its expressions read the document as it was, and changes
//! of one path are folded into one expression. Only where paths lead through each other, or a field is removed,
//! a stage follows another. A pipeline has no array indexes in paths; and it makes an object where a parent is
//! missing or is no object.

use bson::{Bson, Document, doc};

use super::{
    expression::{Expression, Root, and, has_type, is_array, not, or_null, when},
    filter::literal,
    path::field,
    update::overlap,
};
use crate::{Change, Filter, Reposition, StoreError, StoreResult, apply::contains};

/// Holds the document as it was, while a pipeline of several stages runs.
const BEFORE: &str = "__before";

/// Further than any array is long.
const FAR: i64 = 100_000_000;

#[derive(Debug, Default)]
pub(super) struct Pipeline {
    stages: Vec<Document>,
    /// The stage at hand: paths with what they become.
    fields: Vec<(String, Bson)>,
    /// A later stage reads the document as it was.
    reads_before: bool,
}

impl Pipeline {
    /// The stages of an update.
    pub(super) fn of(update: &[Change], upsert: bool) -> StoreResult<Vec<Document>> {
        let mut pipeline = Self::default();
        for change in update {
            match change {
                Change::SetOnInsert(..) if !upsert => {}
                change => pipeline.add(change)?,
            }
        }
        pipeline.finish_stage();
        let mut stages = pipeline.stages;
        if pipeline.reads_before {
            stages.insert(0, doc! {"$set": {BEFORE: "$$ROOT"}});
            stages.push(doc! {"$unset": BEFORE});
        }
        Ok(stages)
    }

    fn add(&mut self, change: &Change) -> StoreResult<()> {
        for path in change.paths() {
            if self.fields.iter().any(|(known, _)| known != path && overlap(known, path)) {
                self.finish_stage();
            }
        }
        match change {
            Change::Set(path, value) => self.set(path, literal(value.clone())),
            Change::SetOnInsert(path, _) => {
                return Err(StoreError::InvalidValue(format!(
                    "'{path}' can't be set on insert by an update that needs a pipeline"
                )));
            }
            Change::Unset(path) => {
                self.finish_stage();
                self.stages.push(doc! {"$unset": path});
            }
            Change::Increment(path, amount) => {
                let sum = doc! {"$add": [{"$ifNull": [self.value(path), 0]}, Bson::Int64(*amount)]};
                self.set(path, sum);
            }
            Change::Max(path, value) => self.fold(path, |present| {
                // A missing field is less than anything.
                when(compare("$lt", &present, value), literal(value.clone()), present)
            }),
            Change::Min(path, value) => {
                let missing = has_type(self.value(path), &["missing"]);
                self.fold(path, |present| {
                    let replace = doc! {"$or": [missing, compare("$gt", &present, value)]};
                    when(replace.into(), literal(value.clone()), present)
                });
            }
            Change::Push(path, value) => {
                let all = doc! {"$concatArrays": [self.array(path), [literal(value.clone())]]};
                self.set(path, all);
            }
            Change::AddToSet(path, values) => {
                let mut distinct: Vec<Bson> = Vec::new();
                for value in values {
                    if !contains(&distinct, value)? {
                        distinct.push(value.clone());
                    }
                }
                let known = not(doc! {"$in": ["$$item", "$$present"]}.into());
                let new = doc! {"$filter": {"input": literal(distinct), "as": "item", "cond": known}};
                let all = doc! {"$let": {"vars": {"present": self.array(path)}, "in": {"$concatArrays": ["$$present", new]}}};
                self.set(path, all);
            }
            Change::PullAll(path, values) => {
                let keep = not(doc! {"$in": ["$$item", literal(values.clone())]}.into());
                self.fold_array(path, |array| filtered(array, "item", keep));
            }
            Change::Pull(path, condition) => {
                let (name, element) = Root::document().element();
                let keep = not(holds(condition, &element)?);
                self.fold_array(path, |array| filtered(array, &name, keep));
            }
            Change::PopFirst(path) => self.fold_array(path, |array| {
                let size = doc! {"$size": array.clone()};
                let rest = doc! {"$slice": [array, 1, size.clone()]};
                when(doc! {"$gt": [size, 1]}.into(), rest, Vec::<Bson>::new())
            }),
            Change::SetInElements { array, matching, set } => {
                let (name, element) = Root::document().element();
                let variable = format!("$${name}");
                let changed = with_members(variable.as_str().into(), &tree(set)?);
                let wanted =
                    and(vec![has_type(variable.as_str().into(), &["object"]), holds(matching, &element)?]);
                let item = when(wanted, changed, variable);
                self.fold_array(array, |array| {
                    doc! {"$map": {"input": array, "as": name, "in": item}}.into()
                });
            }
            Change::MoveElement { array, matching, to } => {
                let (name, element) = Root::document().element();
                let holds = holds(matching, &element)?;
                self.fold_array(array, |array| moved(&array, &name, &holds, *to));
            }
            Change::SetIfLess { path, value, along } => {
                let condition = empty_or(&self.before(path), "$gt", value);
                self.set_if(&condition, path, value, along);
            }
            Change::SetIfGreater { path, value, along } => {
                let condition = empty_or(&self.before(path), "$lt", value);
                self.set_if(&condition, path, value, along);
            }
            Change::SetIfMissing { path, value, along } => {
                let condition = is_empty(self.before(path));
                self.set_if(&condition, path, value, along);
            }
            Change::RunningMean { mean, count, total, n } => self.running_mean(mean, count, *total, *n),
        }
        Ok(())
    }

    fn finish_stage(&mut self) {
        if !self.fields.is_empty() {
            let fields: Document = std::mem::take(&mut self.fields).into_iter().collect();
            self.stages.push(doc! {"$set": fields});
        }
    }

    fn set(&mut self, path: &str, value: impl Into<Bson>) {
        let value = value.into();
        match self.fields.iter_mut().find(|(known, _)| known == path) {
            Some((_, present)) => *present = value,
            None => self.fields.push((path.to_owned(), value)),
        }
    }

    /// The value of the path after the changes so far.
    fn value(&self, path: &str) -> Bson {
        let changed = self.fields.iter().find(|(known, _)| known == path);
        changed.map_or_else(|| field(path), |(_, value)| value.clone())
    }

    /// The value of the path before the update.
    fn before(&mut self, path: &str) -> Bson {
        if self.stages.is_empty() {
            return field(path);
        }
        self.reads_before = true;
        field(&format!("{BEFORE}.{path}"))
    }

    /// The array at the path, an empty one where there is none.
    fn array(&self, path: &str) -> Bson {
        doc! {"$ifNull": [self.value(path), []]}.into()
    }

    /// Sets the path to what becomes of its value.
    fn fold(&mut self, path: &str, change: impl FnOnce(Bson) -> Bson) {
        let changed = change("$$present".into());
        let value = doc! {"$let": {"vars": {"present": self.value(path)}, "in": changed}};
        self.set(path, value);
    }

    /// The same where the value is an array; anything else stays.
    fn fold_array(&mut self, path: &str, change: impl FnOnce(Bson) -> Bson) {
        self.fold(path, |present| when(is_array(present.clone()), change(present.clone()), present));
    }

    fn set_if(&mut self, condition: &Bson, path: &str, value: &Bson, along: &[(String, Bson)]) {
        let more = along.iter().map(|(path, value)| (path.as_str(), value));
        for (path, value) in std::iter::once((path, value)).chain(more) {
            let value = when(condition.clone(), literal(value.clone()), self.value(path));
            self.set(path, value);
        }
    }

    fn running_mean(&mut self, mean: &str, count: &str, total: f64, n: i64) {
        let number = |value: Bson| when(doc! {"$isNumber": value.clone()}.into(), value, 0);
        let (old_mean, old_count) = (number(self.before(mean)), number(self.before(count)));
        let new_count = Bson::from(doc! {"$add": [old_count.clone(), Bson::Int64(n)]});
        let sum = doc! {"$add": [{"$multiply": [old_mean, old_count]}, total]};
        let new_mean = doc! {"$round": [{"$divide": [sum, new_count.clone()]}, 2]};
        let none = Bson::from(doc! {"$eq": [new_count.clone(), 0]});
        self.set(mean, doc! {"$toDouble": when(none, 0.0, new_mean)});
        self.set(count, doc! {"$toLong": new_count});
    }
}

fn compare(operator: &str, present: &Bson, value: &Bson) -> Bson {
    doc! {operator: [present.clone(), literal(value.clone())]}.into()
}

fn is_empty(value: Bson) -> Bson {
    doc! {"$eq": [or_null(value), null]}.into()
}

fn empty_or(value: &Bson, operator: &str, bound: &Bson) -> Bson {
    doc! {"$or": [is_empty(value.clone()), compare(operator, value, bound)]}.into()
}

/// Whether the element fulfils the condition, one on fields only if it has any.
fn holds(condition: &Filter, element: &Root) -> StoreResult<Bson> {
    Expression::of(condition, element)
}

fn filtered(array: Bson, name: &str, keep: Bson) -> Bson {
    doc! {"$filter": {"input": array, "as": name, "cond": keep}}.into()
}

/// Members to set in a document, by name; paths become documents.
enum Members {
    Value(Bson),
    Below(Vec<(String, Members)>),
}

fn tree(set: &[(String, Bson)]) -> StoreResult<Vec<(String, Members)>> {
    let mut members = Vec::new();
    for (path, value) in set {
        crate::apply::check_path(path)?;
        let mut level = &mut members;
        let mut names = path.split('.').peekable();
        while let Some(name) = names.next() {
            if name.starts_with('$') {
                return Err(StoreError::InvalidValue(format!("the field name '{path}' starts with '$'")));
            }
            let position = level.iter().position(|(known, _)| known == name);
            let position = position.unwrap_or_else(|| {
                level.push((name.to_owned(), Members::Below(Vec::new())));
                level.len() - 1
            });
            let slot = &mut level[position].1;
            if names.peek().is_none() {
                *slot = Members::Value(value.clone());
                break;
            }
            if let Members::Value(_) = slot {
                *slot = Members::Below(Vec::new());
            }
            let Members::Below(below) = slot else { break };
            level = below;
        }
    }
    Ok(members)
}

fn with_members(document: Bson, members: &[(String, Members)]) -> Bson {
    let mut changed = Document::new();
    for (name, member) in members {
        let value = match member {
            Members::Value(value) => literal(value.clone()),
            Members::Below(below) => with_members(super::path::member(document.clone(), name), below),
        };
        changed.insert(name.clone(), value);
    }
    doc! {"$mergeObjects": [document, changed]}.into()
}

/// The array with the first element that fulfils the condition moved.
fn moved(array: &Bson, name: &str, holds: &Bson, to: Reposition) -> Bson {
    let found = doc! {"$map": {"input": array.clone(), "as": name, "in": holds.clone()}};
    let last = Bson::from(doc! {"$subtract": [{"$size": array.clone()}, 1]});
    let target: Bson = match to {
        Reposition::Front => 0.into(),
        Reposition::Back => last,
        Reposition::By(steps) => {
            let steps = steps.clamp(-FAR, FAR) as i32;
            doc! {"$max": [0, {"$min": [last, {"$add": ["$$from", steps]}]}]}.into()
        }
    };
    // Which element comes to a place: those between the two places move by one.
    let source = doc! {"$switch": {
        "branches": [
            {"case": {"$eq": ["$$place", "$$to"]}, "then": "$$from"},
            {"case": {"$and": [{"$gte": ["$$place", "$$from"]}, {"$lt": ["$$place", "$$to"]}]},
                "then": {"$add": ["$$place", 1]}},
            {"case": {"$and": [{"$lte": ["$$place", "$$from"]}, {"$gt": ["$$place", "$$to"]}]},
                "then": {"$subtract": ["$$place", 1]}},
        ],
        "default": "$$place",
    }};
    let places = doc! {"$range": [0, {"$size": array.clone()}]};
    let items = doc! {"$map": {
        "input": places, "as": "place", "in": {"$arrayElemAt": [array.clone(), source]},
    }};
    let arranged = doc! {"$let": {"vars": {"to": target}, "in": items}};
    let move_it = when(doc! {"$lt": ["$$from", 0]}.into(), array.clone(), arranged);
    doc! {"$let": {"vars": {"from": {"$indexOfArray": [found, true]}}, "in": move_it}}.into()
}
