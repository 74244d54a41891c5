//! Lists of metrics and variants, and what is known of each (spec 05 §4.3, §11).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    indices::Fields,
    search::{Buckets, Metric, NameBucket, Search, Searcher, terms_ascending},
};
use crate::{EventResult, EventType, MetricVariants, NameLimits, SINGLE_VALUE_ITERATION, Source};

/// The most metrics of `get_task_metrics` (spec 05 §11).
const MAX_TASK_METRICS: usize = 8000;

/// The most metrics, and variants of one, that are asked for before their number is known.
const MAX_NAMES: usize = 10_000;

/// How the numbers of metrics and variants are limited.
#[derive(Debug, Clone, Copy)]
pub(super) enum Share {
    Full,
    /// Half the variants.
    Half,
    /// A part of the variants: each needs so many buckets.
    Part(usize),
}

impl Share {
    /// Greatest number of metrics, and of variants for each.
    fn limits(self, limits: NameLimits, metrics: usize) -> (usize, usize) {
        match self {
            Self::Full => limits.for_metrics(metrics),
            Self::Half => limits.halved_for_metrics(metrics),
            Self::Part(parts) => {
                let (metrics, variants) = limits.for_metrics(metrics);
                (metrics, (variants / parts.max(1)).max(1))
            }
        }
    }
}

/// A metric, and what is known of its variants.
#[derive(Debug, Deserialize)]
#[serde(bound = "V: DeserializeOwned")]
pub(super) struct MetricBucket<V> {
    pub(super) key: String,
    pub(super) variants: Buckets<V>,
    /// Greatest event timestamp, if asked for.
    #[serde(default)]
    pub(super) newest: Metric,
}

#[derive(Deserialize)]
#[serde(bound = "V: DeserializeOwned")]
struct ByMetric<V> {
    metrics: Buckets<MetricBucket<V>>,
}

#[derive(Deserialize)]
struct MetricCount {
    metrics: Metric,
}

/// A listing of metrics and variants, both ascending.
pub(super) struct Listing {
    pub(super) indices: Vec<String>,
    pub(super) query: Value,
    pub(super) fields: Fields,
    /// What to find out of each variant.
    pub(super) of_variant: Value,
    /// What to find out of each metric.
    pub(super) of_metric: Value,
    pub(super) share: Share,
}

impl Listing {
    /// Metrics and variants, cut to the limits.
    ///
    /// Usually one request is enough: names are few, and all are asked for. Where that would be too many buckets,
    /// the metrics are counted first, as an official server always does.
    pub(super) async fn list<V>(
        &self,
        searcher: &Searcher,
        limits: NameLimits,
    ) -> EventResult<Vec<MetricBucket<V>>>
    where
        V: DeserializeOwned + Send + 'static,
    {
        let (metrics, variants) =
            if limits.dynamic { (MAX_NAMES, MAX_NAMES) } else { self.share.limits(limits, 1) };
        let all = [self.search(metrics, variants)];
        let found = searcher.try_all::<ByMetric<V>>(&all).await?.pop();
        match found {
            Some(Err(refusal)) if refusal.is_too_many_buckets() => self.list_counted(searcher, limits).await,
            Some(Err(refusal)) => Err(refusal.into()),
            Some(Ok(found)) => {
                let mut metrics = found.aggregations.map_or_else(Vec::new, |found| found.metrics.buckets);
                let (max_metrics, max_variants) = self.share.limits(limits, metrics.len());
                metrics.truncate(max_metrics);
                for metric in &mut metrics {
                    metric.variants.buckets.truncate(max_variants);
                }
                Ok(metrics)
            }
            None => Ok(Vec::new()),
        }
    }

    /// As [`Self::list`], with only as many buckets as are used: for those that hold much.
    pub(super) async fn list_counted<V>(
        &self,
        searcher: &Searcher,
        limits: NameLimits,
    ) -> EventResult<Vec<MetricBucket<V>>>
    where
        V: DeserializeOwned + Send + 'static,
    {
        let count = json!({
            "query": self.query, "size": 0, "track_total_hits": false,
            "aggs": {"metrics": {"cardinality": {"field": self.fields.metric}}},
        });
        let counted: Option<MetricCount> =
            searcher.search(Search { indices: self.indices.clone(), body: count }).await?.aggregations;
        let count = counted.and_then(|counted| counted.metrics.integer()).unwrap_or(0);
        let (metrics, variants) = self.share.limits(limits, count.max(0) as usize);
        let found = searcher.search::<ByMetric<V>>(self.search(metrics, variants)).await?;
        Ok(found.aggregations.map_or_else(Vec::new, |found| found.metrics.buckets))
    }

    fn search(&self, metrics: usize, variants: usize) -> Search {
        let mut of_metric = self.of_metric.clone();
        of_metric["variants"] = terms_ascending(self.fields.variant, variants, &self.of_variant);
        let body = json!({
            "query": self.query, "size": 0, "track_total_hits": false,
            "aggs": {"metrics": terms_ascending(self.fields.metric, metrics, &of_metric)},
        });
        Search { indices: self.indices.clone(), body }
    }
}

/// Metrics with an event after the single-value iteration.
pub(super) async fn metrics_with_iterations(
    searcher: &Searcher,
    source: &Source,
    event_type: Option<EventType>,
) -> EventResult<Vec<String>> {
    #[derive(Deserialize)]
    struct Names {
        metrics: Buckets<NameBucket>,
    }

    let scope = searcher.indices.scope(source, event_type).await?;
    let requests: Vec<Search> = scope
        .targets
        .iter()
        .map(|target| {
            let filter = [
                json!({"term": {target.fields.task: source.task}}),
                json!({"range": {"iter": {"gt": SINGLE_VALUE_ITERATION}}}),
            ];
            let names = terms_ascending(target.fields.metric, MAX_TASK_METRICS, &json!({}));
            let body = json!({
                "query": {"bool": {"filter": filter}}, "size": 0, "track_total_hits": false,
                "aggs": {"metrics": names},
            });
            Search { indices: target.indices.clone(), body }
        })
        .collect();
    let found = searcher.search_all::<Names>(&requests).await?;
    let names: BTreeSet<String> = found
        .into_iter()
        .filter_map(|found| found.aggregations)
        .flat_map(|found| found.metrics.buckets)
        .map(|bucket| bucket.key)
        .collect();
    Ok(names.into_iter().take(MAX_TASK_METRICS).collect())
}

/// Metrics and variants of all tasks together.
pub(super) async fn metric_variants(
    searcher: &Searcher,
    sources: &[Source],
    event_type: Option<EventType>,
    limits: NameLimits,
) -> EventResult<Vec<MetricVariants>> {
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for scope in searcher.indices.scopes(sources, event_type).await? {
        for target in scope.targets {
            let listing = Listing {
                query: json!({"bool": {"filter": [{"terms": {target.fields.task: scope.tasks}}]}}),
                indices: target.indices,
                fields: target.fields,
                of_variant: json!({}),
                of_metric: json!({}),
                share: Share::Full,
            };
            for metric in listing.list::<NameBucket>(searcher, limits).await? {
                let variants = metric.variants.buckets.into_iter().map(|variant| variant.key);
                names.entry(metric.key).or_default().extend(variants);
            }
        }
    }
    let (metrics, variants) = limits.for_metrics(names.len());
    let limited = names.into_iter().take(metrics).map(|(metric, names)| MetricVariants {
        metric,
        variants: names.into_iter().take(variants).collect(),
    });
    Ok(limited.collect())
}
