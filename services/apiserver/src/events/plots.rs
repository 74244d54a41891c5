//! Plots of one task and of several: `get_task_plots`, `get_multi_task_plots` (spec 05 §8).

use std::{collections::HashMap, sync::Arc};

use bson::{Bson, Document, doc};
use clearml_events::{Event, EventType, KeyField, MetricFilter, Order, ScrollQuery, Selection};
use indexmap::IndexMap;

use super::{
    access::{Owner, readable, readable_many, sources},
    decompressed, events_answer,
    requests::{MultiPlotsRequest, PlotsRequest},
    scroll::{self, Page},
};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, Patch, check},
};

/// Plots per page of the 1.0 versions. The official server reads 10 000 at once; plots are too large for that.
const LEGACY_PAGE: usize = 1000;

/// `events.get_task_plots` 1.8: the last plots of every variant.
pub(super) async fn get_task_plots_1_8(app: Arc<App>, call: Arc<Call>, request: PlotsRequest) -> ApiResult {
    let iters = match request.iters {
        Patch::Absent | Patch::Null => 1,
        Patch::Value(iters) => at_least_one(iters)?,
    };
    let owner = readable(&app, &call, &request.task, request.model_events).await?;
    let metrics = MetricFilter::new(request.metrics);
    let plots = decompressed(app.events.latest_plots(&owner.source, &metrics, iters).await?).await?;
    let total = plots.len() as i64;
    let mut data = events_answer("plots", plots, total);
    data.insert("scroll_id", Bson::Null);
    Ok(data.into())
}

/// `events.get_task_plots` 1.0: a scroll over all plots, of which each page shows the last of every variant.
pub(super) async fn get_task_plots_1_0(app: Arc<App>, call: Arc<Call>, request: PlotsRequest) -> ApiResult {
    let iters = required_iters(request.iters)?;
    let owner = readable(&app, &call, &request.task, false).await?;
    let query = legacy_query(Selection::new(owner.source, EventType::Plot), LEGACY_PAGE);
    let page = page(&app, &call, request.scroll_id.as_deref(), query, false).await?;
    let plots = decompressed(first_of_each(page.events, iters, |_| ())).await?;
    let mut data = events_answer("plots", plots, page.total);
    data.insert("scroll_id", page.scroll_id);
    Ok(data.into())
}

/// `events.get_multi_task_plots` 1.8: a scroll over the last plots of every task, or of its metrics.
pub(super) async fn get_multi_task_plots_1_8(
    app: Arc<App>,
    call: Arc<Call>,
    request: MultiPlotsRequest,
) -> ApiResult {
    check::not_empty("tasks", &request.tasks)?;
    let iters = match request.iters {
        Patch::Absent => Some(1),
        Patch::Null => None,
        Patch::Value(iters) => Some(at_least_one(iters)?),
    };
    let owners = readable_many(&app, &call, &request.tasks, request.model_events).await?;
    let page = match request.scroll_id.as_deref() {
        Some(scroll_id) if !scroll_id.is_empty() => scroll::next_page(&app, &call, scroll_id).await?,
        _ => {
            let last = LastPlots {
                iters,
                per_metric: request.last_iters_per_task_metric.unwrap_or(true),
                metrics: MetricFilter::new(request.metrics),
            };
            last.page(&app, &call, &owners, request.no_scroll).await?
        }
    };
    multi_task_answer(page, iters.unwrap_or(usize::MAX), &owners).await
}

/// Which plots of several tasks are wanted.
#[derive(Debug)]
pub(super) struct LastPlots {
    /// The last so many iterations; `None`: all.
    pub(super) iters: Option<usize>,
    /// The last ones of each metric rather than of each task.
    pub(super) per_metric: bool,
    pub(super) metrics: MetricFilter,
}

impl LastPlots {
    async fn page(&self, app: &App, call: &Call, owners: &[Owner], no_scroll: bool) -> ApiResult<Page> {
        let mut selection = Selection::of(sources(owners), EventType::Plot).metrics(self.metrics.clone());
        if let Some(iters) = self.iters {
            let (sources, plots) = (&selection.sources, Some(EventType::Plot));
            let last = if self.per_metric {
                app.events.last_iterations_per_metric(sources, plots, &self.metrics, iters).await?
            } else {
                app.events.last_iterations(sources, plots, &self.metrics, iters).await?
            };
            if last.is_empty() {
                return Ok(Page::exhausted(None));
            }
            selection = selection.iterations(last);
        }
        let query = legacy_query(selection, app.settings.events.multi_plots_batch_size);
        scroll::first_page(app, call, query, no_scroll).await
    }

    /// `{metric: {variant: {task: {iter: {name, plots}}}}}` of the first page.
    pub(super) async fn nested(&self, app: &App, call: &Call, owners: &[Owner]) -> ApiResult<Document> {
        let page = self.page(app, call, owners, true).await?;
        nested(page.events, self.iters.unwrap_or(usize::MAX), owners).await
    }
}

