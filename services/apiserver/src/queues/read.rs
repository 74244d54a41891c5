//! Reading queues (spec 04 §2.1).

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_documents::{Collection, DocumentStoreExt, Filter, Find};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{entries::entries_of, lookup, schema::QUEUE};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, codes, from_document},
    metadata::answer_metadata,
    query::{Page, Query, Visibility, answer, answer_tags, is_truthy},
    workers::registry,
};

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct GetByIdRequest {
    queue: String,
    max_task_entries: Option<i64>,
}

/// `queues.get_by_id`.
pub(crate) async fn get_by_id(app: Arc<App>, call: Arc<Call>, request: GetByIdRequest) -> ApiResult {
    let stored = lookup::load(&app, call.company(), &request.queue).await?;
    let mut queue = answer(&QUEUE, &stored);
    finish(&mut queue, &call, request.max_task_entries);
    Ok(doc! { "queue": queue }.into())
}

/// `queues.get_default`.
pub(crate) async fn get_default(app: Arc<App>, call: Arc<Call>, _: Document) -> ApiResult {
    let queue = lookup::load_default(&app, call.company()).await?;
    Ok(doc! {
        "id": queue.get_str("_id").unwrap_or_default(),
        "name": queue.get_str("name").unwrap_or_default(),
    }
    .into())
}

/// Parameters of the lists beyond the query language.
#[derive(Debug, Deserialize)]
struct ListOptions {
    max_task_entries: Option<i64>,
    count_task_entries: Option<bool>,
}

/// `queues.get_all`.
pub(crate) async fn get_all(app: Arc<App>, call: Arc<Call>, request: Document) -> ApiResult {
    let options: ListOptions = from_document(&request)?;
    let with_hidden = asks_for_hidden(&request);
    let query = Query::plain(&app, &call, &QUEUE, request);
    let mut page = select(query, &app, &call, with_hidden)?.fetch().await?;
    for queue in &mut page.items {
        finish(queue, &call, options.max_task_entries);
    }
    Ok(page.reply("queues"))
}

/// `queues.get_all_ex`: whole queues, whatever the projection says, with the workers that serve them.
pub(crate) async fn get_all_ex(app: Arc<App>, call: Arc<Call>, mut request: Document) -> ApiResult {
    let options: ListOptions = from_document(&request)?;
    request.remove("only_fields");
    request.insert("projection", ["*", "entries.task.name"].map(Bson::from).to_vec());
    let with_hidden = asks_for_hidden(&request);
    let query = Query::joined(&app, &call, &QUEUE, request);
    let mut page = select(query, &app, &call, with_hidden)?.fetch().await?;
    add_workers(&app, &call, &mut page).await?;
    for queue in &mut page.items {
        if options.count_task_entries.unwrap_or(false) {
            let entries = queue.get_array("entries").map_or(0, Vec::len);
            queue.insert("entries_count", entries as i64);
        }
        finish(queue, &call, options.max_task_entries);
    }
    Ok(page.reply("queues"))
}

/// The company's queues, without hidden ones unless they are asked for.
fn select<'a>(query: Query<'a>, app: &App, call: &Call, with_hidden: bool) -> ApiResult<Query<'a>> {
    let hidden = if with_hidden { Filter::Everything } else { not_hidden(app) };
    query.visible(Visibility::own(call)).restrict(hidden).prepare()
}

/// Whether a list request asks for hidden queues as well.
fn asks_for_hidden(request: &Document) -> bool {
    ["search_hidden", "id", "name"].iter().any(|key| is_truthy(request.get(*key)))
}

/// Queues without any of the configured hidden tags.
pub(super) fn not_hidden(app: &App) -> Filter {
    let hidden = &app.settings.queues.hidden_tags;
    if hidden.is_empty() {
        return Filter::Everything;
    }
    Filter::not_in("system_tags", hidden.iter().map(String::as_str))
}

async fn add_workers(app: &App, call: &Call, page: &mut Page) -> ApiResult<()> {
    if page.items.is_empty() {
        return Ok(());
    }
    let workers = registry::all(app, call.company()).await?;
    for queue in &mut page.items {
        let id = queue.get_str("id").unwrap_or_default();
        let serving: Vec<Bson> = workers
            .iter()
            .filter(|worker| worker.queues.iter().any(|listed| listed == id))
            .map(|worker| {
                let task = worker.task.as_ref().map(|task| doc! { "id": &task.id, "name": &task.name });
                Bson::from(doc! {
                    "name": worker.id.as_str(),
                    "ip": worker.ip.as_deref(),
                    "key": worker.key.as_str(),
                    "task": task,
                })
            })
            .collect();
        queue.insert("workers", serving);
    }
    Ok(())
}

/// The last touch on an answered queue. `max_task_entries`: the first n entries, or the last -n.
fn finish(queue: &mut Document, call: &Call, max_task_entries: Option<i64>) {
    answer_tags(queue, call.version);
    answer_metadata(queue, call.version);
    let Ok(entries) = queue.get_array_mut("entries") else { return };
    match max_task_entries.unwrap_or(0) {
        0 => {}
        first @ 1.. => entries.truncate(first as usize),
        last => {
            let surplus = entries.len().saturating_sub(last.unsigned_abs() as usize);
            entries.drain(..surplus);
        }
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct QueueRequest {
    queue: String,
}

/// `queues.get_num_entries`.
pub(crate) async fn get_num_entries(app: Arc<App>, call: Arc<Call>, request: QueueRequest) -> ApiResult {
    let queue = load_entries(&app, &call, &request.queue).await?;
    Ok(doc! { "num": entries_of(&queue).count() as i64 }.into())
}

/// `queues.peek_task`: the next task, which stays in the queue.
pub(crate) async fn peek_task(app: Arc<App>, call: Arc<Call>, request: QueueRequest) -> ApiResult {
    let queue = load_entries(&app, &call, &request.queue).await?;
    let next = entries_of(&queue).next().map(|(task, _)| task);
    Ok(doc! { "task": next }.into())
}

async fn load_entries(app: &App, call: &Call, queue: &str) -> ApiResult<Document> {
    let find = Find::new(lookup::by_id(call.company(), queue)).include(["entries"]);
    app.documents
        .find_one(Collection::Queue, find)
        .await?
        .ok_or_else(|| ApiError::new(codes::INVALID_QUEUE_ID).with("queue_id", queue))
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct GetByTaskRequest {
    task: String,
}

/// `queues.get_by_task_id`: the queue in which a task waits (spec 09 §10.4).
pub(crate) async fn get_by_task_id(app: Arc<App>, call: Arc<Call>, request: GetByTaskRequest) -> ApiResult {
    let holds_task = lookup::owned_by(call.company()).and(Filter::eq("entries.task", request.task.as_str()));
    let find = Find::new(holds_task).include(["name", "display_name"]);
    let queue = app.documents.find_one(Collection::Queue, find).await?.ok_or_else(|| {
        ApiError::new(codes::INVALID_QUEUE_OR_TASK_NOT_QUEUED)
            .with("task", request.task.as_str())
            .with("company", call.company())
    })?;
    let mut answered = doc! {
        "id": queue.get_str("_id").unwrap_or_default(),
        "name": queue.get_str("name").unwrap_or_default(),
    };
    if let Ok(display_name) = queue.get_str("display_name") {
        answered.insert("display_name", display_name);
    }
    Ok(answered.into())
}
