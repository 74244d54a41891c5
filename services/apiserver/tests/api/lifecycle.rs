//! The life of a task: status, queues, reset, deletion, archive (spec 02 §3, §6, §7).

mod archive;
mod delete;
mod enqueue;
mod publish;
mod reset;
mod stop;
mod transitions;

use bson::{Bson, DateTime, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find};
use serde_json::{Value, json};

use crate::support::{COMPANY, Client, TestServer};

/// A server, a user, and tasks in any state.
pub(crate) struct World {
    pub(crate) server: TestServer,
    pub(crate) user: Client,
}

impl World {
    pub(crate) async fn new() -> Self {
        let server = TestServer::start().await;
        let user = server.user().await;
        Self { server, user }
    }

    pub(crate) async fn ok(&self, endpoint: &str, request: Value) -> Value {
        self.user.ok(endpoint, request).await
    }

    /// `<code>/<subcode> <message>`.
    pub(crate) async fn error(&self, endpoint: &str, request: Value) -> String {
        let (code, subcode, message) = self.user.error(endpoint, request).await;
        format!("{code}/{subcode} {message}")
    }

    /// Stores a document of the company and returns its id.
    pub(crate) async fn insert(&self, collection: Collection, fields: Document) -> String {
        let id = self.server.app.new_id();
        let mut document = doc! { "_id": &id, "company": COMPANY, "name": "a name" };
        document.extend(fields);
        self.server.app.documents.insert(collection, document).await.unwrap();
        id
    }

    /// Stores a task.
    pub(crate) async fn task(&self, fields: Document) -> String {
        let mut task = doc! { "type": "training", "status": "created", "user": "somebody" };
        task.extend(fields);
        self.insert(Collection::Task, task).await
    }

    pub(crate) async fn task_in(&self, status: &str) -> String {
        self.task(doc! { "status": status }).await
    }

    pub(crate) async fn public_task(&self) -> String {
        self.task(doc! { "company": "", "company_origin": "another" }).await
    }

    pub(crate) async fn foreign_task(&self) -> String {
        self.task(doc! { "company": "another" }).await
    }

    /// A document as stored.
    pub(crate) async fn find(&self, collection: Collection, id: &str) -> Option<Document> {
        self.server.app.documents.find_one(collection, Find::new(Filter::id(id))).await.unwrap()
    }

    pub(crate) async fn stored(&self, task: &str) -> Document {
        self.find(Collection::Task, task).await.unwrap()
    }

    pub(crate) async fn status(&self, task: &str) -> String {
        self.stored(task).await.get_str("status").unwrap().to_owned()
    }

    pub(crate) async fn change(&self, collection: Collection, id: &str, changes: Vec<Change>) {
        self.server.app.documents.update_one(collection, Filter::id(id), changes).await.unwrap();
    }

    pub(crate) async fn queue(&self, name: &str) -> String {
        let created = self.ok("queues.create", json!({"name": name})).await;
        created["id"].as_str().unwrap().to_owned()
    }

    /// Ids of the tasks in a queue, in order.
    pub(crate) async fn entries(&self, queue: &str) -> Vec<String> {
        let queue = self.ok("queues.get_by_id", json!({"queue": queue})).await;
        let entries = queue["queue"]["entries"].as_array().unwrap();
        entries.iter().map(|entry| entry["task"].as_str().unwrap().to_owned()).collect()
    }

    /// A task that is enqueued.
    pub(crate) async fn queued_task(&self, queue: &str) -> String {
        let task = self.task(doc! {}).await;
        self.ok("tasks.enqueue", json!({"task": task, "queue": queue})).await;
        task
    }

    /// What an endpoint answers for a task that can't be written.
    pub(crate) async fn assert_needs_writable_task(&self, endpoint: &str) {
        let foreign = self.foreign_task().await;
        assert_eq!(
            self.error(endpoint, json!({"task": foreign})).await,
            format!("400/101 Invalid task id: id={foreign}, company={COMPANY}")
        );
        let public = self.public_task().await;
        assert_eq!(self.error(endpoint, json!({"task": public})).await, forbidden(&public));
        assert_eq!(
            self.error(endpoint, json!({})).await,
            "400/12 Validation error (error for field 'task'. field is required!)"
        );
    }

    /// What a batch endpoint answers for tasks that can't be written.
    pub(crate) async fn assert_batch_collects_errors(&self, endpoint: &str, good: &str) {
        let public = self.public_task().await;
        let answer = self.ok(endpoint, json!({"ids": [public, good, "unknown"]})).await;
        assert_eq!(answer["succeeded"][0]["id"], json!(good), "{answer}");
        assert_eq!(answer["succeeded"].as_array().unwrap().len(), 1, "{answer}");
        assert_eq!(
            answer["failed"],
            json!([
                {"id": public, "error": {"codes": [403, 21], "msg": message(&forbidden(&public)), "data": {}}},
                {"id": "unknown", "error": {
                    "codes": [400, 101],
                    "msg": format!("Invalid task id: id=unknown, company={COMPANY}"),
                    "data": {"id": "unknown", "company": COMPANY},
                }},
            ])
        );
        assert!(self.error(endpoint, json!({"ids": []})).await.starts_with("400/12 Validation error"));
        assert!(self.error(endpoint, json!({})).await.starts_with("400/12 Validation error"));
    }
}

/// The error of a write to a public task.
pub(crate) fn forbidden(task: &str) -> String {
    format!("403/21 Forbidden (modification not allowed) (cannot modify public task(s), ids=('{task}',))")
}

fn message(error: &str) -> &str {
    error.split_once(' ').unwrap().1
}

/// Whether the value is a date of the last minute.
pub(crate) fn is_now(value: Option<&Bson>) -> bool {
    let Some(Bson::DateTime(date)) = value else { return false };
    (DateTime::now().timestamp_millis() - date.timestamp_millis()).abs() < 60_000
}

/// Sorted names of an answer's fields.
pub(crate) fn field_names(fields: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = fields.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// What every status change lists, sorted.
pub(crate) const STATUS_FIELDS: [&str; 7] = [
    "last_change",
    "last_changed_by",
    "last_update",
    "status",
    "status_changed",
    "status_message",
    "status_reason",
];
