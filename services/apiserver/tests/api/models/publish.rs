//! `models.set_ready` and `models.publish_many` (spec 04 §1.5).

use bson::doc;
use serde_json::json;

use super::unknown;
use crate::{
    lifecycle::{World, field_names, is_now},
    support::COMPANY,
};

#[tokio::test]
async fn a_model_without_task_becomes_ready() {
    let world = World::new().await;
    let gone = world.model(doc! { "task": "__DELETED__t" }).await;
    for model in [world.model(doc! {}).await, gone] {
        let answer = world.ok("models.set_ready", json!({"model": model})).await;
        assert_eq!(answer, json!({"updated": 1, "fields": {}}));
        let stored = world.stored_model(&model).await;
        assert!(stored.get_bool("ready").unwrap());
        assert!(is_now(stored.get("last_update")) && is_now(stored.get("last_change")));
        assert_eq!(stored.get_str("last_changed_by").unwrap(), world.user.id);
        assert_eq!(
            world.error("models.set_ready", json!({"model": model})).await,
            format!("400/203 Model is ready: company={COMPANY}, model={model}")
        );
    }
    world.assert_needs_own_model("models.set_ready", &json!({})).await;
}

#[tokio::test]
async fn its_task_is_published_first() {
    let world = World::new().await;
    let task = world.task(doc! { "status": "completed", "status_reason": "old" }).await;
    let model = world.model(doc! { "task": &task }).await;
    let sibling = world.model(doc! { "task": &task }).await;
    let answer = world.ok("models.set_ready", json!({"model": model})).await;
    assert_eq!(answer["published_task"]["id"], json!(task));
    assert_eq!(answer["published_task"]["data"]["updated"], json!(1));
    let fields = &answer["published_task"]["data"]["fields"];
    assert_eq!(fields["status"], json!("published"));
    assert!(field_names(fields).contains(&"published"));
    let stored = world.stored(&task).await;
    assert_eq!(stored.get_str("status").unwrap(), "published");
    assert_eq!(stored.get_str("status_reason").unwrap(), "");
    assert!(is_now(stored.get("published")));
    assert!(!world.stored_model(&sibling).await.get_bool("ready").unwrap(), "its other models stay drafts");

    let answer = world.ok("models.set_ready", json!({"model": sibling})).await;
    assert!(answer.get("published_task").is_none(), "the task is published already");
}

#[tokio::test]
async fn a_task_that_cannot_be_published_keeps_the_model_back() {
    let world = World::new().await;
    let task = world.task_in("created").await;
    let model = world.model(doc! { "task": &task }).await;
    assert_eq!(
        world.error("models.set_ready", json!({"model": model})).await,
        "400/110 Invalid task status (Invalid status change): current_status=created, new_status=published"
    );
    assert!(!world.stored_model(&model).await.get_bool("ready").unwrap());
    assert_eq!(world.status(&task).await, "created");
    world.ok("models.set_ready", json!({"model": model, "force_publish_task": true})).await;
    assert_eq!(world.status(&task).await, "published");

    let task = world.task_in("created").await;
    let model = world.model(doc! { "task": &task }).await;
    let answer = world.ok("models.set_ready", json!({"model": model, "publish_task": false})).await;
    assert!(answer.get("published_task").is_none());
    assert_eq!(world.status(&task).await, "created");
}

#[tokio::test]
async fn tasks_of_others_are_left_alone() {
    let world = World::new().await;
    let task = world.public_task().await;
    let model = world.model(doc! { "task": &task }).await;
    assert_eq!(
        world.ok("models.set_ready", json!({"model": model})).await,
        json!({"updated": 1, "fields": {}})
    );
    assert_eq!(world.status(&task).await, "created");
}

#[tokio::test]
async fn many_models_are_published_one_by_one() {
    let world = World::new().await;
    let model = world.model(doc! {}).await;
    world.assert_batch_of_models("models.publish_many", &model).await;

    let task = world.task_in("completed").await;
    let with_task = world.model(doc! { "task": &task }).await;
    let without = world.model(doc! {}).await;
    let answer = world.ok("models.publish_many", json!({"ids": [with_task, without, model]})).await;
    let succeeded = &answer["succeeded"];
    assert_eq!(field_names(&succeeded[0]), ["id", "published_task", "updated"]);
    assert_eq!(succeeded[0]["published_task"]["id"], json!(task));
    assert_eq!(succeeded[1], json!({"id": without, "updated": true, "published_task": null}));
    assert_eq!(answer["failed"][0]["error"]["codes"], json!([400, 203]));
    assert_eq!(answer["failed"][0]["error"]["data"], json!({"company": COMPANY, "model": model}));
}

#[tokio::test]
async fn the_documented_name_of_the_option_is_ignored() {
    let world = World::new().await;
    let task = world.task_in("completed").await;
    let model = world.model(doc! { "task": &task }).await;
    world.ok("models.publish_many", json!({"ids": [model], "publish_tasks": false})).await;
    assert_eq!(world.status(&task).await, "published");

    let task = world.task_in("created").await;
    let model = world.model(doc! { "task": &task }).await;
    let answer = world.ok("models.publish_many", json!({"ids": [model]})).await;
    assert_eq!(answer["failed"][0]["error"]["codes"], json!([400, 110]));
    let request = json!({"ids": [model], "force_publish_task": true});
    assert_eq!(world.ok("models.publish_many", request).await["failed"], json!([]));
    assert_eq!(world.status(&task).await, "published");
    let model = world.model(doc! { "task": world.task_in("created").await }).await;
    let request = json!({"ids": [model], "publish_task": false});
    assert_eq!(world.ok("models.publish_many", request).await["failed"], json!([]));
    assert_eq!(world.error("models.set_ready", json!({"model": "x"})).await, unknown("x"));
}
