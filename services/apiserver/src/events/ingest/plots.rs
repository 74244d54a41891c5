//! What the server adds to plots before it stores them (spec 05 §3.4).

use bson::Bson;
use clearml_events::{Event, EventType};

use crate::{
    EventSettings,
    api::{
        ApiError, ApiResult, is_truthy,
        json::{Limits, is_json},
    },
    events::plot_text::{compress, source_urls},
};

/// The text of a plot with what is wanted of it.
struct Task {
    /// Of the event.
    index: usize,
    text: String,
    validate: bool,
}

/// What came out of a plot's text.
struct Prepared {
    index: usize,
    length: i64,
    valid: Option<bool>,
    source_urls: Vec<String>,
    stored: StoredText,
}

enum StoredText {
    Plain(String),
    Compressed(String),
}

/// Adds length, validity and source urls to the plots among the events, and compresses large ones; not on
/// the runtime's own threads.
pub(super) async fn prepare_plots(events: &mut [Event], settings: &EventSettings) -> ApiResult<()> {
    let mut tasks = Vec::new();
    for (index, event) in events.iter_mut().enumerate() {
        if event.event_type != EventType::Plot {
            continue;
        }
        let mut validate = settings.validate_plot_str;
        if validate && let Some(skip) = event.fields.remove("skip_validation") {
            validate = !is_truthy(&skip);
        }
        match event.fields.get_mut("plot_str") {
            Some(Bson::String(text)) if !text.is_empty() => {
                tasks.push(Task { index, text: std::mem::take(text), validate });
            }
            _ => {
                event.fields.insert("plot_len", 0_i64);
                if validate {
                    event.fields.insert("valid_plot", false);
                }
            }
        }
    }
    if tasks.is_empty() {
        return Ok(());
    }

    let threshold = settings.plot_compression_threshold;
    let prepared = tokio::task::spawn_blocking(move || {
        tasks.into_iter().map(|task| prepare(task, threshold)).collect::<std::io::Result<Vec<_>>>()
    });
    let failed = |error: String| ApiError::unexpected(format!("failed to prepare a plot: {error}"));
    let prepared = prepared.await.map_err(|error| failed(error.to_string()))?;
    for plot in prepared.map_err(|error| failed(error.to_string()))? {
        let fields = &mut events[plot.index].fields;
        match plot.stored {
            StoredText::Plain(text) => {
                fields.insert("plot_str", text);
            }
            StoredText::Compressed(data) => {
                fields.remove("plot_str");
                fields.insert("plot_data", data);
            }
        }
        fields.insert("plot_len", plot.length);
        if let Some(valid) = plot.valid {
            fields.insert("valid_plot", valid);
        }
        if !plot.source_urls.is_empty() {
            fields.insert("source_urls", plot.source_urls);
        }
    }
    Ok(())
}

fn prepare(task: Task, threshold: usize) -> std::io::Result<Prepared> {
    let Task { index, text, validate } = task;
    let length = text.chars().count();
    let valid = validate.then(|| is_json(text.as_bytes(), Limits::default().depth));
    let source_urls = source_urls(&text);
    let stored = if threshold != 0 && length >= threshold {
        StoredText::Compressed(compress(&text)?)
    } else {
        StoredText::Plain(text)
    };
    Ok(Prepared { index, length: length as i64, valid, source_urls, stored })
}
