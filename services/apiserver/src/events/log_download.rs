//! Downloading a whole log as text: `download_task_log` (spec 05 §5).

use std::{borrow::Cow, io, sync::Arc};

use axum::body::Body;
use bson::{Bson, Document};
use bytes::Bytes;
use clearml_events::{Event, EventType, KeyField, Order, ScrollPage, ScrollQuery, Selection};
use futures::stream;

use super::{
    access::readable,
    line_format::{FormatError, LineFormat, LineValue},
    requests::DownloadLogRequest,
};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, Reply, codes, json},
};

/// Events that are read, written and held at once.
const EVENTS_PER_PAGE: usize = 1000;

const DEFAULT_FORMAT: &str = "{asctime} {worker} {level} {msg}";

/// How a line is written.
enum Lines {
    Json,
    Text(LineFormat),
}

/// `events.download_task_log`.
pub(super) async fn download_task_log(
    app: Arc<App>,
    call: Arc<Call>,
    request: DownloadLogRequest,
) -> ApiResult {
    let owner = readable(&app, &call, &request.task, false).await?;
    let lines = match request.line_type.as_deref().map(str::to_lowercase).as_deref() {
        None | Some("json") => Lines::Json,
        Some(_) => Lines::Text(line_format(request.line_format.as_deref().unwrap_or(DEFAULT_FORMAT))?),
    };
    let query = ScrollQuery {
        selection: Selection::new(owner.source, EventType::Log),
        field: KeyField::Timestamp,
        order: Order::Ascending,
        limit: EVENTS_PER_PAGE,
    };
    // The first page is read before the answer begins: a store that fails is answered as an error.
    let first = app.events.scroll(&query, None).await?;
    let download = Download { app, query, lines };
    let pages = stream::try_unfold((download, Some(first)), |(download, page)| async move {
        let Some(page) = page else { return Ok(None) };
        let text = download.write(&page.events);
        let next = download.page_after(&page).await?;
        Ok::<_, io::Error>(Some((text, (download, next))))
    });
    Ok(Reply::Raw {
        content_type: "text/plain; charset=utf-8",
        file_name: format!("task_{}.log", request.task),
        body: Body::from_stream(pages),
    })
}

struct Download {
    app: Arc<App>,
    query: ScrollQuery,
    lines: Lines,
}

impl Download {
    /// The next page; `None` after one that was not full.
    async fn page_after(&self, page: &ScrollPage) -> io::Result<Option<ScrollPage>> {
        if page.events.len() < EVENTS_PER_PAGE || page.next.is_none() {
            return Ok(None);
        }
        let next = self.app.events.scroll(&self.query, page.next.as_deref()).await;
        next.map(Some).map_err(io::Error::other)
    }

    fn write(&self, events: &[Event]) -> Bytes {
        let mut text = Vec::new();
        for event in events {
            match &self.lines {
                Lines::Json => write_json(&mut text, event),
                Lines::Text(format) => write_text(&mut text, event, format),
            }
        }
        text.into()
    }
}

/// The event without what all of them share, and with its time under the name that log formats use.
fn write_json(text: &mut Vec<u8>, event: &Event) {
    let mut document = Document::from(event.clone());
    document.remove("type");
    document.remove("task");
    if let Some(timestamp) = document.remove("timestamp") {
        document.insert("asctime", timestamp);
    }
    let length = text.len();
    match json::write_document(text, &document) {
        Ok(()) => text.push(b'\n'),
        Err(error) => {
            tracing::warn!(task = event.task, %error, "a log event has no JSON form");
            text.truncate(length);
        }
    }
}

/// The formatted event, ended by one newline however many the message had.
fn write_text(text: &mut Vec<u8>, event: &Event, format: &LineFormat) {
    let mut line = String::new();
    format.render(&mut line, |name| {
        let value = match name {
            "asctime" | "timestamp" => {
                let milliseconds = || Bson::Int64(event.timestamp);
                event.fields.get("timestamp").cloned().unwrap_or_else(milliseconds)
            }
            "worker" if !event.fields.contains_key("worker") => event.worker.clone().into(),
            field => event.fields.get(field)?.clone(),
        };
        Some(match value {
            Bson::String(text) => LineValue::Text(Cow::Owned(text)),
            other => LineValue::Plain(crate::python::str_of(&other)),
        })
    });
    text.extend_from_slice(line.trim_end_matches('\n').as_bytes());
    text.push(b'\n');
}

fn line_format(format: &str) -> ApiResult<LineFormat> {
    if format.is_empty() {
        return Err(ApiError::new(codes::MISSING_REQUIRED_FIELDS)
            .extra("line_format is required for plain text lines"));
    }
    LineFormat::parse(format).map_err(|error| {
        let api_error = ApiError::new(codes::FIELDS_VALUE_ERROR);
        match error {
            FormatError::Undefined(names) => {
                let names: Vec<Bson> = names.into_iter().map(Bson::from).collect();
                api_error.extra("undefined placeholders in line format").with("placeholders", names)
            }
            FormatError::Invalid(text) => api_error.extra("invalid line format").with("error", text),
        }
    })
}
