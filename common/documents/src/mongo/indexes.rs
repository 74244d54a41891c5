//! The indexes of an official server: made where they are missing, left alone where they are there.

use std::collections::BTreeMap;

use bson::{Bson, Document, doc};
use futures::TryStreamExt;
use mongodb::{Database, error::ErrorKind};

use super::error::mongo_error;
use crate::{Collection, Index, StoreResult};

/// `NamespaceNotFound`: the collection is not there yet.
const NO_COLLECTION: i32 = 26;

/// Makes the missing indexes of a collection, and with them the collection. Several processes may do so at
/// once: who comes second finds them made. The answer says which the server refuses, each with the reason.
pub(super) async fn ensure(database: &Database, collection: Collection) -> StoreResult<Vec<String>> {
    let present = present(database, collection).await?;
    let mut missing = Vec::new();
    for wanted in wanted(collection) {
        let name = wanted.get_str("name").unwrap_or_default();
        match present.get(name) {
            None => missing.push(wanted),
            Some(present) if agrees(present, &wanted) => {}
            Some(_) => tracing::warn!(
                collection = collection.name(),
                index = name,
                "an index differs from the one that is expected, it is kept as it is"
            ),
        }
    }
    if missing.is_empty() || create(database, collection, &missing).await?.is_none() {
        return Ok(Vec::new());
    }
    // One of them is refused: find out which.
    let mut refused = Vec::new();
    for index in missing {
        if let Some(reason) = create(database, collection, std::slice::from_ref(&index)).await? {
            let index = index.get_str("name").unwrap_or_default();
            refused.push(format!("{index} of {}: {reason}", collection.name()));
        }
    }
    Ok(refused)
}

/// The indexes that are there, by name.
async fn present(database: &Database, collection: Collection) -> StoreResult<BTreeMap<String, Document>> {
    let list = doc! {"listIndexes": collection.name()};
    let cursor = match database.run_cursor_command(list).await {
        Ok(cursor) => cursor,
        Err(error) if matches!(&*error.kind, ErrorKind::Command(command) if command.code == NO_COLLECTION) => {
            return Ok(BTreeMap::new());
        }
        Err(error) => return Err(mongo_error(error)),
    };
    let indexes: Vec<Document> = cursor.try_collect().await.map_err(mongo_error)?;
    Ok(indexes
        .into_iter()
        .map(|index| (index.get_str("name").unwrap_or_default().to_owned(), index))
        .collect())
}

/// Makes indexes; the reason when the server refuses.
async fn create(
    database: &Database,
    collection: Collection,
    indexes: &[Document],
) -> StoreResult<Option<String>> {
    let indexes = indexes.to_vec();
    let command = doc! {"createIndexes": collection.name(), "indexes": indexes};
    match database.run_command(command).await {
        Ok(_) => Ok(None),
        Err(error) => match &*error.kind {
            ErrorKind::Command(command) => match mongo_error(error.clone()) {
                unavailable @ crate::StoreError::Unavailable(_) => Err(unavailable),
                _ => Ok(Some(format!("{} (code {})", command.message, command.code))),
            },
            _ => Err(mongo_error(error)),
        },
    }
}

/// What an official server has (spec 01 §6, 02 §2.2, 03 and 04 "Stored documents", 06 §6).
fn wanted(collection: Collection) -> Vec<Document> {
    let spec = collection.spec();
    let mut wanted: Vec<Document> = spec.indexes.iter().map(plain).collect();
    if !spec.text.is_empty() {
        wanted.push(text(collection, spec.text));
    }
    wanted
}

fn plain(index: &Index) -> Document {
    let mut key = Document::new();
    for field in index.fields {
        match field.strip_prefix('-') {
            Some(field) => key.insert(field, -1),
            None => key.insert(*field, 1),
        };
    }
    let name: Vec<String> = key.iter().map(|(field, direction)| format!("{field}_{direction}")).collect();
    let mut options = doc! {"key": key, "name": name.join("_")};
    if index.unique {
        options.insert("unique", true);
    }
    if index.sparse {
        options.insert("sparse", true);
    }
    if index.numeric_collation {
        options.insert("collation", super::read::collation_document());
    }
    options
}

/// The official weights name `id` where they mean `_id`: so `_id` has the weight 1, and a field `id`, which no
/// document has, the weight 10.
fn text(collection: Collection, fields: &[(&str, i32)]) -> Document {
    let key: Document = fields.iter().map(|(field, _)| ((*field).to_owned(), Bson::from("text"))).collect();
    let weights: Document = fields
        .iter()
        .map(|(field, weight)| if *field == "_id" { ("id", 10) } else { (*field, *weight) })
        .map(|(field, weight)| (field.to_owned(), Bson::from(weight)))
        .collect();
    doc! {
        "key": key,
        "name": format!("backend-db.{}.main_text_index", collection.name()),
        "default_language": "english",
        "weights": weights,
    }
}

/// Whether an index that is there does what the wanted one would. A text index is stored in another form: its
/// name is enough.
fn agrees(present: &Document, wanted: &Document) -> bool {
    if wanted.contains_key("weights") {
        return true;
    }
    let flag = |index: &Document, name: &str| index.get_bool(name).unwrap_or(false);
    let key = |index: &Document| -> Vec<(String, String)> {
        let direction = |value: &Bson| value.to_string().trim_end_matches(".0").to_owned();
        let fields = index.get_document("key").into_iter().flatten();
        fields.map(|(field, value)| (field.clone(), direction(value))).collect()
    };
    let numeric = |index: &Document| {
        index.get_document("collation").is_ok_and(|collation| flag(collation, "numericOrdering"))
    };
    key(present) == key(wanted)
        && numeric(present) == numeric(wanted)
        && ["unique", "sparse"].iter().all(|name| flag(present, name) == flag(wanted, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_options_are_the_official_ones() {
        let names = |collection: Collection| -> Vec<String> {
            wanted(collection).iter().map(|index| index.get_str("name").unwrap().to_owned()).collect()
        };
        assert_eq!(names(Collection::Versions), ["created_-1_num_-1"]);
        assert_eq!(names(Collection::Queue), ["name_1_company_1"]);
        assert!(names(Collection::Company).is_empty());
        let text = wanted(Collection::Model).pop().unwrap();
        assert_eq!(text.get_str("name").unwrap(), "backend-db.model.main_text_index");
        assert_eq!(
            text.get_document("weights").unwrap(),
            &doc! {"name": 10, "id": 10, "comment": 10, "parent": 5, "task": 3, "project": 3}
        );
        assert!(text.get_document("key").unwrap().contains_key("_id"));
    }

    #[test]
    fn equal_indexes_are_known() {
        let wanted = doc! {"key": {"a": 1, "b": -1}, "name": "a_1_b_-1", "unique": true};
        let present = doc! {"v": 2, "key": {"a": 1.0, "b": -1_i64}, "name": "a_1_b_-1", "background": false, "unique": true};
        assert!(agrees(&present, &wanted));
        assert!(!agrees(&doc! {"key": {"b": -1, "a": 1}, "unique": true}, &wanted));
        assert!(!agrees(&doc! {"key": {"a": 1, "b": -1}}, &wanted));
    }
}
