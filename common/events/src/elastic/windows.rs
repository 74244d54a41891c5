//! Latest plots, and windows over the iterations of plots and images.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    documents,
    filters::{all_of, exists, metric_filter},
    indices::Fields,
    names::{Listing, Share},
    search::{Buckets, IntegerBucket, MAX_TOP_HITS, Search, Searcher, TopHits, terms_ascending},
};
use crate::{
    Event, EventResult, EventType, IterationEvents, MetricFilter, MetricState, NameLimits, Order, Source,
    VariantState, Window, WindowKind,
};

/// The most iterations of one window.
const MAX_ITERATIONS: usize = 1000;

/// Some events of a bucket, by name.
#[derive(Deserialize)]
struct EventsBucket {
    #[serde(default)]
    events: TopHits,
}

/// The latest plots of each variant (spec 05 §8).
pub(super) async fn latest_plots(
    searcher: &Searcher,
    source: &Source,
    metrics: &MetricFilter,
    iters: usize,
    limits: NameLimits,
) -> EventResult<Vec<Event>> {
    if iters == 0 {
        return Ok(Vec::new());
    }
    let valid = json!({"bool": {"minimum_should_match": 1, "should": [
        {"term": {"valid_plot": true}}, {"bool": {"must_not": [exists("valid_plot")]}},
    ]}});
    let mut filter = vec![json!({"term": {"task": source.task}}), valid];
    filter.extend(metric_filter(metrics, Fields::PLAIN));
    let listing = Listing {
        indices: vec![searcher.indices.events(&source.company, EventType::Plot)?],
        query: all_of(&filter),
        fields: Fields::PLAIN,
        of_variant: json!({"events": {"top_hits": {
            // The cluster refuses more.
            "size": iters.min(MAX_TOP_HITS), "sort": [{"iter": {"order": "desc"}}, {"_seq_no": "asc"}],
        }}}),
        of_metric: json!({}),
        share: Share::Part(iters),
    };
    let metrics = listing.list_counted::<EventsBucket>(searcher, limits).await?;
    let variants = metrics.into_iter().flat_map(|metric| metric.variants.buckets);
    Ok(variants.flat_map(|variant| documents::events(variant.events.hits.hits)).collect())
}

/// The newest image of a variant.
#[derive(Deserialize)]
struct UrlsBucket {
    key: String,
    #[serde(default)]
    urls: Buckets<UrlBucket>,
}

/// Greatest iterations of a url.
#[derive(Deserialize)]
struct UrlBucket {
    iters: Buckets<IntegerBucket>,
}

/// What a window needs to know at its start (spec 05 §9).
pub(super) async fn metric_states(
    searcher: &Searcher,
    source: &Source,
    kind: WindowKind,
    metrics: &MetricFilter,
    limits: NameLimits,
) -> EventResult<Vec<MetricState>> {
    let mut filter = vec![json!({"term": {"task": source.task}})];
    filter.extend(metric_filter(metrics, Fields::PLAIN));
    let of_variant = match kind {
        WindowKind::Images => {
            filter.push(exists("url"));
            // The url with the greatest iteration; only its iterations are collected.
            json!({"urls": {
                "terms": {
                    "field": "url", "size": 1, "collect_mode": "breadth_first",
                    "order": [{"newest": "desc"}, {"_key": "desc"}],
                },
                "aggs": {
                    "newest": {"max": {"field": "iter"}},
                    "iters": {"terms": {"field": "iter", "size": 2, "order": {"_key": "desc"}}},
                },
            }})
        }
        WindowKind::Plots => json!({}),
    };
    let listing = Listing {
        indices: vec![searcher.indices.events(&source.company, kind.event_type())?],
        query: all_of(&filter),
        fields: Fields::PLAIN,
        of_variant,
        of_metric: json!({"newest": {"max": {"field": "timestamp"}}}),
        share: Share::Half,
    };
    let states = listing.list::<UrlsBucket>(searcher, limits).await?.into_iter().map(|metric| MetricState {
        timestamp: metric.newest.integer().unwrap_or(0),
        variants: metric.variants.buckets.into_iter().map(variant_state).collect(),
        metric: metric.key,
    });
    Ok(states.collect())
}

fn variant_state(variant: UrlsBucket) -> VariantState {
    let newest = variant.urls.buckets.first();
    let second = newest.and_then(|url| url.iters.buckets.get(1));
    VariantState { variant: variant.key, last_invalid_iteration: second.map(|bucket| bucket.key) }
}

#[derive(Deserialize)]
struct Iterations {
    iters: Buckets<IterationBucket>,
}

#[derive(Deserialize)]
struct IterationBucket {
    key: i64,
    metrics: Buckets<MetricEvents>,
}

#[derive(Deserialize)]
struct MetricEvents {
    variants: Buckets<EventsBucket>,
}

/// The next iterations of a window (spec 05 §9).
pub(super) async fn window(
    searcher: &Searcher,
    query: &Window,
    limits: NameLimits,
) -> EventResult<Vec<IterationEvents>> {
    let metrics: HashSet<&String> = query.metrics.iter().collect();
    let iters = query.iters.min(MAX_ITERATIONS);
    let nothing_beyond = match query.order {
        Order::Ascending => query.beyond == Some(i64::MAX),
        Order::Descending => query.beyond == Some(i64::MIN),
    };
    if metrics.is_empty() || iters == 0 || nothing_beyond {
        return Ok(Vec::new());
    }
    let max_variants = (limits.budget() / (metrics.len() * iters)).max(1);
    let mut filter =
        vec![json!({"term": {"task": query.source.task}}), json!({"terms": {"metric": metrics}})];
    if let Some(beyond) = query.beyond {
        filter.push(beyond_iteration(query.order, beyond));
    }
    let newest = match query.kind {
        WindowKind::Images => {
            filter.push(exists("url"));
            json!({"url": {"order": "desc", "unmapped_type": "keyword"}})
        }
        WindowKind::Plots => json!({"timestamp": {"order": "desc"}}),
    };
    let events = json!({"events": {"top_hits": {"size": 1, "sort": [newest, {"_seq_no": "asc"}]}}});
    let variants = json!({"variants": terms_ascending("variant", max_variants, &events)});
    let by_metric = json!({"metrics": terms_ascending("metric", metrics.len(), &variants)});
    let body = json!({
        "query": all_of(&filter), "size": 0, "track_total_hits": false,
        "aggs": {"iters": {
            "terms": {"field": "iter", "size": iters, "order": {"_key": query.order.name()}},
            "aggs": by_metric,
        }},
    });
    let indices = vec![searcher.indices.events(&query.source.company, query.kind.event_type())?];
    let found = searcher.search::<Iterations>(Search { indices, body }).await?;
    let iterations = found.aggregations.map_or_else(Vec::new, |found| found.iters.buckets);
    let events = |bucket: IterationBucket| {
        let variants = bucket.metrics.buckets.into_iter().flat_map(|metric| metric.variants.buckets);
        let events = variants.flat_map(|variant| documents::events(variant.events.hits.hits)).collect();
        IterationEvents { iter: bucket.key, events }
    };
    Ok(iterations.into_iter().map(events).collect())
}

/// Iterations strictly beyond one.
pub(super) fn beyond_iteration(order: Order, iteration: i64) -> Value {
    match order {
        Order::Ascending => json!({"range": {"iter": {"gt": iteration}}}),
        Order::Descending => json!({"range": {"iter": {"lt": iteration}}}),
    }
}
