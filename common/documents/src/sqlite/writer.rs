//! The one writer: many callers' writes, one durable commit.

use bson::{Bson, Document, RawDocument, RawDocumentBuf};
use rusqlite::{OptionalExtension, params, params_from_iter, types::Value};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

use super::{
    derived::{delete_side, delete_text, delete_trigrams, insert_side, insert_text, insert_trigrams},
    error::{sqlite_error, write_error},
    irregular::Irregular,
    layout::{Layout, quoted},
    reader::{Reader, select_seqs},
    row::{Derived, without},
    session::Session,
};
use crate::{
    Change, Collection, Filter, Find, Returned, StoreError, StoreResult, Update, Write, WriteOutcome,
    apply::apply, matcher::invalid_value, projection::damaged, store::MAX_DOCUMENT_BYTES,
};

/// At most this many callers share one commit.
const MAX_GROUP: usize = 512;

/// What a caller asks of the writer.
#[derive(Debug)]
pub(super) enum Command {
    Write {
        collection: Collection,
        writes: Vec<Write>,
        answer: oneshot::Sender<StoreResult<WriteOutcome>>,
    },
    FindAndUpdate {
        collection: Collection,
        filter: Filter,
        update: Update,
        returned: Returned,
        answer: oneshot::Sender<StoreResult<Option<Document>>>,
    },
}

/// An answer that waits for the commit.
enum Answer {
    Write(oneshot::Sender<StoreResult<WriteOutcome>>, StoreResult<WriteOutcome>),
    FindAndUpdate(oneshot::Sender<StoreResult<Option<Document>>>, StoreResult<Option<Document>>),
}

impl Answer {
    /// A caller that has gone away does not mind.
    fn send(self, committed: &StoreResult<()>) {
        match self {
            Self::Write(answer, result) => {
                let _ = answer.send(committed.clone().and(result));
            }
            Self::FindAndUpdate(answer, result) => {
                let _ = answer.send(committed.clone().and(result));
            }
        }
    }
}

/// Owns the writing connection.
#[derive(Debug)]
pub(super) struct Writer {
    session: Session,
    irregular: Arc<Irregular>,
}

impl Writer {
    pub(super) fn new(session: Session, irregular: Arc<Irregular>) -> Self {
        Self { session, irregular }
    }

