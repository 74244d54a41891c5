//! Pages: the key iterator, scrolls, urls of plots.
//!
//! Events with equal keys are ordered by `_seq_no`, which counts the writes of a shard: the order of insertion
//! where an index has one shard, as those of an official server have. A position holds the key and `_seq_no`
//! of the last event; those of other shards and indices that share both are named in it, so that none is lost
//! or shown twice. No scroll context and no point in time is held in the cluster, and any replica can go on.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    documents,
    filters::{iteration_filters, metric_filter},
    indices::{Fields, Scope},
    search::{Hit, MAX_HITS, Nothing, Search, Searcher},
};
use crate::{
    EventError, EventResult, EventType, KeyField, KeyPage, KeyPosition, KeyQuery, Order, ScrollPage,
    ScrollQuery, Selection,
};

/// The most events that complete a page of the key iterator (spec 05 §4.5).
const MAX_COMPLETION: usize = 10_000;

impl Order {
    /// As searches name it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ascending => "asc",
            Self::Descending => "desc",
        }
    }

    /// What events without the key have in its stead: they come last.
    const fn last_key(self) -> i64 {
        match self {
            Self::Ascending => i64::MAX,
            Self::Descending => i64::MIN,
        }
    }
}

/// Where a page ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Position {
    /// The key of the last event; that of [`Order::last_key`] if it has none.
    key: i64,
    /// Its `_seq_no`.
    sequence: i64,
    /// Index and id of events with this key and `_seq_no` that were shown.
    shown: Vec<(String, String)>,
}

impl Position {
    /// Behind some hits that were found behind `before`.
    fn behind(hits: &[Hit], before: Option<&Self>) -> Option<Self> {
        let (key, sequence) = place(hits.last()?);
        let alike = hits.iter().rev().take_while(|hit| place(hit) == (key, sequence));
        let mut shown: Vec<_> = alike.map(|hit| (hit.index.clone(), hit.id.clone())).collect();
        if let Some(before) = before.filter(|before| (before.key, before.sequence) == (key, sequence)) {
            shown.extend(before.shown.iter().cloned());
        }
        Some(Self { key, sequence, shown })
    }

    fn read(text: &str) -> EventResult<Self> {
        serde_json::from_str(text).map_err(|_| EventError::InvalidPosition)
    }

    fn text(&self) -> String {
        json!(self).to_string()
    }

    /// The end of all events with a key.
    fn behind_key(key: i64) -> Self {
        Self { key, sequence: i64::MAX, shown: Vec::new() }
    }

    fn excluded(&self) -> Vec<Value> {
        let exclude = |(index, id): &(String, String)| json!({"bool": {"filter": [{"term": {"_index": index}}, {"ids": {"values": [id]}}]}});
        self.shown.iter().map(exclude).collect()
    }

    /// What to search after: just before the events with the same place, of which the shown ones are excluded.
    fn search_after(&self) -> Value {
        let before = if self.shown.is_empty() { self.sequence } else { self.sequence - 1 };
        json!([self.key, before])
    }
}

/// Key and `_seq_no` of a hit.
fn place(hit: &Hit) -> (i64, i64) {
    let value = |position: usize| {
        let value = hit.sort.get(position);
        value
            .and_then(|value| value.as_i64().or_else(|| value.as_f64().map(|value| value as i64)))
            .unwrap_or(0)
    };
    (value(0), value(1))
}

/// What is paged over: several searches whose hits are merged.
struct Paging {
    parts: Vec<(Vec<String>, Value)>,
    field: KeyField,
    order: Order,
    /// Fields of the documents; `None` for all.
    source: Option<&'static [&'static str]>,
}

impl Paging {
    /// The next hits behind a position, at most `limit`.
    async fn hits(
        &self,
        searcher: &Searcher,
        after: Option<&Position>,
        limit: usize,
    ) -> EventResult<Vec<Hit>> {
        let mut hits: Vec<Hit> = Vec::new();
        let mut position = after.cloned();
        while hits.len() < limit {
            let size = (limit - hits.len()).min(MAX_HITS);
            let found = self.some_hits(searcher, position.as_ref(), size).await?;
            let is_end = found.len() < size;
            hits.extend(found);
            position = Position::behind(&hits, after);
            if is_end {
                break;
            }
        }
        Ok(hits)
    }

