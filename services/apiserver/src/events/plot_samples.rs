//! The full-screen viewer of plots: `get_plot_sample`, `next_plot_sample` (spec 05 §10).

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_events::{Event, MetricRange, Order, PlotStep, Source};
use serde::{Deserialize, Serialize};

use super::{
    access::readable,
    decompressed,
    requests::{NextSampleRequest, PlotSampleRequest},
    scroll,
    states::{self, ViewerState},
};
use crate::{
    App,
    api::{ApiResult, Call, Reply},
};

/// Where a viewer stands.
#[derive(Debug, Serialize, Deserialize)]
struct PlotState {
    id: String,
    task: String,
    metric: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    iteration: Option<i64>,
    navigate_current_metric: bool,
    metric_states: Vec<KnownMetric>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KnownMetric {
    name: String,
    min_iteration: i64,
    max_iteration: i64,
}

impl ViewerState for PlotState {
    const PREFIX: &'static str = "<class 'apiserver.bll.event.history_plots_iterator.PlotsSampleState'>";

    fn id(&self) -> &str {
        &self.id
    }
}

impl PlotState {
    async fn learn_metrics(&mut self, app: &App, source: &Source) -> ApiResult<()> {
        let metric = self.navigate_current_metric.then_some(self.metric.as_str());
        let ranges = app.events.plot_ranges(source, metric).await?;
        self.metric_states = ranges.into_iter().map(KnownMetric::from).collect();
        Ok(())
    }

    fn known(&self, metric: &str) -> Option<&KnownMetric> {
        self.metric_states.iter().find(|known| known.name == metric)
    }

    async fn answer(&self, events: Vec<Event>, known: Option<&KnownMetric>) -> ApiResult {
        let events = decompressed(events).await?;
        let events: Vec<Bson> = events.into_iter().map(|event| Document::from(event).into()).collect();
        Ok(Reply::Data(doc! {
            "scroll_id": &self.id,
            "events": events,
            "min_iteration": known.map(|known| known.min_iteration),
            "max_iteration": known.map(|known| known.max_iteration),
        }))
    }
}

impl From<MetricRange> for KnownMetric {
    fn from(range: MetricRange) -> Self {
        Self { name: range.metric, min_iteration: range.min_iteration, max_iteration: range.max_iteration }
    }
}

/// `events.get_plot_sample`.
pub(super) async fn get_plot_sample(app: Arc<App>, call: Arc<Call>, request: PlotSampleRequest) -> ApiResult {
    let owner = readable(&app, &call, &request.task, request.model_events).await?;
    let mut state = viewer_state(&app, &request, &owner.source).await?;
    let mut events = Vec::new();
    if state.known(&request.metric).is_some()
        && let Some(sample) =
            app.events.plot_sample(&owner.source, &request.metric, request.iteration).await?
    {
        state.metric = sample.metric;
        state.iteration = Some(sample.iteration);
        events = sample.events;
    }
    states::save(&app, &state).await?;
    let known = state.known(&request.metric);
    state.answer(events, known).await
}

/// The state of the request's scroll id, or a new one. Errors: 400/1104 if the state is about something else.
async fn viewer_state(app: &App, request: &PlotSampleRequest, source: &Source) -> ApiResult<PlotState> {
    let navigate_current_metric = request.navigate_current_metric.unwrap_or(true);
    let known: Option<PlotState> = states::load(app, request.scroll_id.as_deref()).await?;
    let is_new = known.is_none();
    let mut state = known.unwrap_or_else(|| PlotState {
        id: app.new_id(),
        task: request.task.clone(),
        metric: request.metric.clone(),
        iteration: None,
        navigate_current_metric,
        metric_states: Vec::new(),
    });
    let matches = state.task == request.task
        && state.navigate_current_metric == navigate_current_metric
        && (!navigate_current_metric || state.metric == request.metric);
    if !matches {
        return Err(scroll::invalid(&state.id)
            .extra("Task and metric stored in the state do not match the passed ones"));
    }
    if is_new || request.refresh {
        state.learn_metrics(app, source).await?;
    }
    Ok(state)
}

/// `events.next_plot_sample`.
pub(super) async fn next_plot_sample(
    app: Arc<App>,
    call: Arc<Call>,
    request: NextSampleRequest,
) -> ApiResult {
    let owner = readable(&app, &call, &request.task, request.model_events).await?;
    let state: Option<PlotState> = states::load(&app, Some(&request.scroll_id)).await?;
    let mut state = state
        .filter(|state| state.task == request.task)
        .ok_or_else(|| scroll::invalid(&request.scroll_id))?;
    let Some(iteration) = state.iteration else { return state.answer(Vec::new(), None).await };
    let step = PlotStep {
        iteration,
        metric: state.metric.clone(),
        order: if request.navigate_earlier.unwrap_or(true) { Order::Descending } else { Order::Ascending },
        same_metric: state.navigate_current_metric,
        next_iteration: state.navigate_current_metric || request.next_iteration,
    };
    let Some(next) = app.events.next_plot_sample(&owner.source, &step).await? else {
        return state.answer(Vec::new(), None).await;
    };
    state.metric = next.metric;
    state.iteration = Some(next.iteration);
    states::save(&app, &state).await?;
    let known = state.known(&state.metric);
    state.answer(next.events, known).await
}
