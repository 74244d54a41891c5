//! The first rows of many ordered lists.

use crate::{Order, embedded::rows::Row};

/// Collects rows and keeps the first `limit` of them by key, then sequence number. Once there are enough, it
/// tells how far it is worth to look.
pub(super) struct Top {
    order: Order,
    limit: usize,
    rows: Vec<(i64, Row)>,
    /// Last key that still has a chance.
    last_key: Option<i64>,
}

impl Top {
    pub(super) fn new(order: Order, limit: usize) -> Self {
        Self { order, limit, rows: Vec::new(), last_key: None }
    }

    /// The limit as SQLite takes it.
    pub(super) fn limit(&self) -> i64 {
        i64::try_from(self.limit).unwrap_or(i64::MAX)
    }

    /// The last key worth looking at, given the last one wanted.
    pub(super) fn until(&self, wanted: i64) -> i64 {
        match (self.last_key, self.order) {
            (None, _) => wanted,
            (Some(key), Order::Ascending) => wanted.min(key),
            (Some(key), Order::Descending) => wanted.max(key),
        }
    }

    /// Whether a row with this key has no chance.
    pub(super) fn is_beyond(&self, key: i64) -> bool {
        match (self.last_key, self.order) {
            (None, _) => false,
            (Some(last), Order::Ascending) => key > last,
            (Some(last), Order::Descending) => key < last,
        }
    }

    pub(super) fn push(&mut self, key: i64, row: Row) {
        self.rows.push((key, row));
        if self.rows.len() >= self.limit.saturating_mul(2).max(1024) {
            self.settle();
        }
    }

    /// Drops what has no chance.
    pub(super) fn settle(&mut self) {
        if self.rows.len() < self.limit || self.rows.is_empty() {
            return;
        }
        self.sort();
        self.rows.truncate(self.limit);
        self.last_key = self.rows.last().map(|(key, _)| *key);
    }

    pub(super) fn into_rows(mut self) -> Vec<Row> {
        self.sort();
        self.rows.truncate(self.limit);
        self.rows.into_iter().map(|(_, row)| row).collect()
    }

    /// The stable sort is quick here: the rows are a sorted list with another one appended.
    fn sort(&mut self) {
        match self.order {
            Order::Ascending => self.rows.sort_by_key(|(key, row)| (*key, row.seq)),
            Order::Descending => self.rows.sort_by_key(|(key, row)| (std::cmp::Reverse(*key), row.seq)),
        }
    }
}
