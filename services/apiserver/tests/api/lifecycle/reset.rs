//! reset and reset_many (spec 02 §7.1, §7.3, §7.4).

use bson::{Bson, DateTime, doc};
use clearml_documents::{Collection, Filter, Find};
use clearml_events::{Event, EventType, Selection, Source};
use serde_json::json;

use super::{STATUS_FIELDS, World, field_names};
use crate::support::COMPANY;

fn used_task() -> bson::Document {
    doc! {
        "status": "completed",
        "comment": "kept",
        "tags": ["kept"],
        "last_iteration": 7_i64,
        "last_metrics": {"a": {"b": {"value": 1}}},
        "unique_metrics": ["a/b"],
        "metric_stats": {"a": {}},
        "models": {"input": [{"name": "i", "model": "x"}], "output": []},
        "runtime": {"progress": "100"},
        "output": {"destination": "file:///d", "result": "success", "error": "e"},
        "last_worker": "w",
        "last_worker_report": DateTime::now(),
        "started": DateTime::now(),
        "completed": DateTime::now(),
        "published": DateTime::now(),
        "active_duration": 5_i64,
        "enqueue_status": "created",
        "script": {"repository": "r"},
        "hyperparams": {"Args": {}},
        "execution": {
            "queue": "q",
            "framework": "f",
            "artifacts": {
                "a_input": {"key": "a", "mode": "input", "uri": "file:///in"},
                "a_output": {"key": "a", "mode": "output", "uri": "file:///out"},
            },
        },
    }
}

#[tokio::test]
async fn a_reset_task_is_as_before_its_run() {
    let world = World::new().await;
    let task = world.task(used_task()).await;
    let request = json!({"task": task, "status_reason": "ignored", "status_message": "ignored"});
    let answer = world.ok("tasks.reset", request).await;
    assert_eq!(field_names(&answer["fields"]), STATUS_FIELDS);
    assert_eq!(
        (
            &answer["updated"],
            &answer["dequeued"],
            &answer["deleted_models"],
            &answer["urls"],
            &answer["events"]
        ),
        (&json!(1), &json!({}), &json!(0), &json!({}), &json!({}))
    );
    let stored = world.stored(&task).await;
    assert_eq!(stored.get_str("status").unwrap(), "created");
    assert_eq!(stored.get_str("status_reason").unwrap(), "reset");
    assert_eq!(stored.get_str("status_message").unwrap(), "reset");
    assert_eq!(stored.get_str("comment").unwrap(), "kept");
    assert_eq!(stored.get_array("tags").unwrap(), &[Bson::from("kept")]);
    assert_eq!(stored.get_i64("last_iteration").unwrap(), 0);
    for emptied in ["last_metrics", "metric_stats", "runtime"] {
        assert!(stored.get_document(emptied).unwrap().is_empty(), "{emptied}");
    }
    assert!(stored.get_array("unique_metrics").unwrap().is_empty());
    for removed in [
        "last_worker",
        "last_worker_report",
        "started",
        "completed",
        "published",
        "active_duration",
        "enqueue_status",
    ] {
        assert_eq!(stored.get(removed), None, "{removed}");
    }
    assert_eq!(stored.get_document("output").unwrap(), &doc! { "destination": "file:///d" });
    let execution = stored.get_document("execution").unwrap();
    assert_eq!(execution.get("queue"), None);
    assert_eq!(execution.get_str("framework").unwrap(), "f");
    let artifacts: Vec<&String> = execution.get_document("artifacts").unwrap().keys().collect();
    assert_eq!(artifacts, ["a_input"]);
    assert!(stored.get("script").is_some());
    assert_eq!(stored.get_document("models").unwrap().get_array("input").unwrap().len(), 1);
}

#[tokio::test]
async fn clear_all_forgets_execution_and_script() {
    let world = World::new().await;
    let task = world.task(used_task()).await;
    world.ok("tasks.reset", json!({"task": task, "clear_all": true})).await;
    let stored = world.stored(&task).await;
    assert_eq!(stored.get("script"), None);
    assert!(stored.get("hyperparams").is_some());
    let execution = stored.get_document("execution").unwrap();
    assert_eq!(execution.get("framework"), None);
    assert!(execution.get_document("artifacts").unwrap().is_empty());
    assert_eq!(execution.get_i64("test_split").unwrap(), 0);
}

