//! Reads as one command each.

use bson::{Bson, Document, doc};
use futures::TryStreamExt;
use mongodb::{
    Collection,
    options::{Collation, FindOptions},
};

use super::{Limits, error::mongo_error, expression::or_null, filter, path};
use crate::{Filter, Find, Order, Projection, Sort, SortKey, StoreError, StoreResult};

/// Larger than any page, and what MongoDB still adds to each other.
const FAR: u64 = 1 << 60;

/// Documents per answer: an answer ends at 16 MB anyhow.
const BATCH: u32 = 1_000_000;

/// `numeric_collation`, as the official indexes have it.
pub(super) fn collation() -> Collation {
    Collation::builder().locale("en_US").numeric_ordering(true).build()
}

/// The same for a command.
pub(super) fn collation_document() -> Document {
    doc! {"locale": "en_US", "numericOrdering": true}
}

/// A query made ready.
pub(super) struct Query {
    filter: Document,
    options: FindOptions,
    /// The page is empty whatever there is.
    empty: bool,
}

impl Query {
    pub(super) fn new(find: &Find, limits: Limits) -> StoreResult<Self> {
        let skip = find.skip.min(FAR);
        let limit = find.limit.map(|limit| limit.min(FAR) as i64);
        let options = FindOptions::builder()
            .projection(projection(&find.projection)?)
            .sort(sort(&find.filter, &find.sort)?)
            .skip((skip > 0).then_some(skip))
            .limit(limit)
            .batch_size(limit.and_then(|limit| u32::try_from(limit).ok()).unwrap_or(BATCH).min(BATCH))
            .collation(find.numeric_collation.then(collation))
            .allow_disk_use((!find.sort.is_empty()).then_some(true))
            .max_time(limits.operation_timeout)
            .build();
        Ok(Self { filter: filter::condition(&find.filter)?, options, empty: limit == Some(0) || skip == FAR })
    }

    /// The command that asks for the plan.
    #[cfg(test)]
    pub(super) fn explain(&self, collection: &str) -> Document {
        let mut find = doc! {"find": collection, "filter": self.filter.clone()};
        if let Some(sort) = &self.options.sort {
            find.insert("sort", sort.clone());
        }
        if let Some(limit) = self.options.limit {
            find.insert("limit", limit);
        }
        doc! {"explain": find, "verbosity": "queryPlanner"}
    }

    pub(super) async fn run(self, collection: Collection<Document>) -> StoreResult<Vec<Document>> {
        if self.empty {
            return Ok(Vec::new());
        }
        let cursor = collection.find(self.filter).with_options(self.options).await.map_err(mongo_error)?;
        cursor.try_collect().await.map_err(mongo_error)
    }
}

fn projection(projection: &Projection) -> StoreResult<Option<Document>> {
    let (paths, flag) = match projection {
        Projection::All => return Ok(None),
        Projection::Include(paths) => (paths, 1),
        Projection::Exclude(paths) => (paths, 0),
    };
    let mut members = Document::new();
    for path in paths {
        path::check_name(path)?;
        // A path below another one that is listed, too, would collide with it.
        let covered = paths
            .iter()
            .any(|other| path.strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with('.')));
        if !covered && path != "_id" && !path.is_empty() {
            members.insert(path, flag);
        }
    }
    match projection {
        Projection::Exclude(_) if members.is_empty() => Ok(None),
        Projection::Exclude(_) => Ok(Some(members)),
        Projection::Include(_) | Projection::All => {
            members.insert("_id", 1);
            Ok(Some(members))
        }
    }
}

fn sort(filter: &Filter, sorts: &[Sort]) -> StoreResult<Option<Document>> {
    let mut keys = Document::new();
    for (position, sort) in sorts.iter().enumerate() {
        match &sort.key {
            SortKey::TextScore => {
                if !searches_text(filter) {
                    return Err(StoreError::InvalidValue(
                        "text score is not available without a text search".to_owned(),
                    ));
                }
                keys.insert(format!("__score{position}"), doc! {"$meta": "textScore"});
            }
            SortKey::Field(path) if path.is_empty() || keys.contains_key(path) => {}
            SortKey::Field(path) => {
                path::check_name(path)?;
                let direction = match sort.order {
                    Order::Ascending => 1,
                    Order::Descending => -1,
                };
                keys.insert(path, direction);
            }
        }
    }
    Ok((!keys.is_empty()).then_some(keys))
}

fn searches_text(filter: &Filter) -> bool {
    match filter {
        Filter::Text(_) => true,
        Filter::And(filters) | Filter::Or(filters) => filters.iter().any(searches_text),
        _ => false,
    }
}

/// Answers of an aggregation.
pub(super) async fn aggregate(
    collection: Collection<Document>,
    pipeline: Vec<Document>,
    limits: Limits,
) -> StoreResult<Vec<Document>> {
    let cursor = collection
        .aggregate(pipeline)
        .allow_disk_use(true)
        .batch_size(BATCH)
        .max_time(limits.operation_timeout)
        .await
        .map_err(mongo_error)?;
    cursor.try_collect().await.map_err(mongo_error)
}

/// The leaves of nested maps, each with its keys, by one aggregation.
pub(super) fn map_keys(path: &str, depth: usize, filter: &Filter) -> StoreResult<Vec<Document>> {
    path::check_name(path)?;
    let mut stages = vec![
        doc! {"$match": filter::condition(filter)?},
        doc! {"$project": {"_id": 0, "value": path::field(path)}},
        doc! {"$match": {"value": {"$exists": true}}},
    ];
    let mut keys: Document = Document::new();
    for level in 0..depth {
        let mut kept: Document = doc! {"_id": 0, "value": "$member.v", format!("key{level}"): "$member.k"};
        let mut passed: Document = doc! {"_id": 0, "member": {"$objectToArray": "$value"}};
        for known in keys.keys() {
            kept.insert(known, 1);
            passed.insert(known, 1);
        }
        stages.extend([
            doc! {"$match": {"$expr": {"$eq": [{"$type": "$value"}, "object"]}}},
            doc! {"$project": passed},
            doc! {"$unwind": "$member"},
            doc! {"$project": kept},
        ]);
        keys.insert(format!("key{level}"), format!("$key{level}"));
    }
    let id: Bson = if keys.is_empty() { Bson::Null } else { keys.into() };
    stages.push(doc! {"$group": {"_id": id, "leaf": {"$first": or_null("$value".into())}}});
    Ok(stages)
}

/// The leaves as the caller wants them.
pub(super) fn leaves(groups: Vec<Document>) -> Vec<Document> {
    let leaf = |mut group: Document| {
        let keys: Vec<Bson> = match group.remove("_id") {
            Some(Bson::Document(keys)) => keys.into_iter().map(|(_, key)| key).collect(),
            _ => Vec::new(),
        };
        doc! {"keys": keys, "leaf": group.remove("leaf").unwrap_or(Bson::Null)}
    };
    groups.into_iter().map(leaf).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_below_listed_ones_are_left_out() {
        let paths = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            projection(&Projection::Include(paths(&["b.d.e", "a", "b", "ab"]))).unwrap(),
            Some(doc! {"a": 1, "b": 1, "ab": 1, "_id": 1})
        );
        assert_eq!(projection(&Projection::Include(vec![])).unwrap(), Some(doc! {"_id": 1}));
        assert_eq!(projection(&Projection::Exclude(paths(&["_id"]))).unwrap(), None);
    }
}
