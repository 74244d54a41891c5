//! Creating, changing and deleting queues (spec 04 §2.2, §0.2).

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Update};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    entries,
    lookup::{self, NewQueue},
    release,
    schema::QUEUE,
};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, check, codes, from_document},
    metadata::{self, MetadataItem},
    query::{answer_tags, check_tags, split_legacy_tags},
};

#[derive(Debug, Deserialize)]
struct CreateRequest {
    name: String,
    display_name: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    system_tags: Vec<String>,
    metadata: Option<IndexMap<String, MetadataItem>>,
}

/// `queues.create`.
pub(crate) async fn create(app: Arc<App>, call: Arc<Call>, mut request: Document) -> ApiResult {
    split_legacy_tags(&mut request, &QUEUE, call.version);
    let parsed: CreateRequest = from_document(&request)?;
    check_tags(&request)?;
    let new = NewQueue {
        display_name: parsed.display_name,
        tags: parsed.tags,
        system_tags: parsed.system_tags,
        metadata: parsed.metadata.map(metadata::stored_map).transpose()?,
    };
    let id = lookup::create(&app, call.company(), &parsed.name, new).await?;
    Ok(doc! { "id": id }.into())
}

#[derive(Debug, Deserialize)]
struct UpdateRequest {
    queue: String,
    name: Option<String>,
    display_name: Option<String>,
    tags: Option<Vec<String>>,
    system_tags: Option<Vec<String>>,
    metadata: Option<IndexMap<String, MetadataItem>>,
}

/// `queues.update`: only what the request gives.
pub(crate) async fn update(app: Arc<App>, call: Arc<Call>, mut request: Document) -> ApiResult {
    split_legacy_tags(&mut request, &QUEUE, call.version);
    let parsed: UpdateRequest = from_document(&request)?;
    check_tags(&request)?;
    let queue = lookup::by_id(call.company(), &parsed.queue);
    let known = app.documents.any(Collection::Queue, queue.clone()).await?;
    if !known {
        return Err(lookup::unknown_queue(call.company(), &parsed.queue));
    }

    let mut fields = Document::new();
    if let Some(name) = &parsed.name {
        fields.insert("name", lookup::checked_name(name)?);
    }
    if let Some(display_name) = parsed.display_name {
        fields.insert("display_name", display_name);
    }
    if let Some(tags) = parsed.tags {
        fields.insert("tags", tags);
    }
    if let Some(system_tags) = parsed.system_tags {
        fields.insert("system_tags", system_tags);
    }
    if let Some(items) = parsed.metadata {
        fields.insert("metadata", metadata::stored_map(items)?);
    }
    if fields.is_empty() {
        return Ok(doc! { "updated": 0, "fields": {} }.into());
    }
    let changes: Update =
        fields.iter().map(|(path, value)| Change::set(path.as_str(), value.clone())).collect();
    let updated = app.documents.update_one(Collection::Queue, queue, changes).await?.matched;
    answer_tags(&mut fields, call.version);
    metadata::answer_metadata(&mut fields, call.version);
    Ok(doc! { "updated": updated as i64, "fields": fields }.into())
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct DeleteRequest {
    queue: String,
    force: Option<bool>,
}

/// `queues.delete`: with force also a queue with entries, whose tasks are released.
pub(crate) async fn delete(app: Arc<App>, call: Arc<Call>, request: DeleteRequest) -> ApiResult {
    let (company, id) = (call.company(), request.queue.as_str());
    let stored = lookup::load(&app, company, id).await?;
    let not_empty = || ApiError::new(codes::QUEUE_NOT_EMPTY).extra("use force=true to delete").with("id", id);
    let force = request.force.unwrap_or(false);
    if !force && entries::entries_of(&stored).next().is_some() {
        return Err(not_empty());
    }
    // An entry that is added meanwhile must not vanish with the queue.
    let empty = lookup::by_id(company, id).and(Filter::Exists("entries.0".to_owned(), false));
    let reason = format!("Queue {id} was deleted");
    loop {
        if force {
            let tasks = entries::take_all(&app, company, id).await?.unwrap_or_default();
            release::release(&app, company, call.user(), id, &tasks, &reason).await?;
        }
        if app.documents.delete(Collection::Queue, empty.clone()).await? > 0 {
            break;
        }
        if !app.documents.any(Collection::Queue, lookup::by_id(company, id)).await? {
            break;
        }
        if !force {
            return Err(not_empty());
        }
    }
    Ok(doc! { "deleted": 1 }.into())
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct AddMetadataRequest {
    queue: String,
    #[serde(default)]
    metadata: Vec<MetadataItem>,
    replace_metadata: Option<bool>,
}

/// `queues.add_or_update_metadata`.
pub(crate) async fn add_or_update_metadata(
    app: Arc<App>,
    call: Arc<Call>,
    request: AddMetadataRequest,
) -> ApiResult {
    check::not_empty("metadata", &request.metadata)?;
    let replace = request.replace_metadata.unwrap_or(false);
    change_metadata(&app, &call, &request.queue, metadata::add_or_update(request.metadata, replace)?).await
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct DeleteMetadataRequest {
    queue: String,
    #[serde(default)]
    keys: Vec<String>,
}

/// `queues.delete_metadata`.
pub(crate) async fn delete_metadata(
    app: Arc<App>,
    call: Arc<Call>,
    request: DeleteMetadataRequest,
) -> ApiResult {
    check::not_empty("keys", &request.keys)?;
    change_metadata(&app, &call, &request.queue, metadata::delete(&request.keys)?).await
}

async fn change_metadata(app: &App, call: &Call, queue: &str, update: Update) -> ApiResult {
    let filter = lookup::by_id(call.company(), queue);
    let updated = app.documents.update_one(Collection::Queue, filter, update).await?.matched;
    if updated == 0 {
        return Err(lookup::unknown_queue(call.company(), queue));
    }
    Ok(doc! { "updated": Bson::from(updated as i64) }.into())
}
