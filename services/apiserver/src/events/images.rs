//! Debug images in the answers of old clients: `debug_images` before 2.7 (spec 05 §9).

use std::sync::Arc;

use bson::Document;
use clearml_events::{EventType, MetricFilter, Selection};

use super::{
    access::readable,
    events_answer,
    plots::{first_of_each, legacy_query, page, required_iters},
    requests::LegacyImagesRequest,
    scroll::{self, Page},
};
use crate::{
    App,
    api::{ApiResult, Call, Reply},
};

/// Images per page of version 1.0.
const PAGE_1_0: usize = 10_000;

/// Images per page of version 1.8.
const PAGE_1_8: usize = 500;

/// `events.debug_images` 1.0: a scroll over all images, of which each page shows the last of every variant.
pub(super) async fn debug_images_1_0(
    app: Arc<App>,
    call: Arc<Call>,
    request: LegacyImagesRequest,
) -> ApiResult {
    let iters = required_iters(request.iters)?;
    let owner = readable(&app, &call, &request.task, false).await?;
    let query = legacy_query(Selection::new(owner.source, EventType::Image), PAGE_1_0);
    let mut page = page(&app, &call, request.scroll_id.as_deref(), query, false).await?;
    page.events = first_of_each(page.events, iters, |_| ());
    Ok(answer(&request.task, page))
}

/// `events.debug_images` 1.8: a scroll over the images of the last iterations.
pub(super) async fn debug_images_1_8(
    app: Arc<App>,
    call: Arc<Call>,
    request: LegacyImagesRequest,
) -> ApiResult {
    let iters = required_iters(request.iters)?;
    let owner = readable(&app, &call, &request.task, request.model_events).await?;
    let page = match request.scroll_id.as_deref() {
        Some(scroll_id) if !scroll_id.is_empty() => scroll::next_page(&app, &call, scroll_id).await?,
        _ => {
            let images = Some(EventType::Image);
            let sources = [owner.source];
            let last = app.events.last_iterations(&sources, images, &MetricFilter::all(), iters).await?;
            if last.is_empty() {
                Page::exhausted(None)
            } else {
                let selection = Selection::of(sources.to_vec(), images).iterations(last);
                scroll::first_page(&app, &call, legacy_query(selection, PAGE_1_8), false).await?
            }
        }
    };
    Ok(answer(&request.task, page))
}

fn answer(task: &str, page: Page) -> Reply {
    let mut data = Document::new();
    data.insert("task", task);
    data.extend(events_answer("images", page.events, page.total));
    data.insert("scroll_id", page.scroll_id);
    data.into()
}