/// `events.get_multi_task_plots` 1.0: a scroll over all plots.
pub(super) async fn get_multi_task_plots_1_0(
    app: Arc<App>,
    call: Arc<Call>,
    request: MultiPlotsRequest,
) -> ApiResult {
    check::not_empty("tasks", &request.tasks)?;
    let iters = required_iters(request.iters)?;
    let owners = readable_many(&app, &call, &request.tasks, false).await?;
    let query = legacy_query(Selection::of(sources(&owners), EventType::Plot), LEGACY_PAGE);
    let page = page(&app, &call, request.scroll_id.as_deref(), query, false).await?;
    multi_task_answer(page, iters, &owners).await
}

/// Number of iterations in a version where null is refused.
pub(super) fn required_iters(iters: Patch<i64>) -> ApiResult<usize> {
    match iters {
        Patch::Absent => Ok(1),
        Patch::Null => Err(ApiError::validation("error for field 'iters': field is required!")),
        Patch::Value(iters) => at_least_one(iters),
    }
}

fn at_least_one(iters: i64) -> ApiResult<usize> {
    check::at_least("iters", iters, 1)?;
    Ok(iters as usize)
}

/// Newest iterations first.
pub(super) fn legacy_query(selection: Selection, limit: usize) -> ScrollQuery {
    ScrollQuery { selection, field: KeyField::Iter, order: Order::Descending, limit }
}

/// The page behind the scroll id, or the first one.
pub(super) async fn page(
    app: &App,
    call: &Call,
    scroll_id: Option<&str>,
    query: ScrollQuery,
    no_scroll: bool,
) -> ApiResult<Page> {
    match scroll_id {
        Some(scroll_id) if !scroll_id.is_empty() => scroll::next_page(app, call, scroll_id).await,
        _ => scroll::first_page(app, call, query, no_scroll).await,
    }
}

/// The first `count` events of each metric and variant, and of what `group` tells apart.
pub(super) fn first_of_each<G: std::hash::Hash + Eq>(
    events: Vec<Event>,
    count: usize,
    group: impl Fn(&Event) -> G,
) -> Vec<Event> {
    let mut seen: HashMap<(String, String, G), usize> = HashMap::new();
    events
        .into_iter()
        .filter(|event| {
            let key = (event.metric.clone(), event.variant.clone(), group(event));
            let count_so_far = seen.entry(key).or_default();
            *count_so_far += 1;
            *count_so_far <= count
        })
        .collect()
}

type ByName<T> = IndexMap<String, T>;

async fn multi_task_answer(page: Page, iters: usize, owners: &[Owner]) -> ApiResult {
    let plots = nested(page.events, iters, owners).await?;
    let returned = plots.len() as i64;
    Ok(doc! {"plots": plots, "returned": returned, "total": page.total, "scroll_id": page.scroll_id}.into())
}

/// `{metric: {variant: {task: {iter: {name, plots}}}}}`, all keys descending.
async fn nested(events: Vec<Event>, iters: usize, owners: &[Owner]) -> ApiResult<Document> {
    let names: HashMap<&str, Option<&str>> = owners.iter().map(|owner| (owner.id(), owner.name())).collect();
    let kept = first_of_each(events, iters, |event| event.task.clone());
    let mut plots = decompressed(kept).await?;
    plots.sort_by(|one, other| {
        let key =
            |event: &Event| (event.metric.clone(), event.variant.clone(), event.task.clone(), event.iter);
        key(other).cmp(&key(one))
    });

    let mut by_metric: ByName<ByName<ByName<ByName<Vec<Bson>>>>> = ByName::new();
    for event in plots {
        let iteration = event.iter.map_or_else(|| "None".to_owned(), |iteration| iteration.to_string());
        let variants = by_metric.entry(event.metric.clone()).or_default();
        let tasks = variants.entry(event.variant.clone()).or_default();
        let iterations = tasks.entry(event.task.clone()).or_default();
        iterations.entry(iteration).or_default().push(Document::from(event).into());
    }
    Ok(document(by_metric, |variants| {
        document(variants, |tasks| {
            let tasks = tasks.into_iter().map(|(task, iterations)| {
                let name = names.get(task.as_str()).copied().flatten();
                (task, (name, iterations))
            });
            document(tasks, |(name, iterations)| {
                document(iterations, |plots| doc! {"name": name, "plots": plots})
            })
        })
    }))
}

/// A document with the same keys.
fn document<V>(
    members: impl IntoIterator<Item = (String, V)>,
    mut value: impl FnMut(V) -> Document,
) -> Document {
    members.into_iter().map(|(key, member)| (key, Bson::Document(value(member)))).collect()
}
