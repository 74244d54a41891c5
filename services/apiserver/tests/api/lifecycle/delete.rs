//! delete and delete_many (spec 02 §7.2, 09 §2).

use bson::{Bson, DateTime, doc};
use clearml_documents::Collection;
use clearml_events::{Event, EventType, Selection, Source};
use serde_json::json;

use super::{World, field_names, is_now};
use crate::support::COMPANY;

#[tokio::test]
async fn a_deleted_task_is_gone_with_its_events() {
    let world = World::new().await;
    let project = world.insert(Collection::Project, doc! { "last_update": DateTime::from_millis(0) }).await;
    let task = world.task(doc! { "project": &project }).await;
    let log = Event::new(EventType::Log, task.as_str(), 1, 1);
    world.server.app.events.append(COMPANY, vec![log]).await.unwrap();
    let answer = world.ok("tasks.delete", json!({"task": task})).await;
    assert_eq!(
        answer,
        json!({"deleted": true, "updated_children": 0, "updated_models": 0, "deleted_models": 0, "urls": null})
    );
    assert!(world.find(Collection::Task, &task).await.is_none());
    assert!(world.find(Collection::TaskTrash, &task).await.is_none());
    assert!(is_now(world.find(Collection::Project, &project).await.unwrap().get("last_update")));
    let left = Selection::new(Source::new(COMPANY, task.as_str()), None);
    assert_eq!(world.server.app.events.count(&left, None).await.unwrap(), 0);
    world.assert_needs_writable_task("tasks.delete").await;
}

#[tokio::test]
async fn the_trash_keeps_a_task_on_request() {
    let world = World::new().await;
    let task = world.task(doc! { "comment": "kept" }).await;
    world.ok("tasks.delete", json!({"task": task, "move_to_trash": true})).await;
    assert!(world.find(Collection::Task, &task).await.is_none());
    let trashed = world.find(Collection::TaskTrash, &task).await.unwrap();
    assert_eq!(trashed.get_str("comment").unwrap(), "kept");
    assert!(is_now(trashed.get("last_update")));
}

#[tokio::test]
async fn only_new_and_archived_tasks_are_deleted_without_force() {
    let world = World::new().await;
    for status in ["queued", "in_progress", "stopped", "published", "completed", "failed", "closed"] {
        let task = world.task_in(status).await;
        assert_eq!(
            world.error("tasks.delete", json!({"task": task})).await,
            format!(
                "400/123 Task cannot be deleted (due to status, use force=True): task={task}, expected=created, current={status}"
            )
        );
        world.ok("tasks.delete", json!({"task": task, "force": true})).await;
        let archived = world.task(doc! { "status": status, "system_tags": ["archived"] }).await;
        world.ok("tasks.delete", json!({"task": archived})).await;
    }
}

#[tokio::test]
async fn a_deleted_task_leaves_its_queues() {
    let world = World::new().await;
    let queue = world.queue("some queue").await;
    let task = world.queued_task(&queue).await;
    world.ok("tasks.delete", json!({"task": task, "force": true})).await;
    assert!(world.entries(&queue).await.is_empty());
}

#[tokio::test]
async fn children_and_models_are_told() {
    let world = World::new().await;
    let artifacts = doc! {
        "a_output": {"key": "a", "mode": "output", "uri": "http://files/a"},
        "b_output": {"key": "b", "uri": "http://files/b"},
        "c_input": {"key": "c", "mode": "input", "uri": "http://files/c"},
    };
    let task = world.task(doc! { "execution": {"artifacts": artifacts} }).await;
    let child = world.task(doc! { "parent": &task }).await;
    let draft = world.insert(Collection::Model, doc! { "task": &task, "uri": "http://files/m" }).await;
    let published = world.insert(Collection::Model, doc! { "task": &task, "ready": true }).await;
    let request = json!({"task": task, "return_file_urls": true});
    assert!(world.error("tasks.delete", request.clone()).await.starts_with("400/123 "));
    let forced = json!({"task": task, "return_file_urls": true, "force": true});
    assert_eq!(
        world.ok("tasks.delete", forced).await,
        json!({
            "deleted": true,
            "updated_children": 1,
            "updated_models": 1,
            "deleted_models": 1,
            "urls": {
                "model_urls": ["http://files/m"],
                "event_urls": [],
                "artifact_urls": ["http://files/a", "http://files/b"],
            },
        })
    );
    let gone = format!("__DELETED__{task}");
    let child = world.stored(&child).await;
    assert_eq!(child.get_str("parent").unwrap(), gone);
    assert_eq!(child.get_str("last_changed_by").unwrap(), world.user.id);
    assert!(world.find(Collection::Model, &draft).await.is_none());
    let published = world.find(Collection::Model, &published).await.unwrap();
    assert_eq!(published.get_str("task").unwrap(), gone);
}

#[tokio::test]
async fn kept_models_remember_that_their_task_is_gone() {
    let world = World::new().await;
    let task = world.task(doc! {}).await;
    let draft = world.insert(Collection::Model, doc! { "task": &task }).await;
    let answer = world.ok("tasks.delete", json!({"task": task, "delete_output_models": false})).await;
    assert_eq!((&answer["deleted_models"], &answer["updated_models"]), (&json!(0), &json!(1)));
    let draft = world.find(Collection::Model, &draft).await.unwrap();
    assert_eq!(draft.get_str("task").unwrap(), format!("__DELETED__{task}"));
}

#[tokio::test]
async fn steps_go_with_their_controller() {
    let world = World::new().await;
    let controller = world.task(doc! { "type": "controller" }).await;
    let step = world.task(doc! { "parent": &controller, "status": "published" }).await;
    let kept = world.task(doc! { "type": "controller" }).await;
    let orphan = world.task(doc! { "parent": &kept, "status": "completed" }).await;
    world.ok("tasks.delete", json!({"task": controller, "include_pipeline_steps": true})).await;
    world.ok("tasks.delete", json!({"task": kept})).await;
    assert!(world.find(Collection::Task, &step).await.is_none());
    assert_eq!(world.stored(&orphan).await.get("parent"), Some(&Bson::from(format!("__DELETED__{kept}"))));
}

#[tokio::test]
async fn many_tasks_are_deleted_one_by_one() {
    let world = World::new().await;
    let task = world.task(doc! {}).await;
    world.assert_batch_collects_errors("tasks.delete_many", &task).await;
    let (first, second) = (world.task(doc! {}).await, world.task_in("completed").await);
    let answer = world.ok("tasks.delete_many", json!({"ids": [first, second]})).await;
    assert_eq!(
        field_names(&answer["succeeded"][0]),
        ["deleted", "deleted_models", "id", "updated_children", "updated_models", "urls"]
    );
    assert_eq!(answer["failed"][0]["error"]["codes"], json!([400, 123]));
    assert_eq!(
        answer["failed"][0]["error"]["data"],
        json!({"task": second, "expected": "created", "current": "completed"})
    );
}
