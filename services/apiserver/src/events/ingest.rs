//! Taking events in: `add`, `add_batch` (spec 05 §3).
//!
//! A call is read twice in spirit: first for the tasks and models it names (pass 1), which are looked up
//! together, then event by event (pass 2). Events of an ordinary call are kept between the passes; those of
//! a huge one are read again, so that its memory stays near that of its body.

mod batch;
mod draft;
mod plots;
mod subjects;

use std::sync::Arc;

use bson::Document;
use bytes::Bytes;

use self::{batch::Batch, draft::Draft, subjects::Subjects};
use crate::{
    App,
    api::{
        ApiError, ApiResult, Call, Reply, codes,
        json::{Json, Limits},
        lines,
    },
};

/// Events that are kept between the passes, and stored at once.
const EVENTS_PER_CHUNK: usize = 20_000;

/// Lines that are read before other calls get their turn.
const LINES_PER_TURN: usize = 1000;

/// `events.add`: one event. A json-lines body counts as an event without fields.
pub(super) async fn add(app: Arc<App>, call: Arc<Call>, event: Document) -> ApiResult {
    ingest(&app, &call, Input::Single(&event)).await
}

/// `events.add_batch`: json lines, or one event. Errors: 400/17 for none.
pub(super) async fn add_batch(app: Arc<App>, call: Arc<Call>, event: Document) -> ApiResult {
    match &call.batch {
        Some(body) if !body.is_empty() => ingest(&app, &call, Input::Lines(body)).await,
        None if !event.is_empty() => ingest(&app, &call, Input::Single(&event)).await,
        _ => Err(ApiError::new(codes::BATCH_CONTAINS_NO_ITEMS)),
    }
}

#[derive(Debug, Clone, Copy)]
enum Input<'a> {
    Single(&'a Document),
    Lines(&'a Bytes),
}

impl<'a> Input<'a> {
    fn drafts(self) -> Box<dyn Iterator<Item = ApiResult<Draft<'a>>> + Send + 'a> {
        match self {
            Self::Single(event) => Box::new(std::iter::once(Ok(Draft::of_document(event)))),
            Self::Lines(body) => Box::new(lines(body, Limits::default()).map(|line| match line? {
                Json::Object(members) => Ok(Draft::new(members)),
                _ => Err(ApiError::new(codes::BAD_REQUEST)),
            })),
        }
    }
}

async fn ingest(app: &App, call: &Call, input: Input<'_>) -> ApiResult {
    let mut subjects = Subjects::default();
    let mut drafts = Vec::new();
    let mut count = 0;
    for draft in input.drafts() {
        let draft = draft?;
        subjects.note(&draft)?;
        count += 1;
        if count <= EVENTS_PER_CHUNK {
            drafts.push(draft);
        }
        if count % LINES_PER_TURN == 0 {
            tokio::task::yield_now().await;
        }
    }

    let mut batch = Batch::new(app, call, subjects.writable(app, call).await?);
    batch.store(drafts).await?;
    if count > EVENTS_PER_CHUNK {
        let mut rest = input.drafts().skip(EVENTS_PER_CHUNK);
        loop {
            let chunk = rest.by_ref().take(EVENTS_PER_CHUNK).collect::<ApiResult<Vec<_>>>()?;
            if chunk.is_empty() {
                break;
            }
            batch.store(chunk).await?;
        }
    }
    batch.finish().await.map(Reply::Data)
}
