//! Debug images and plots, paged by iteration: `debug_images` since 2.7, `plots` (spec 05 §9).

use std::{collections::HashMap, sync::Arc};

use bson::{Bson, Document, doc};
use clearml_events::{
    Event, EventType, IterationEvents, MetricFilter, MetricState, MetricVariants, Order, Source, Window,
    WindowKind,
};
use serde::{Deserialize, Serialize};

use super::{
    access::{Owner, readable_many_with},
    decompressed,
    plots::required_iters,
    requests::{TaskMetricVariants, WindowRequest},
    scroll, side_by_side,
    states::{self, ViewerState},
};
use crate::{
    App,
    api::{ApiResult, Call, check},
};

/// Iterations that one page may show.
const MAX_ITERATIONS: usize = 10_000;

/// Where a client stands. Images and plots share this form: each accepts ids of the other.
#[derive(Debug, Serialize, Deserialize)]
struct WindowState {
    id: String,
    tasks: Vec<TaskState>,
}

#[derive(Debug, Serialize, Deserialize)]
struct TaskState {
    task: String,
    metrics: Vec<KnownMetric>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_min_iter: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_max_iter: Option<i64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KnownMetric {
    metric: String,
    timestamp: i64,
    variants: Vec<KnownVariant>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KnownVariant {
    variant: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_invalid_iteration: Option<i64>,
}

impl ViewerState for WindowState {
    const PREFIX: &'static str =
        "<class 'apiserver.bll.event.metric_events_iterator.MetricEventsScrollState'>";

    fn id(&self) -> &str {
        &self.id
    }
}

/// `events.debug_images` 2.7.
pub(super) async fn debug_images_2_7(app: Arc<App>, call: Arc<Call>, request: WindowRequest) -> ApiResult {
    answer(&app, &call, &request, WindowKind::Images).await
}

/// `events.plots`.
pub(super) async fn plots(app: Arc<App>, call: Arc<Call>, request: WindowRequest) -> ApiResult {
    answer(&app, &call, &request, WindowKind::Plots).await
}

async fn answer(app: &App, call: &Call, request: &WindowRequest, kind: WindowKind) -> ApiResult {
    check::not_empty("metrics", &request.metrics)?;
    let view = View {
        kind,
        iters: required_iters(request.iters)?.min(MAX_ITERATIONS),
        order: if request.navigate_earlier.unwrap_or(true) { Order::Descending } else { Order::Ascending },
        show_unknown_variants: app.settings.events.allow_uninitialized_variants
            && request.metrics.iter().all(|entry| entry.variants.is_empty()),
    };
    let (tasks, state) = shown_tasks(app, call, request.scroll_id.as_deref(), request).await?;
    let mut state = match state {
        Some(mut state) => {
            if request.refresh {
                refresh(app, &mut state, &tasks, view.kind).await?;
            }
            state
        }
        None => WindowState { id: app.new_id(), tasks: init(app, &tasks, view.kind).await? },
    };

    let metrics = show(app, view, &mut state, &tasks).await?;
    states::save(app, &state).await?;
    Ok(doc! {"metrics": metrics, "scroll_id": state.id}.into())
}

/// Debug images of the latest iterations of each task: `[{task, iterations}]`. Nobody comes back for more.
pub(super) async fn latest_images(
    app: &App,
    owners: &[Owner],
    iters: usize,
    metrics: &[MetricVariants],
) -> ApiResult<Vec<Bson>> {
    let view = View {
        kind: WindowKind::Images,
        iters: iters.min(MAX_ITERATIONS),
        order: Order::Descending,
        show_unknown_variants: app.settings.events.allow_uninitialized_variants
            && metrics.iter().all(|entry| entry.variants.is_empty()),
    };
    let tasks: Vec<ShownTask> = owners.iter().map(|owner| ShownTask::of_metrics(owner, metrics)).collect();
    let mut state = WindowState { id: String::new(), tasks: init(app, &tasks, view.kind).await? };
    show(app, view, &mut state, &tasks).await
}

/// The next iterations of each task; moves the windows there.
async fn show(app: &App, view: View, state: &mut WindowState, tasks: &[ShownTask]) -> ApiResult<Vec<Bson>> {
    let by_task: HashMap<&str, &ShownTask> =
        tasks.iter().map(|task| (task.source.task.as_str(), task)).collect();
    let fetches = state
        .tasks
        .iter_mut()
        .map(|task_state| {
            let source = by_task.get(task_state.task.as_str()).map(|task| &task.source);
            view.fetch(app, source, task_state)
        })
        .collect();
    let pages = side_by_side(app, fetches).await?;

    let mut metrics: Vec<Bson> = Vec::with_capacity(pages.len());
    for (task, page) in state.tasks.iter().zip(pages) {
        let mut iterations: Vec<Bson> = Vec::with_capacity(page.len());
        for iteration in page {
            let events = decompressed(iteration.events).await?;
            let events: Vec<Bson> = events.into_iter().map(|event| Document::from(event).into()).collect();
            iterations.push(doc! {"iter": iteration.iter, "events": events}.into());
        }
        metrics.push(doc! {"task": &task.task, "iterations": iterations}.into());
    }
    Ok(metrics)
}

/// A task of a request with what it asks of it.
struct ShownTask {
    source: Source,
    filter: MetricFilter,
    /// `metric_stats` of the task, read for a refresh only.
    metric_stats: Document,
}

/// The tasks of the request, and the state if the client has one. Errors: 400/1104 if that is about other
/// tasks.
async fn shown_tasks(
    app: &App,
    call: &Call,
    scroll_id: Option<&str>,
    request: &WindowRequest,
) -> ApiResult<(Vec<ShownTask>, Option<WindowState>)> {
    let state: Option<WindowState> = states::load(app, scroll_id).await?;
    let ids: Vec<String> = request.metrics.iter().map(|entry| entry.task.clone()).collect();
    let needs_times = request.refresh && state.is_some() && !request.model_events;
    let fields: &[&str] = if needs_times { &["metric_stats"] } else { &[] };
    let owners = readable_many_with(app, call, &ids, request.model_events, fields).await?;
    if let (Some(state), Some(scroll_id)) = (&state, scroll_id)
        && (state.tasks.len() != owners.len()
            || state.tasks.iter().any(|task| owners.iter().all(|owner| owner.id() != task.task)))
    {
        return Err(scroll::invalid(scroll_id));
    }
    let tasks = owners.iter().map(|owner| ShownTask::new(owner, &request.metrics)).collect();
    Ok((tasks, state))
}

impl ShownTask {
    fn new(owner: &Owner, entries: &[TaskMetricVariants]) -> Self {
        let of_task = entries.iter().filter(|entry| entry.task == owner.id());
        // An entry without metric asks for all of them.
        let named: Option<Vec<MetricVariants>> = of_task
            .map(|entry| {
                let metric = entry.metric.clone().filter(|metric| !metric.is_empty())?;
                Some(MetricVariants { metric, variants: entry.variants.clone() })
            })
            .collect();
        Self {
            source: owner.source.clone(),
            filter: named.map_or_else(MetricFilter::all, MetricFilter::new),
            metric_stats: owner.document.get_document("metric_stats").cloned().unwrap_or_default(),
        }
    }

    fn of_metrics(owner: &Owner, metrics: &[MetricVariants]) -> Self {
        Self {
            source: owner.source.clone(),
            filter: MetricFilter::new(metrics.to_vec()),
            metric_stats: Document::new(),
        }
    }

    async fn first_state(&self, app: &App, kind: WindowKind) -> ApiResult<TaskState> {
        let metrics = app.events.metric_states(&self.source, kind, &self.filter).await?;
        Ok(TaskState {
            task: self.source.task.clone(),
            metrics: metrics.into_iter().map(KnownMetric::from).collect(),
            last_min_iter: None,
            last_max_iter: None,
        })
    }

    /// The asked metrics that got events of this type after the state learned of them, with their variants.
    fn changed_metrics(&self, event_type: EventType, state: &TaskState) -> Vec<MetricVariants> {
        let wanted: HashMap<&str, &[String]> = self.filter.entries().collect();
        let times = self.metric_stats.iter().filter_map(|(_, entry)| {
            let entry = entry.as_document()?;
            let types = entry.get_document("event_stats_by_type").ok()?;
            let times = types.get_document(event_type.name()).ok()?;
            Some((entry.get_str("metric").ok()?, times.get_i64("last_update").ok()?))
        });
        times
            .filter(|(metric, last_update)| {
                let known = state.metrics.iter().find(|known| known.metric == *metric);
                known.is_none_or(|known| known.timestamp < *last_update)
            })
            .filter_map(|(metric, _)| {
                let variants = match wanted.get(metric) {
                    Some(variants) => variants.to_vec(),
                    None if self.filter.is_all() => Vec::new(),
                    None => return None,
                };
                Some(MetricVariants { metric: metric.to_owned(), variants })
            })
            .collect()
    }
}

async fn init(app: &App, tasks: &[ShownTask], kind: WindowKind) -> ApiResult<Vec<TaskState>> {
    side_by_side(app, tasks.iter().map(|task| task.first_state(app, kind)).collect()).await
}

/// Learns of metrics that are new or have new events, and goes back to the newest iteration.
async fn refresh(app: &App, state: &mut WindowState, tasks: &[ShownTask], kind: WindowKind) -> ApiResult<()> {
    let event_type = match kind {
        WindowKind::Images => EventType::Image,
        WindowKind::Plots => EventType::Plot,
    };
    for task_state in &mut state.tasks {
        task_state.last_min_iter = None;
        task_state.last_max_iter = None;
        let Some(task) = tasks.iter().find(|task| task.source.task == task_state.task) else { continue };
        let changed = task.changed_metrics(event_type, task_state);
        if changed.is_empty() {
            continue;
        }
        let fresh = app.events.metric_states(&task.source, kind, &MetricFilter::new(changed)).await?;
        let mut metrics: Vec<KnownMetric> = fresh.into_iter().map(KnownMetric::from).collect();
        for old in task_state.metrics.drain(..) {
            if metrics.iter().all(|metric| metric.metric != old.metric) {
                metrics.push(old);
            }
        }
        task_state.metrics = metrics;
    }
    Ok(())
}

/// How a call looks at its tasks.
#[derive(Debug, Clone, Copy)]
struct View {
    kind: WindowKind,
    iters: usize,
    order: Order,
    show_unknown_variants: bool,
}

impl View {
    /// The next iterations of a task, newest first; moves its window there if there are any.
    async fn fetch(
        self,
        app: &App,
        source: Option<&Source>,
        state: &mut TaskState,
    ) -> ApiResult<Vec<IterationEvents>> {
        let Some(source) = source.filter(|_| !state.metrics.is_empty()) else { return Ok(Vec::new()) };
        let (order, beyond) = match (self.order, state.last_min_iter, state.last_max_iter) {
            (Order::Descending, Some(min), Some(_)) => (Order::Descending, Some(min)),
            (Order::Ascending, Some(_), Some(max)) => (Order::Ascending, Some(max)),
            _ => (Order::Descending, None),
        };
        let query = Window {
            source: source.clone(),
            kind: self.kind,
            metrics: state.metrics.iter().map(|known| known.metric.clone()).collect(),
            order,
            beyond,
            iters: self.iters,
        };
        let mut page = app.events.window(&query).await?;
        let known: HashMap<(&str, &str), Option<i64>> = state
            .metrics
            .iter()
            .flat_map(|metric| metric.variants.iter().map(move |variant| (metric, variant)))
            .map(|(metric, variant)| {
                ((metric.metric.as_str(), variant.variant.as_str()), variant.last_invalid_iteration)
            })
            .collect();
        for iteration in &mut page {
            let at = iteration.iter;
            iteration.events.retain(|event: &Event| {
                match known.get(&(event.metric.as_str(), event.variant.as_str())) {
                    Some(last_invalid) => last_invalid.is_none_or(|last_invalid| at > last_invalid),
                    None => self.show_unknown_variants,
                }
            });
        }
        page.retain(|iteration| !iteration.events.is_empty());
        page.sort_by_key(|iteration| std::cmp::Reverse(iteration.iter));
        if let (Some(newest), Some(oldest)) = (page.first(), page.last()) {
            state.last_max_iter = Some(newest.iter);
            state.last_min_iter = Some(oldest.iter);
        }
        Ok(page)
    }
}

impl From<MetricState> for KnownMetric {
    fn from(state: MetricState) -> Self {
        let variants = state.variants.into_iter().map(|variant| KnownVariant {
            variant: variant.variant,
            last_invalid_iteration: variant.last_invalid_iteration,
        });
        Self { metric: state.metric, timestamp: state.timestamp, variants: variants.collect() }
    }
}
