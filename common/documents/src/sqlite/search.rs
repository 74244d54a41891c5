//! Patterns and text search in SQL.
//!
//! An index of trigrams (or of the column, for a pattern with a fixed start) lists the documents that may have a
//! match, and the pattern is asked about these. Where the list would be long, or the pattern has no three literal
//! characters in a row, each row is asked.

use rusqlite::types::Value;

use super::{
    compile::{Compiler, Condition, Place, joined},
    layout::quoted,
    session::Slot,
    text::match_query,
};
use crate::{
    Filter, StoreError, StoreResult,
    regex::{Pattern, trigrams::Trigrams},
};

/// A text search about one row costs this many times an entry of its list.
const TEXT_WEIGHT: u64 = 8;

/// The pattern, and whether case matters, that all the conditions have in common.
pub(super) fn same_pattern(filters: &[Filter]) -> Option<(&str, bool)> {
    let of = |filter| match filter {
        &Filter::Regex { ref pattern, case_insensitive, .. } => Some((pattern.as_str(), case_insensitive)),
        _ => None,
    };
    let (first, rest) = filters.split_first()?;
    let pattern = of(first)?;
    rest.iter().all(|filter| of(filter) == Some(pattern)).then_some(pattern)
}

impl Compiler<'_> {
    /// Any of the conditions, which are all of the same pattern.
    pub(super) fn regexes(
        &mut self,
        filters: &[Filter],
        pattern: &str,
        case_insensitive: bool,
    ) -> StoreResult<Condition> {
        let pattern = Pattern::new(pattern, case_insensitive)?;
        let paths: Vec<&str> = filters.iter().filter_map(regex_path).collect();
        let exact = self.ask_pattern(filters, &pattern)?;
        if self.row_by_row {
            return Ok(exact);
        }
        if let [path] = paths[..]
            && let Some(narrowed) = self.with_prefix(path, &pattern)?
        {
            return Ok(exact.narrowed(&narrowed));
        }
        if paths.iter().all(|path| self.layout.has_trigrams(path))
            && let Some(trigrams) = pattern.trigrams()
        {
            let table = self.layout.quoted_trigram_table();
            if let Some(narrowed) = self.listed(&table, match_expression(&trigrams), 1)? {
                return Ok(exact.narrowed(&narrowed));
            }
        }
        if let [path] = paths[..]
            && let Some(narrowed) = self.read_in_index(path, &pattern)?
        {
            return Ok(exact.narrowed(&narrowed));
        }
        Ok(exact)
    }

    /// Asks the pattern: about columns where there are, else about the document, once for all fields in it.
    fn ask_pattern(&mut self, filters: &[Filter], pattern: &Pattern) -> StoreResult<Condition> {
        let mut conditions = Vec::new();
        let mut inside = Vec::new();
        for filter in filters {
            let column = match regex_path(filter).map(|path| self.place(path)) {
                Some(Place::Id) => "_id",
                Some(Place::Column(column)) => column.name,
                _ => {
                    inside.push(filter.clone());
                    continue;
                }
            };
            let slot = self.bind_slot(Slot::Pattern(pattern.clone()));
            conditions.push(Condition::of_columns(format!("has_match({}, {slot})", quoted(column))));
        }
        if !inside.is_empty() {
            let inside = if inside.len() == 1 { inside.remove(0) } else { Filter::Or(inside) };
            conditions.push(self.ask_document(&inside)?);
        }
        Ok(Condition {
            selective: false,
            reads_document: conditions.iter().any(|condition| condition.reads_document),
            sql: joined(conditions, " OR "),
        })
    }

    /// The rows whose text starts as the pattern does, when an index finds them and they are few.
    fn with_prefix(&mut self, path: &str, pattern: &Pattern) -> StoreResult<Option<String>> {
        let column = match self.place(path) {
            Place::Id => "_id",
            Place::Column(column) => column.name,
            Place::Side(_) | Place::Inside => return Ok(None),
        };
        let Some(prefix) = pattern.literal_prefix().filter(|_| self.layout.is_selective(column)) else {
            return Ok(None);
        };
        let column = quoted(column);
        // No text that starts with the prefix comes after prefix + the last character.
        let bounds = [Value::Text(prefix.clone()), Value::Text(format!("{prefix}\u{10ffff}"))];
        let source = format!("{} WHERE {column} >= ? AND {column} <= ?", self.layout.quoted_table());
        if self.finds_many(&source, &bounds, 1)? {
            return Ok(None);
        }
        let [lower, upper] = bounds.map(|bound| self.bind(bound));
        Ok(Some(format!("{column} >= {lower} AND {column} <= {upper}")))
    }

    /// The rows whose text, as the index of the column has it, has a match, when they are few: to read the whole
    /// index is quicker than to walk along an order row by row, unless the walk soon finds enough.
    fn read_in_index(&mut self, path: &str, pattern: &Pattern) -> StoreResult<Option<String>> {
        let Place::Column(column) = self.place(path) else { return Ok(None) };
        if !self.prospect.walks_all() || !self.layout.is_selective(column.name) {
            return Ok(None);
        }
        let (name, table) = (quoted(column.name), self.layout.quoted_table());
        let start = Value::Text(pattern.literal_prefix().unwrap_or_default());
        self.session.set_slots(vec![Slot::Pattern(pattern.clone())]);
        let source = format!("{table} WHERE {name} >= ? AND has_match({name}, ?)");
        if self.finds_many(&source, &[start.clone(), Value::Integer(0)], 1)? {
            return Ok(None);
        }
        let start = self.bind(start);
        let slot = self.bind_slot(Slot::Pattern(pattern.clone()));
        Ok(Some(format!(
            "{table}.seq IN (SELECT seq FROM {table} AS texts WHERE texts.{name} >= {start} AND has_match(texts.{name}, {slot}))"
        )))
    }

    /// The rows that a full-text table lists for a query, when they are few.
    fn listed(&mut self, table: &str, query: String, weight: u64) -> StoreResult<Option<String>> {
        let query = Value::Text(query);
        let source = format!("{table} WHERE {table} MATCH ?");
        if self.finds_many(&source, std::slice::from_ref(&query), weight)? {
            return Ok(None);
        }
        let query = self.bind(query);
        let rows = self.layout.quoted_table();
        Ok(Some(format!("{rows}.seq IN (SELECT rowid FROM {table} WHERE {table} MATCH {query})")))
    }

    /// The condition that a text search finds the document.
    pub(super) fn text(&mut self, search: &str) -> StoreResult<Condition> {
        if self.layout.text.is_empty() {
            return Err(StoreError::NoTextIndex);
        }
        let Some(query) = match_query(search) else { return Ok(Condition::constant(false)) };
        let table = self.layout.quoted_text_table();
        if !self.row_by_row
            && let Some(sql) = self.listed(&table, query.clone(), TEXT_WEIGHT)?
        {
            return Ok(Condition { selective: true, ..Condition::of_columns(sql) });
        }
        let query = self.bind(Value::Text(query));
        let rows = self.layout.quoted_table();
        Ok(Condition::of_columns(format!(
            "(SELECT 1 FROM {table} WHERE {table} MATCH {query} AND rowid = {rows}.seq) IS NOT NULL"
        )))
    }
}

impl Condition {
    /// The same condition on the few rows that fulfil another one, which an index answers.
    fn narrowed(self, rows: &str) -> Self {
        Self { sql: format!("({rows} AND ({}))", self.sql), selective: true, ..self }
    }
}

fn regex_path(filter: &Filter) -> Option<&str> {
    if let Filter::Regex { path, .. } = filter { Some(path) } else { None }
}

/// The condition in the language of FTS5.
fn match_expression(trigrams: &Trigrams) -> String {
    let list = |parts: &[Trigrams], operator: &str| {
        let parts: Vec<_> = parts.iter().map(match_expression).collect();
        format!("({})", parts.join(operator))
    };
    match trigrams {
        Trigrams::One(trigram) => format!("\"{}\"", trigram.replace('"', "\"\"")),
        Trigrams::All(parts) => list(parts, " AND "),
        Trigrams::Any(parts) => list(parts, " OR "),
    }
}
