//! archive, archive_many, unarchive_many (spec 02 §7.5).

use bson::{Bson, doc};
use serde_json::json;

use super::{World, forbidden};

fn archived() -> Vec<Bson> {
    vec![Bson::from("archived")]
}

#[tokio::test]
async fn archiving_tags_and_overwrites_the_texts() {
    let world = World::new().await;
    let task = world.task(doc! { "status": "completed", "status_message": "before" }).await;
    let request = json!({"tasks": [task, task], "status_reason": "r"});
    assert_eq!(world.ok("tasks.archive", request).await, json!({"archived": 1}));
    let stored = world.stored(&task).await;
    assert_eq!(stored.get_array("system_tags").unwrap(), &archived());
    assert_eq!(stored.get_str("status").unwrap(), "completed");
    assert_eq!(stored.get_str("status_reason").unwrap(), "r");
    assert_eq!(stored.get_str("status_message").unwrap(), "");
    assert_eq!(stored.get_str("last_changed_by").unwrap(), world.user.id);
}

#[tokio::test]
async fn archive_takes_all_or_none() {
    let world = World::new().await;
    let (task, public) = (world.task(doc! {}).await, world.public_task().await);
    assert_eq!(
        world.error("tasks.archive", json!({"tasks": [task, "b", "a"]})).await,
        "400/101 Invalid task id: ids=(b, a)"
    );
    assert_eq!(world.error("tasks.archive", json!({"tasks": [task, public, "a"]})).await, forbidden(&public));
    assert!(world.error("tasks.archive", json!({"tasks": []})).await.starts_with("400/12 "));
    assert_eq!(world.stored(&task).await.get("system_tags"), None);
}

#[tokio::test]
async fn waiting_and_running_tasks_end() {
    let world = World::new().await;
    let queue = world.queue("some queue").await;
    let queued = world.task_in("stopped").await;
    world.ok("tasks.enqueue", json!({"task": queued, "queue": queue})).await;
    let running = world.task(doc! { "status": "in_progress", "enqueue_status": "created" }).await;
    assert_eq!(world.ok("tasks.archive", json!({"tasks": [queued, running]})).await["archived"], 2);
    for task in [&queued, &running] {
        let stored = world.stored(task).await;
        assert_eq!(stored.get_str("status").unwrap(), "stopped");
        assert_eq!(stored.get("enqueue_status"), Some(&Bson::Null));
        assert_eq!(stored.get_array("system_tags").unwrap(), &archived());
    }
    assert!(world.entries(&queue).await.is_empty());
}

#[tokio::test]
async fn many_tasks_are_archived_and_brought_back() {
    let world = World::new().await;
    let task = world.task(doc! {}).await;
    world.assert_batch_collects_errors("tasks.archive_many", &task).await;
    assert_eq!(world.stored(&task).await.get_array("system_tags").unwrap(), &archived());
    let again = world.ok("tasks.archive_many", json!({"ids": [task]})).await;
    assert_eq!(again["succeeded"], json!([{"id": task, "archived": true}]));
    assert_eq!(world.stored(&task).await.get_array("system_tags").unwrap(), &archived());

    world.assert_batch_collects_errors("tasks.unarchive_many", &task).await;
    let request = json!({"ids": [task], "status_message": "m"});
    let answer = world.ok("tasks.unarchive_many", request).await;
    assert_eq!(answer, json!({"succeeded": [{"id": task, "unarchived": true}], "failed": []}));
    let stored = world.stored(&task).await;
    assert!(stored.get_array("system_tags").unwrap().is_empty());
    assert_eq!(stored.get_str("status_message").unwrap(), "m");
}

#[tokio::test]
async fn steps_follow_their_controller() {
    let world = World::new().await;
    let controller = world.task(doc! { "type": "controller" }).await;
    let step = world.task(doc! { "parent": &controller, "status": "in_progress" }).await;
    let request = json!({"tasks": [controller], "include_pipeline_steps": true});
    assert_eq!(world.ok("tasks.archive", request).await, json!({"archived": 1}));
    let stored = world.stored(&step).await;
    assert_eq!(stored.get_array("system_tags").unwrap(), &archived());
    assert_eq!(stored.get_str("status").unwrap(), "stopped");
    let request = json!({"ids": [controller], "include_pipeline_steps": true});
    world.ok("tasks.unarchive_many", request).await;
    assert!(world.stored(&step).await.get_array("system_tags").unwrap().is_empty());
}