#[tokio::test]
async fn a_queued_task_leaves_all_queues() {
    let world = World::new().await;
    let (first, second) = (world.queue("first").await, world.queue("second").await);
    let task = world.queued_task(&first).await;
    let add = json!({"queue": second, "task": task, "update_execution_queue": false});
    world.ok("queues.add_task", add).await;
    let answer = world.ok("tasks.reset", json!({"task": task})).await;
    assert_eq!(answer["dequeued"], json!({"removed": 1}));
    assert!(world.entries(&first).await.is_empty() && world.entries(&second).await.is_empty());
}

#[tokio::test]
async fn published_tasks_and_wrong_states_need_force() {
    let world = World::new().await;
    let task = world.task_in("published").await;
    assert_eq!(
        world.error("tasks.reset", json!({"task": task})).await,
        format!("400/110 Invalid task status: task_id={task}, status=published")
    );
    world.ok("tasks.reset", json!({"task": task, "force": true})).await;
    assert_eq!(world.status(&task).await, "created");
    let task = world.task_in("publishing").await;
    assert_eq!(
        world.error("tasks.reset", json!({"task": task})).await,
        "400/110 Invalid task status (Invalid status change): current_status=publishing, new_status=created"
    );
    world.assert_needs_writable_task("tasks.reset").await;
}

#[tokio::test]
async fn draft_models_go_unless_somebody_uses_them() {
    let world = World::new().await;
    let task = world.task(used_task()).await;
    let model = |ready: bool, uri: &str| doc! { "task": &task, "ready": ready, "uri": uri };
    let unused = world.insert(Collection::Model, model(false, "http://files/unused")).await;
    let used = world.insert(Collection::Model, model(false, "http://files/used")).await;
    world.task(doc! { "models": {"input": [{"name": "m", "model": &used}]} }).await;
    let request = json!({"task": task, "return_file_urls": true});
    let answer = world.ok("tasks.reset", request).await;
    assert_eq!(answer["deleted_models"], 1);
    assert_eq!(
        answer["urls"],
        json!({"model_urls": ["http://files/unused"], "event_urls": [], "artifact_urls": ["file:///out"]})
    );
    assert!(world.find(Collection::Model, &unused).await.is_none());
    let used = world.find(Collection::Model, &used).await.unwrap();
    assert_eq!(used.get("task"), None);
    assert_eq!(used.get_str("last_changed_by").unwrap(), world.user.id);
}

#[tokio::test]
async fn published_outputs_and_children_need_force() {
    let world = World::new().await;
    let parent = world.task_in("completed").await;
    world.task(doc! { "parent": &parent, "status": "published" }).await;
    assert_eq!(
        world.error("tasks.reset", json!({"task": parent})).await,
        format!("400/123 Task cannot be deleted (has children, use force=True): task={parent}, children=1")
    );

    let maker = world.task_in("completed").await;
    let model = world.insert(Collection::Model, doc! { "task": &maker, "ready": true }).await;
    assert_eq!(
        world.error("tasks.reset", json!({"task": maker})).await,
        format!("400/123 Task cannot be deleted (has output models, use force=True): task={maker}, models=1")
    );
    world.ok("tasks.reset", json!({"task": maker, "force": true})).await;
    assert_eq!(world.find(Collection::Model, &model).await.unwrap().get("task"), None);

    let output = doc! { "output": [{"name": "m", "model": &model}] };
    let lister = world.task(doc! { "status": "completed", "models": output }).await;
    assert_eq!(
        world.error("tasks.reset", json!({"task": lister})).await,
        format!(
            "400/123 Task cannot be deleted (has output model, use force=True): task={lister}, model={model}"
        )
    );
}

#[tokio::test]
async fn models_can_be_kept() {
    let world = World::new().await;
    let task = world.task_in("completed").await;
    let model = world.insert(Collection::Model, doc! { "task": &task, "ready": false, "uri": "u" }).await;
    let request = json!({"task": task, "delete_output_models": false, "return_file_urls": true});
    let answer = world.ok("tasks.reset", request).await;
    assert_eq!((&answer["deleted_models"], &answer["urls"]["model_urls"]), (&json!(0), &json!(["u"])));
    assert_eq!(world.find(Collection::Model, &model).await.unwrap().get("task"), None);
}

