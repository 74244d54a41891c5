//! Other views of scalars and vectors: single values, latest values, names, one metric's events
//! (spec 05 §7.4 to §7.8).

use std::{collections::HashMap, sync::Arc};

use bson::{Bson, Document, doc};
use clearml_events::{
    Event, EventType, KeyField, MetricFilter, MetricVariants, Order, ScrollQuery, Selection,
};

use super::{
    access::{Owner, readable, readable_many, readable_with, sources},
    events_answer,
    requests::{MetricDataRequest, SingleValuesRequest, TaskRequest, VectorRequest},
    scroll,
};
use crate::{
    App,
    api::{ApiResult, Call, Reply, check},
    tasks::access::status_of,
};

/// Events per page of `get_scalar_metric_data`.
const METRIC_DATA_PAGE: usize = 500;

/// Vectors that are answered.
const MAX_VECTORS: usize = 10_000;

/// `events.get_task_single_value_metrics`.
pub(super) async fn get_task_single_value_metrics(
    app: Arc<App>,
    call: Arc<Call>,
    request: SingleValuesRequest,
) -> ApiResult {
    check::not_empty("tasks", &request.tasks)?;
    let owners = readable_many(&app, &call, &request.tasks, request.model_events).await?;
    let tasks = single_values(&app, &owners, &MetricFilter::new(request.metrics)).await?;
    Ok(doc! {"tasks": tasks}.into())
}

/// `[{task, task_name, values}]` of those that have any.
pub(super) async fn single_values(
    app: &App,
    owners: &[Owner],
    metrics: &MetricFilter,
) -> ApiResult<Vec<Bson>> {
    let events = app.events.single_values(&sources(owners), metrics).await?;
    let mut by_task: HashMap<String, Vec<Bson>> = HashMap::new();
    for event in events {
        let value = value_of(&event);
        let entry = doc! {
            "metric": event.metric, "variant": event.variant, "value": value, "timestamp": event.timestamp,
        };
        by_task.entry(event.task).or_default().push(entry.into());
    }
    let tasks = owners
        .iter()
        .filter_map(|owner| {
            let values = by_task.remove(owner.id())?;
            Some(doc! {"task": owner.id(), "task_name": owner.name(), "values": values}.into())
        })
        .collect();
    Ok(tasks)
}

/// `events.get_scalar_metric_data`.
pub(super) async fn get_scalar_metric_data(
    app: Arc<App>,
    call: Arc<Call>,
    request: MetricDataRequest,
) -> ApiResult {
    let owner = readable(&app, &call, &request.task, request.model_events).await?;
    let page = match request.scroll_id.as_deref() {
        Some(scroll_id) if !scroll_id.is_empty() => scroll::next_page(&app, &call, scroll_id).await?,
        _ => {
            let query = ScrollQuery {
                selection: Selection::new(owner.source, EventType::Scalar)
                    .metrics(MetricFilter::metrics([request.metric])),
                field: KeyField::Iter,
                order: Order::Descending,
                limit: METRIC_DATA_PAGE,
            };
            scroll::first_page(&app, &call, query, request.no_scroll).await?
        }
    };
    let mut data = events_answer("events", page.events, page.total);
    data.insert("scroll_id", page.scroll_id);
    Ok(data.into())
}

/// `events.get_task_latest_scalar_values`.
pub(super) async fn get_task_latest_scalar_values(
    app: Arc<App>,
    call: Arc<Call>,
    request: TaskRequest,
) -> ApiResult {
    let owner = readable_with(&app, &call, &request.task, false, &["status"]).await?;
    let latest = app.events.latest_scalars(&owner.source).await?;
    let mut metrics: Vec<Bson> = Vec::new();
    for scalars in latest.values.chunk_by(|one, other| one.metric == other.metric) {
        let variants: Vec<Bson> = scalars
            .iter()
            .map(|scalar| {
                let value = scalar.value.rounded();
                doc! {"name": &scalar.variant, "last_value": value, "last_10_value": value}.into()
            })
            .collect();
        let name = scalars.first().map(|scalar| scalar.metric.as_str());
        metrics.push(doc! {"name": name, "variants": variants}.into());
    }
    let everything = MetricFilter::all();
    let iterations =
        app.events.last_iterations(std::slice::from_ref(&owner.source), None, &everything, 1).await?;
    let last_iter = iterations.first().and_then(|choice| choice.iters.first()).copied().unwrap_or(0);
    Ok(doc! {
        "metrics": metrics,
        "last_iter": last_iter,
        "name": owner.name(),
        "status": status_of(&owner.document),
        "last_timestamp": latest.last_written.unwrap_or(0) as f64,
    }
    .into())
}

/// `events.get_scalar_metrics_and_variants`.
pub(super) async fn get_scalar_metrics_and_variants(
    app: Arc<App>,
    call: Arc<Call>,
    request: TaskRequest,
) -> ApiResult {
    metrics_and_variants(&app, &call, &request, EventType::Scalar).await
}

/// `events.get_vector_metrics_and_variants`.
pub(super) async fn get_vector_metrics_and_variants(
    app: Arc<App>,
    call: Arc<Call>,
    request: TaskRequest,
) -> ApiResult {
    metrics_and_variants(&app, &call, &request, EventType::Vector).await
}

async fn metrics_and_variants(
    app: &App,
    call: &Call,
    request: &TaskRequest,
    event_type: EventType,
) -> ApiResult {
    let owner = readable(app, call, &request.task, request.model_events).await?;
    let names = app.events.metric_variants(&[owner.source], Some(event_type)).await?;
    let metrics: Document =
        names.into_iter().map(|entry| (entry.metric, Bson::from(entry.variants))).collect();
    Ok(doc! {"metrics": metrics}.into())
}

/// `events.vector_metrics_iter_histogram`.
pub(super) async fn vector_metrics_iter_histogram(
    app: Arc<App>,
    call: Arc<Call>,
    request: VectorRequest,
) -> ApiResult {
    let owner = readable(&app, &call, &request.task, request.model_events).await?;
    let names = MetricVariants { metric: request.metric.clone(), variants: vec![request.variant.clone()] };
    let query = ScrollQuery {
        selection: Selection::new(owner.source, EventType::Vector).metrics(MetricFilter::new([names])),
        field: KeyField::Iter,
        order: Order::Ascending,
        limit: MAX_VECTORS,
    };
    let events = app.events.scroll(&query, None).await?.events;
    let vectors: Vec<Bson> = events.iter().map(value_of).collect();
    let iterations: Vec<Bson> = events.iter().map(|event| event.iter.into()).collect();
    let data = doc! {
        "metric": request.metric, "variant": request.variant, "vectors": vectors, "iterations": iterations,
    };
    Ok(Reply::Data(data))
}

/// The event's `value` as it was sent; null if it has none.
fn value_of(event: &Event) -> Bson {
    match event.value {
        Some(value) => value.into(),
        None => event.fields.get("value").cloned().unwrap_or(Bson::Null),
    }
}
