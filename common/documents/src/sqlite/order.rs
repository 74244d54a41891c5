//! Orders in SQL.

use rusqlite::types::Value;

use super::{
    compile::{Compiler, Place},
    layout::quoted,
    session::Slot,
    text::match_query,
};
use crate::{Filter, Find, Order, Sort, SortKey, StoreError, StoreResult, path::Path, value::Collation};

impl Compiler<'_> {
    /// The whole `ORDER BY` list.
    pub(super) fn order(&mut self, sorts: &[Sort]) -> String {
        let mut parts = Vec::with_capacity(sorts.len() + 1);
        let mut unique = false;
        for sort in sorts {
            let direction = match sort.order {
                Order::Ascending => "ASC",
                Order::Descending => "DESC",
            };
            match &sort.key {
                // Lower is better in FTS5, so that ascending puts the best first.
                SortKey::TextScore => parts.push("ifnull(scores.score, 0) ASC".to_owned()),
                SortKey::Field(path) => {
                    let key = self.sort_key(path, sort.order);
                    parts.push(format!("{key} {direction}"));
                    unique |= path == "_id";
                }
            }
        }
        if !unique {
            parts.push(format!("{}.seq ASC", self.layout.quoted_table()));
        }
        parts.join(", ")
    }

    fn sort_key(&mut self, path: &str, order: Order) -> String {
        let collate = if self.numeric_collation { " COLLATE \"numeric\"" } else { "" };
        match self.place(path) {
            Place::Id => format!("\"_id\"{collate}"),
            Place::Column(column) if column.date => quoted(column.name),
            Place::Column(column) => quoted(column.name) + collate,
            Place::Side(_) | Place::Inside => {
                let slot = self.bind_slot(Slot::Order {
                    path: Path::new(path),
                    descending: order == Order::Descending,
                    collation: Collation::new(self.numeric_collation),
                });
                format!("order_key({}, {slot})", self.layout.document_expression())
            }
        }
    }

    /// What an order by relevance needs.
    pub(super) fn text_scores(&mut self, find: &Find) -> StoreResult<TextScores> {
        if !find.sort.iter().any(|sort| sort.key == SortKey::TextScore) {
            return Ok(TextScores::default());
        }
        let Some(search) = find_text(&find.filter) else {
            return Err(StoreError::InvalidValue(
                "text score is not available without a text search".to_owned(),
            ));
        };
        if self.layout.text.is_empty() {
            return Err(StoreError::NoTextIndex);
        }
        // Without a word to look for, nothing is found anyway.
        let query = self.bind(Value::Text(match_query(search).unwrap_or_else(|| "\"\"".to_owned())));
        let (text, table) = (self.layout.quoted_text_table(), self.layout.quoted_table());
        let weights: String = self.layout.text.iter().map(|(_, weight)| format!(", {weight}.0")).collect();
        Ok(TextScores {
            definition: format!(
                "WITH scores AS MATERIALIZED (SELECT rowid AS row, bm25({text}{weights}) AS score FROM {text} \
                 WHERE {text} MATCH {query}) "
            ),
            join: format!(" LEFT JOIN scores ON scores.row = {table}.seq"),
        })
    }
}

/// The relevance of all documents that a text search finds, computed at once: each score needs to know how often
/// the words are in all documents.
#[derive(Debug, Default)]
pub(super) struct TextScores {
    /// Comes before the statement.
    pub(super) definition: String,
    /// Comes after its table.
    pub(super) join: String,
}

fn find_text(filter: &Filter) -> Option<&str> {
    match filter {
        Filter::Text(search) => Some(search),
        Filter::And(filters) | Filter::Or(filters) => filters.iter().find_map(find_text),
        _ => None,
    }
}
