//! Writing: bulk requests of bounded size.

use std::{collections::BTreeSet, sync::Arc};

use bson::Document;
use bytes::{Bytes, BytesMut};
use elasticsearch::{BulkParts, http::Method};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::{
    ElasticBulk,
    cluster::{Cluster, Request, pause, permit},
    documents::{JsonObject, id},
    errors::{ElasticError, Refusal},
    indices::Indices,
    refresh::Refresher,
};
use crate::{Event, EventError, EventResult, EventType, RejectedEvent};

/// Writes documents into one cluster.
pub(super) struct Writer {
    cluster: Arc<Cluster>,
    limits: ElasticBulk,
    permits: Semaphore,
}

/// A document on its way.
#[derive(Debug, Clone)]
struct Item {
    /// Its place in the call.
    place: usize,
    /// The action and the document, each a line.
    lines: Bytes,
}

/// Some documents that are sent together.
#[derive(Debug, Default)]
struct Chunk {
    items: Vec<Item>,
    bytes: usize,
}

/// What the cluster says of each document; only if some failed.
#[derive(Deserialize)]
struct BulkAnswer {
    #[serde(default)]
    errors: bool,
    #[serde(default)]
    items: Vec<BulkItem>,
}

#[derive(Deserialize)]
struct BulkItem {
    index: ItemOutcome,
}

#[derive(Deserialize)]
struct ItemOutcome {
    #[serde(default)]
    status: u16,
    error: Option<Value>,
}

/// Appends events of one company and makes them visible. The ids are made before the first request, so that
/// trying again makes no second log event.
pub(super) async fn append(
    writer: &Writer,
    indices: &Indices,
    refresher: &Refresher,
    company: &str,
    events: Vec<Event>,
) -> EventResult<()> {
    let kinds: BTreeSet<EventType> = events.iter().map(|event| event.event_type).collect();
    let touched = kinds.iter().map(|kind| indices.events(company, *kind)).collect::<EventResult<Vec<_>>>()?;
    let names: Vec<(EventType, String)> = kinds.into_iter().zip(touched.iter().cloned()).collect();
    let encode = move || {
        let document = |event: Event| {
            let index = names.iter().find(|(kind, _)| *kind == event.event_type);
            let index = index.map_or_else(String::new, |(_, index)| index.clone());
            (index, id(&event), Document::from(event))
        };
        encode(events.into_iter().map(document))
    };
    let outcome = writer.write(encode).await;
    // Also after a failure: what is stored shall not appear later on its own.
    let visible = refresher.refresh(&touched).await;
    outcome?;
    Ok(visible?)
}

/// Appends documents of statistics, not made visible.
pub(super) async fn append_documents(
    writer: &Writer,
    index: String,
    documents: Vec<Document>,
) -> EventResult<()> {
    let encode = move || {
        encode(documents.into_iter().map(|document| (index.clone(), super::documents::random_id(), document)))
    };
    writer.write(encode).await
}

/// Documents with their index and id as lines.
fn encode(documents: impl Iterator<Item = (String, String, Document)>) -> Result<Vec<Item>, ElasticError> {
    let mut items = Vec::new();
    for (place, (index, id, document)) in documents.enumerate() {
        let action = serde_json::json!({"index": {"_index": index, "_id": id}});
        let mut lines = serde_json::to_vec(&action)?;
        lines.push(b'\n');
        serde_json::to_writer(&mut lines, &JsonObject(&document))?;
        lines.push(b'\n');
        items.push(Item { place, lines: lines.into() });
    }
    Ok(items)
}

impl Writer {
    pub(super) fn new(cluster: Arc<Cluster>, limits: ElasticBulk) -> Self {
        Self {
            cluster,
            limits,
            permits: Semaphore::new(limits.max_concurrent.clamp(1, Semaphore::MAX_PERMITS)),
        }
    }

    /// Writes documents in their order. Fails with [`EventError::Rejected`] if the cluster refused some for what
    /// is in them and stored the others.
    async fn write(
        &self,
        encode: impl FnOnce() -> Result<Vec<Item>, ElasticError> + Send + 'static,
    ) -> EventResult<()> {
        let items = tokio::task::spawn_blocking(encode).await;
        let items = items.map_err(|error| EventError::Backend(error.to_string()))??;
        let mut rejected = Vec::new();
        for chunk in self.chunks(items) {
            self.send(chunk, &mut rejected).await?;
        }
        if rejected.is_empty() { Ok(()) } else { Err(EventError::Rejected(rejected)) }
    }

    fn chunks(&self, items: Vec<Item>) -> Vec<Chunk> {
        let mut chunks: Vec<Chunk> = Vec::new();
        for item in items {
            let size = item.lines.len();
            let room = chunks.last().is_some_and(|chunk| {
                chunk.items.len() < self.limits.max_events && chunk.bytes + size <= self.limits.max_bytes
            });
            if !room {
                chunks.push(Chunk::default());
            }
            if let Some(chunk) = chunks.last_mut() {
                chunk.bytes += size;
                chunk.items.push(item);
            }
        }
        chunks
    }

    /// Sends a chunk until each document is stored or rejected for good.
    async fn send(&self, chunk: Chunk, rejected: &mut Vec<RejectedEvent>) -> Result<(), ElasticError> {
        let _permit = permit(&self.permits, self.cluster.timeout()).await?;
        let mut items = chunk.items;
        let mut tries = 0;
        while !items.is_empty() {
            let busy = match self.send_once(&items, rejected).await {
                Ok((_, None)) => return Ok(()),
                Ok((rest, Some(refusal))) => {
                    items = rest;
                    refusal
                }
                Err(ElasticError::Refused(refusal)) if refusal.may_pass() => refusal,
                Err(error) => return Err(error),
            };
            if tries == self.limits.max_retries {
                return Err(ElasticError::Refused(busy));
            }
            tries += 1;
            tracing::debug!(documents = items.len(), tries, reason = %busy, "Elasticsearch is busy");
            pause(tries).await;
        }
        Ok(())
    }

    /// Sends documents once: those that are worth another try, with the reason of the first.
    async fn send_once(
        &self,
        items: &[Item],
        rejected: &mut Vec<RejectedEvent>,
    ) -> Result<(Vec<Item>, Option<Refusal>), ElasticError> {
        let mut body = BytesMut::with_capacity(items.iter().map(|item| item.lines.len()).sum());
        for item in items {
            body.extend_from_slice(&item.lines);
        }
        let request = Request::new(Method::Post, BulkParts::None.url())
            .query("filter_path", "errors,items.*.status,items.*.error")
            .lines(body.freeze())
            .impatient();
        let answer: BulkAnswer = self.cluster.call(&request).await?;
        if !answer.errors {
            return Ok((Vec::new(), None));
        }
        if answer.items.len() != items.len() {
            return Err(ElasticError::Unexpected(
                "Elasticsearch left out the outcome of a document".to_owned(),
            ));
        }
        let (mut again, mut busy) = (Vec::new(), None);
        for (item, BulkItem { index: outcome }) in items.iter().zip(answer.items) {
            let Some(error) = outcome.error else { continue };
            let refusal = Refusal::new(outcome.status, &error);
            if refusal.is_blocked() {
                return Err(ElasticError::Refused(refusal));
            }
            if refusal.may_pass() {
                again.push(item.clone());
                busy.get_or_insert(refusal);
            } else {
                rejected.push(RejectedEvent { place: item.place, reason: refusal.reason });
            }
        }
        Ok((again, busy))
    }
}
