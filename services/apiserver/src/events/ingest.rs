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
        ApiError, ApiResult, BYTES_AT_ONCE, Call, Line, Reply, VALUES_AT_ONCE, codes, json::Limits, lines,
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

/// An event with the weight of its text.
struct Item<'a> {
    draft: Draft<'a>,
    bytes: usize,
    values: usize,
}

impl<'a> From<Line<'a>> for Item<'a> {
    fn from(Line { members, bytes, values }: Line<'a>) -> Self {
        Self { draft: Draft::new(members), bytes, values }
    }
}

impl<'a> Input<'a> {
    fn items(self, limits: Limits) -> Box<dyn Iterator<Item = ApiResult<Item<'a>>> + Send + 'a> {
        match self {
            Self::Single(event) => {
                let draft = Draft::of_document(event);
                Box::new(std::iter::once(Ok(Item { draft, bytes: 0, values: 0 })))
            }
            Self::Lines(body) => Box::new(lines(body, limits).map(|line| line.map(Item::from))),
        }
    }
}

/// Events that are stored at once.
#[derive(Default)]
struct Chunk<'a> {
    drafts: Vec<Draft<'a>>,
    bytes: usize,
    values: usize,
}

impl<'a> Chunk<'a> {
    fn has_room(&self, item: &Item<'_>) -> bool {
        self.drafts.is_empty()
            || (self.drafts.len() < EVENTS_PER_CHUNK
                && self.bytes + item.bytes <= BYTES_AT_ONCE
                && self.values + item.values <= VALUES_AT_ONCE)
    }

    fn push(&mut self, item: Item<'a>) {
        self.drafts.push(item.draft);
        self.bytes += item.bytes;
        self.values += item.values;
    }
}

async fn ingest(app: &App, call: &Call, input: Input<'_>) -> ApiResult {
    let limits = app.settings.api.json;
    let mut subjects = Subjects::default();
    let mut first = Chunk::default();
    let (mut count, mut kept) = (0, 0);
    for item in input.items(limits) {
        let item = item?;
        subjects.note(&item.draft)?;
        if kept == count && first.has_room(&item) {
            first.push(item);
            kept += 1;
        }
        count += 1;
        if count % LINES_PER_TURN == 0 {
            tokio::task::yield_now().await;
        }
    }

    let mut batch = Batch::new(app, call, subjects.writable(app, call).await?);
    batch.store(first.drafts).await?;
    if count > kept {
        let mut chunk = Chunk::default();
        for item in input.items(limits).skip(kept) {
            let item = item?;
            if !chunk.has_room(&item) {
                batch.store(std::mem::take(&mut chunk).drafts).await?;
            }
            chunk.push(item);
        }
        batch.store(chunk.drafts).await?;
    }
    batch.finish().await.map(Reply::Data)
}
