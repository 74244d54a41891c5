//! Searches and what they find.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use elasticsearch::{MsearchParts, http::Method};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    cluster::{Cluster, Request, pause},
    documents::Stored,
    errors::{ElasticError, Refusal},
    indices::Indices,
};
use crate::{EventError, EventResult};

/// The most hits of one search (`index.max_result_window`).
pub(super) const MAX_HITS: usize = 10_000;

/// The most events of one `top_hits` (`index.max_inner_result_window`).
pub(super) const MAX_TOP_HITS: usize = 100;

/// Buckets that one search may safely ask for: below `search.max_buckets`, 65 535.
pub(super) const MAX_BUCKETS: usize = 60_000;

/// Searches of one request that the cluster works on at a time (`max_metrics_concurrency`, spec 05 §2.5).
const CONCURRENT_SEARCHES: &str = "4";

/// How often a request is sent again because some of its searches were refused by a busy cluster.
const MAX_BUSY_RETRIES: u32 = 3;

/// One search.
#[derive(Debug, Clone)]
pub(super) struct Search {
    /// Names or patterns. Indices that are not there count as empty.
    pub(super) indices: Vec<String>,
    pub(super) body: Value,
}

/// Nothing is aggregated.
#[derive(Debug, Deserialize)]
pub(super) struct Nothing {}

/// What a search found.
#[derive(Debug, Deserialize)]
#[serde(bound = "A: DeserializeOwned")]
pub(super) struct Found<A> {
    #[serde(default)]
    pub(super) hits: Hits,
    /// `None` if there is no index.
    pub(super) aggregations: Option<A>,
    #[serde(default, rename = "_shards")]
    pub(super) shards: Shards,
    #[serde(default)]
    error: Option<Value>,
    #[serde(default)]
    status: u16,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Shards {
    #[serde(default)]
    pub(super) total: u64,
    #[serde(default)]
    failed: u64,
    #[serde(default)]
    failures: Vec<Value>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Hits {
    #[serde(default)]
    pub(super) total: Total,
    #[serde(default)]
    pub(super) hits: Vec<Hit>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Total {
    #[serde(default)]
    pub(super) value: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Hit {
    #[serde(rename = "_index")]
    pub(super) index: String,
    #[serde(rename = "_id")]
    pub(super) id: String,
    #[serde(default, rename = "_source")]
    pub(super) source: Stored,
    #[serde(default)]
    pub(super) sort: Vec<Value>,
}

/// Buckets of an aggregation.
#[derive(Debug, Deserialize)]
#[serde(bound = "B: DeserializeOwned")]
pub(super) struct Buckets<B> {
    pub(super) buckets: Vec<B>,
}

impl<B> Default for Buckets<B> {
    fn default() -> Self {
        Self { buckets: Vec::new() }
    }
}

/// A bucket of names without anything in it.
#[derive(Debug, Deserialize)]
pub(super) struct NameBucket {
    pub(super) key: String,
}

/// A bucket of integers without anything in it.
#[derive(Debug, Deserialize)]
pub(super) struct IntegerBucket {
    pub(super) key: i64,
}

/// One number, for example an average; none over no values.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub(super) struct Metric {
    pub(super) value: Option<f64>,
}

impl Metric {
    /// The number as an integer.
    pub(super) fn integer(self) -> Option<i64> {
        self.value.map(|value| value as i64)
    }
}

/// Some events of a bucket.
#[derive(Debug, Default, Deserialize)]
pub(super) struct TopHits {
    pub(super) hits: Hits,
}

/// Terms of a field, ascending.
pub(super) fn terms_ascending(field: &str, size: usize, inner: &Value) -> Value {
    json!({"terms": {"field": field, "size": size.max(1), "order": {"_key": "asc"}}, "aggs": inner})
}

/// Searches a cluster.
#[derive(Clone)]
pub(super) struct Searcher {
    pub(super) cluster: Arc<Cluster>,
    pub(super) indices: Arc<Indices>,
}

impl fmt::Debug for Searcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Searcher")
    }
}

#[derive(Deserialize)]
#[serde(bound = "A: DeserializeOwned")]
struct Answers<A> {
    responses: Vec<Found<A>>,
}

impl Searcher {
    /// Makes one search.
    pub(super) async fn search<A>(&self, search: Search) -> EventResult<Found<A>>
    where
        A: DeserializeOwned + Send + 'static,
    {
        let found = self.try_all(std::slice::from_ref(&search)).await?.pop();
        let missing = || EventError::Backend("Elasticsearch left out an answer".to_owned());
        Ok(found.ok_or_else(missing)??)
    }

    /// Makes several searches in one request; their results in the same order.
    pub(super) async fn search_all<A>(&self, searches: &[Search]) -> EventResult<Vec<Found<A>>>
    where
        A: DeserializeOwned + Send + 'static,
    {
        let found = self.try_all(searches).await?;
        found.into_iter().map(|found| found.map_err(EventError::from)).collect()
    }

    /// As [`Self::search_all`], with the refusal of each search.
    pub(super) async fn try_all<A>(&self, searches: &[Search]) -> EventResult<Vec<Result<Found<A>, Refusal>>>
    where
        A: DeserializeOwned + Send + 'static,
    {
        if searches.is_empty() {
            return Ok(Vec::new());
        }
        let request = Request::new(Method::Post, MsearchParts::None.url())
            .query("max_concurrent_searches", CONCURRENT_SEARCHES)
            .lines(lines(searches));
        let mut tries = 0;
        loop {
            let answers: Answers<A> = self.cluster.call(&request).await?;
            if answers.responses.len() != searches.len() {
                return Err(EventError::Backend("Elasticsearch left out an answer".to_owned()));
            }
            let found: Vec<_> = answers.responses.into_iter().map(Found::checked).collect();
            let refusals = || found.iter().filter_map(|found| found.as_ref().err());
            if refusals().any(|refusal| refusal.status == 400) {
                self.indices.forget();
            }
            if tries == MAX_BUSY_RETRIES || !refusals().any(Refusal::may_pass) {
                return Ok(found);
            }
            tries += 1;
            pause(tries).await;
        }
    }
}

impl<A> Found<A> {
    /// Fails if the search did, or a part of it.
    fn checked(self) -> Result<Self, Refusal> {
        if let Some(error) = &self.error {
            return Err(Refusal::new(self.status, error));
        }
        if self.shards.failed > 0 {
            let reasons: Vec<_> =
                self.shards.failures.iter().filter_map(|failure| failure.get("reason")).collect();
            return Err(Refusal::new(503, &json!({"root_cause": reasons})));
        }
        Ok(self)
    }
}

fn lines(searches: &[Search]) -> Bytes {
    let mut lines = String::new();
    for search in searches {
        let header = json!({
            "index": search.indices, "ignore_unavailable": true, "allow_no_indices": true,
            "allow_partial_search_results": false,
        });
        lines.push_str(&header.to_string());
        lines.push('\n');
        lines.push_str(&search.body.to_string());
        lines.push('\n');
    }
    lines.into()
}

impl From<serde_json::Error> for ElasticError {
    fn from(error: serde_json::Error) -> Self {
        Self::Unexpected(error.to_string())
    }
}