    /// Serves until all senders are gone, then tidies the file.
    pub(super) fn run(self, mut commands: mpsc::Receiver<Command>) {
        let mut group = Vec::with_capacity(MAX_GROUP);
        while commands.blocking_recv_many(&mut group, MAX_GROUP) > 0 {
            self.commit_group(group.drain(..));
        }
        if let Err(error) = self.session.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)") {
            tracing::warn!(%error, "failed to tidy the document store");
        }
    }

    fn commit_group(&self, group: impl Iterator<Item = Command>) {
        let mut answers: Vec<Answer> = Vec::with_capacity(MAX_GROUP);
        let mut begun = self.batch("BEGIN IMMEDIATE");
        for command in group {
            let answer = self.run_command(command, &begun);
            answers.push(answer);
            // A full disk and the like roll the whole transaction back: all that was done in it is lost.
            if begun.is_ok() && self.session.connection.is_autocommit() {
                let lost = Err(StoreError::Unavailable("the transaction was rolled back".to_owned()));
                answers.drain(..).for_each(|answer| answer.send(&lost));
                begun = self.batch("BEGIN IMMEDIATE");
            }
        }
        let committed = begun.and_then(|()| self.batch("COMMIT"));
        if let Err(error) = &committed {
            tracing::error!(%error, "failed to commit documents");
            if !self.session.connection.is_autocommit() {
                let _ = self.batch("ROLLBACK");
            }
        }
        for answer in answers {
            answer.send(&committed);
        }
    }

    fn batch(&self, sql: &str) -> StoreResult<()> {
        self.session.connection.execute_batch(sql).map_err(sqlite_error)
    }

    fn run_command(&self, command: Command, begun: &StoreResult<()>) -> Answer {
        match command {
            Command::Write { collection, writes, answer } => {
                let result =
                    begun.clone().and_then(|()| self.isolated(|| self.write_all(collection, writes)));
                Answer::Write(answer, result)
            }
            Command::FindAndUpdate { collection, filter, update, returned, answer } => {
                let work = || self.find_and_update(collection, &filter, &update, returned);
                let result = begun.clone().and_then(|()| self.isolated(work));
                Answer::FindAndUpdate(answer, result)
            }
        }
    }

    /// Undoes the work when it fails, without harm to the others in the transaction.
    fn isolated<T>(&self, work: impl FnOnce() -> StoreResult<T>) -> StoreResult<T> {
        self.statement("SAVEPOINT caller")?;
        let result = work();
        if self.session.connection.is_autocommit() {
            return result;
        }
        if result.is_err() {
            self.statement("ROLLBACK TO caller")?;
        }
        self.statement("RELEASE caller")?;
        result
    }

    fn statement(&self, sql: &str) -> StoreResult<()> {
        let mut statement = self.session.connection.prepare_cached(sql).map_err(sqlite_error)?;
        statement.execute([]).map_err(sqlite_error)?;
        Ok(())
    }

    fn write_all(&self, collection: Collection, writes: Vec<Write>) -> StoreResult<WriteOutcome> {
        let table = Table { writer: self, layout: Layout::of(collection) };
        let mut outcome = WriteOutcome::default();
        for write in writes {
            outcome += table.write(write)?;
        }
        Ok(outcome)
    }

    fn find_and_update(
        &self,
        collection: Collection,
        filter: &Filter,
        update: &[Change],
        returned: Returned,
    ) -> StoreResult<Option<Document>> {
        let table = Table { writer: self, layout: Layout::of(collection) };
        let Some(seq) = table.matches(filter, Some(1))?.pop() else { return Ok(None) };
        let raw = table.load(seq)?;
        let (after, _) = table.update_row(seq, &raw, update)?;
        Ok(Some(match returned {
            Returned::Before => Document::try_from(&*raw).map_err(damaged)?,
            Returned::After => after,
        }))
    }
}

/// Writes of one collection.
struct Table<'a> {
    writer: &'a Writer,
    layout: &'static Layout,
}

