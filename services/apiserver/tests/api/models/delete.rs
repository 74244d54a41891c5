//! `models.delete` and `models.delete_many` (spec 04 §1.6).

use bson::{Bson, Document, doc};
use clearml_apiserver::Settings;
use clearml_documents::{Collection, Filter, Find};
use clearml_events::{Event, EventType, Selection, Source};
use serde_json::{Value, json};

use super::unknown;
use crate::{
    lifecycle::{World, is_now},
    support::{COMPANY, TestServer},
};

async fn scheduled(world: &World) -> Vec<Document> {
    world.server.app.documents.find(Collection::UrlToDelete, Find::new(Filter::Everything)).await.unwrap()
}

async fn scheduled_urls(world: &World) -> Vec<String> {
    let mut urls: Vec<String> =
        scheduled(world).await.iter().map(|record| record.get_str("url").unwrap().to_owned()).collect();
    urls.sort();
    urls
}

async fn add_events(world: &World, model: &str) {
    let event = |more: Value| {
        let mut event =
            json!({"model": model, "model_event": true, "metric": "m", "variant": "v", "iter": 1});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let events = [
        event(json!({"type": "training_debug_image", "url": "http://files/image"})),
        event(json!({"type": "training_debug_image", "url": "file:///image", "iter": 2})),
        event(json!({"type": "plot", "plot_str": "{\"source\": \"s3://bucket/plot\"}"})),
    ];
    let answer = world.user.lines("events.add_batch", &events).await;
    assert_eq!(answer.data()["added"], json!(3), "{}", answer.json);
}

async fn events_of(world: &World, model: &str) -> u64 {
    let selection = Selection::new(Source::new(COMPANY, model), None);
    world.server.app.events.count(&selection, None).await.unwrap()
}

#[tokio::test]
async fn a_model_is_deleted_with_its_events_and_files() {
    let world = World::new().await;
    let model = world.model(doc! { "uri": "https://files/weights" }).await;
    add_events(&world, &model).await;
    assert_eq!(
        world.ok("models.delete", json!({"model": model})).await,
        json!({"deleted": true, "url": "https://files/weights"})
    );
    assert!(world.find(Collection::Model, &model).await.is_none());
    assert_eq!(events_of(&world, &model).await, 0);
    assert_eq!(
        scheduled_urls(&world).await,
        ["http://files/image", "https://files/weights", "s3://bucket/plot"]
    );
    for record in scheduled(&world).await {
        assert_eq!(record.get_str("task").unwrap(), model);
        assert_eq!(record.get_str("company").unwrap(), COMPANY);
        assert_eq!(record.get_str("type").unwrap(), "file");
        assert_eq!(record.get_str("status").unwrap(), "created");
        assert_eq!(record.get_i64("retry_count").unwrap(), 0);
    }
    world.assert_needs_own_model("models.delete", &json!({})).await;
}

#[tokio::test]
async fn files_can_be_kept() {
    let world = World::new().await;
    let model = world.model(doc! { "uri": "s3://bucket/weights" }).await;
    add_events(&world, &model).await;
    world.ok("models.delete", json!({"model": model, "delete_external_artifacts": false})).await;
    assert!(scheduled(&world).await.is_empty());
    assert_eq!(events_of(&world, &model).await, 0);

    let elsewhere = world.model(doc! { "uri": "ftp://host/weights" }).await;
    world.ok("models.delete", json!({"model": elsewhere})).await;
    assert!(scheduled(&world).await.is_empty(), "nobody knows how to delete it");
}

#[tokio::test]
async fn the_server_can_be_told_to_keep_files() {
    let server =
        TestServer::with_settings(|settings: &mut Settings| settings.external_files.enabled = false).await;
    let user = server.user().await;
    let world = World { server, user };
    let model = world.model(doc! { "uri": "s3://bucket/weights" }).await;
    world.ok("models.delete", json!({"model": model})).await;
    assert!(scheduled(&world).await.is_empty());
}

#[tokio::test]
async fn a_model_in_use_stays_without_force() {
    let world = World::new().await;
    let model = world.model(doc! {}).await;
    let input =
        |id: &str| doc! { "models": {"input": [{"name": "i", "model": id}, {"name": "o", "model": "x"}]} };
    let own = world.task(input(&model)).await;
    let mut foreign = input(&model);
    foreign.insert("company", "another");
    let foreign = world.task(foreign).await;
    assert_eq!(
        world.error("models.delete", json!({"model": model})).await,
        "400/205 Model is used by tasks (as execution model, use force=True to delete): num_tasks=2"
    );
    assert!(world.find(Collection::Model, &model).await.is_some());

    world.ok("models.delete", json!({"model": model, "force": true})).await;
    assert!(world.find(Collection::Model, &model).await.is_none());
    for task in [own, foreign] {
        let task = world.stored(&task).await;
        assert_eq!(
            task.get_document("models").unwrap(),
            &doc! { "input": [
                {"name": "i", "model": format!("__DELETED__{model}")}, {"name": "o", "model": "x"}
            ] }
        );
        assert!(!task.contains_key("last_change") && !task.contains_key("last_update"), "{task}");
    }
}

fn outputs(task: &Document) -> Vec<&str> {
    let items = task.get_document("models").unwrap().get_array("output").unwrap();
    items.iter().map(|item| item.as_document().unwrap().get_str("model").unwrap()).collect()
}

#[tokio::test]
async fn the_creating_task_forgets_the_model() {
    let world = World::new().await;
    let task = world.creating_task("to be replaced", doc! { "status": "completed" }).await;
    let model = world.model(doc! { "task": &task }).await;
    let items = vec![doc! { "name": "o", "model": "other" }, doc! { "name": "m", "model": &model }];
    let change = clearml_documents::Change::set("models.output", items);
    world.change(Collection::Task, &task, vec![change]).await;
    world.ok("models.delete", json!({"model": model})).await;
    let task = world.stored(&task).await;
    assert_eq!(outputs(&task), ["other"]);
    assert!(is_now(task.get("last_change")));
    assert!(!task.contains_key("last_update"));
    assert_eq!(task.get_str("last_changed_by").unwrap(), world.user.id);
    assert!(!task.get_document("output").is_ok_and(|output| output.contains_key("error")));
}

#[tokio::test]
async fn a_published_creating_task_remembers() {
    let world = World::new().await;
    let model = world.model(doc! {}).await;
    let task = world.creating_task(&model, doc! { "status": "published" }).await;
    let set_task = clearml_documents::Change::set("task", task.as_str());
    world.change(Collection::Model, &model, vec![set_task]).await;
    assert_eq!(
        world.error("models.delete", json!({"model": model})).await,
        format!(
            "400/206 Task that created this model exists (and published, use force=True to delete): task={task}"
        )
    );
    assert!(world.find(Collection::Model, &model).await.is_some());
    world.ok("models.delete", json!({"model": model, "force": true})).await;
    let task = world.stored(&task).await;
    assert_eq!(outputs(&task), ["other", &format!("__DELETED__{model}")]);
    let error = task.get_document("output").unwrap().get_str("error").unwrap();
    let date = error.strip_prefix("model deleted on ").unwrap();
    assert!(chrono::NaiveDateTime::parse_from_str(date, "%Y-%m-%dT%H:%M:%S%.f").is_ok(), "{error}");
    assert!(is_now(task.get("last_change")));
}

#[tokio::test]
async fn a_task_that_is_gone_does_not_matter() {
    let world = World::new().await;
    let model = world.model(doc! { "task": "__DELETED__t", "uri": Bson::Null }).await;
    let answer = world.ok("models.delete", json!({"model": model})).await;
    assert_eq!(answer, json!({"deleted": true, "url": ""}));
}

#[tokio::test]
async fn many_models_are_deleted_one_by_one() {
    let world = World::new().await;
    let good = world.model(doc! {}).await;
    world.assert_batch_of_models("models.delete_many", &good).await;

    let first = world.model(doc! { "uri": "s3://bucket/first" }).await;
    let used = world.model(doc! { "uri": "s3://bucket/used" }).await;
    let second = world.model(doc! { "uri": "s3://bucket/second" }).await;
    world.task(doc! { "models": {"input": [{"name": "i", "model": &used}]} }).await;
    add_events(&world, &second).await;
    let request = json!({"ids": [first, used, second, first]});
    let answer = world.ok("models.delete_many", request).await;
    assert_eq!(
        answer["succeeded"],
        json!([
            {"id": first, "deleted": true, "url": "s3://bucket/first"},
            {"id": second, "deleted": true, "url": "s3://bucket/second"},
        ])
    );
    assert_eq!(
        answer["failed"][0]["error"],
        json!({
            "codes": [400, 205],
            "msg": "Model is used by tasks (as execution model, use force=True to delete): num_tasks=1",
            "data": {"num_tasks": 1},
        })
    );
    assert_eq!(format!("400/201 {}", answer["failed"][1]["error"]["msg"].as_str().unwrap()), unknown(&first));
    assert_eq!(events_of(&world, &second).await, 0);
    assert_eq!(
        scheduled_urls(&world).await,
        ["http://files/image", "s3://bucket/first", "s3://bucket/plot", "s3://bucket/second"]
    );
    world.ok("models.delete_many", json!({"ids": [used], "force": true})).await;
    assert!(world.find(Collection::Model, &used).await.is_none());
}

#[tokio::test]
async fn a_file_that_is_scheduled_already_starts_over() {
    let world = World::new().await;
    let first = world.model(doc! { "uri": "s3://bucket/w" }).await;
    world.ok("models.delete", json!({"model": first})).await;
    let record = scheduled(&world).await.pop().unwrap();
    let failed = doc! { "status": "failed", "retry_count": 3_i64 };
    let failed = failed.into_iter().map(|(path, value)| clearml_documents::Change::Set(path, value));
    world.change(Collection::UrlToDelete, record.get_str("_id").unwrap(), failed.collect()).await;
    let second = world.model(doc! { "uri": "s3://bucket/w" }).await;
    world.ok("models.delete", json!({"model": second})).await;
    let again = scheduled(&world).await;
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].get_str("status").unwrap(), "created");
    assert_eq!(again[0].get_i64("retry_count").unwrap(), 0);
    assert_eq!(again[0].get_str("task").unwrap(), second);
}

#[tokio::test]
async fn events_of_others_stay() {
    let world = World::new().await;
    let (model, other) = (world.model(doc! {}).await, world.model(doc! {}).await);
    let event = Event::new(EventType::Scalar, other.as_str(), 1, 1);
    world.server.app.events.append(COMPANY, vec![event]).await.unwrap();
    world.ok("models.delete", json!({"model": model})).await;
    assert_eq!(events_of(&world, &other).await, 1);
}
