//! Deletion of events, and the urls that go with them (spec 05 §5, §12).

use std::time::Duration;

use elasticsearch::{DeleteByQueryParts, http::Method};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    cluster::{Cluster, Request},
    errors::{ElasticError, Refusal},
    filters::{all_of, time_range},
    indices::Fields,
    paging,
    search::{Buckets, Nothing, Search, Searcher},
};
use crate::{EventError, EventResult, EventType, LogDeletion, Pace, Source, UrlKind, UrlPage};

/// Tasks of one deletion (spec 05 §12).
const TASKS_PER_DELETION: usize = 100;

/// So many events are deleted while the request waits; more are left to the cluster, which is asked now and
/// then.
const EVENTS_PER_REQUEST: u64 = 5000;

/// How often a deletion is repeated because events were written anew in its course.
const MAX_ROUNDS: usize = 5;

/// Pause between two questions whether a deletion has ended: the first, and the longest.
const FIRST_QUESTION: Duration = Duration::from_millis(50);
const LAST_QUESTION: Duration = Duration::from_secs(2);

#[derive(Debug, Default, Deserialize)]
struct Outcome {
    #[serde(default)]
    deleted: u64,
    #[serde(default)]
    version_conflicts: u64,
    #[serde(default)]
    failures: Vec<Value>,
}

#[derive(Deserialize)]
struct Started {
    task: String,
}

#[derive(Deserialize)]
struct Progress {
    completed: bool,
    #[serde(default)]
    response: Outcome,
    error: Option<Value>,
}

/// Deletes all events of tasks or models of one company.
pub(super) async fn delete(
    searcher: &Searcher,
    company: &str,
    tasks: &[String],
    pace: Pace,
) -> EventResult<u64> {
    let mut tasks: Vec<&String> = tasks.iter().collect();
    tasks.sort_unstable();
    tasks.dedup();
    let sources: Vec<Source> = tasks.into_iter().map(|task| Source::new(company, task)).collect();
    let mut deleted = 0;
    for sources in sources.chunks(TASKS_PER_DELETION) {
        for scope in searcher.indices.scopes(sources, None).await? {
            let query = scope.query(|_: Fields| Vec::new());
            deleted += delete_by_query(searcher, &scope.indices(), &query, pace).await?;
        }
    }
    Ok(deleted)
}

/// Deletes log events of a task.
pub(super) async fn clear_log(searcher: &Searcher, source: &Source, which: &LogDeletion) -> EventResult<u64> {
    let mut filter = vec![json!({"term": {"task": source.task}})];
    if let Some(before) = which.before {
        filter.push(time_range("timestamp", &json!({"lt": before})));
    }
    if !which.include_metrics.is_empty() {
        filter.push(json!({"terms": {"metric": which.include_metrics}}));
    }
    if !which.exclude_metrics.is_empty() {
        filter.push(json!({"bool": {"must_not": [{"terms": {"metric": which.exclude_metrics}}]}}));
    }
    let index = searcher.indices.events(&source.company, EventType::Log)?;
    delete_by_query(searcher, &[index], &all_of(&filter), Pace::Fast).await
}

/// Deletes what a query matches; what is written in the meantime may be left.
async fn delete_by_query(
    searcher: &Searcher,
    indices: &[String],
    query: &Value,
    pace: Pace,
) -> EventResult<u64> {
    let mut deleted = 0;
    for _ in 0..MAX_ROUNDS {
        let body = json!({"query": query, "size": 0, "track_total_hits": true});
        let found = searcher.search::<Nothing>(Search { indices: indices.to_vec(), body }).await?;
        let events = found.hits.total.value;
        if events == 0 {
            break;
        }
        let outcome = delete_round(&searcher.cluster, indices, query, pace, events).await?;
        deleted += outcome.deleted;
        if let Some(failure) = outcome.failures.first() {
            let status = failure.get("status").and_then(Value::as_u64).unwrap_or(500);
            let cause = failure.get("cause").or_else(|| failure.get("reason")).unwrap_or(failure);
            return Err(Refusal::new(status as u16, cause).into());
        }
        if outcome.version_conflicts == 0 {
            break;
        }
    }
    Ok(deleted)
}

async fn delete_round(
    cluster: &Cluster,
    indices: &[String],
    query: &Value,
    pace: Pace,
    events: u64,
) -> Result<Outcome, ElasticError> {
    let names: Vec<&str> = indices.iter().map(String::as_str).collect();
    let mut request = Request::new(Method::Post, DeleteByQueryParts::Index(&names).url())
        .query("conflicts", "proceed")
        .query("refresh", "true")
        .query("ignore_unavailable", "true")
        .query("allow_no_indices", "true")
        .json(&json!({"query": query}));
    if let Pace::EventsPerSecond(rate) = pace {
        request = request.query("requests_per_second", rate.max(1).to_string());
    }
    let takes_long = match pace {
        Pace::Fast => events > EVENTS_PER_REQUEST,
        Pace::EventsPerSecond(rate) => events > rate.min(EVENTS_PER_REQUEST),
    };
    if !takes_long {
        return cluster.call(&request).await;
    }
    if pace == Pace::Fast {
        request = request.query("slices", "auto");
    }
    let Started { task } = cluster.call(&request.query("wait_for_completion", "false")).await?;
    let request = Request::new(Method::Get, format!("/_tasks/{task}"));
    let mut wait = FIRST_QUESTION;
    loop {
        tokio::time::sleep(wait).await;
        let progress: Progress = cluster.call(&request).await?;
        if let Some(error) = progress.error {
            return Err(ElasticError::Refused(Refusal::new(500, &error)));
        }
        if progress.completed {
            return Ok(progress.response);
        }
        wait = (wait * 2).min(LAST_QUESTION);
    }
}

#[derive(Deserialize)]
struct Urls {
    urls: Buckets<UrlBucket>,
}

#[derive(Deserialize)]
struct UrlBucket {
    key: UrlKey,
}

#[derive(Deserialize)]
struct UrlKey {
    url: String,
}

/// A page of the urls of tasks or models of one company.
pub(super) async fn urls(
    searcher: &Searcher,
    company: &str,
    tasks: &[String],
    kind: UrlKind,
    after: Option<&str>,
    limit: usize,
) -> EventResult<UrlPage> {
    let limit = limit.max(1);
    if kind == UrlKind::Plots {
        let (urls, next) = paging::plot_urls(searcher, company, tasks, after, limit).await?;
        return Ok(UrlPage { urls, next });
    }
    let limit = limit.min(super::search::MAX_BUCKETS);
    let mut composite = json!({"size": limit, "sources": [{"url": {"terms": {"field": "url"}}}]});
    if let Some(after) = after {
        let url: String = serde_json::from_str(after).map_err(|_| EventError::InvalidPosition)?;
        composite["after"] = json!({"url": url});
    }
    let body = json!({
        "query": {"bool": {"filter": [{"terms": {"task": tasks}}]}}, "size": 0, "track_total_hits": false,
        "aggs": {"urls": {"composite": composite}},
    });
    let indices = vec![searcher.indices.events(company, EventType::Image)?];
    let found = searcher.search::<Urls>(Search { indices, body }).await?;
    let buckets = found.aggregations.map_or_else(Vec::new, |found| found.urls.buckets);
    let urls: Vec<String> = buckets.into_iter().map(|bucket| bucket.key.url).collect();
    let next = urls.last().filter(|_| urls.len() == limit).map(|url| json!(url).to_string());
    Ok(UrlPage { urls, next })
}