impl Table<'_> {
    fn write(&self, write: Write) -> StoreResult<WriteOutcome> {
        match write {
            Write::Insert(document) => {
                self.insert(&document)?;
                Ok(WriteOutcome { modified: 1, ..WriteOutcome::default() })
            }
            Write::Replace(document) => self.replace(&document),
            Write::Update { filter, update, many, upsert } => self.update(&filter, &update, many, upsert),
            Write::Delete { filter } => self.delete(&filter),
        }
    }

    /// Row numbers of the documents that fulfil the filter, in natural order.
    fn matches(&self, filter: &Filter, limit: Option<u64>) -> StoreResult<Vec<i64>> {
        let session = &self.writer.session;
        let reader = Reader::new(session, self.layout.collection, &self.writer.irregular);
        let find = Find { limit, ..Find::new(filter.clone()) };
        reader.seqs(select_seqs(reader, &find)?)
    }

    fn insert(&self, document: &Document) -> StoreResult<()> {
        let id = id_of(document)?;
        let raw = encode(document)?;
        let derived = Derived::of(self.layout, &raw);
        let connection = &self.writer.session.connection;
        let columns: String =
            self.layout.columns.iter().map(|column| format!(", {}", quoted(column.name))).collect();
        let places = ", ?".repeat(self.layout.columns.len());
        let sql = format!("INSERT INTO {} (\"_id\"{columns}) VALUES (?{places})", self.layout.quoted_table());
        let values = std::iter::once(Value::Text(id.to_owned())).chain(derived.columns);
        connection
            .prepare_cached(&sql)
            .and_then(|mut insert| insert.insert(params_from_iter(values)))
            .map_err(|error| write_error(self.layout, document, error))?;
        let seq = connection.last_insert_rowid();
        let sql = format!("INSERT INTO {} (seq, doc) VALUES (?, ?)", self.layout.quoted_document_table());
        connection
            .prepare_cached(&sql)
            .and_then(|mut insert| insert.execute(params![seq, raw.as_bytes()]))
            .map_err(sqlite_error)?;
        self.writer.irregular.note(connection, self.layout, derived.irregular).map_err(sqlite_error)?;
        for (side, values) in self.layout.sides.iter().zip(&derived.sides) {
            insert_side(connection, side, seq, values).map_err(sqlite_error)?;
        }
        insert_text(connection, self.layout, seq, &derived.texts).map_err(sqlite_error)?;
        insert_trigrams(connection, self.layout, seq, &derived.patterns).map_err(sqlite_error)
    }

    fn replace(&self, document: &Document) -> StoreResult<WriteOutcome> {
        let sql = format!("SELECT seq FROM {} WHERE \"_id\" = ?", self.layout.quoted_table());
        let id = id_of(document)?;
        let connection = &self.writer.session.connection;
        let seq: Option<i64> = connection
            .prepare_cached(&sql)
            .and_then(|mut select| select.query_row([id], |row| row.get(0)).optional())
            .map_err(sqlite_error)?;
        let Some(seq) = seq else {
            self.insert(document)?;
            return Ok(WriteOutcome { modified: 1, upserted: true, ..WriteOutcome::default() });
        };
        let before = self.load(seq)?;
        let changed = self.store(seq, &before, document)?;
        Ok(WriteOutcome { matched: 1, modified: u64::from(changed), ..WriteOutcome::default() })
    }

    fn update(
        &self,
        filter: &Filter,
        update: &[Change],
        many: bool,
        upsert: bool,
    ) -> StoreResult<WriteOutcome> {
        let seqs = self.matches(filter, (!many).then_some(1))?;
        if seqs.is_empty() && upsert {
            let mut document = Document::new();
            set_equalities(&mut document, filter)?;
            apply(&mut document, update, true)?;
            self.insert(&document)?;
            return Ok(WriteOutcome { modified: 1, upserted: true, ..WriteOutcome::default() });
        }
        let mut outcome = WriteOutcome { matched: seqs.len() as u64, ..WriteOutcome::default() };
        for seq in seqs {
            let (_, changed) = self.update_row(seq, &self.load(seq)?, update)?;
            outcome.modified += u64::from(changed);
        }
        Ok(outcome)
    }

    /// The document after the update, and whether it changed.
    fn update_row(&self, seq: i64, before: &RawDocument, update: &[Change]) -> StoreResult<(Document, bool)> {
        let mut after = Document::try_from(before).map_err(damaged)?;
        apply(&mut after, update, false)?;
        let changed = self.store(seq, before, &after)?;
        Ok((after, changed))
    }

    fn delete(&self, filter: &Filter) -> StoreResult<WriteOutcome> {
        let seqs = self.matches(filter, None)?;
        let connection = &self.writer.session.connection;
        let deleted = seqs.len() as u64;
        for seq in seqs {
            let raw = self.load(seq)?;
            let derived = Derived::of(self.layout, &raw);
            for (side, values) in self.layout.sides.iter().zip(&derived.sides) {
                delete_side(connection, side, seq, values).map_err(sqlite_error)?;
            }
            delete_text(connection, self.layout, seq).map_err(sqlite_error)?;
            delete_trigrams(connection, self.layout, seq).map_err(sqlite_error)?;
            for table in [self.layout.quoted_table(), self.layout.quoted_document_table()] {
                connection
                    .prepare_cached(&format!("DELETE FROM {table} WHERE seq = ?"))
                    .and_then(|mut delete| delete.execute([seq]))
                    .map_err(sqlite_error)?;
            }
        }
        Ok(WriteOutcome { matched: deleted, deleted, ..WriteOutcome::default() })
    }

    fn load(&self, seq: i64) -> StoreResult<RawDocumentBuf> {
        let sql = format!("SELECT doc FROM {} WHERE seq = ?", self.layout.quoted_document_table());
        let bytes = self
            .writer
            .session
            .connection
            .prepare_cached(&sql)
            .and_then(|mut select| select.query_row([seq], |row| row.get::<_, Vec<u8>>(0)))
            .map_err(sqlite_error)?;
        RawDocumentBuf::from_bytes(bytes).map_err(damaged)
    }

    /// Writes the new state of a row: only the columns that changed, so that only their indexes are touched.
    fn store(&self, seq: i64, before: &RawDocument, after: &Document) -> StoreResult<bool> {
        id_of(after)?;
        let raw = encode(after)?;
        if raw.as_bytes() == before.as_bytes() {
            return Ok(false);
        }
        let connection = &self.writer.session.connection;
        let (old, new) = (Derived::of(self.layout, before), Derived::of(self.layout, &raw));
        self.writer.irregular.note(connection, self.layout, new.irregular).map_err(sqlite_error)?;

        let sql = format!("UPDATE {} SET doc = ? WHERE seq = ?", self.layout.quoted_document_table());
        connection
            .prepare_cached(&sql)
            .and_then(|mut update| update.execute(params![raw.as_bytes(), seq]))
            .map_err(sqlite_error)?;
        let mut assignments = Vec::new();
        let mut values = Vec::new();
        for ((column, old), new) in self.layout.columns.iter().zip(old.columns).zip(new.columns) {
            if old != new {
                assignments.push(format!("{} = ?", quoted(column.name)));
                values.push(new);
            }
        }
        if !assignments.is_empty() {
            values.push(Value::Integer(seq));
            let assignments = assignments.join(", ");
            let sql = format!("UPDATE {} SET {assignments} WHERE seq = ?", self.layout.quoted_table());
            connection
                .prepare_cached(&sql)
                .and_then(|mut update| update.execute(params_from_iter(values)))
                .map_err(|error| write_error(self.layout, after, error))?;
        }

        for ((side, old), new) in self.layout.sides.iter().zip(&old.sides).zip(&new.sides) {
            delete_side(connection, side, seq, &without(old, new)).map_err(sqlite_error)?;
            insert_side(connection, side, seq, &without(new, old)).map_err(sqlite_error)?;
        }
        if old.texts != new.texts {
            delete_text(connection, self.layout, seq).map_err(sqlite_error)?;
            insert_text(connection, self.layout, seq, &new.texts).map_err(sqlite_error)?;
        }
        if old.patterns != new.patterns {
            delete_trigrams(connection, self.layout, seq).map_err(sqlite_error)?;
            insert_trigrams(connection, self.layout, seq, &new.patterns).map_err(sqlite_error)?;
        }
        Ok(true)
    }
}

fn id_of(document: &Document) -> StoreResult<&str> {
    match document.get("_id") {
        Some(Bson::String(id)) => Ok(id),
        _ => Err(StoreError::InvalidValue("a document needs a text as its _id".to_owned())),
    }
}

fn encode(document: &Document) -> StoreResult<RawDocumentBuf> {
    let raw = RawDocumentBuf::try_from(document).map_err(invalid_value)?;
    let size = raw.as_bytes().len();
    if size > MAX_DOCUMENT_BYTES {
        return Err(StoreError::InvalidValue(format!(
            "the document has {size} bytes, more than the allowed {MAX_DOCUMENT_BYTES}"
        )));
    }
    Ok(raw)
}

/// What the filter demands of an inserted document.
fn set_equalities(document: &mut Document, filter: &Filter) -> StoreResult<()> {
    match filter {
        Filter::Equal(path, value) => apply(document, &[Change::Set(path.clone(), value.clone())], true),
        Filter::And(all) => all.iter().try_for_each(|filter| set_equalities(document, filter)),
        _ => Ok(()),
    }
}
