//! The `tasks` service: reading and editing (spec 02).

mod clone;
mod create;
mod edit;
mod organize;
mod parts;
mod read;

use bson::{DateTime, Document, doc};
use clearml_auth::Role;
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find};
use serde_json::{Value, json};

use crate::support::{COMPANY, Client, TestServer};

/// A company that no caller of these tests belongs to.
const OTHERS: &str = "0123456789abcdef0123456789abcdef";

/// A user at work with tasks.
struct Api {
    server: TestServer,
    user: Client,
}

impl Api {
    async fn start() -> Self {
        let server = TestServer::start().await;
        let user = server.user_with_role(Role::User).await;
        Self { server, user }
    }

    /// The data of a call that succeeds.
    async fn data(&self, endpoint: &str, request: Value) -> Value {
        self.user.ok(endpoint, request).await
    }

    /// The data of a call of an older client.
    async fn data_at(&self, version: &str, endpoint: &str, request: Value) -> Value {
        self.user.clone().version(version).ok(endpoint, request).await
    }

    /// `<code>/<subcode> <message>` of a call that fails.
    async fn error(&self, endpoint: &str, request: Value) -> String {
        let (code, subcode, message) = self.user.error(endpoint, request).await;
        format!("{code}/{subcode} {message}")
    }

    async fn error_at(&self, version: &str, endpoint: &str, request: Value) -> String {
        let (code, subcode, message) = self.user.clone().version(version).error(endpoint, request).await;
        format!("{code}/{subcode} {message}")
    }

    async fn batch(&self, endpoint: &str, items: &[Value]) -> Value {
        let response = self.user.lines(endpoint, items).await;
        assert_eq!(response.code(), (200, 0), "{}", response.message());
        response.data().clone()
    }

    async fn batch_error(&self, endpoint: &str, items: &[Value]) -> String {
        let response = self.user.lines(endpoint, items).await;
        let (code, subcode) = response.code();
        format!("{code}/{subcode} {}", response.message())
    }

    /// The id of a new task with these fields.
    async fn create(&self, fields: Value) -> Value {
        let mut request = json!({"name": "a task", "type": "training"});
        request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.data("tasks.create", request).await["id"].clone()
    }

    /// The task as `get_by_id` answers it.
    async fn task(&self, id: &Value) -> Value {
        self.data("tasks.get_by_id", json!({"task": id})).await["task"].clone()
    }

    /// The task as it is stored.
    async fn stored_task(&self, id: &Value) -> Document {
        let find = Find::new(Filter::id(id.as_str().unwrap()));
        self.server.app.documents.find_one(Collection::Task, find).await.unwrap().unwrap()
    }

    async fn set_status(&self, task: &Value, status: &str) {
        self.data("tasks.edit", json!({"task": task, "status": status, "force": true})).await;
    }

    /// The task is in progress since these seconds.
    async fn set_running(&self, task: &Value, seconds: i64) {
        let started = DateTime::from_millis(DateTime::now().timestamp_millis() - seconds * 1000);
        let update = vec![Change::set("status", "in_progress"), Change::set("started", started)];
        let filter = Filter::id(task.as_str().unwrap());
        self.server.app.documents.update_one(Collection::Task, filter, update).await.unwrap();
    }

    /// The id of the project with this name.
    async fn project(&self, name: &str) -> Value {
        let task = self.create(json!({})).await;
        let moved = self.data("tasks.move", json!({"ids": [task], "project_name": name})).await;
        let trash = Filter::id(task.as_str().unwrap());
        self.server.app.documents.delete(Collection::Task, trash).await.unwrap();
        moved["project_id"].clone()
    }

    async fn insert(&self, collection: Collection, company: &str, more: Document) -> Value {
        let id = self.server.app.new_id();
        let mut document =
            doc! {"_id": &id, "company": company, "name": "stored directly", "user": "someone"};
        document.extend(more);
        self.server.app.documents.insert(collection, document).await.unwrap();
        json!(id)
    }

    async fn foreign_task(&self) -> String {
        let task = self.insert(Collection::Task, OTHERS, doc! {"type": "training"}).await;
        task.as_str().unwrap().to_owned()
    }

    async fn foreign_project(&self) -> String {
        let project = self.insert(Collection::Project, OTHERS, doc! {}).await;
        project.as_str().unwrap().to_owned()
    }

    async fn public_project(&self) -> String {
        let project = self.insert(Collection::Project, "", doc! {"company_origin": OTHERS}).await;
        project.as_str().unwrap().to_owned()
    }

    async fn public_task_of_others(&self) -> Value {
        let more = doc! {"type": "training", "company_origin": OTHERS};
        self.insert(Collection::Task, "", more).await
    }

    async fn public_task(&self) -> Value {
        self.public_task_of_others().await
    }

    async fn model(&self) -> Value {
        self.insert(Collection::Model, COMPANY, doc! {"uri": "file:///m", "ready": true}).await
    }
}

/// The error of a write to public tasks.
fn forbidden(ids: &[&Value]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("'{}'", id.as_str().unwrap())).collect();
    let ids = if ids.len() == 1 { format!("({},)", ids[0]) } else { format!("({})", ids.join(", ")) };
    format!("403/21 Forbidden (modification not allowed) (cannot modify public task(s), ids={ids})")
}

/// Whether this is a new object's id.
fn is_id(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase())
}
