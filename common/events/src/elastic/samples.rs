//! The sample viewers: one image, or the plots of one metric, at a time (spec 05 §10).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    documents,
    filters::{MAX_ALTERNATIVES, all_of, any_of, exists, metric_filter, named},
    indices::Fields,
    names::{Listing, Share},
    search::{Buckets, Hit, MAX_TOP_HITS, Metric, Nothing, Search, Searcher, TopHits, terms_ascending},
    windows::beyond_iteration,
};
use crate::{
    Event, EventResult, EventType, ImageCandidate, ImageStep, MetricFilter, MetricRange, NameLimits, Order,
    PlotStep, PlotsAtIteration, Source, VariantRange,
};

/// The most metrics of `get_plot_sample`.
const MAX_PLOT_METRICS: usize = 5000;

/// Urls of one shard that take part in finding the oldest image, where an index has several shards.
const URLS_PER_SHARD: usize = 100;

/// The images of a variant.
#[derive(Deserialize)]
struct ImagesBucket {
    key: String,
    newest: Metric,
    #[serde(default)]
    oldest: Buckets<UrlBucket>,
}

/// The newest use of a url.
#[derive(Deserialize)]
struct UrlBucket {
    newest: Metric,
}

/// The iterations of each variant's images.
pub(super) async fn image_ranges(
    searcher: &Searcher,
    source: &Source,
    metric: Option<&str>,
    limits: NameLimits,
) -> EventResult<Vec<VariantRange>> {
    let mut filter = vec![json!({"term": {"task": source.task}}), exists("url"), exists("iter")];
    filter.extend(metric_filter(&MetricFilter::metrics(metric), Fields::PLAIN));
    let newest = json!({"max": {"field": "iter"}});
    let listing = Listing {
        indices: vec![searcher.indices.events(&source.company, EventType::Image)?],
        query: all_of(&filter),
        fields: Fields::PLAIN,
        of_variant: json!({
            "newest": newest,
            // The url whose newest use is the oldest.
            "oldest": {
                "terms": {
                    "field": "url", "size": 1, "shard_size": URLS_PER_SHARD, "order": [{"newest": "asc"}],
                },
                "aggs": {"newest": newest},
            },
        }),
        of_metric: json!({}),
        share: Share::Half,
    };
    let mut ranges = Vec::new();
    for metric in listing.list::<ImagesBucket>(searcher, limits).await? {
        for images in metric.variants.buckets {
            let oldest = images.oldest.buckets.first().and_then(|url| url.newest.integer());
            if let (Some(min_iteration), Some(max_iteration)) = (oldest, images.newest.integer()) {
                let (metric, variant) = (metric.key.clone(), images.key);
                ranges.push(VariantRange { metric, variant, min_iteration, max_iteration });
            }
        }
    }
    Ok(ranges)
}

/// The newest image of a variant up to an iteration.
pub(super) async fn image(
    searcher: &Searcher,
    source: &Source,
    candidate: &ImageCandidate,
    at_most: Option<i64>,
) -> EventResult<Option<Event>> {
    let mut bounds = json!({"gte": candidate.min_iteration});
    if let Some(at_most) = at_most {
        bounds["lte"] = json!(at_most);
    }
    let mut filter =
        vec![json!({"term": {"task": source.task}}), exists("url"), json!({"range": {"iter": bounds}})];
    filter.extend(named(&candidate.metric, &candidate.variant));
    let sort = [descending("iter"), descending("url"), json!({"_seq_no": "asc"})];
    let found = images(searcher, source, vec![all_of(&filter)], &json!(sort)).await?;
    Ok(found.into_iter().next().and_then(documents::event))
}

/// The next image among some variants.
pub(super) async fn next_image(
    searcher: &Searcher,
    source: &Source,
    candidates: &[ImageCandidate],
    step: ImageStep,
) -> EventResult<Option<Event>> {
    let (iterations, order) = match step {
        ImageStep::SameIteration(iter, order) => (json!({"term": {"iter": iter}}), order),
        ImageStep::Before(iter) => (beyond_iteration(Order::Descending, iter), Order::Descending),
        ImageStep::After(iter) => (beyond_iteration(Order::Ascending, iter), Order::Ascending),
    };
    let directed = |field: &str| json!({field: {"order": order.name(), "unmapped_type": "keyword"}});
    let iter = json!({"iter": {"order": order.name(), "unmapped_type": "long"}});
    let sort = [iter, directed("metric"), directed("variant"), descending("url"), json!({"_seq_no": "asc"})];
    let queries = candidate_filters(candidates)
        .into_iter()
        .map(|candidates| {
            all_of(&[json!({"term": {"task": source.task}}), exists("url"), iterations.clone(), candidates])
        })
        .collect();
    let found = images(searcher, source, queries, &json!(sort)).await?;
    let events = found.into_iter().filter_map(documents::event);
    let place = |event: &Event| (event.iter, event.metric.clone(), event.variant.clone());
    // Each part has found its first one.
    Ok(match order {
        Order::Ascending => events.min_by_key(place),
        Order::Descending => events.max_by_key(place),
    })
}

/// Alternatives for the candidates; each query has a bounded number of clauses.
fn candidate_filters(candidates: &[ImageCandidate]) -> Vec<Value> {
    let mut variants: BTreeMap<(&str, i64), Vec<&str>> = BTreeMap::new();
    for ImageCandidate { metric, variant, min_iteration } in candidates {
        variants.entry((metric, *min_iteration)).or_default().push(variant);
    }
    let alternatives: Vec<Value> = variants
        .into_iter()
        .map(|((metric, min_iteration), variants)| {
            all_of(&[
                json!({"term": {"metric": metric}}),
                json!({"terms": {"variant": variants}}),
                json!({"range": {"iter": {"gte": min_iteration}}}),
            ])
        })
        .collect();
    alternatives.chunks(MAX_ALTERNATIVES / 3 * 2).map(|part| any_of(part.to_vec())).collect()
}

