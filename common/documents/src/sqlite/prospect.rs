//! How much a query has to look at: whether a list of the documents that fulfil one condition helps it.
//!
//! SQLite keeps no statistics of ours (they would have to be gathered again and again), so the few questions that
//! matter are asked of the indexes themselves, each up to a bound.

use rusqlite::types::Value;

use super::{compile::Compiler, error::sqlite_error, layout::quoted, row::scalar_of};
use crate::{Filter, Find, SortKey, StoreResult};

/// Fewer documents than this are listed in any case. Tests have few documents, and both ways have to be right.
const FEW: u64 = if cfg!(test) { 4 } else { 500 };

/// What is known of a query before its conditions are compiled.
#[derive(Debug, Default)]
pub(super) struct Prospect {
    /// The wanted order is that of an index, and this many documents end the walk along it.
    page: Option<u64>,
    /// A part of the query that an index answers alone: table and condition, and its parameters.
    scope: Option<(String, Vec<Value>)>,
    /// See [`Compiler::many`].
    many: Option<u64>,
}

impl Prospect {
    /// The query walks along an order, over all documents, until a page is full.
    pub(super) fn walks_all(&self) -> bool {
        self.page.is_some() && self.scope.is_none()
    }
}

impl Compiler<'_> {
    /// Lets conditions compiled from now on know the query.
    pub(super) fn expect(&mut self, find: &Find) {
        self.expect_filter(&find.filter);
        let walks_index = match find.sort.first().map(|sort| &sort.key) {
            None => true,
            Some(SortKey::Field(path)) => {
                let has_index = path == "_id" || self.trusted_column(path).is_some();
                has_index && self.layout.is_selective(path) && !self.numeric_collation
            }
            Some(SortKey::TextScore) => false,
        };
        if walks_index {
            self.prospect.page = find.limit.map(|limit| limit.saturating_add(find.skip));
        }
    }

    /// Lets conditions compiled from now on know the whole condition.
    pub(super) fn expect_filter(&mut self, filter: &Filter) {
        let parts = match filter {
            Filter::And(all) => all.as_slice(),
            one => std::slice::from_ref(one),
        };
        self.prospect.scope = parts.iter().find_map(|part| {
            let (path, values) = match part {
                Filter::Equal(path, value) => (path, std::slice::from_ref(value)),
                Filter::In(path, values) => (path, values.as_slice()),
                _ => return None,
            };
            let is_indexed = self.layout.is_selective(path)
                && (path == "_id" || self.trusted_column(path).is_some_and(|column| !column.date));
            if !is_indexed || values.len() > 1000 {
                return None;
            }
            let values = values.iter().map(scalar_of).collect::<Option<Vec<_>>>()?;
            let places = vec!["?"; values.len()].join(", ");
            Some((format!("{} WHERE {} IN ({places})", self.layout.quoted_table(), quoted(path)), values))
        });
    }

    /// Whether so many documents fulfil a condition, given as table and `WHERE`, that a list of them costs more
    /// than to look at the rows that the rest of the query leaves. `weight`: how much more such a look costs than
    /// an entry of the list.
    pub(super) fn finds_many(&mut self, source: &str, params: &[Value], weight: u64) -> StoreResult<bool> {
        let many = self.many()?.saturating_mul(weight);
        Ok(self.count(source, params, many)? >= many)
    }

    /// From how many documents on a list of them costs more than to look at each row. With n of N documents
    /// fulfilling the condition, a walk along the order sees page * N / n rows and a sort n; where an index
    /// answers another part of the query, its rows are the most to look at; and a row costs less in a scan of the
    /// whole table than one by one.
    fn many(&mut self) -> StoreResult<u64> {
        if let Some(many) = self.prospect.many {
            return Ok(many);
        }
        let all: i64 = self
            .session
            .connection
            .prepare_cached(&format!("SELECT ifnull(max(seq), 0) FROM {}", self.layout.quoted_table()))
            .and_then(|mut select| select.query_row([], |row| row.get(0)))
            .map_err(sqlite_error)?;
        let all = all.unsigned_abs();
        let mut many = all / 4;
        if let Some(page) = self.prospect.page {
            many = many.min(all.saturating_mul(page).isqrt());
        }
        if let Some((source, params)) = &self.prospect.scope
            && many > FEW
        {
            many = many.min(self.count(source, params, many)?);
        }
        let many = many + FEW;
        self.prospect.many = Some(many);
        Ok(many)
    }

    /// Counts up to a bound.
    fn count(&self, source: &str, params: &[Value], most: u64) -> StoreResult<u64> {
        let sql = format!("SELECT count(*) FROM (SELECT 1 FROM {source} LIMIT {most})");
        let count: i64 = self
            .session
            .connection
            .prepare(&sql)
            .and_then(|mut select| select.query_row(rusqlite::params_from_iter(params), |row| row.get(0)))
            .map_err(sqlite_error)?;
        Ok(count.unsigned_abs())
    }
}
