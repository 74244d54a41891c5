//! Events of all types by iteration: `get_task_events` (spec 05 §6).

use std::sync::Arc;

use bson::{Bson, doc};
use clearml_events::{KeyField, KeyPosition, KeyQuery, MetricFilter, MetricVariants, Selection};
use serde::{Deserialize, Serialize};

use super::{
    access::readable,
    decompressed,
    errors::page_size,
    events_answer,
    requests::{Order, TaskEventsRequest, TypeChoice},
    scroll,
};
use crate::{
    App,
    api::{ApiResult, Call},
};

const DEFAULT_BATCH: i64 = 500;

/// The kind of the scroll ids.
const KIND: &str = "task events";

/// What a scroll id says.
#[derive(Debug, Serialize, Deserialize)]
struct Position {
    /// `None` after the last page.
    after: Option<KeyPosition>,
    total: Option<u64>,
    request: Asked,
}

/// The part of the first request that the following ones go by.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    event_type: TypeChoice,
    order: Order,
    metrics: Vec<MetricVariants>,
    batch_size: i64,
}

/// `events.get_task_events`.
pub(super) async fn get_task_events(app: Arc<App>, call: Arc<Call>, request: TaskEventsRequest) -> ApiResult {
    let owner = readable(&app, &call, &request.task, request.model_events).await?;
    let settings = &app.settings.events;
    let mut batch_size = request.batch_size.unwrap_or(DEFAULT_BATCH);
    let (asked, after, counted) = match request.scroll_id.as_deref() {
        Some(scroll_id) if !scroll_id.is_empty() => {
            let position: Position = scroll::verify(settings, KIND, scroll_id)?;
            if position.after.is_none() {
                let total = position.total.map(|total| total as i64);
                let events: Vec<Bson> = Vec::new();
                return Ok(
                    doc! {"returned": 0, "total": total, "scroll_id": scroll_id, "events": events}.into()
                );
            }
            if batch_size == 0 {
                batch_size = position.request.batch_size;
            }
            (position.request, position.after, Some(position.total))
        }
        _ => {
            let asked = Asked {
                event_type: request.event_type.unwrap_or_default(),
                order: request.order.unwrap_or(Order::Asc),
                metrics: request.metrics,
                batch_size,
            };
            (asked, None, None)
        }
    };
    let limit = page_size(batch_size.min(settings.max_raw_scalars_size as i64))?;
    let event_type = asked.event_type.event_type();
    let metrics = MetricFilter::new(asked.metrics.iter().cloned());
    let total = match counted {
        Some(total) => total,
        None if request.count_total.unwrap_or(true) => {
            let selection = Selection::new(owner.source.clone(), event_type).metrics(metrics.clone());
            Some(app.events.count(&selection, None).await?)
        }
        None => None,
    };
    let query = KeyQuery {
        source: owner.source,
        event_type,
        metrics,
        field: KeyField::Iter,
        order: asked.order.into(),
        limit,
        after,
    };
    let page = app.events.key_page(query).await?;
    let scroll_id = scroll::sign(settings, KIND, Position { after: page.next, total, request: asked })?;
    let mut data = events_answer("events", decompressed(page.events).await?, 0);
    data.insert("total", total.map(|total| total as i64));
    data.insert("scroll_id", scroll_id);
    Ok(data.into())
}