    async fn some_hits(
        &self,
        searcher: &Searcher,
        after: Option<&Position>,
        size: usize,
    ) -> EventResult<Vec<Hit>> {
        let search = |(indices, query): &(Vec<String>, Value)| {
            let mut body = json!({
                "query": query, "size": size, "track_total_hits": false,
                "sort": [
                    {self.field.name(): {"order": self.order.name(), "unmapped_type": "long"}},
                    {"_seq_no": {"order": "asc"}},
                ],
            });
            if let Some(after) = after {
                let excluded = after.excluded();
                if !excluded.is_empty() {
                    body["query"] = json!({"bool": {"filter": [query], "must_not": excluded}});
                }
                body["search_after"] = after.search_after();
            }
            if let Some(source) = self.source {
                body["_source"] = json!(source);
            }
            Search { indices: indices.clone(), body }
        };
        let requests: Vec<Search> = self.parts.iter().map(search).collect();
        let found = searcher.search_all::<Nothing>(&requests).await?;
        let mut hits: Vec<Hit> = found.into_iter().flat_map(|found| found.hits.hits).collect();
        if requests.len() > 1 {
            hits.sort_by(|a, b| self.compare(a, b));
            hits.dedup_by(|a, b| a.index == b.index && a.id == b.id);
            hits.truncate(size);
        }
        Ok(hits)
    }

    fn compare(&self, a: &Hit, b: &Hit) -> Ordering {
        let ((key, sequence), (other_key, other_sequence)) = (place(a), place(b));
        let keys = match self.order {
            Order::Ascending => key.cmp(&other_key),
            Order::Descending => other_key.cmp(&key),
        };
        keys.then(sequence.cmp(&other_sequence)).then_with(|| (&a.index, &a.id).cmp(&(&b.index, &b.id)))
    }
}

/// A page of the key iterator (spec 05 §4.5).
pub(super) async fn key_page(searcher: &Searcher, query: &KeyQuery) -> EventResult<KeyPage> {
    let after = match &query.after {
        None => None,
        Some(KeyPosition::Key(key)) => Some(Position::behind_key(*key)),
        Some(KeyPosition::Unkeyed(text)) => Some(Position::read(text)?),
    };
    let scope = searcher.indices.scope(&query.source, query.event_type).await?;
    let filter = scope.query(|fields| metric_filter(&query.metrics, fields).into_iter().collect());
    let mut paging = Paging {
        parts: vec![(scope.indices(), filter)],
        field: query.field,
        order: query.order,
        source: None,
    };
    // One more tells whether the page is complete.
    let mut hits = paging.hits(searcher, after.as_ref(), query.limit.saturating_add(1)).await?;
    let extra = if hits.len() > query.limit { hits.pop() } else { None };
    let Some((key, _)) = hits.last().map(place) else {
        return Ok(KeyPage { events: Vec::new(), next: None });
    };
    let keyed = key != query.order.last_key();
    if keyed && extra.is_some_and(|extra| place(&extra).0 == key) {
        let position = Position::behind(&hits, after.as_ref());
        for (_, filter) in &mut paging.parts {
            let same = match query.field {
                KeyField::Iter => json!({"term": {"iter": key}}),
                KeyField::Timestamp => {
                    super::filters::time_range("timestamp", &json!({"gte": key, "lte": key}))
                }
            };
            *filter = json!({"bool": {"filter": [filter.take(), same]}});
        }
        hits.extend(paging.hits(searcher, position.as_ref(), MAX_COMPLETION).await?);
    }
    let next = if keyed {
        Some(KeyPosition::Key(key))
    } else {
        Position::behind(&hits, after.as_ref()).map(|position| KeyPosition::Unkeyed(position.text()))
    };
    Ok(KeyPage { events: documents::events(hits), next })
}

/// A page of a scroll (spec 05 §4.6).
pub(super) async fn scroll(
    searcher: &Searcher,
    query: &ScrollQuery,
    after: Option<&str>,
) -> EventResult<ScrollPage> {
    let after = after.map(Position::read).transpose()?;
    let parts = parts(searcher, &query.selection).await?;
    let paging = Paging { parts, field: query.field, order: query.order, source: None };
    let hits = paging.hits(searcher, after.as_ref(), query.limit).await?;
    let next = Position::behind(&hits, after.as_ref()).map(|position| position.text());
    Ok(ScrollPage { events: documents::events(hits), next })
}