#[tokio::test]
async fn events_go_and_their_files_are_scheduled() {
    let world = World::new().await;
    let task = world.task(used_task()).await;
    let model = doc! { "task": &task, "ready": false, "uri": "http://files/model" };
    let model = world.insert(Collection::Model, model).await;
    let mut image = Event::new(EventType::Image, task.as_str(), 1, 1);
    (image.metric, image.variant, image.iter) = ("m".to_owned(), "v".to_owned(), Some(1));
    image.url = Some("http://files/image".to_owned());
    let mut plot = Event::new(EventType::Plot, model.as_str(), 1, 1);
    plot.fields.insert("source_urls", vec!["s3://bucket/plot"]);
    let elsewhere = Event { url: Some("file:///elsewhere".to_owned()), iter: Some(2), ..image.clone() };
    world.server.app.events.append(COMPANY, vec![image, elsewhere, plot]).await.unwrap();

    world.ok("tasks.reset", json!({"task": task})).await;
    for owner in [&task, &model] {
        let left = Selection::new(Source::new(COMPANY, owner.as_str()), None);
        assert_eq!(world.server.app.events.count(&left, None).await.unwrap(), 0);
    }
    let scheduled = world
        .server
        .app
        .documents
        .find(Collection::UrlToDelete, Find::new(Filter::eq("company", COMPANY)))
        .await
        .unwrap();
    let mut urls: Vec<_> = scheduled
        .iter()
        .map(|record| {
            assert_eq!(record.get_str("task").unwrap(), task);
            assert_eq!(record.get_str("user").unwrap(), world.user.id);
            assert_eq!(record.get_str("status").unwrap(), "created");
            assert_eq!(record.get_str("type").unwrap(), "file");
            assert_eq!(record.get_i64("retry_count").unwrap(), 0);
            (record.get_str("url").unwrap(), record.get_str("storage_type").unwrap())
        })
        .collect();
    urls.sort_unstable();
    assert_eq!(
        urls,
        [
            ("http://files/image", "fileserver"),
            ("http://files/model", "fileserver"),
            ("s3://bucket/plot", "s3")
        ]
    );
}

#[tokio::test]
async fn files_can_be_left_to_the_client_and_are_scheduled_once() {
    let world = World::new().await;
    let artifacts = doc! { "a_output": {"key": "a", "mode": "output", "uri": "http://files/a"} };
    let fields = doc! { "status": "completed", "execution": {"artifacts": artifacts} };
    let scheduled = async || {
        let all = Find::new(Filter::Everything);
        world.server.app.documents.find(Collection::UrlToDelete, all).await.unwrap()
    };
    let task = world.task(fields.clone()).await;
    world.ok("tasks.reset", json!({"task": task, "delete_external_artifacts": false})).await;
    assert!(scheduled().await.is_empty());

    let first = world.task(fields.clone()).await;
    world.ok("tasks.reset", json!({"task": first})).await;
    let record = scheduled().await.pop().unwrap();
    let failed = doc! { "status": "failed", "retry_count": 3_i64, "last_failure_reason": "r" };
    let failed = failed.into_iter().map(|(path, value)| clearml_documents::Change::Set(path, value));
    world.change(Collection::UrlToDelete, record.get_str("_id").unwrap(), failed.collect()).await;
    let second = world.task(fields).await;
    world.ok("tasks.reset", json!({"task": second})).await;
    let again = scheduled().await;
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].get_str("task").unwrap(), second);
    assert_eq!(again[0].get_str("status").unwrap(), "created");
    assert_eq!(again[0].get_i64("retry_count").unwrap(), 0);
    assert_eq!(again[0].get("last_failure_reason"), None);
    assert_eq!(again[0].get("_id"), record.get("_id"));
}

#[tokio::test]
async fn many_tasks_are_reset_one_by_one() {
    let world = World::new().await;
    let task = world.task_in("completed").await;
    world.assert_batch_collects_errors("tasks.reset_many", &task).await;
    let queue = world.queue("some queue").await;
    let (queued, plain) = (world.queued_task(&queue).await, world.task_in("failed").await);
    let answer = world.ok("tasks.reset_many", json!({"ids": [queued, plain]})).await;
    assert_eq!(
        field_names(&answer["succeeded"][0]),
        ["deleted_models", "dequeued", "fields", "id", "updated", "urls"]
    );
    assert_eq!(answer["succeeded"][0]["dequeued"], true);
    assert_eq!(answer["succeeded"][1]["dequeued"], false);
    assert_eq!(answer["succeeded"][1]["urls"], json!({}));
    assert_eq!(world.status(&plain).await, "created");
}
