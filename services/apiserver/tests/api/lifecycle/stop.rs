//! stop and stop_many (spec 02 §3.4).

use bson::{DateTime, doc};
use serde_json::json;

use super::{STATUS_FIELDS, World, field_names};

#[tokio::test]
async fn a_task_that_no_worker_runs_is_stopped_at_once() {
    let world = World::new().await;
    let task = world.task_in("in_progress").await;
    let answer = world
        .ok("tasks.stop", json!({"task": task, "status_reason": "because", "status_message": "ignored"}))
        .await;
    assert_eq!(answer["updated"], 1);
    assert_eq!(field_names(&answer["fields"]), STATUS_FIELDS);
    let stored = world.stored(&task).await;
    assert_eq!(stored.get_str("status").unwrap(), "stopped");
    assert_eq!(stored.get_str("status_reason").unwrap(), "because");
    assert_eq!(stored.get_str("status_message").unwrap(), "Stopped by Jane Doe");
    assert_eq!(stored.get("completed"), None);
}

#[tokio::test]
async fn a_worker_is_asked_to_stop_the_task_it_runs() {
    let world = World::new().await;
    let run = doc! { "status": "in_progress", "last_worker": "w", "last_update": DateTime::now() };
    let task = world.task(run.clone()).await;
    let answer = world.ok("tasks.stop", json!({"task": task})).await;
    assert_eq!(answer["fields"]["status"], "in_progress");
    assert_eq!(answer["fields"]["status_message"], "stopping");
    assert_eq!(world.status(&task).await, "in_progress");

    let mut development = run.clone();
    development.insert("system_tags", ["development"].map(bson::Bson::from).to_vec());
    let mut silent = run.clone();
    let ten_minutes_ago = DateTime::from_millis(DateTime::now().timestamp_millis() - 601_000);
    silent.insert("last_update", ten_minutes_ago);
    for fields in [development, silent] {
        let task = world.task(fields).await;
        let answer = world.ok("tasks.stop", json!({"task": task})).await;
        assert_eq!(answer["fields"]["status_message"], "Stopped by Jane Doe");
        assert_eq!(world.status(&task).await, "stopped");
    }
}

#[tokio::test]
async fn a_queued_task_leaves_its_queue() {
    let world = World::new().await;
    let queue = world.queue("some queue").await;
    let task = world.queued_task(&queue).await;
    world.ok("tasks.stop", json!({"task": task})).await;
    assert_eq!(world.status(&task).await, "stopped");
    assert_eq!(world.stored(&task).await.get_str("enqueue_status").unwrap(), "created");
    assert!(world.entries(&queue).await.is_empty());
    let without_queue = world.task_in("queued").await;
    world.ok("tasks.stop", json!({"task": without_queue})).await;
}

#[tokio::test]
async fn force_is_for_the_transition() {
    let world = World::new().await;
    for status in ["created", "completed", "published"] {
        let task = world.task_in(status).await;
        assert_eq!(
            world.error("tasks.stop", json!({"task": task})).await,
            format!(
                "400/110 Invalid task status (Invalid status change): current_status={status}, new_status=stopped"
            )
        );
        world.ok("tasks.stop", json!({"task": task, "force": true})).await;
        assert_eq!(world.status(&task).await, "stopped");
    }
    world.assert_needs_writable_task("tasks.stop").await;
}

#[tokio::test]
async fn steps_of_a_controller_are_stopped_with_force() {
    let world = World::new().await;
    let controller = world.task(doc! { "type": "controller", "status": "in_progress" }).await;
    let mut steps = Vec::new();
    for status in ["created", "in_progress", "completed", "failed"] {
        steps.push(world.task(doc! { "status": status, "parent": &controller }).await);
    }
    world.ok("tasks.stop", json!({"task": controller})).await;
    assert_eq!(world.status(&steps[0]).await, "created");

    let again = json!({"task": controller, "include_pipeline_steps": true});
    let answer = world.ok("tasks.stop", again).await;
    assert_eq!(answer["updated"], 1);
    for step in &steps {
        assert_eq!(world.status(step).await, "stopped");
    }
    let no_controller = world.task_in("in_progress").await;
    let child = world.task(doc! { "parent": &no_controller }).await;
    world.ok("tasks.stop", json!({"task": no_controller, "include_pipeline_steps": true})).await;
    assert_eq!(world.status(&child).await, "created");
}

#[tokio::test]
async fn many_tasks_are_stopped_one_by_one() {
    let world = World::new().await;
    let task = world.task_in("in_progress").await;
    world.assert_batch_collects_errors("tasks.stop_many", &task).await;
    assert_eq!(world.status(&task).await, "stopped");
    let answer = world.ok("tasks.stop_many", json!({"ids": [task, task]})).await;
    assert_eq!(answer["succeeded"].as_array().unwrap().len(), 2, "duplicates are processed twice");
    assert_eq!(field_names(&answer["succeeded"][0]), ["fields", "id", "updated"]);
}
