//! The greatest iterations of tasks and metrics (spec 05 §4.7).

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    filters::{exists, metric_filter},
    search::{Buckets, IntegerBucket, MAX_BUCKETS, Search, Searcher, terms_ascending},
};
use crate::{EventResult, EventType, IterationChoice, MetricFilter, Source};

/// The most iterations of one task.
const MAX_ITERATIONS: usize = 10_000;

/// Tasks of one search, where metrics count too.
const TASKS_PER_SEARCH: usize = 20;

/// Company, task, metric.
type Key = (String, String, Option<String>);

/// Iterations of each task, or of each metric of each task.
type Found = BTreeMap<Key, BTreeSet<Reverse<i64>>>;

#[derive(Deserialize)]
#[serde(bound = "B: serde::de::DeserializeOwned")]
struct ByTask<B> {
    tasks: Buckets<B>,
}

#[derive(Deserialize)]
struct TaskBucket {
    key: String,
    iters: Buckets<IntegerBucket>,
}

#[derive(Deserialize)]
struct TaskMetricsBucket {
    key: String,
    metrics: Buckets<TaskBucket>,
}

fn greatest_iterations(iters: usize) -> Value {
    json!({"iters": {"terms": {"field": "iter", "size": iters, "order": {"_key": "desc"}}}})
}

/// The greatest iterations of each task.
pub(super) async fn last(
    searcher: &Searcher,
    sources: &[Source],
    event_type: Option<EventType>,
    metrics: &MetricFilter,
    iters: usize,
) -> EventResult<Vec<IterationChoice>> {
    let iters = iters.min(MAX_ITERATIONS);
    let tasks_per_search = (MAX_BUCKETS / (iters + 1)).clamp(1, 1000);
    let aggregate =
        |task: &str, _: &str| terms_ascending(task, tasks_per_search, &greatest_iterations(iters));
    let found = search(searcher, sources, event_type, metrics, iters, tasks_per_search, aggregate).await?;
    let mut iterations = Found::new();
    for (company, TaskBucket { key, iters }) in found {
        let iters = iters.buckets.into_iter().map(|bucket| Reverse(bucket.key));
        iterations.entry((company, key, None)).or_default().extend(iters);
    }
    Ok(choices(sources, iterations, iters))
}

/// The greatest iterations of each metric of each task.
pub(super) async fn last_per_metric(
    searcher: &Searcher,
    sources: &[Source],
    event_type: Option<EventType>,
    metrics: &MetricFilter,
    iters: usize,
) -> EventResult<Vec<IterationChoice>> {
    let iters = iters.min(MAX_ITERATIONS);
    let max_metrics = (MAX_BUCKETS / (TASKS_PER_SEARCH * (iters + 1))).max(1);
    let aggregate = |task: &str, metric: &str| {
        let metrics = json!({"metrics": terms_ascending(metric, max_metrics, &greatest_iterations(iters))});
        terms_ascending(task, TASKS_PER_SEARCH, &metrics)
    };
    let found = search(searcher, sources, event_type, metrics, iters, TASKS_PER_SEARCH, aggregate).await?;
    let mut iterations = Found::new();
    for (company, TaskMetricsBucket { key: task, metrics }) in found {
        for TaskBucket { key: metric, iters } in metrics.buckets {
            let iters = iters.buckets.into_iter().map(|bucket| Reverse(bucket.key));
            iterations.entry((company.clone(), task.clone(), Some(metric))).or_default().extend(iters);
        }
    }
    Ok(choices(sources, iterations, iters))
}

/// The task buckets of all searches that are needed, with their company.
async fn search<B>(
    searcher: &Searcher,
    sources: &[Source],
    event_type: Option<EventType>,
    metrics: &MetricFilter,
    iters: usize,
    tasks_per_search: usize,
    aggregate: impl Fn(&str, &str) -> Value,
) -> EventResult<Vec<(String, B)>>
where
    B: serde::de::DeserializeOwned + Send + 'static,
{
    if iters == 0 {
        return Ok(Vec::new());
    }
    let mut by_company: HashMap<&str, Vec<Source>> = HashMap::new();
    for source in sources {
        by_company.entry(&source.company).or_default().push(source.clone());
    }
    let (mut companies, mut requests) = (Vec::new(), Vec::new());
    for (company, sources) in by_company {
        for scope in searcher.indices.scopes(&sources, event_type).await? {
            for (target, tasks) in scope
                .targets
                .iter()
                .flat_map(|target| scope.tasks.chunks(tasks_per_search).map(move |tasks| (target, tasks)))
            {
                let fields = target.fields;
                let mut filter = vec![json!({"terms": {fields.task: tasks}}), exists("iter")];
                filter.extend(metric_filter(metrics, fields));
                let body = json!({
                    "query": {"bool": {"filter": filter}}, "size": 0, "track_total_hits": false,
                    "aggs": {"tasks": aggregate(fields.task, fields.metric)},
                });
                requests.push(Search { indices: target.indices.clone(), body });
                companies.push(company.to_owned());
            }
        }
    }
    let found = searcher.search_all::<ByTask<B>>(&requests).await?;
    let buckets = companies.into_iter().zip(found).flat_map(|(company, found)| {
        let buckets = found.aggregations.map_or_else(Vec::new, |found| found.tasks.buckets);
        buckets.into_iter().map(move |bucket| (company.clone(), bucket))
    });
    Ok(buckets.collect())
}

/// The choices in the order of the sources, then of the metrics.
fn choices(sources: &[Source], found: Found, iters: usize) -> Vec<IterationChoice> {
    let mut by_source: HashMap<(String, String), Vec<IterationChoice>> = HashMap::new();
    for ((company, task, metric), iterations) in found {
        let iters = iterations.into_iter().take(iters).map(|Reverse(iter)| iter).collect();
        let choice = IterationChoice { task: task.clone(), metric, iters };
        by_source.entry((company, task)).or_default().push(choice);
    }
    let mut seen = HashSet::new();
    let distinct = sources.iter().filter(|source| seen.insert(*source));
    let of_source = |source: &Source| by_source.remove(&(source.company.clone(), source.task.clone()));
    distinct.filter_map(of_source).flatten().filter(|choice| !choice.iters.is_empty()).collect()
}
