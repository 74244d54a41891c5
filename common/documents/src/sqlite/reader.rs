//! Reading: find, count, distinct values and keys of maps.

use std::{
    collections::{HashMap, HashSet},
    ops::ControlFlow,
};

use bson::{Bson, Document, RawBsonRef, RawDocument, doc};
use rusqlite::{params_from_iter, types::Value};

use super::{
    compile::Compiler,
    error::sqlite_error,
    irregular::Irregular,
    layout::Layout,
    row::bson_of,
    session::{Session, Slot},
};
use crate::{
    Collection, Filter, Find, StoreResult,
    path::{Path, elements},
    projection::{Projector, damaged},
    value::{Class, Collation, class, order_key},
};

/// One statement with all that it needs.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) params: Vec<Value>,
    pub(super) slots: Vec<Slot>,
}

impl Statement {
    /// Calls `each` with the rows in order, until it breaks.
    pub(super) fn for_each(
        mut self,
        session: &Session,
        each: impl FnMut(&rusqlite::Row<'_>) -> StoreResult<ControlFlow<()>>,
    ) -> StoreResult<()> {
        session.set_slots(std::mem::take(&mut self.slots));
        let outcome = self.run(session, each);
        // They may be large, and the session lives on.
        session.set_slots(Vec::new());
        outcome
    }

    fn run(
        self,
        session: &Session,
        mut each: impl FnMut(&rusqlite::Row<'_>) -> StoreResult<ControlFlow<()>>,
    ) -> StoreResult<()> {
        let mut statement = session.connection.prepare_cached(&self.sql).map_err(sqlite_error)?;
        let mut rows = statement.query(params_from_iter(self.params)).map_err(sqlite_error)?;
        while let Some(row) = rows.next().map_err(sqlite_error)? {
            if each(row)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Reads of one collection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) session: &'a Session,
    pub(super) layout: &'static Layout,
    pub(super) irregular: u64,
}

/// The statement for the row numbers that a query wants, in order.
pub(super) fn select_seqs(reader: Reader<'_>, find: &Find) -> StoreResult<Statement> {
    let mut compiler = reader.compiler(find.numeric_collation);
    compiler.expect(find);
    let scores = compiler.text_scores(find)?;
    let condition = compiler.condition(&find.filter)?;
    let order = if find.sort.is_empty() {
        // Natural order: sort the few that an index finds, or walk the table until there are enough.
        format!("{}{}.seq", if condition.selective { "+" } else { "" }, reader.layout.quoted_table())
    } else {
        compiler.order(&find.sort)
    };
    let bound = |number: u64| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
    let limit = compiler.bind(find.limit.map_or(Value::Integer(-1), bound));
    let skip = compiler.bind(bound(find.skip));
    let table = reader.layout.quoted_table();
    let sql = format!(
        "{}SELECT {table}.seq FROM {table}{} WHERE {} ORDER BY {order} LIMIT {limit} OFFSET {skip}",
        scores.definition, scores.join, condition.sql
    );
    Ok(compiler.statement(sql))
}

impl<'a> Reader<'a> {
    pub(super) fn new(session: &'a Session, collection: Collection, irregular: &Irregular) -> Self {
        Self { session, layout: Layout::of(collection), irregular: irregular.of(collection) }
    }

    pub(super) fn compiler(&self, numeric_collation: bool) -> Compiler<'a> {
        Compiler::new(*self, numeric_collation)
    }

    /// Row numbers first, documents then: so that a sort moves numbers and not documents. Both see the same
    /// state of the store.
    pub(super) fn find(&self, find: &Find) -> StoreResult<Vec<Document>> {
        let statement = select_seqs(*self, find)?;
        let projector = Projector::new(&find.projection);
        let transaction = self.session.connection.unchecked_transaction().map_err(sqlite_error)?;
        let seqs = self.seqs(statement)?;
        let mut documents = Vec::with_capacity(seqs.len());
        let sql = if projector.is_id_only() {
            format!("SELECT \"_id\" FROM {} WHERE seq = ?", self.layout.quoted_table())
        } else {
            format!("SELECT doc FROM {} WHERE seq = ?", self.layout.quoted_document_table())
        };
        let mut fetch = self.session.connection.prepare_cached(&sql).map_err(sqlite_error)?;
        for seq in seqs {
            let mut rows = fetch.query([seq]).map_err(sqlite_error)?;
            let Some(row) = rows.next().map_err(sqlite_error)? else { continue };
            documents.push(if projector.is_id_only() {
                doc! {"_id": row.get::<_, String>(0).map_err(sqlite_error)?}
            } else {
                projector.read(document(row, 0)?)?
            });
        }
        drop(fetch);
        transaction.commit().map_err(sqlite_error)?;
        Ok(documents)
    }

    /// The row numbers that a statement of [`select_seqs`] answers.
    pub(super) fn seqs(&self, statement: Statement) -> StoreResult<Vec<i64>> {
        let mut seqs = Vec::new();
        statement.for_each(self.session, |row| {
            seqs.push(row.get(0).map_err(sqlite_error)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(seqs)
    }

    pub(super) fn count(&self, filter: &Filter, numeric_collation: bool) -> StoreResult<u64> {
        let mut count = 0_i64;
        self.count_statement(filter, numeric_collation)?.for_each(self.session, |row| {
            count = row.get(0).map_err(sqlite_error)?;
            Ok(ControlFlow::Break(()))
        })?;
        Ok(count.unsigned_abs())
    }

    pub(super) fn count_statement(&self, filter: &Filter, numeric_collation: bool) -> StoreResult<Statement> {
        let mut compiler = self.compiler(numeric_collation);
        compiler.expect_filter(filter);
        let condition = compiler.condition(filter)?;
        let sql = format!("SELECT count(*) FROM {} WHERE {}", self.layout.quoted_table(), condition.sql);
        Ok(compiler.statement(sql))
    }

    /// Calls `each` with every document that fulfils the filter, in no order.
    pub(super) fn scan(
        &self,
        filter: &Filter,
        mut each: impl FnMut(&RawDocument) -> StoreResult<()>,
    ) -> StoreResult<()> {
        let mut compiler = self.compiler(false);
        compiler.expect_filter(filter);
        let condition = compiler.condition(filter)?;
        let (table, documents) = (self.layout.quoted_table(), self.layout.quoted_document_table());
        let sql = format!(
            "SELECT document.doc FROM {table} CROSS JOIN {documents} AS document ON document.seq = {table}.seq WHERE {}",
            condition.sql
        );
        compiler.statement(sql).for_each(self.session, |row| {
            each(document(row, 0)?)?;
            Ok(ControlFlow::Continue(()))
        })
    }

    pub(super) fn distinct(&self, path: &str, filter: &Filter) -> StoreResult<Vec<Bson>> {
        let mut compiler = self.compiler(false);
        if let Some(column) = compiler.trusted_column(path) {
            compiler.expect_filter(filter);
            let condition = compiler.condition(filter)?;
            let name = super::layout::quoted(column.name);
            let table = self.layout.quoted_table();
            let sql =
                format!("SELECT DISTINCT {name} FROM {table} WHERE {name} IS NOT NULL AND {}", condition.sql);
            let mut values = Vec::new();
            compiler.statement(sql).for_each(self.session, |row| {
                values.push(bson_of(row.get_ref(0).map_err(sqlite_error)?, column.date));
                Ok(ControlFlow::Continue(()))
            })?;
            return Ok(values);
        }
        let path = Path::new(path);
        let mut seen: HashSet<Vec<u8>> = HashSet::new();
        let mut values = Vec::new();
        let mut failure = None;
        let mut add = |value: RawBsonRef<'_>| {
            if class(value) == Class::Null || !seen.insert(order_key(value, Collation::Binary)) {
                return;
            }
            match Bson::try_from(value) {
                Ok(value) => values.push(value),
                Err(error) => failure = Some(damaged(error)),
            }
        };
        self.scan(filter, |document| {
            let _ = path.visit(RawBsonRef::Document(document), &mut |value| {
                match value {
                    Some(RawBsonRef::Array(array)) => elements(array).for_each(&mut add),
                    Some(value) => add(value),
                    None => {}
                }
                ControlFlow::Continue(())
            });
            Ok(())
        })?;
        failure.map_or(Ok(values), Err)
    }

    pub(super) fn map_keys(&self, path: &str, depth: usize, filter: &Filter) -> StoreResult<Vec<Document>> {
        let path = Path::new(path);
        let mut leaves = Leaves::default();
        self.scan(filter, |document| match path.single(document) {
            Some(value) => leaves.collect(value, depth, &mut Vec::new()),
            None => Ok(()),
        })?;
        Ok(leaves.found.into_values().collect())
    }
}

/// The document in a column of a row.
pub(super) fn document<'a>(row: &'a rusqlite::Row<'_>, column: usize) -> StoreResult<&'a RawDocument> {
    let bytes = row.get_ref(column).map_err(sqlite_error)?.as_blob().map_err(damaged)?;
    RawDocument::from_bytes(bytes).map_err(damaged)
}

/// Distinct leaves of nested maps, by their keys.
#[derive(Debug, Default)]
struct Leaves {
    found: HashMap<Vec<u8>, Document>,
    buffer: Vec<u8>,
}

impl Leaves {
    fn collect<'a>(
        &mut self,
        value: RawBsonRef<'a>,
        depth: usize,
        keys: &mut Vec<&'a str>,
    ) -> StoreResult<()> {
        if depth == 0 {
            return self.add(value, keys);
        }
        let RawBsonRef::Document(map) = value else { return Ok(()) };
        for member in map {
            let (key, value) = member.map_err(damaged)?;
            keys.push(key.as_str());
            self.collect(value, depth - 1, keys)?;
            keys.pop();
        }
        Ok(())
    }

    fn add(&mut self, leaf: RawBsonRef<'_>, keys: &[&str]) -> StoreResult<()> {
        self.buffer.clear();
        for key in keys {
            self.buffer.extend_from_slice(key.as_bytes());
            self.buffer.push(0);
        }
        if !self.found.contains_key(&self.buffer) {
            let keys: Vec<_> = keys.iter().map(|key| Bson::from(*key)).collect();
            let leaf = Bson::try_from(leaf).map_err(damaged)?;
            self.found.insert(self.buffer.clone(), doc! {"keys": keys, "leaf": leaf});
        }
        Ok(())
    }
}