/// The first image of each query.
async fn images(
    searcher: &Searcher,
    source: &Source,
    queries: Vec<Value>,
    sort: &Value,
) -> EventResult<Vec<Hit>> {
    let index = searcher.indices.events(&source.company, EventType::Image)?;
    let search = |query: Value| Search {
        indices: vec![index.clone()],
        body: json!({"query": query, "size": 1, "track_total_hits": false, "sort": sort}),
    };
    let requests: Vec<Search> = queries.into_iter().map(search).collect();
    let found = searcher.search_all::<Nothing>(&requests).await?;
    Ok(found.into_iter().flat_map(|found| found.hits.hits).collect())
}

fn descending(field: &str) -> Value {
    let kind = if field == "iter" { "long" } else { "keyword" };
    json!({field: {"order": "desc", "unmapped_type": kind}})
}

/// The plots of a metric.
#[derive(Deserialize)]
struct PlotsBucket {
    key: String,
    min: Metric,
    max: Metric,
}

#[derive(Deserialize)]
struct Ranges {
    metrics: Buckets<PlotsBucket>,
}

/// The iterations of each metric's plots.
pub(super) async fn plot_ranges(
    searcher: &Searcher,
    source: &Source,
    metric: Option<&str>,
) -> EventResult<Vec<MetricRange>> {
    let mut filter = vec![json!({"term": {"task": source.task}}), exists("iter")];
    filter.extend(metric_filter(&MetricFilter::metrics(metric), Fields::PLAIN));
    let of_metric = json!({"min": {"min": {"field": "iter"}}, "max": {"max": {"field": "iter"}}});
    let body = json!({
        "query": all_of(&filter), "size": 0, "track_total_hits": false,
        "aggs": {"metrics": terms_ascending("metric", MAX_PLOT_METRICS, &of_metric)},
    });
    let indices = vec![searcher.indices.events(&source.company, EventType::Plot)?];
    let found = searcher.search::<Ranges>(Search { indices, body }).await?;
    let range = |plots: PlotsBucket| {
        let (min_iteration, max_iteration) = (plots.min.integer()?, plots.max.integer()?);
        Some(MetricRange { metric: plots.key, min_iteration, max_iteration })
    };
    let metrics = found.aggregations.map_or_else(Vec::new, |found| found.metrics.buckets);
    Ok(metrics.into_iter().filter_map(range).collect())
}

/// The plots of the first iteration, and its first metric.
#[derive(Deserialize)]
struct Plots {
    iters: Buckets<PlotIteration>,
}

#[derive(Deserialize)]
struct PlotIteration {
    key: i64,
    metrics: Buckets<PlotMetric>,
}

#[derive(Deserialize)]
struct PlotMetric {
    key: String,
    plots: TopHits,
}

/// The newest plots of a metric up to an iteration.
pub(super) async fn plots(
    searcher: &Searcher,
    source: &Source,
    metric: &str,
    at_most: Option<i64>,
) -> EventResult<Option<PlotsAtIteration>> {
    let mut filter = vec![json!({"term": {"task": source.task}}), json!({"term": {"metric": metric}})];
    if let Some(at_most) = at_most {
        filter.push(json!({"range": {"iter": {"lte": at_most}}}));
    }
    first_plots(searcher, source, filter, Order::Descending).await
}

/// The next plots before or after the present ones.
pub(super) async fn next_plots(
    searcher: &Searcher,
    source: &Source,
    step: &PlotStep,
) -> EventResult<Option<PlotsAtIteration>> {
    let mut filter = vec![json!({"term": {"task": source.task}})];
    let other_iterations = beyond_iteration(step.order, step.iteration);
    if step.same_metric {
        filter.push(json!({"term": {"metric": step.metric}}));
    }
    if step.same_metric || step.next_iteration {
        filter.push(other_iterations);
    } else {
        let ahead = match step.order {
            Order::Ascending => json!({"range": {"metric": {"gt": step.metric}}}),
            Order::Descending => json!({"range": {"metric": {"lt": step.metric}}}),
        };
        let same_iteration = all_of(&[json!({"term": {"iter": step.iteration}}), ahead]);
        filter.push(any_of(vec![same_iteration, other_iterations]));
    }
    first_plots(searcher, source, filter, step.order).await
}

/// The plots of the first metric at the first iteration in a direction.
async fn first_plots(
    searcher: &Searcher,
    source: &Source,
    filter: Vec<Value>,
    order: Order,
) -> EventResult<Option<PlotsAtIteration>> {
    let first = |field: &str| json!({"field": field, "size": 1, "order": {"_key": order.name()}});
    let plots = json!({"top_hits": {"size": MAX_TOP_HITS, "sort": [{"variant": "asc"}, {"_seq_no": "asc"}]}});
    let body = json!({
        "query": all_of(&filter), "size": 0, "track_total_hits": false,
        "aggs": {"iters": {
            "terms": first("iter"),
            "aggs": {"metrics": {"terms": first("metric"), "aggs": {"plots": plots}}},
        }},
    });
    let indices = vec![searcher.indices.events(&source.company, EventType::Plot)?];
    let found = searcher.search::<Plots>(Search { indices, body }).await?;
    let first = found.aggregations.and_then(|found| found.iters.buckets.into_iter().next());
    Ok(first.and_then(|PlotIteration { key: iteration, metrics }| {
        let PlotMetric { key: metric, plots } = metrics.buckets.into_iter().next()?;
        Some(PlotsAtIteration { metric, iteration, events: documents::events(plots.hits.hits) })
    }))
}
