//! Sampling of scalars, single and latest values.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    documents,
    filters::{all_of, any_of, metric_filter},
    indices::Fields,
    names::{Listing, MetricBucket, Share},
    search::{Buckets, MAX_HITS, Metric, Nothing, Search, Searcher, TopHits, terms_ascending},
};
use crate::{
    Event, EventResult, EventType, KeyField, LatestScalar, LatestScalars, MetricFilter, NameLimits, Number,
    SINGLE_VALUE_ITERATION, SampledSeries, ScalarSampling, Source,
    sampling::{Extent, Group, group},
};

/// Groups of one request: each has at most 6 000 points.
const GROUPS_PER_REQUEST: usize = 12;

/// Extent of a variant.
#[derive(Deserialize)]
struct ExtentBucket {
    key: String,
    doc_count: u64,
    min: Metric,
    max: Metric,
}

/// Points of a variant.
#[derive(Deserialize)]
struct PointsBucket {
    key: String,
    points: Buckets<Point>,
}

#[derive(Deserialize)]
struct Point {
    /// Iterations come as floats.
    key: f64,
    average: Metric,
}

#[derive(Deserialize)]
struct Sampled {
    metrics: Buckets<MetricBucket<PointsBucket>>,
}

/// A histogram of scalars (spec 05 §7.1). All series of a group are averaged by one search.
pub(super) async fn sample(
    searcher: &Searcher,
    query: &ScalarSampling,
    limits: NameLimits,
) -> EventResult<Vec<SampledSeries>> {
    let index = searcher.indices.events(&query.source.company, EventType::Scalar)?;
    let mut base = vec![
        json!({"term": {"task": query.source.task}}),
        json!({"range": {"iter": {"gt": SINGLE_VALUE_ITERATION}}}),
    ];
    let mut filter = base.clone();
    filter.extend(metric_filter(&query.metrics, Fields::PLAIN));
    let field = query.field.name();
    let listing = Listing {
        indices: vec![index.clone()],
        query: all_of(&filter),
        fields: Fields::PLAIN,
        of_variant: json!({"min": {"min": {"field": field}}, "max": {"max": {"field": field}}}),
        of_metric: json!({}),
        share: Share::Half,
    };
    let mut extents: Vec<((String, String), Extent)> = Vec::new();
    for metric in listing.list::<ExtentBucket>(searcher, limits).await? {
        for variant in metric.variants.buckets {
            let (Some(min), Some(max)) = (variant.min.integer(), variant.max.integer()) else { continue };
            let extent = Extent { count: variant.doc_count, min, max };
            extents.push(((metric.key.clone(), variant.key), extent));
        }
    }
    let groups = group(extents, query.samples);

    let mut series = Vec::new();
    for groups in groups.chunks(GROUPS_PER_REQUEST) {
        let requests: Vec<Search> = groups
            .iter()
            .map(|group| {
                base.push(pairs_filter(&group.members));
                let query_of_group = all_of(&base);
                base.pop();
                group_search(&index, &query_of_group, query.field, group)
            })
            .collect();
        for found in searcher.search_all::<Sampled>(&requests).await? {
            let metrics = found.aggregations.map_or_else(Vec::new, |found| found.metrics.buckets);
            series.extend(metrics.into_iter().flat_map(sampled_series));
        }
    }
    Ok(series)
}

fn pairs_filter(pairs: &[(String, String)]) -> Value {
    let mut alternatives = Vec::new();
    // Members of one metric need not stand together.
    let mut by_metric: std::collections::BTreeMap<&str, Vec<&str>> = std::collections::BTreeMap::new();
    for (metric, variant) in pairs {
        by_metric.entry(metric).or_default().push(variant);
    }
    for (metric, variants) in by_metric {
        alternatives
            .push(all_of(&[json!({"term": {"metric": metric}}), json!({"terms": {"variant": variants}})]));
    }
    any_of(alternatives)
}

