//! Which metrics tasks have: `get_task_metrics`, `get_multi_task_metrics` (spec 05 §11).

use std::sync::Arc;

use bson::{Bson, doc};
use clearml_events::EventType;

use super::{
    access::{Owner, readable_many, sources},
    requests::{MultiTaskMetricsRequest, TaskMetricsRequest},
    side_by_side,
};
use crate::{
    App,
    api::{ApiResult, Call, check},
};

/// `events.get_task_metrics`.
pub(super) async fn get_task_metrics(
    app: Arc<App>,
    call: Arc<Call>,
    request: TaskMetricsRequest,
) -> ApiResult {
    check::not_empty("tasks", &request.tasks)?;
    let owners = readable_many(&app, &call, &request.tasks, request.model_events).await?;
    let event_type = request.event_type.event_type();
    let queries = owners.iter().map(|owner| names_of(&app, owner, event_type)).collect();
    let names = side_by_side(&app, queries).await?;
    let metrics: Vec<Bson> = request
        .tasks
        .iter()
        .map(|task| {
            let found = owners.iter().position(|owner| owner.id() == task).map(|index| names[index].clone());
            doc! {"task": task, "metrics": found.unwrap_or_default()}.into()
        })
        .collect();
    Ok(doc! {"metrics": metrics}.into())
}

async fn names_of(app: &App, owner: &Owner, event_type: Option<EventType>) -> ApiResult<Vec<String>> {
    Ok(app.events.metrics_with_iterations(&owner.source, event_type).await?)
}

/// `events.get_multi_task_metrics`.
pub(super) async fn get_multi_task_metrics(
    app: Arc<App>,
    call: Arc<Call>,
    request: MultiTaskMetricsRequest,
) -> ApiResult {
    check::not_empty("tasks", &request.tasks)?;
    let owners = readable_many(&app, &call, &request.tasks, request.model_events).await?;
    let event_type = request.event_type.unwrap_or_default().event_type();
    let names = app.events.metric_variants(&sources(&owners), event_type).await?;
    let metrics: Vec<Bson> = names
        .into_iter()
        .map(|entry| doc! {"metric": entry.metric, "variants": entry.variants}.into())
        .collect();
    Ok(doc! {"metrics": metrics}.into())
}
