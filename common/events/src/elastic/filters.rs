//! Conditions in the form of queries.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::indices::Fields;
use crate::{IterationChoice, KeyField, MetricFilter};

/// The most alternatives of one query: far below the 1 024 clauses that any version takes.
pub(super) const MAX_ALTERNATIVES: usize = 500;

impl KeyField {
    /// The name of the field.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Iter => "iter",
            Self::Timestamp => "timestamp",
        }
    }
}

/// At least one of these. Many are put in groups, so that no group is too large.
pub(super) fn any_of(mut alternatives: Vec<Value>) -> Value {
    if alternatives.len() == 1
        && let Some(only) = alternatives.pop()
    {
        return only;
    }
    if alternatives.len() > MAX_ALTERNATIVES {
        let groups = alternatives.chunks(MAX_ALTERNATIVES).map(|group| any_of(group.to_vec())).collect();
        return any_of(groups);
    }
    json!({"bool": {"should": alternatives, "minimum_should_match": 1}})
}

/// All of these.
pub(super) fn all_of(conditions: &[Value]) -> Value {
    json!({"bool": {"filter": conditions}})
}

/// The events of a metric filter (spec 05 §4.1); `None` for all.
pub(super) fn metric_filter(filter: &MetricFilter, fields: Fields) -> Option<Value> {
    if filter.is_all() {
        return None;
    }
    // Metrics with the same variants share a condition.
    let mut by_variants: BTreeMap<Vec<&str>, Vec<&str>> = BTreeMap::new();
    for (metric, variants) in filter.entries() {
        let mut variants: Vec<&str> = variants.iter().map(String::as_str).collect();
        variants.sort_unstable();
        variants.dedup();
        by_variants.entry(variants).or_default().push(metric);
    }
    let alternatives = by_variants.into_iter().map(|(variants, mut metrics)| {
        metrics.sort_unstable();
        let metrics = json!({"terms": {fields.metric: metrics}});
        if variants.is_empty() {
            return metrics;
        }
        all_of(&[metrics, json!({"terms": {fields.variant: variants}})])
    });
    Some(any_of(alternatives.collect()))
}

/// Alternatives for the chosen iterations: each query has a bounded number of clauses, and what one matches no
/// other does, unless the choices overlap.
pub(super) fn iteration_filters(choices: &[IterationChoice], fields: Fields) -> Vec<Value> {
    // Metrics of a task with the same iterations share a condition, tasks without metrics too.
    let mut tasks: BTreeMap<&[i64], Vec<&str>> = BTreeMap::new();
    let mut metrics: BTreeMap<(&str, &[i64]), Vec<&str>> = BTreeMap::new();
    for choice in choices {
        match &choice.metric {
            None => tasks.entry(&choice.iters).or_default().push(&choice.task),
            Some(metric) => metrics.entry((&choice.task, &choice.iters)).or_default().push(metric),
        }
    }
    let of_tasks = tasks.into_iter().map(|(iters, tasks)| {
        all_of(&[json!({"terms": {fields.task: tasks}}), json!({"terms": {"iter": iters}})])
    });
    let of_metrics = metrics.into_iter().map(|((task, iters), metrics)| {
        all_of(&[
            json!({"term": {fields.task: task}}),
            json!({"terms": {fields.metric: metrics}}),
            json!({"terms": {"iter": iters}}),
        ])
    });
    let alternatives: Vec<Value> = of_tasks.chain(of_metrics).collect();
    // Three clauses each.
    alternatives.chunks(MAX_ALTERNATIVES / 3 * 2).map(|part| any_of(part.to_vec())).collect()
}

/// Exactly this metric, and variant.
pub(super) fn named(metric: &str, variant: &str) -> [Value; 2] {
    [json!({"term": {"metric": metric}}), json!({"term": {"variant": variant}})]
}

/// Events that have a field.
pub(super) fn exists(field: &str) -> Value {
    json!({"exists": {"field": field}})
}

/// Times in milliseconds. Without the format, four digits would be a year.
pub(super) fn time_range(field: &str, bounds: &Value) -> Value {
    let mut bounds = bounds.clone();
    if let Value::Object(bounds) = &mut bounds {
        bounds.insert("format".to_owned(), json!("epoch_millis"));
    }
    json!({"range": {field: bounds}})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MetricVariants;

    #[test]
    fn metrics_with_like_variants_share_a_condition() {
        assert_eq!(metric_filter(&MetricFilter::all(), Fields::PLAIN), None);
        let entry = |metric: &str, variants: &[&str]| MetricVariants {
            metric: metric.to_owned(),
            variants: variants.iter().map(|variant| (*variant).to_owned()).collect(),
        };
        let filter = MetricFilter::new([entry("b", &[]), entry("a", &[]), entry("c", &["y", "x"])]);
        let expected = json!({"bool": {"minimum_should_match": 1, "should": [
            {"terms": {"metric": ["a", "b"]}},
            {"bool": {"filter": [{"terms": {"metric": ["c"]}}, {"terms": {"variant": ["x", "y"]}}]}},
        ]}});
        assert_eq!(metric_filter(&filter, Fields::PLAIN).unwrap(), expected);
    }

    #[test]
    fn no_query_has_too_many_clauses() {
        let choices: Vec<_> = (0..10_000)
            .map(|index| IterationChoice {
                task: format!("t{}", index / 100),
                metric: Some(format!("m{index}")),
                iters: vec![index],
            })
            .collect();
        let filters = iteration_filters(&choices, Fields::PLAIN);
        assert!(filters.len() > 10);
        for filter in filters {
            assert!(filter["bool"]["should"].as_array().unwrap().len() * 3 <= 1000);
        }
        let many = any_of((0..2000).map(|index| json!({"term": {"metric": index}})).collect());
        assert_eq!(many["bool"]["should"].as_array().unwrap().len(), 4);
    }
}