/// Number of events; counting may stop at `cap`.
pub(super) async fn count(searcher: &Searcher, selection: &Selection, cap: Option<u64>) -> EventResult<u64> {
    let parts = parts(searcher, selection).await?;
    let count = |(indices, query): (Vec<String>, Value)| {
        // Zero would mean not to count.
        let track = cap.map_or(Value::Bool(true), |cap| json!(cap.clamp(1, i32::MAX as u64)));
        Search { indices, body: json!({"query": query, "size": 0, "track_total_hits": track}) }
    };
    let requests: Vec<Search> = parts.into_iter().map(count).collect();
    let found = searcher.search_all::<Nothing>(&requests).await?;
    let total: u64 = found.iter().map(|found| found.hits.total.value).sum();
    Ok(cap.map_or(total, |cap| total.min(cap)))
}

/// The indices and queries of a selection. Many chosen iterations become several queries.
async fn parts(searcher: &Searcher, selection: &Selection) -> EventResult<Vec<(Vec<String>, Value)>> {
    let scopes = searcher.indices.scopes(&selection.sources, selection.event_type).await?;
    Ok(scopes.iter().flat_map(|scope| scope_parts(scope, selection)).collect())
}

fn scope_parts(scope: &Scope, selection: &Selection) -> Vec<(Vec<String>, Value)> {
    let metrics = |fields: Fields| metric_filter(&selection.metrics, fields);
    let Some(choices) = &selection.iterations else {
        return vec![(scope.indices(), scope.query(|fields| metrics(fields).into_iter().collect()))];
    };
    // Each target has as many parts; none if nothing is chosen.
    let parts = iteration_filters(choices, Fields::PLAIN).len();
    let part = |part: usize| {
        let query = scope.query(|fields| {
            let chosen = iteration_filters(choices, fields).into_iter().nth(part);
            metrics(fields).into_iter().chain(chosen).collect()
        });
        (scope.indices(), query)
    };
    (0..parts).map(part).collect()
}

/// A page of all documents of some indices, by time.
pub(super) async fn by_time(
    searcher: &Searcher,
    indices: String,
    after: Option<&str>,
    limit: usize,
) -> EventResult<(Vec<bson::Document>, Option<String>)> {
    let after = after.map(Position::read).transpose()?;
    let paging = Paging {
        parts: vec![(vec![indices], json!({"match_all": {}}))],
        field: KeyField::Timestamp,
        order: Order::Ascending,
        source: None,
    };
    let hits = paging.hits(searcher, after.as_ref(), limit).await?;
    let next = Position::behind(&hits, after.as_ref()).map(|position| position.text());
    Ok((hits.into_iter().map(|hit| hit.source.0).collect(), next))
}

/// The urls of some plots, in the order of insertion (spec 05 §12).
pub(super) async fn plot_urls(
    searcher: &Searcher,
    company: &str,
    tasks: &[String],
    after: Option<&str>,
    limit: usize,
) -> EventResult<(Vec<String>, Option<String>)> {
    let after = after.map(Position::read).transpose()?;
    let index = searcher.indices.events(company, EventType::Plot)?;
    let filter = vec![json!({"terms": {"task": tasks}}), super::filters::exists("source_urls")];
    let paging = Paging {
        parts: vec![(vec![index], super::filters::all_of(&filter))],
        field: KeyField::Timestamp,
        order: Order::Ascending,
        source: Some(&["source_urls"]),
    };
    let hits = paging.hits(searcher, after.as_ref(), limit).await?;
    let next = if hits.len() < limit {
        None
    } else {
        Position::behind(&hits, after.as_ref()).map(|position| position.text())
    };
    let mut urls: Vec<String> = Vec::new();
    for hit in &hits {
        let found = hit.source.0.get_array("source_urls").map(Vec::as_slice).unwrap_or_default();
        urls.extend(found.iter().filter_map(bson::Bson::as_str).map(str::to_owned));
    }
    urls.sort_unstable();
    urls.dedup();
    Ok((urls, next))
}
