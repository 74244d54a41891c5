//! All points of one metric, unsampled: `scalar_metrics_iter_raw` (spec 05 §7.3).

use std::sync::Arc;

use clearml_events::{EventType, KeyField, KeyPosition, KeyQuery, MetricFilter, Number, Order, Selection};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{
    access::readable,
    requests::RawScalarsRequest,
    scroll,
    series::{write_integer, write_list, write_number, write_object, write_optional},
};
use crate::{
    App,
    api::{ApiResult, Call, Reply, check, json},
};

const DEFAULT_BATCH: usize = 10_000;

/// Events that are read at once.
const EVENTS_PER_PAGE: usize = 10_000;

/// The kind of the scroll ids.
const KIND: &str = "raw scalars";

/// What a scroll id says.
#[derive(Debug, Serialize, Deserialize)]
struct Position {
    /// `None` after the last page.
    after: Option<KeyPosition>,
    total: Option<u64>,
    batch_size: usize,
}

/// The points of a variant.
#[derive(Default)]
struct Points {
    x: Vec<Option<i64>>,
    y: Vec<Option<Number>>,
}

/// `events.scalar_metrics_iter_raw`.
pub(super) async fn scalar_metrics_iter_raw(
    app: Arc<App>,
    call: Arc<Call>,
    request: RawScalarsRequest,
) -> ApiResult {
    check::at_least("batch_size", request.batch_size.unwrap_or(0), 0)?;
    let owner = readable(&app, &call, &request.task, request.model_events).await?;
    let key = request.key.unwrap_or_default();
    let metrics = MetricFilter::new([request.metric]);
    let settings = &app.settings.events;
    let previous: Option<Position> = match request.scroll_id.as_deref() {
        Some(scroll_id) if !scroll_id.is_empty() => Some(scroll::verify(settings, KIND, scroll_id)?),
        _ => None,
    };
    let batch_size = match request.batch_size {
        Some(size) if size > 0 => size as usize,
        _ => previous.as_ref().map_or(DEFAULT_BATCH, |position| position.batch_size),
    };
    let batch_size = batch_size.min(settings.max_raw_scalars_size);
    let total = match &previous {
        Some(position) => position.total,
        None if request.count_total.unwrap_or(false) => {
            let selection = Selection::new(owner.source.clone(), EventType::Scalar).metrics(metrics.clone());
            Some(app.events.count(&selection, None).await?)
        }
        None => None,
    };
    if let Some(Position { after: None, .. }) = previous {
        return Ok(answer(0, total, request.scroll_id.as_deref(), key.name(), &IndexMap::new()));
    }

    let mut variants: IndexMap<String, Points> = IndexMap::new();
    let mut returned = 0;
    let mut after = previous.and_then(|position| position.after);
    while returned < batch_size {
        let query = KeyQuery {
            source: owner.source.clone(),
            event_type: Some(EventType::Scalar),
            metrics: metrics.clone(),
            field: key.field(),
            order: Order::Ascending,
            limit: (batch_size - returned).min(EVENTS_PER_PAGE),
            after: after.clone(),
        };
        let page = app.events.key_page(query).await?;
        if page.events.is_empty() {
            break;
        }
        returned += page.events.len();
        after = page.next;
        for event in page.events {
            let points = match variants.get_mut(event.variant.as_str()) {
                Some(points) => points,
                None => variants.entry(event.variant).or_default(),
            };
            points.x.push(match key.field() {
                KeyField::Iter => event.iter,
                KeyField::Timestamp => Some(event.timestamp),
            });
            points.y.push(event.value);
        }
    }
    let after = if returned == 0 { None } else { after };
    let scroll_id = scroll::sign(settings, KIND, Position { after, total, batch_size })?;
    Ok(answer(returned, total, Some(&scroll_id), key.name(), &variants))
}

fn answer(
    returned: usize,
    total: Option<u64>,
    scroll_id: Option<&str>,
    key: &str,
    variants: &IndexMap<String, Points>,
) -> Reply {
    let mut out = Vec::with_capacity(32 * returned + 500);
    out.extend_from_slice(b"{\"returned\":");
    write_integer(&mut out, returned as i64);
    out.extend_from_slice(b",\"total\":");
    write_optional(&mut out, total, |out, total| write_integer(out, total as i64));
    out.extend_from_slice(b",\"scroll_id\":");
    write_optional(&mut out, scroll_id, json::write_text);
    out.extend_from_slice(b",\"variants\":");
    write_object(&mut out, variants, |out, points| {
        out.extend_from_slice(b"{\"y\":");
        write_list(out, &points.y, |out, y| write_optional(out, *y, write_number));
        out.extend_from_slice(b",\"");
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b"\":");
        write_list(out, &points.x, |out, x| write_optional(out, *x, write_integer));
        out.push(b'}');
    });
    out.push(b'}');
    Reply::Json(out)
}
