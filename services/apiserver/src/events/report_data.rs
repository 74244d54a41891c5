//! Events of several tasks for the charts in reports (spec 03 §3.6, 05 §13): the answers of other endpoints,
//! for tasks that are known already.

use bson::{Bson, Document};
use clearml_events::{MetricFilter, MetricVariants};
use serde::Deserialize;

use super::{
    access::{readable_many, readable_many_with},
    histograms::{self, LABEL_FIELDS, Sampling},
    plots::{LastPlots, required_iters},
    requests::ScalarKey,
    scalars, windows,
};
use crate::{
    App,
    api::{ApiResult, Call, Patch},
};

/// Tasks, or models, whose events are wanted.
#[derive(Debug)]
pub(crate) struct Subjects {
    pub(crate) ids: Vec<String>,
    pub(crate) are_models: bool,
}

/// Which debug images.
#[derive(Debug, Deserialize)]
pub(crate) struct ImagesPart {
    #[serde(default)]
    iters: Patch<i64>,
    #[serde(default)]
    metrics: Vec<MetricVariants>,
}

impl ImagesPart {
    /// `[{task, iterations: [{iter, events}]}]`.
    ///
    /// # Errors
    /// 400/12 for fewer than one iteration.
    pub(crate) async fn fetch(self, app: &App, call: &Call, subjects: &Subjects) -> ApiResult<Vec<Bson>> {
        let iters = required_iters(self.iters)?;
        let owners = readable_many(app, call, &subjects.ids, subjects.are_models).await?;
        windows::latest_images(app, &owners, iters, &self.metrics).await
    }
}

/// Which plots.
#[derive(Debug, Deserialize)]
pub(crate) struct PlotsPart {
    #[serde(default)]
    iters: Patch<i64>,
    #[serde(default)]
    metrics: Vec<MetricVariants>,
    last_iters_per_task_metric: Option<bool>,
}

impl PlotsPart {
    /// `{metric: {variant: {task: {iter: {name, plots}}}}}`.
    ///
    /// # Errors
    /// 400/12 for fewer than one iteration.
    pub(crate) async fn fetch(self, app: &App, call: &Call, subjects: &Subjects) -> ApiResult<Document> {
        let last = LastPlots {
            iters: Some(required_iters(self.iters)?),
            per_metric: self.last_iters_per_task_metric.unwrap_or(true),
            metrics: MetricFilter::new(self.metrics),
        };
        let owners = readable_many(app, call, &subjects.ids, subjects.are_models).await?;
        last.nested(app, call, &owners).await
    }
}

/// Which scalars, and how many points of each.
#[derive(Debug, Deserialize)]
pub(crate) struct HistogramPart {
    #[serde(default)]
    samples: Patch<i64>,
    #[serde(default)]
    key: Patch<ScalarKey>,
    #[serde(default)]
    metrics: Vec<MetricVariants>,
}

impl HistogramPart {
    /// `{metrics: {metric: {variant: {task: {name, x, y}}}}}` as JSON.
    ///
    /// # Errors
    /// 400/12 for too few or too many points, or too many tasks.
    pub(crate) async fn fetch(self, app: &App, call: &Call, subjects: &Subjects) -> ApiResult<Vec<u8>> {
        let sampling = Sampling::new(self.samples, self.key)?;
        histograms::check_number_of_tasks(app, subjects.ids.len())?;
        let owners = readable_many_with(app, call, &subjects.ids, subjects.are_models, &LABEL_FIELDS).await?;
        let metrics = MetricFilter::new(self.metrics);
        histograms::multi_task_histograms(app, &owners, sampling, &metrics).await
    }
}

/// Which single values.
#[derive(Debug, Deserialize)]
pub(crate) struct SingleValuesPart {
    #[serde(default)]
    metrics: Vec<MetricVariants>,
}

impl SingleValuesPart {
    /// `[{task, task_name, values}]`.
    pub(crate) async fn fetch(self, app: &App, call: &Call, subjects: &Subjects) -> ApiResult<Vec<Bson>> {
        let owners = readable_many(app, call, &subjects.ids, subjects.are_models).await?;
        scalars::single_values(app, &owners, &MetricFilter::new(self.metrics)).await
    }
}
