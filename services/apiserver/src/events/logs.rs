//! Reading and clearing logs: `get_task_log`, `clear_task_log` (spec 05 §5).

use std::sync::Arc;

use bson::doc;
use clearml_events::{
    EventType, KeyField, KeyPosition, KeyQuery, LogDeletion, MetricFilter, Order as StoreOrder, ScrollQuery,
    Selection,
};

use super::{
    access::{readable, writable_task},
    errors::page_size,
    events_answer,
    requests::{ClearLogRequest, LegacyLogRequest, LogEnd, LogRequest, Order},
    scroll::{self, EXHAUSTED, MAX_TOTAL, Page},
};
use crate::{
    App,
    api::{ApiResult, Call, Reply},
};

/// `events.get_task_log` 1.0: a scroll in the asked order.
pub(super) async fn get_task_log_1_0(app: Arc<App>, call: Arc<Call>, request: LegacyLogRequest) -> ApiResult {
    let order = request.order.unwrap_or(Order::Desc);
    let page = scroll_log(&app, &call, &request, order).await?;
    Ok(scrolled(page))
}

/// `events.get_task_log` 1.7: a scroll from the head or the tail, each page in the asked order.
pub(super) async fn get_task_log_1_7(app: Arc<App>, call: Arc<Call>, request: LegacyLogRequest) -> ApiResult {
    let scroll_order = match request.from.unwrap_or(LogEnd::Head) {
        LogEnd::Head => Order::Asc,
        LogEnd::Tail => Order::Desc,
    };
    let mut page = scroll_log(&app, &call, &request, scroll_order).await?;
    if scroll_order != request.order.unwrap_or(Order::Desc) {
        page.events.reverse();
    }
    Ok(scrolled(page))
}

/// `events.get_task_log` 2.9: a page before or after a timestamp.
pub(super) async fn get_task_log_2_9(app: Arc<App>, call: Arc<Call>, request: LogRequest) -> ApiResult {
    let owner = readable(&app, &call, &request.task, false).await?;
    let limit = page_size(request.batch_size.unwrap_or(5000))?;
    let metrics = MetricFilter::new(request.metrics);
    let navigation = if request.navigate_earlier.unwrap_or(true) { Order::Desc } else { Order::Asc };
    let selection = Selection::new(owner.source.clone(), EventType::Log).metrics(metrics.clone());
    let query = KeyQuery {
        source: owner.source,
        event_type: Some(EventType::Log),
        metrics,
        field: KeyField::Timestamp,
        order: navigation.into(),
        limit,
        after: request.from_timestamp.filter(|timestamp| *timestamp != 0).map(KeyPosition::Key),
    };
    let mut events = app.events.key_page(query).await?.events;
    if request.order.is_some_and(|order| order != navigation) {
        events.reverse();
    }
    let total = if events.is_empty() && request.from_timestamp.is_none() {
        0
    } else {
        app.events.count(&selection, Some(MAX_TOTAL)).await?.min(MAX_TOTAL)
    };
    Ok(events_answer("events", events, total as i64).into())
}

/// `events.clear_task_log`.
pub(super) async fn clear_task_log(app: Arc<App>, call: Arc<Call>, request: ClearLogRequest) -> ApiResult {
    let source = writable_task(&app, &call, &request.task, request.allow_locked).await?;
    let now = app.now().timestamp_millis();
    let which = LogDeletion {
        before: request
            .threshold_sec
            .filter(|seconds| *seconds != 0)
            .map(|seconds| now.saturating_sub(seconds.saturating_mul(1000))),
        include_metrics: request.include_metrics,
        exclude_metrics: request.exclude_metrics,
    };
    let deleted = app.events.clear_log(&source, &which).await?;
    Ok(doc! {"deleted": deleted as i64}.into())
}

impl From<Order> for StoreOrder {
    fn from(order: Order) -> Self {
        match order {
            Order::Asc => Self::Ascending,
            Order::Desc => Self::Descending,
        }
    }
}

async fn scroll_log(app: &App, call: &Call, request: &LegacyLogRequest, order: Order) -> ApiResult<Page> {
    let owner = readable(app, call, &request.task, false).await?;
    match request.scroll_id.as_deref() {
        Some(EXHAUSTED) => Ok(Page::exhausted(Some(EXHAUSTED))),
        Some(scroll_id) if !scroll_id.is_empty() => scroll::next_page(app, call, scroll_id).await,
        _ => {
            let query = ScrollQuery {
                selection: Selection::new(owner.source, EventType::Log),
                field: KeyField::Timestamp,
                order: order.into(),
                limit: page_size(request.batch_size.unwrap_or(500))?,
            };
            scroll::first_page(app, call, query, false).await
        }
    }
}

fn scrolled(page: Page) -> Reply {
    let mut data = events_answer("events", page.events, page.total);
    data.insert("scroll_id", page.scroll_id);
    data.into()
}
