//! The `events` service.

mod batches;
mod deletion;
mod images;
mod ingest;
mod logs;
mod plot_texts;
mod plots;
mod samples;
mod scalars;
mod statistics;
mod task_events;
mod windows;

use bson::{Document, doc};
use clearml_documents::{Collection, DocumentStoreExt, Find};
use serde_json::{Value, json};

use crate::support::{COMPANY, Client, TestServer};

/// The iteration of single values.
const SINGLE: i64 = -2_147_483_648;

/// A server with a user and the task `t`.
async fn server() -> (TestServer, Client) {
    let server = TestServer::start().await;
    let user = server.user().await;
    add_task(&server, "t", doc! {}).await;
    (server, user)
}

/// Stores a task of the company, in progress, with these fields.
async fn add_task(server: &TestServer, id: &str, fields: Document) {
    let mut task = doc! {
        "_id": id, "company": COMPANY, "name": format!("name of {id}"), "type": "training",
        "status": "in_progress", "last_iteration": 0, "last_metrics": {}, "unique_metrics": [],
    };
    task.extend(fields);
    server.app.documents.insert(Collection::Task, task).await.unwrap();
}

/// Stores a model of the company, not ready, with these fields.
async fn add_model(server: &TestServer, id: &str, fields: Document) {
    let mut model =
        doc! {"_id": id, "company": COMPANY, "name": format!("name of {id}"), "uri": "u", "ready": false};
    model.extend(fields);
    server.app.documents.insert(Collection::Model, model).await.unwrap();
}

/// A stored document.
async fn stored(server: &TestServer, collection: Collection, id: &str) -> Document {
    let find = Find::new(clearml_documents::Filter::id(id));
    server.app.documents.find_one(collection, find).await.unwrap().unwrap()
}

/// A scalar of the task `t`.
fn scalar(metric: &str, variant: &str, iter: i64, value: f64) -> Value {
    json!({
        "type": "training_stats_scalar", "task": "t", "timestamp": 1_700_000_000_000_i64 + iter, "metric": metric,
        "variant": variant, "iter": iter, "value": value, "allow_locked": false, "model_event": false, "method": "get",
    })
}

/// A console line of the task `t`.
fn log(timestamp: i64, msg: &str) -> Value {
    json!({
        "type": "log", "task": "t", "timestamp": timestamp, "level": "info", "worker": "w", "msg": msg,
        "allow_locked": false, "model_event": false, "method": "get",
    })
}

/// A plot of the task `t`.
fn plot(metric: &str, variant: &str, iter: i64, text: &str) -> Value {
    json!({
        "type": "plot", "task": "t", "timestamp": 1_700_000_000_000_i64 + iter, "metric": metric, "variant": variant,
        "iter": iter, "plot_str": text,
    })
}

/// A debug image of the task `t`.
fn image(metric: &str, variant: &str, iter: i64, url: &str) -> Value {
    json!({
        "type": "training_debug_image", "task": "t", "timestamp": 1_700_000_000_000_i64 + iter, "metric": metric,
        "variant": variant, "iter": iter, "key": url, "url": url,
    })
}

/// The same event of another task.
fn of_task(task: &str, mut event: Value) -> Value {
    event["task"] = task.into();
    event
}

/// Sends events that must all be taken.
async fn send(user: &Client, events: &[Value]) {
    let response = user.lines("events.add_batch", events).await;
    assert_eq!(response.code(), (200, 0), "{}", response.message());
    assert_eq!(*response.data(), json!({"added": events.len(), "errors": 0, "errors_info": {}}));
}

/// All events of a type of the task `t`, by iteration.
async fn events_of_type(user: &Client, event_type: &str) -> Vec<Value> {
    let request = json!({"task": "t", "event_type": event_type, "batch_size": 10_000});
    let data = user.ok("events.get_task_events", request).await;
    data["events"].as_array().unwrap().clone()
}

/// The values of a member of every item.
fn pick(items: &Value, member: &str) -> Vec<Value> {
    items.as_array().unwrap().iter().map(|item| item[member].clone()).collect()
}