fn group_search(index: &str, query: &Value, field: KeyField, group: &Group<(String, String)>) -> Search {
    let buckets = match field {
        KeyField::Iter => {
            json!({"histogram": {"field": "iter", "interval": group.interval, "min_doc_count": 1}})
        }
        KeyField::Timestamp => json!({"date_histogram": {
            "field": "timestamp", "fixed_interval": format!("{}ms", group.interval), "min_doc_count": 1,
        }}),
    };
    let mut points = buckets;
    points["aggs"] = json!({"average": {"avg": {"field": "value"}}});
    let size = group.members.len();
    let variants = terms_ascending("variant", size, &json!({"points": points}));
    let body = json!({
        "query": query, "size": 0, "track_total_hits": false,
        "aggs": {"metrics": terms_ascending("metric", size, &json!({"variants": variants}))},
    });
    Search { indices: vec![index.to_owned()], body }
}

fn sampled_series(metric: MetricBucket<PointsBucket>) -> impl Iterator<Item = SampledSeries> {
    let name = metric.key;
    metric.variants.buckets.into_iter().map(move |variant| {
        let points = variant.points.buckets.into_iter();
        let (x, y) = points.map(|point| (point.key as i64, point.average.value)).unzip();
        SampledSeries { metric: name.clone(), variant: variant.key, x, y }
    })
}

/// The single values of tasks (spec 05 §7.4).
pub(super) async fn single_values(
    searcher: &Searcher,
    sources: &[Source],
    metrics: &MetricFilter,
) -> EventResult<Vec<Event>> {
    let scopes = searcher.indices.scopes(sources, Some(EventType::Scalar)).await?;
    let requests: Vec<Search> = scopes
        .iter()
        .map(|scope| {
            let query = scope.query(|fields| {
                let single = json!({"term": {"iter": SINGLE_VALUE_ITERATION}});
                std::iter::once(single).chain(metric_filter(metrics, fields)).collect()
            });
            let body = json!({
                "query": query, "size": MAX_HITS, "track_total_hits": false, "sort": [{"_seq_no": "asc"}],
            });
            Search { indices: scope.indices(), body }
        })
        .collect();
    let found = searcher.search_all::<Nothing>(&requests).await?;
    Ok(found.into_iter().flat_map(|found| documents::events(found.hits.hits)).collect())
}

/// The newest event of a variant.
#[derive(Deserialize)]
struct NewestBucket {
    key: String,
    written: Metric,
    newest: TopHits,
}

/// The latest values above 0 (spec 05 §7.6).
pub(super) async fn latest(
    searcher: &Searcher,
    source: &Source,
    limits: NameLimits,
) -> EventResult<LatestScalars> {
    let filter = vec![json!({"term": {"task": source.task}}), json!({"range": {"value": {"gt": 0}}})];
    let listing = Listing {
        indices: vec![searcher.indices.events(&source.company, EventType::Scalar)?],
        query: all_of(&filter),
        fields: Fields::PLAIN,
        of_variant: json!({
            "written": {"max": {"field": "@timestamp"}},
            "newest": {"top_hits": {
                "size": 1, "_source": ["value"], "sort": [{"iter": {"order": "desc"}}, {"_seq_no": "asc"}],
            }},
        }),
        of_metric: json!({}),
        share: Share::Half,
    };
    let mut latest = LatestScalars::default();
    for metric in listing.list_counted::<NewestBucket>(searcher, limits).await? {
        for NewestBucket { key: variant, written, newest } in metric.variants.buckets {
            let value = newest.hits.hits.first().and_then(|hit| hit.source.0.get("value"));
            let value = match value {
                Some(bson::Bson::Int64(value)) => Number::Int(*value),
                Some(bson::Bson::Double(value)) => Number::Float(*value),
                _ => continue,
            };
            latest.last_written = latest.last_written.max(written.integer());
            latest.values.push(LatestScalar { metric: metric.key.clone(), variant, value });
        }
    }
    Ok(latest)
}
