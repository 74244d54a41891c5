//! Documents by id, each as canonical extended JSON.

use base64::{Engine, engine::general_purpose::STANDARD};
use bson::{Bson, Document};
use clearml_documents::{
    Collection, DocumentStore, Filter, Find, Sort, StoreError, UNFINISHED_IMPORT, Write,
};
use serde_json::{Value, json};

use crate::{
    Stage, TransferError, TransferResult,
    archive::{PartReader, PartWriter, blocking},
    export::Exporter,
    import::Importer,
};

/// Documents read and written at once.
const CHUNK: u64 = 200;
/// Documents of a part.
const PART: u64 = 20_000;
/// The only member of a line with a document that JSON can't tell exactly, as BSON.
const BINARY: &str = "$bson";

/// The name of a collection in an archive.
fn name(collection: Collection) -> String {
    format!("{}.{}", collection.database(), collection.name())
}

/// Writes all collections.
pub(crate) async fn export(exporter: &mut Exporter<'_>) -> TransferResult<()> {
    let mut all = 0;
    for collection in Collection::ALL {
        all += exporter.stores.documents.count(collection, Filter::Everything, false).await?;
    }
    exporter.begin(Stage::Documents, Some(all));
    exporter.advance(Stage::Documents, 0, exporter.archive.manifest.count(Stage::Documents));
    for (step, collection) in Collection::ALL.into_iter().enumerate() {
        let mut after = exporter.enter(Stage::Documents, step);
        while let Some(start) = after {
            after = export_part(exporter, collection, step, start).await?;
        }
    }
    Ok(())
}

/// Writes a part of a collection; where the next one begins.
async fn export_part(
    exporter: &mut Exporter<'_>,
    collection: Collection,
    step: usize,
    start: String,
) -> TransferResult<Option<String>> {
    let store = exporter.stores.documents.clone();
    let mut writer = exporter.write(Stage::Documents, &name(collection)).await?;
    let mut after = start;
    let mut more = true;
    while more && writer.count() < PART {
        // No id is empty.
        let behind = Filter::gt("_id", after.as_str());
        let find = Find::new(behind).sort(Sort::ascending("_id")).limit(CHUNK);
        let page = store.find(collection, find).await?;
        more = page.len() as u64 == CHUNK;
        if let Some(last) = page.last() {
            after = last.get_str("_id").unwrap_or_default().to_owned();
        }
        writer = append(exporter, writer, page).await?;
    }
    if !more {
        // No server writes ids that are no text; whoever did has few of them.
        let others = Find::new(Filter::gte("_id", "").negate()).sort(Sort::ascending("_id"));
        let others = store.find(collection, others).await?;
        writer = append(exporter, writer, others).await?;
    }
    let next = more.then_some(after);
    exporter.commit(Stage::Documents, step, vec![writer], next.clone()).await?;
    Ok(next)
}

async fn append(
    exporter: &mut Exporter<'_>,
    mut writer: PartWriter,
    documents: Vec<Document>,
) -> TransferResult<PartWriter> {
    let before = writer.count();
    let writer = blocking(move || {
        let is_note = |document: &Document| document.get_str("_id").is_ok_and(|id| id == UNFINISHED_IMPORT);
        writer.lines(documents.into_iter().filter(|document| !is_note(document)).map(line))?;
        Ok(writer)
    })
    .await?;
    let count = writer.count() - before;
    exporter.advance(Stage::Documents, count, count);
    Ok(writer)
}

/// A document as text. Few need the other form: those with a number that is none, or with names that extended JSON
/// takes for types.
fn line(document: Document) -> String {
    let Ok(binary) = document.to_vec() else { return Bson::Document(document).to_string() };
    let text = Bson::Document(document).into_canonical_extjson();
    let read = Bson::try_from(text.clone());
    match read {
        Ok(Bson::Document(same)) if same.to_vec().is_ok_and(|same| same == binary) => text.to_string(),
        _ => json!({BINARY: STANDARD.encode(binary)}).to_string(),
    }
}

