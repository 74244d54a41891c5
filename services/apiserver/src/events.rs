//! The `events` service.

mod access;
mod deletion;
pub(crate) mod endpoints;
mod errors;
mod histograms;
mod image_samples;
mod images;
mod ingest;
mod line_format;
mod log_download;
mod logs;
mod metrics;
mod plot_samples;
mod plot_text;
mod plots;
mod raw_scalars;
pub(crate) mod report_data;
mod requests;
mod scalars;
mod scroll;
mod series;
mod settings;
mod states;
pub(crate) mod statistics;
mod task_events;
mod windows;

use bson::{Bson, Document, doc};
use clearml_events::Event;
use futures::{StreamExt as _, TryStreamExt as _, stream};

pub use settings::EventSettings;

use crate::{
    App,
    api::{ApiError, ApiResult},
};

/// Runs the store queries of one call side by side, as many at a time as the settings allow; results in order.
async fn side_by_side<F, T>(app: &App, queries: Vec<F>) -> ApiResult<Vec<T>>
where
    F: Future<Output = ApiResult<T>> + Send,
    T: Send,
{
    let at_once = app.settings.events.max_metrics_concurrency.max(1);
    stream::iter(queries).buffered(at_once).try_collect().await
}

/// `{<name>: [events], returned, total}`.
fn events_answer(name: &str, events: Vec<Event>, total: i64) -> Document {
    let returned = events.len() as i64;
    let events: Vec<Bson> = events.into_iter().map(|event| Document::from(event).into()).collect();
    doc! {name: events, "returned": returned, "total": total}
}

/// The events with plots as text, whatever they are stored as (spec 05 §3.4); not on the runtime's own
/// threads.
async fn decompressed(mut events: Vec<Event>) -> ApiResult<Vec<Event>> {
    if !events.iter().any(|event| event.fields.contains_key("plot_data")) {
        return Ok(events);
    }
    let work = tokio::task::spawn_blocking(move || {
        for event in &mut events {
            decompress(event);
        }
        events
    });
    work.await.map_err(|error| ApiError::unexpected(format!("failed to read plots: {error}")))
}

fn decompress(event: &mut Event) {
    let Some(data) = event.fields.remove("plot_data") else { return };
    if matches!(event.fields.get("plot_str"), None | Some(Bson::Null)) {
        let text = plot_text::decompress(data.as_str().unwrap_or_default()).unwrap_or_else(|error| {
            tracing::warn!(task = event.task, metric = event.metric, %error, "a stored plot can't be read");
            String::new()
        });
        event.fields.insert("plot_str", text);
    }
}
