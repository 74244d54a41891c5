//! Time series of workers, queues and serving containers (spec 04 §5.2).
//!
//! Written without waiting for a refresh, as an official server does: reports are many, and readers few. A reader
//! refreshes first, which costs next to nothing where nothing is new, so that it sees every report that was
//! acknowledged, by whichever replica.

pub(super) mod queues;
mod raw;
pub(super) mod serving;
pub(super) mod workers;

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{
    append::{Writer, append_documents},
    cluster::Cluster,
    filters::time_range,
    indices::Indices,
    refresh::Refresher,
    search::{Found, Search, Searcher},
};
use crate::{BucketRange, EventResult};

/// Names that a listing has at most: the size of a terms aggregation where none is given.
const MAX_NAMES: usize = 10;

/// Buckets of time of one search.
const MAX_BUCKETS: i64 = 50_000;

/// Searches of one request.
const SEARCHES_PER_REQUEST: usize = 16;

/// Statistics in one cluster.
#[derive(Clone)]
pub(super) struct Statistics {
    searcher: Searcher,
    writer: Arc<Writer>,
    refresher: Arc<Refresher>,
}

impl Statistics {
    pub(super) fn new(
        cluster: Arc<Cluster>,
        indices: Arc<Indices>,
        writer: Arc<Writer>,
        refresher: Arc<Refresher>,
    ) -> Self {
        Self { searcher: Searcher { cluster, indices }, writer, refresher }
    }

    async fn add(&self, kind: &str, company: &str, documents: Vec<bson::Document>) -> EventResult<()> {
        if documents.is_empty() {
            return Ok(());
        }
        let index = self.searcher.indices.statistics(kind, company, chrono::Utc::now())?;
        append_documents(&self.writer, index, documents).await
    }

    /// Refreshes all indices of a kind; their pattern.
    async fn open(&self, kind: &str, company: &str) -> EventResult<String> {
        let pattern = self.searcher.indices.all_statistics(kind, company)?;
        self.refresher.refresh(std::slice::from_ref(&pattern)).await?;
        Ok(pattern)
    }

    async fn search<A>(&self, pattern: &str, filter: &[Value], aggregations: &Value) -> EventResult<Found<A>>
    where
        A: DeserializeOwned + Send + 'static,
    {
        self.searcher.search(search(pattern, filter, aggregations)).await
    }

    /// Searches each slice of a range on its own, so that none has too many buckets: the parts in their order.
    /// `width` buckets are needed for each bucket of time at most.
    async fn search_slices<A>(
        &self,
        pattern: &str,
        range: BucketRange,
        width: usize,
        filter: &[Value],
        aggregations: &Value,
    ) -> EventResult<Vec<Found<A>>>
    where
        A: DeserializeOwned + Send + 'static,
    {
        let searches: Vec<Search> = slices(range, width)
            .into_iter()
            .map(|slice| {
                let mut filter = filter.to_vec();
                filter.push(within(slice));
                search(pattern, &filter, aggregations)
            })
            .collect();
        let mut found = Vec::with_capacity(searches.len());
        for searches in searches.chunks(SEARCHES_PER_REQUEST) {
            found.extend(self.searcher.search_all(searches).await?);
        }
        Ok(found)
    }
}

fn search(pattern: &str, filter: &[Value], aggregations: &Value) -> Search {
    let body = json!({
        "query": {"bool": {"filter": filter}}, "size": 0, "track_total_hits": false, "aggs": aggregations,
    });
    Search { indices: vec![pattern.to_owned()], body }
}

/// Documents of a range.
fn within(range: BucketRange) -> Value {
    time_range("timestamp", &json!({"gte": range.from, "lte": range.to}))
}

/// Buckets of time that have documents.
fn time_buckets(range: BucketRange, inner: &Value) -> Value {
    let interval = format!("{}ms", range.interval.max(1));
    json!({
        "date_histogram": {"field": "timestamp", "fixed_interval": interval, "min_doc_count": 1},
        "aggs": inner,
    })
}

/// Cuts a range where buckets begin.
fn slices(range: BucketRange, width: usize) -> Vec<BucketRange> {
    let width = i64::try_from(width.max(1)).unwrap_or(i64::MAX);
    let interval = range.interval.max(1);
    let step = interval.saturating_mul((MAX_BUCKETS / width).max(1));
    let mut slices = Vec::new();
    let mut from = range.from;
    while from <= range.to {
        let next = range.bucket(from).saturating_add(step);
        slices.push(BucketRange { from, to: range.to.min(next - 1), interval });
        if next == i64::MAX {
            break;
        }
        from = next;
    }
    slices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_begin_where_buckets_begin() {
        let range = BucketRange { from: 1_050, to: 250_000, interval: 100 };
        let bounds: Vec<_> = slices(range, 50).iter().map(|slice| (slice.from, slice.to)).collect();
        assert_eq!(bounds, [(1_050, 100_999), (101_000, 200_999), (201_000, 250_000)]);
        assert_eq!(slices(range, 1), [range]);
        assert_eq!(slices(BucketRange { from: 5, to: 4, interval: 1 }, 1), []);
        let all = BucketRange { from: i64::MIN, to: i64::MAX, interval: i64::MAX };
        assert!(slices(all, usize::MAX).len() <= 4);
    }
}
