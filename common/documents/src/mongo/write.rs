//! Writes: one by the driver's own operation, which it repeats when a primary steps down; several as commands of
//! many statements each, in one transaction where there are transactions.

use std::sync::Arc;

use bson::{Bson, Document, RawDocumentBuf, doc};
use mongodb::{Collection as MongoCollection, error::Error};

use super::{
    Connection,
    error::{failure_in, mongo_error_in},
    filter, update,
};
use crate::{
    Collection, StoreError, StoreResult, Write, WriteOutcome, matcher::invalid_value,
    store::MAX_DOCUMENT_BYTES,
};

/// Statements per command; MongoDB takes 100 000.
const MAX_STATEMENTS: usize = 10_000;

/// What a statement may have beside the largest document.
const STATEMENT_BYTES: usize = 16 * 1024;

/// Bytes of statements per command; MongoDB takes 48 000 000.
const MAX_COMMAND_BYTES: usize = 40_000_000;

/// Applies one write.
pub(super) async fn one(
    documents: MongoCollection<Document>,
    collection: Collection,
    write: Write,
) -> StoreResult<WriteOutcome> {
    let name = collection.name();
    let failed = |error: Error| mongo_error_in(name, &error);
    match write {
        Write::Insert(document) => {
            check_document(&document)?;
            documents.insert_one(document).await.map_err(failed)?;
            Ok(WriteOutcome { modified: 1, ..WriteOutcome::default() })
        }
        Write::Replace(document) => {
            let id = check_document(&document)?;
            let result =
                documents.replace_one(doc! {"_id": id}, document).upsert(true).await.map_err(failed)?;
            Ok(updated(result.matched_count, result.modified_count, result.upserted_id.is_some()))
        }
        Write::Update { filter, update, many, upsert } => {
            let (query, changes) = (filter::condition(&filter)?, update::compile(&update, upsert)?);
            size(&doc! {"u": changes.clone()}, MAX_DOCUMENT_BYTES + STATEMENT_BYTES)?;
            let action = if many {
                documents.update_many(query, changes)
            } else {
                documents.update_one(query, changes)
            };
            let result = action.upsert(upsert).await.map_err(failed)?;
            Ok(updated(result.matched_count, result.modified_count, result.upserted_id.is_some()))
        }
        Write::Delete { filter } => {
            let result = documents.delete_many(filter::condition(&filter)?).await.map_err(failed)?;
            let deleted = result.deleted_count;
            Ok(WriteOutcome { matched: deleted, deleted, ..WriteOutcome::default() })
        }
    }
}

fn updated(matched: u64, modified: u64, upserted: bool) -> WriteOutcome {
    WriteOutcome { matched, modified: modified + u64::from(upserted), deleted: 0, upserted }
}

/// Applies several writes in order, all or nothing where MongoDB has transactions.
pub(super) async fn many(
    connection: &Connection,
    collection: Collection,
    writes: Vec<Write>,
) -> StoreResult<WriteOutcome> {
    let batches = Arc::new(batches(&writes)?);
    let database = connection.database(collection);
    if !connection.has_transactions(collection).await? {
        let mut outcome = WriteOutcome::default();
        for batch in batches.iter() {
            let mut command = batch.command(collection);
            command.insert("writeConcern", connection.write_concern(collection));
            let answer = database
                .run_command(command)
                .await
                .map_err(|error| mongo_error_in(collection.name(), &error))?;
            outcome += batch.outcome(collection, &answer)?;
        }
        return Ok(outcome);
    }
    let failed = |error: Error| match error.get_custom::<StoreError>() {
        Some(own) => own.clone(),
        None => mongo_error_in(collection.name(), &error),
    };
    let mut session = database.client().start_session().await.map_err(failed)?;
    let (database, batches) = (database.clone(), Arc::clone(&batches));
    let transaction = session.start_transaction().and_run2(async move |session| {
        let mut outcome = WriteOutcome::default();
        for batch in batches.iter() {
            let answer = database.run_command(batch.command(collection)).session(&mut *session).await?;
            outcome += batch.outcome(collection, &answer).map_err(Error::custom)?;
        }
        Ok(outcome)
    });
    transaction.await.map_err(failed)
}

