//! Deleting events and forgetting scrolls: `delete_for_task`, `delete_for_model`, `clear_scroll`
//! (spec 05 §12).

use std::sync::Arc;

use bson::{Document, doc};
use clearml_events::{Pace, Source};

use super::{
    access::{writable_model, writable_task},
    requests::{ClearScrollRequest, DeleteForModelRequest, DeleteForTaskRequest},
    scroll,
};
use crate::{
    App,
    api::{ApiResult, Call},
};

/// `events.delete_for_task`.
pub(super) async fn delete_for_task(
    app: Arc<App>,
    call: Arc<Call>,
    request: DeleteForTaskRequest,
) -> ApiResult {
    delete(&app, writable_task(&app, &call, &request.task, request.allow_locked).await?).await
}

/// `events.delete_for_model`.
pub(super) async fn delete_for_model(
    app: Arc<App>,
    call: Arc<Call>,
    request: DeleteForModelRequest,
) -> ApiResult {
    delete(&app, writable_model(&app, &call, &request.model, request.allow_locked).await?).await
}

async fn delete(app: &App, source: Source) -> ApiResult {
    let deleted = app.events.delete(&source.company, &[source.task], Pace::Fast).await?;
    Ok(doc! {"deleted": deleted as i64}.into())
}

/// `events.clear_scroll`: whatever it is given, the answer is empty.
pub(super) async fn clear_scroll(app: Arc<App>, _: Arc<Call>, request: ClearScrollRequest) -> ApiResult {
    if let Some(scroll_id) = request.scroll_id
        && let Err(error) = scroll::clear(&app, &scroll_id).await
    {
        // It expires by itself.
        tracing::warn!(error = error.message(), "failed to forget a scroll");
    }
    Ok(Document::new().into())
}