fn replacement(line: Value) -> Result<Write, String> {
    let document = match line.get(BINARY).and_then(Value::as_str) {
        Some(binary) => {
            let binary = STANDARD.decode(binary).map_err(|error| error.to_string())?;
            Document::from_reader(binary.as_slice()).map_err(|error| error.to_string())?
        }
        None => match Bson::try_from(line) {
            Ok(Bson::Document(document)) => document,
            Ok(_) => return Err("no document".to_owned()),
            Err(error) => return Err(error.to_string()),
        },
    };
    Ok(Write::Replace(document))
}

/// Brings a part into the store.
pub(crate) async fn import(
    importer: &mut Importer<'_>,
    kind: &str,
    reader: PartReader,
) -> TransferResult<()> {
    let Some(collection) = Collection::ALL.into_iter().find(|collection| name(*collection) == kind) else {
        let error = StoreError::InvalidValue(format!("there is no collection {kind}"));
        return Err(error.into());
    };
    let store = importer.stores.documents.clone();
    let mut chunks = reader.chunks(CHUNK as usize, replacement);
    while let Some(chunk) = chunks.recv().await {
        let chunk = chunk?;
        let count = chunk.len() as u64;
        store.write(collection, chunk).await?;
        importer.advance(count);
    }
    Ok(())
}

/// Refuses stores with anything of anybody in them, and removes what a server makes when it starts for the first time:
/// the archive has its own.
pub(crate) async fn make_room(store: &dyn DocumentStore) -> TransferResult<()> {
    let people = Filter::ne("autocreated", true);
    let expected = [
        (Collection::Task, Filter::Everything, 0),
        (Collection::TaskTrash, Filter::Everything, 0),
        (Collection::Model, Filter::Everything, 0),
        (Collection::Project, Filter::Everything, 0),
        (Collection::StorageSettings, Filter::Everything, 0),
        (Collection::UrlToDelete, Filter::Everything, 0),
        (Collection::PendingRemoval, Filter::Everything, 0),
        // The default queue, the company, and who has started the server.
        (Collection::Queue, Filter::Everything, 1),
        (Collection::Company, Filter::Everything, 1),
        (Collection::AuthUser, people, 1),
    ];
    for (collection, filter, most) in expected {
        let count = store.count(collection, filter, false).await?;
        if count > most {
            return Err(TransferError::InUse { count, collection: collection.name() });
        }
    }
    for collection in Collection::ALL {
        store.write(collection, vec![Write::Delete { filter: Filter::Everything }]).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bson::{Decimal128, Timestamp, doc, oid::ObjectId, spec::BinarySubtype};

    use super::*;

    fn back(document: &Document) -> Document {
        let line = line(document.clone());
        let Write::Replace(read) = replacement(serde_json::from_str(&line).unwrap()).unwrap() else {
            panic!("{line}");
        };
        read
    }

    #[test]
    fn all_kinds_of_values_come_back() {
        let document = doc! {
            "_id": "x", "int": 5, "long": 5_i64, "float": 5.0, "small": 5e-324, "third": 1.0 / 3.0, "null": Bson::Null,
            "date": bson::DateTime::from_millis(-1), "id": ObjectId::from_bytes([7; 12]), "b": {"a": [1, {"": true}]},
            "binary": bson::Binary { subtype: BinarySubtype::Generic, bytes: vec![0, 255] },
            "regex": bson::Regex { pattern: "a/b".try_into().unwrap(), options: "i".try_into().unwrap() },
            "decimal": Bson::Decimal128("1.10".parse::<Decimal128>().unwrap()), "minus zero": -0.0,
            "timestamp": Bson::Timestamp(Timestamp { time: 1, increment: 2 }), "infinite": f64::INFINITY,
        };
        assert_eq!(back(&document).to_vec().unwrap(), document.to_vec().unwrap());
    }

    #[test]
    fn what_json_would_take_for_something_else_comes_back() {
        for odd in [
            doc! {"_id": "x", "value": {"$oid": "no id"}},
            doc! {"_id": "x", "value": {"$date": {"$numberLong": "5"}}},
            doc! {"_id": "x", "value": f64::from_bits(f64::NAN.to_bits() | 1)},
        ] {
            assert_eq!(back(&odd).to_vec().unwrap(), odd.to_vec().unwrap());
        }
    }
}