/// What a command writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Insert,
    Update,
    Delete,
}

/// Neighbouring writes of a kind.
#[derive(Debug)]
struct Batch {
    kind: Kind,
    statements: Vec<Bson>,
    bytes: usize,
}

fn batches(writes: &[Write]) -> StoreResult<Vec<Batch>> {
    let mut batches: Vec<Batch> = Vec::new();
    for write in writes {
        let (kind, statement) = statement(write)?;
        let bytes = size(&statement, MAX_DOCUMENT_BYTES + STATEMENT_BYTES)?;
        match batches.last_mut() {
            Some(batch)
                if batch.kind == kind
                    && batch.statements.len() < MAX_STATEMENTS
                    && batch.bytes + bytes <= MAX_COMMAND_BYTES =>
            {
                batch.statements.push(statement.into());
                batch.bytes += bytes;
            }
            _ => batches.push(Batch { kind, statements: vec![statement.into()], bytes }),
        }
    }
    Ok(batches)
}

fn statement(write: &Write) -> StoreResult<(Kind, Document)> {
    Ok(match write {
        Write::Insert(document) => {
            check_document(document)?;
            (Kind::Insert, document.clone())
        }
        Write::Replace(document) => {
            let id = check_document(document)?;
            (Kind::Update, doc! {"q": {"_id": id}, "u": document, "upsert": true, "multi": false})
        }
        Write::Update { filter, update, many, upsert } => {
            let (query, changes) = (filter::condition(filter)?, update::compile(update, *upsert)?);
            (Kind::Update, doc! {"q": query, "u": changes, "upsert": *upsert, "multi": *many})
        }
        Write::Delete { filter } => (Kind::Delete, doc! {"q": filter::condition(filter)?, "limit": 0}),
    })
}

impl Batch {
    fn command(&self, collection: Collection) -> Document {
        let (command, list) = match self.kind {
            Kind::Insert => ("insert", "documents"),
            Kind::Update => ("update", "updates"),
            Kind::Delete => ("delete", "deletes"),
        };
        doc! {command: collection.name(), list: self.statements.clone(), "ordered": true}
    }

    fn outcome(&self, collection: Collection, answer: &Document) -> StoreResult<WriteOutcome> {
        if let Some(failure) = failure_in(answer) {
            return Err(failure.meaning(collection.name()));
        }
        let number = |field: &str| match answer.get(field) {
            Some(Bson::Int32(number)) => u64::try_from(*number).unwrap_or_default(),
            Some(Bson::Int64(number)) => u64::try_from(*number).unwrap_or_default(),
            Some(Bson::Double(number)) => *number as u64,
            _ => 0,
        };
        let n = number("n");
        Ok(match self.kind {
            Kind::Insert => WriteOutcome { modified: n, ..WriteOutcome::default() },
            Kind::Delete => WriteOutcome { matched: n, deleted: n, ..WriteOutcome::default() },
            Kind::Update => {
                let upserted = answer.get_array("upserted").map_or(0, Vec::len) as u64;
                WriteOutcome {
                    matched: n.saturating_sub(upserted),
                    modified: number("nModified") + upserted,
                    deleted: 0,
                    upserted: upserted > 0,
                }
            }
        })
    }
}

/// The id of a document that can be stored.
fn check_document(document: &Document) -> StoreResult<&str> {
    let Some(Bson::String(id)) = document.get("_id") else {
        return Err(StoreError::InvalidValue("a document needs a text as its _id".to_owned()));
    };
    size(document, MAX_DOCUMENT_BYTES)?;
    Ok(id)
}

fn size(document: &Document, most: usize) -> StoreResult<usize> {
    let size = RawDocumentBuf::try_from(document).map_err(invalid_value)?.as_bytes().len();
    if size > most {
        return Err(StoreError::InvalidValue(format!(
            "the document has {size} bytes, more than the allowed {MAX_DOCUMENT_BYTES}"
        )));
    }
    Ok(size)
}
