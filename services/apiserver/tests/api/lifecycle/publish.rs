//! publish and publish_many (spec 02 §3.6).

use bson::{Bson, doc};
use clearml_documents::Collection;
use serde_json::json;

use super::{World, field_names, is_now};

#[tokio::test]
async fn publishing_takes_the_last_output_model_along() {
    let world = World::new().await;
    let first = world.insert(Collection::Model, doc! { "ready": false }).await;
    let last = world.insert(Collection::Model, doc! { "ready": false }).await;
    let output = [&first, &last].map(|model| Bson::from(doc! { "name": "m", "model": model }));
    let task = world
        .task(doc! {
            "status": "completed",
            "models": { "output": output.to_vec() },
            "output": { "destination": "file:///d" },
        })
        .await;
    let answer = world.ok("tasks.publish", json!({"task": task, "status_message": "m"})).await;
    assert_eq!(
        field_names(&answer["fields"]),
        [
            "last_change",
            "last_changed_by",
            "last_update",
            "output",
            "published",
            "status",
            "status_changed",
            "status_message",
            "status_reason"
        ]
    );
    assert_eq!(answer["fields"]["output"], json!({"destination": "file:///d"}));
    assert_eq!(answer["fields"]["status"], "published");
    let stored = world.stored(&task).await;
    assert!(is_now(stored.get("published")));
    assert_eq!(stored.get_document("output").unwrap(), &doc! { "destination": "file:///d" });
    let model = world.find(Collection::Model, &last).await.unwrap();
    assert!(model.get_bool("ready").unwrap());
    assert!(is_now(model.get("last_update")) && is_now(model.get("last_change")));
    assert_eq!(model.get_str("last_changed_by").unwrap(), world.user.id);
    assert!(!world.find(Collection::Model, &first).await.unwrap().get_bool("ready").unwrap());
}

#[tokio::test]
async fn models_can_be_left_out() {
    let world = World::new().await;
    let model = world.insert(Collection::Model, doc! { "ready": false }).await;
    let models = doc! { "output": [{ "name": "m", "model": &model }] };
    let task = world.task(doc! { "status": "stopped", "models": models }).await;
    world.ok("tasks.publish", json!({"task": task, "publish_model": false})).await;
    assert!(!world.find(Collection::Model, &model).await.unwrap().get_bool("ready").unwrap());
}

#[tokio::test]
async fn only_ended_tasks_are_published_without_force() {
    let world = World::new().await;
    for status in ["stopped", "closed", "failed", "completed", "publishing"] {
        let task = world.task_in(status).await;
        world.ok("tasks.publish", json!({"task": task})).await;
        assert_eq!(world.status(&task).await, "published");
    }
    for status in ["created", "queued", "in_progress", "published"] {
        let task = world.task_in(status).await;
        assert_eq!(
            world.error("tasks.publish", json!({"task": task})).await,
            format!(
                "400/110 Invalid task status (Invalid status change): current_status={status}, new_status=published"
            )
        );
        assert_eq!(world.status(&task).await, status);
        world.ok("tasks.publish", json!({"task": task, "force": true})).await;
        assert_eq!(world.status(&task).await, "published");
    }
    world.assert_needs_writable_task("tasks.publish").await;
}

#[tokio::test]
async fn many_tasks_are_published_one_by_one() {
    let world = World::new().await;
    let task = world.task_in("completed").await;
    world.assert_batch_collects_errors("tasks.publish_many", &task).await;
    assert_eq!(world.status(&task).await, "published");
    let again = world.ok("tasks.publish_many", json!({"ids": [task]})).await;
    assert_eq!(again["failed"][0]["error"]["codes"], json!([400, 110]));
    assert_eq!(
        again["failed"][0]["error"]["data"],
        json!({"current_status": "published", "new_status": "published"})
    );
}
