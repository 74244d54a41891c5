//! Finding queues: by id, by name, the default one (spec 04 §2.1, 02 §6.1).

use bson::{Bson, Document, doc};
use clearml_documents::{Collection, DocumentStoreExt, Filter, Find, StoreError};

use crate::{
    App,
    api::{ApiError, ApiResult, codes},
};

/// The system tag of the queue that takes tasks enqueued without one.
const DEFAULT_TAG: &str = "default";

/// Shortest name of a queue, in characters.
const MINIMUM_NAME_LENGTH: usize = 3;

/// The queues of a company.
pub(crate) fn owned_by(company: &str) -> Filter {
    Filter::eq("company", company)
}

/// The queue with this id, if it is the company's.
pub(crate) fn by_id(company: &str, queue: &str) -> Filter {
    Filter::id(queue).and(owned_by(company))
}

/// Loads a queue. Errors: 400/701 `id=, company=`.
pub(crate) async fn load(app: &App, company: &str, queue: &str) -> ApiResult<Document> {
    app.documents
        .find_one(Collection::Queue, Find::new(by_id(company, queue)))
        .await?
        .ok_or_else(|| unknown_queue(company, queue))
}

/// 400/701 `id=, company=`.
pub(crate) fn unknown_queue(company: &str, queue: &str) -> ApiError {
    ApiError::new(codes::INVALID_QUEUE_ID).with("id", queue).with("company", company)
}

/// The only queue of the company with the system tag `default`, read with its name.
///
/// Errors: 400/707 none, 400/708 several.
pub(crate) async fn load_default(app: &App, company: &str) -> ApiResult<Document> {
    let tagged = owned_by(company).and(Filter::eq("system_tags", DEFAULT_TAG));
    let mut queues = app.documents.find(Collection::Queue, Find::new(tagged).include(["name"])).await?;
    if queues.len() > 1 {
        let ids: Vec<Bson> = queues.iter().filter_map(|queue| queue.get("_id").cloned()).collect();
        return Err(ApiError::new(codes::MULTIPLE_DEFAULT_QUEUES).with("queues", ids));
    }
    queues.pop().ok_or_else(|| ApiError::new(codes::NO_DEFAULT_QUEUE))
}

/// What a new queue may have beside its name.
#[derive(Debug, Default)]
pub(crate) struct NewQueue {
    pub(crate) display_name: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) system_tags: Vec<String>,
    /// Escaped key to `{key, type, value}`.
    pub(crate) metadata: Option<Document>,
}

/// Stores a new queue and returns its id. Errors: 400/800 short name, 400/801 name taken.
pub(crate) async fn create(app: &App, company: &str, name: &str, new: NewQueue) -> ApiResult<String> {
    let name = checked_name(name)?;
    let now = app.now();
    let id = app.new_id();
    let mut queue = doc! { "_id": &id, "name": name };
    if let Some(display_name) = new.display_name {
        queue.insert("display_name", display_name);
    }
    queue.extend(doc! {
        "company": company,
        "created": now,
        "tags": sorted(new.tags),
        "system_tags": sorted(new.system_tags),
        "entries": [],
        "last_update": now,
        "metadata": new.metadata.unwrap_or_default(),
    });
    app.documents.insert(Collection::Queue, queue).await?;
    Ok(id)
}

/// The queue with exactly this name, created if there is none; its id. Errors: 400/800 short name.
pub(crate) async fn find_or_create(app: &App, company: &str, name: &str) -> ApiResult<String> {
    if let Some(id) = id_of(app, company, name).await? {
        return Ok(id);
    }
    match create(app, company, name, NewQueue::default()).await {
        // Somebody else was faster: theirs is as good. (Also a name that differs by surrounding blanks.)
        Err(error) if error.code == codes::EXPECTED_UNIQUE_DATA => {
            id_of(app, company, name.trim()).await?.ok_or(error)
        }
        outcome => outcome,
    }
}

async fn id_of(app: &App, company: &str, name: &str) -> Result<Option<String>, StoreError> {
    let named = owned_by(company).and(Filter::eq("name", name));
    let queue = app.documents.find_one(Collection::Queue, Find::new(named).include(["_id"])).await?;
    Ok(queue.and_then(|queue| queue.get_str("_id").ok().map(str::to_owned)))
}

/// A queue's name without surrounding blanks. Errors: 400/800 for less than three characters.
pub(crate) fn checked_name(name: &str) -> ApiResult<&str> {
    let name = name.trim();
    if name.chars().count() < MINIMUM_NAME_LENGTH {
        return Err(ApiError::new(codes::DATA_VALIDATION_ERROR).with("name", "String value is too short"));
    }
    Ok(name)
}

fn sorted(mut tags: Vec<String>) -> Vec<String> {
    tags.sort_unstable();
    tags
}
