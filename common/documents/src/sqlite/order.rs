//! Orders in SQL.

use rusqlite::types::Value;

use super::{
    compile::{Compiler, Place},
    layout::quoted,
    session::Slot,
    text::match_query,
};
use crate::{Filter, Order, Sort, SortKey, StoreError, StoreResult, path::Path, value::Collation};

impl Compiler<'_> {
    /// The whole `ORDER BY` list.
    pub(super) fn order(&mut self, filter: &Filter, sorts: &[Sort]) -> StoreResult<String> {
        let mut parts = Vec::with_capacity(sorts.len() + 1);
        let mut unique = false;
        for sort in sorts {
            let direction = match sort.order {
                Order::Ascending => "ASC",
                Order::Descending => "DESC",
            };
            match &sort.key {
                SortKey::TextScore => parts.push(self.text_score(filter)?),
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
        Ok(parts.join(", "))
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

    /// Lower is better in FTS5, so that ascending puts the best first.
    fn text_score(&mut self, filter: &Filter) -> StoreResult<String> {
        let Some(search) = find_text(filter) else {
            return Err(StoreError::InvalidValue(
                "text score is not available without a text search".to_owned(),
            ));
        };
        if self.layout.text.is_empty() {
            return Err(StoreError::NoTextIndex);
        }
        let Some(query) = match_query(search) else { return Ok("0".to_owned()) };
        let query = self.bind(Value::Text(query));
        let (text, table) = (self.layout.quoted_text_table(), self.layout.quoted_table());
        let weights: String = self.layout.text.iter().map(|(_, weight)| format!(", {weight}.0")).collect();
        Ok(format!(
            "ifnull((SELECT bm25({text}{weights}) FROM {text} WHERE {text} MATCH {query} AND rowid = {table}.seq), 0) ASC"
        ))
    }
}

fn find_text(filter: &Filter) -> Option<&str> {
    match filter {
        Filter::Text(search) => Some(search),
        Filter::And(filters) | Filter::Or(filters) => filters.iter().find_map(find_text),
        _ => None,
    }
}
