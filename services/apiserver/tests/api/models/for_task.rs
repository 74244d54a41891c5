//! `models.update_for_task` of old clients (spec 04 §1.3).

use bson::{Bson, DateTime, doc};
use serde_json::{Value, json};

use super::{texts, unknown};
use crate::{
    lifecycle::{World, forbidden, is_now},
    support::COMPANY,
};

const ENDPOINT: &str = "models.update_for_task";

async fn update(world: &World, request: Value) -> Value {
    world.data_at("2.13", ENDPOINT, request).await
}

#[tokio::test]
async fn newer_clients_have_another_endpoint() {
    let world = World::new().await;
    assert_eq!(
        world.error_at("2.14", ENDPOINT, json!({"task": "t", "uri": "u"})).await,
        "301/1 This endpoint is no longer supported for the requested api version (use tasks.add_or_update_model)"
    );
}

#[tokio::test]
async fn a_task_without_output_gets_a_model() {
    let world = World::new().await;
    let started = DateTime::from_millis(DateTime::now().timestamp_millis() - 90_000);
    let task = world
        .task(doc! {
            "name": "trainer", "project": "p", "status": "in_progress", "started": started,
            "last_iteration": 3, "models": {"input": [{"name": "in", "model": "first input"}]},
            "execution": {"framework": "f", "model_desc": {"d": "x"}, "model_labels": {"a%2Eb": 1}},
        })
        .await;
    let answer =
        update(&world, json!({"task": task, "uri": " u ", "tags": ["b", "a"], "iteration": 7})).await;
    assert_eq!(answer["created"], json!(true));
    let id = answer["id"].as_str().unwrap();
    let model = world.stored_model(id).await;
    for (field, value) in [
        ("name", "trainer"),
        ("uri", "u"),
        ("task", task.as_str()),
        ("project", "p"),
        ("framework", "f"),
        ("parent", "first input"),
        ("user", world.user.id.as_str()),
        ("company", COMPANY),
        ("last_changed_by", world.user.id.as_str()),
    ] {
        assert_eq!(model.get_str(field).unwrap(), value, "{field}");
    }
    assert_eq!(model.get_str("comment").unwrap(), format!("Created by task `trainer` ({task})"));
    assert_eq!(model.get_document("design").unwrap(), &doc! { "d": "x" });
    assert_eq!(model.get_document("labels").unwrap().get("a.b").and_then(Bson::as_i32), Some(1));
    assert!(!model.get_bool("ready").unwrap());
    assert_eq!(texts(&model, "tags"), ["a", "b"]);
    assert!(is_now(model.get("created")) && is_now(model.get("last_update")));

    let stored = world.stored(&task).await;
    let output = stored.get_document("models").unwrap().get_array("output").unwrap();
    let item = output[0].as_document().unwrap();
    assert_eq!((output.len(), item.get_str("name").unwrap()), (1, "Output Model"));
    assert_eq!(item.get_str("model").unwrap(), id);
    assert!(is_now(item.get("updated")));
    assert_eq!(stored.get("last_iteration"), Some(&Bson::Int64(7)));
    assert!(is_now(stored.get("last_update")) && is_now(stored.get("last_change")));
    let duration = stored.get_i64("active_duration").unwrap();
    assert!((90..150).contains(&duration), "{duration}");
}

#[tokio::test]
async fn the_last_output_model_is_updated() {
    let world = World::new().await;
    let model = world.model(doc! { "framework": "f", "ui_cache": {"k": 1} }).await;
    let task = world.creating_task(&model, doc! { "name": "trainer" }).await;
    let request = json!({"task": task, "uri": "new", "name": "new name", "comment": "c", "iteration": 2});
    let answer = update(&world, request).await;
    assert_eq!((&answer["id"], &answer["created"]), (&json!(model), &json!(false)));
    assert_eq!(answer["updated"], json!(1));
    assert_eq!(answer["fields"]["uri"], json!("new"));
    let stored = world.stored_model(&model).await;
    assert_eq!(stored.get_str("name").unwrap(), "new name");
    assert_eq!(stored.get_str("framework").unwrap(), "f");
    assert!(stored.get_document("ui_cache").unwrap().is_empty());
    assert!(is_now(stored.get("last_update")));
    let task = world.stored(&task).await;
    assert_eq!(task.get_document("models").unwrap().get_array("output").unwrap().len(), 2);
    assert_eq!(task.get("last_iteration"), Some(&Bson::Int64(2)));
}

#[tokio::test]
async fn another_model_takes_the_place_of_all_outputs() {
    let world = World::new().await;
    let model = world.model(doc! {}).await;
    let task = world.creating_task("old", doc! {}).await;
    let answer = update(&world, json!({"task": task, "override_model_id": model})).await;
    assert_eq!(answer, json!({"id": model, "created": true}));
    let stored = world.stored(&task).await;
    let output = stored.get_document("models").unwrap().get_array("output").unwrap();
    assert_eq!(output.len(), 1);
    assert_eq!(output[0].as_document().unwrap().get_str("model").unwrap(), model);
    let public = world.public_model().await;
    assert_eq!(
        world.error_at("2.1", ENDPOINT, json!({"task": task, "override_model_id": public})).await,
        unknown(&public)
    );
}

#[tokio::test]
async fn refusals() {
    let world = World::new().await;
    let task = world.task_in("created").await;
    for request in [json!({"task": task}), json!({"task": task, "uri": "u", "override_model_id": "m"})] {
        assert_eq!(
            world.error_at("2.13", ENDPOINT, request).await,
            "400/11 Missing required fields (exactly one field is required): fields=(uri, override_model_id)"
        );
    }
    let (public, foreign) = (world.public_task().await, world.foreign_task().await);
    let at = |task: &str| json!({"task": task, "uri": "u"});
    assert_eq!(world.error_at("2.13", ENDPOINT, at(&public)).await, forbidden(&public));
    assert_eq!(
        world.error_at("2.13", ENDPOINT, at(&foreign)).await,
        format!("400/101 Invalid task id: id={foreign}, company={COMPANY}")
    );
    let done = world.task_in("completed").await;
    assert_eq!(
        world.error_at("2.13", ENDPOINT, at(&done)).await,
        format!(
            "400/110 Invalid task status (model can only be updated for tasks in the ['created', \
             'in_progress'] states): id={done}, company={COMPANY}"
        )
    );
    let named = |name: Value| json!({"task": task, "uri": "u", "name": name});
    assert_eq!(
        world.error_at("2.13", ENDPOINT, named(json!("ab"))).await,
        "400/800 Data validation error: name=String value is too short"
    );
    assert_eq!(
        world.error_at("2.13", ENDPOINT, named(json!(5))).await,
        "400/800 Data validation error: name=StringField only accepts string values"
    );
    assert_eq!(world.stored(&task).await.get("models"), None, "a refused model leaves the task alone");
}
