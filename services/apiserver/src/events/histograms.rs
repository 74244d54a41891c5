//! Scalars in buckets, for charts: `scalar_metrics_iter_histogram`,
//! `multi_task_scalar_metrics_iter_histogram` (spec 05 §7.1, §7.2).

use std::{collections::HashMap, sync::Arc};

use bson::{Bson, Document};
use clearml_events::{MetricFilter, SampledSeries, ScalarSampling};
use indexmap::IndexMap;

use super::{
    access::{Owner, readable_many_with, readable_with},
    requests::{HistogramRequest, MultiHistogramRequest, ScalarKey},
    series::{write_float, write_key, write_list, write_object, write_optional},
    side_by_side,
};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, Patch, Reply, check, json},
};

const DEFAULT_SAMPLES: i64 = 2000;

const MAX_SAMPLES: i64 = 6000;

/// The stored field with the labels of x axes.
pub(super) const LABEL_FIELDS: [&str; 1] = ["last_metrics"];

/// `events.scalar_metrics_iter_histogram`.
pub(super) async fn scalar_metrics_iter_histogram(
    app: Arc<App>,
    call: Arc<Call>,
    request: HistogramRequest,
) -> ApiResult {
    let sampling = Sampling::new(request.samples, request.key)?;
    let owner = readable_with(&app, &call, &request.task, request.model_events, &LABEL_FIELDS).await?;
    let series = sampling.sample(&app, &owner, &MetricFilter::new(request.metrics)).await?;
    let labels = AxisLabels::of(&owner);
    let mut by_metric: IndexMap<&str, Vec<(&str, &SampledSeries)>> = IndexMap::new();
    for series in &series {
        by_metric.entry(&series.metric).or_default().push((&series.variant, series));
    }
    let mut out = Vec::with_capacity(series.iter().map(|series| 24 * series.x.len() + 100).sum());
    write_object(&mut out, by_metric, |out, variants| {
        write_object(out, variants, |out, series| {
            write_series(out, series, Some(&series.variant), sampling.key, labels.get(series));
        });
    });
    Ok(Reply::Json(out))
}

/// `events.multi_task_scalar_metrics_iter_histogram`.
pub(super) async fn multi_task_scalar_metrics_iter_histogram(
    app: Arc<App>,
    call: Arc<Call>,
    request: MultiHistogramRequest,
) -> ApiResult {
    check::not_empty("tasks", &request.tasks)?;
    check_number_of_tasks(&app, request.tasks.len())?;
    let sampling = Sampling::new(request.samples, request.key)?;
    let owners = readable_many_with(&app, &call, &request.tasks, request.model_events, &LABEL_FIELDS).await?;
    let metrics = MetricFilter::new(request.metrics);
    Ok(Reply::Json(multi_task_histograms(&app, &owners, sampling, &metrics).await?))
}

/// 400/12 for more tasks than one call may sample.
pub(super) fn check_number_of_tasks(app: &App, tasks: usize) -> ApiResult<()> {
    let limit = app.settings.events.multi_task_histogram_limit;
    if tasks > limit {
        return Err(ApiError::validation(format!("up to {limit} tasks supported")));
    }
    Ok(())
}

/// `{metrics: {metric: {variant: {task: {name, x, y}}}}}` as JSON. The owners are read with [`LABEL_FIELDS`].
pub(super) async fn multi_task_histograms(
    app: &App,
    owners: &[Owner],
    sampling: Sampling,
    metrics: &MetricFilter,
) -> ApiResult<Vec<u8>> {
    let queries = owners.iter().map(|owner| sampling.sample(app, owner, metrics)).collect();
    let sampled: Vec<Vec<SampledSeries>> = side_by_side(app, queries).await?;

    let labels: Vec<AxisLabels<'_>> = owners.iter().map(AxisLabels::of).collect();
    let mut by_metric: IndexMap<&str, IndexMap<&str, ByTask<'_>>> = IndexMap::new();
    for (index, series) in sampled.iter().enumerate() {
        for series in series {
            let by_task = by_metric.entry(&series.metric).or_default().entry(&series.variant).or_default();
            by_task.push((owners[index].id(), (index, series)));
        }
    }
    let mut out = Vec::new();
    write_object(&mut out, [("metrics", by_metric)], |out, metrics| {
        write_object(out, metrics, |out, variants| {
            write_object(out, variants, |out, tasks| {
                write_object(out, tasks, |out, (index, series)| {
                    write_series(out, series, owners[index].name(), sampling.key, labels[index].get(series));
                });
            });
        });
    });
    Ok(out)
}

/// Series by task id, each with the number of the task.
type ByTask<'a> = Vec<(&'a str, (usize, &'a SampledSeries))>;

/// How a call wants its points.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sampling {
    samples: usize,
    key: ScalarKey,
}

impl Sampling {
    pub(super) fn new(samples: Patch<i64>, key: Patch<ScalarKey>) -> ApiResult<Self> {
        let samples = match samples {
            Patch::Absent => DEFAULT_SAMPLES,
            Patch::Null => return Err(ApiError::validation("error for field 'samples': field is required!")),
            Patch::Value(samples) => samples,
        };
        check::at_least("samples", samples, 1)?;
        check::at_most("samples", samples, MAX_SAMPLES)?;
        let key = match key {
            Patch::Absent => ScalarKey::Iter,
            Patch::Null => return Err(ApiError::validation("error for field 'key': field is required!")),
            Patch::Value(key) => key,
        };
        Ok(Self { samples: samples as usize, key })
    }

    async fn sample(self, app: &App, owner: &Owner, metrics: &MetricFilter) -> ApiResult<Vec<SampledSeries>> {
        let query = ScalarSampling {
            source: owner.source.clone(),
            metrics: metrics.clone(),
            field: self.key.field(),
            samples: self.samples,
        };
        Ok(app.events.sample_scalars(query).await?)
    }
}

/// The labels of x axes that a task's or model's scalars were reported with.
struct AxisLabels<'a>(HashMap<(&'a str, &'a str), &'a Bson>);

impl<'a> AxisLabels<'a> {
    fn of(owner: &'a Owner) -> Self {
        let entries = owner.document.get_document("last_metrics").into_iter().flatten();
        let leaves = entries
            .filter_map(|(_, variants)| variants.as_document())
            .flatten()
            .filter_map(|(_, leaf)| leaf.as_document());
        let label = |leaf: &'a Document| {
            let label = leaf.get("x_axis_label").filter(|label| **label != Bson::Null)?;
            Some(((leaf.get_str("metric").ok()?, leaf.get_str("variant").ok()?), label))
        };
        Self(leaves.filter_map(label).collect())
    }

    fn get(&self, series: &SampledSeries) -> Option<&'a Bson> {
        self.0.get(&(series.metric.as_str(), series.variant.as_str())).copied()
    }
}

fn write_series(
    out: &mut Vec<u8>,
    series: &SampledSeries,
    name: Option<&str>,
    key: ScalarKey,
    label: Option<&Bson>,
) {
    out.extend_from_slice(b"{\"name\":");
    write_optional(out, name, json::write_text);
    out.extend_from_slice(b",\"x\":");
    write_list(out, &series.x, |out, x| write_key(out, key, *x));
    out.extend_from_slice(b",\"y\":");
    write_list(out, &series.y, |out, y| write_optional(out, *y, write_float));
    if let Some(label) = label.and_then(Bson::as_str) {
        out.extend_from_slice(b",\"x_axis_label\":");
        json::write_text(out, label);
    }
    out.push(b'}');
}
