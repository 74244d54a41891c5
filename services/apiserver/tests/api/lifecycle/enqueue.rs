//! enqueue, dequeue and their batches (spec 02 §6).

use bson::{Bson, doc};
use clearml_documents::{Change, Collection};
use serde_json::json;

use super::{World, field_names, forbidden, is_now};
use crate::support::COMPANY;

#[tokio::test]
async fn an_enqueued_task_is_queued_in_that_queue_alone() {
    let world = World::new().await;
    let (first, second) = (world.queue("first").await, world.queue("second").await);
    let task = world.task(doc! { "system_tags": ["development", "other"] }).await;
    let request = json!({"task": task, "queue": first, "status_reason": "r", "status_message": "m"});
    let answer = world.ok("tasks.enqueue", request).await;
    assert_eq!((&answer["queued"], &answer["updated"]), (&json!(1), &json!(1)));
    assert_eq!(
        field_names(&answer["fields"]),
        [
            "enqueue_status",
            "execution.queue",
            "last_change",
            "last_changed_by",
            "last_update",
            "status",
            "status_changed",
            "status_message",
            "status_reason"
        ]
    );
    assert_eq!(answer["fields"]["enqueue_status"], "created");
    assert_eq!(answer["fields"]["execution.queue"], json!(first));
    assert_eq!(answer.get("queue_watched"), None);
    let stored = world.stored(&task).await;
    assert_eq!(stored.get_str("status").unwrap(), "queued");
    assert_eq!(stored.get_str("enqueue_status").unwrap(), "created");
    assert_eq!(stored.get_document("execution").unwrap().get_str("queue").unwrap(), first);
    assert_eq!(stored.get_array("system_tags").unwrap(), &[Bson::from("other")]);
    assert_eq!(world.entries(&first).await, [task.as_str()]);

    // To another queue: same status, and the status before it was queued is kept.
    let answer = world.ok("tasks.enqueue", json!({"task": task, "queue": second})).await;
    assert_eq!(answer["fields"]["enqueue_status"], "created");
    assert!(world.entries(&first).await.is_empty());
    assert_eq!(world.entries(&second).await, [task.as_str()]);
    assert!(is_now(world.find(Collection::Queue, &first).await.unwrap().get("last_update")));
}

#[tokio::test]
async fn enqueueing_twice_fails_and_forgets_the_former_status() {
    let world = World::new().await;
    let queue = world.queue("some queue").await;
    let task = world.queued_task(&queue).await;
    assert_eq!(
        world.error("tasks.enqueue", json!({"task": task, "queue": queue})).await,
        format!("400/706 Failed adding task to queue since task is already queued: task={task}")
    );
    let stored = world.stored(&task).await;
    assert_eq!(stored.get_str("status").unwrap(), "queued");
    assert_eq!(stored.get_str("status_reason").unwrap(), "failed enqueueing");
    assert_eq!(stored.get("enqueue_status"), Some(&Bson::Null));
    assert_eq!(world.entries(&queue).await, [task]);
}

#[tokio::test]
async fn a_failed_enqueueing_is_taken_back() {
    let world = World::new().await;
    let task = world.task(doc! { "status": "stopped", "system_tags": ["development"] }).await;
    assert_eq!(
        world.error("tasks.enqueue", json!({"task": task, "queue": "unknown"})).await,
        format!("400/701 Invalid queue id: id=unknown, company={COMPANY}")
    );
    let stored = world.stored(&task).await;
    assert_eq!(stored.get_str("status").unwrap(), "stopped");
    assert_eq!(stored.get_str("status_reason").unwrap(), "failed enqueueing");
    assert_eq!(stored.get_str("status_message").unwrap(), "");
    assert_eq!(stored.get("enqueue_status"), Some(&Bson::Null));
    assert!(stored.get_array("system_tags").unwrap().is_empty());
}

#[tokio::test]
async fn enqueueing_keeps_to_the_table() {
    let world = World::new().await;
    let queue = world.queue("some queue").await;
    for status in ["created", "stopped", "failed"] {
        let task = world.task_in(status).await;
        let answer = world.ok("tasks.enqueue", json!({"task": task, "queue": queue})).await;
        assert_eq!(answer["fields"]["enqueue_status"], json!(status));
    }
    for status in ["in_progress", "closed", "publishing", "published", "completed"] {
        let task = world.task_in(status).await;
        let request = json!({"task": task, "queue": queue});
        assert!(world.error("tasks.enqueue", request).await.starts_with("400/110 "), "{status}");
        world.ok("tasks.enqueue", json!({"task": task, "queue": queue, "force": true})).await;
        assert_eq!(world.status(&task).await, "queued");
    }
    world.assert_needs_writable_task("tasks.enqueue").await;
}

#[tokio::test]
async fn queues_are_found_by_name_or_by_default() {
    let world = World::new().await;
    let task = world.task(doc! {}).await;
    assert_eq!(
        world.error("tasks.enqueue", json!({"task": task})).await,
        "400/707 No queue is tagged as the default queue for this company"
    );
    let both = json!({"task": task, "queue": "q", "queue_name": "n"});
    assert_eq!(
        world.error("tasks.enqueue", both).await,
        "400/12 Validation error (Either queue id or queue name should be provided)"
    );
    let short = json!({"task": task, "queue_name": "ab"});
    assert_eq!(
        world.error("tasks.enqueue", short).await,
        "400/800 Data validation error: name=String value is too short"
    );

    let by_name = json!({"task": task, "queue_name": "made on the way"});
    let made = world.ok("tasks.enqueue", by_name).await["fields"]["execution.queue"].clone();
    let queue = world.ok("queues.get_by_id", json!({"queue": made})).await;
    assert_eq!(queue["queue"]["name"], "made on the way");
    let other = world.task(doc! {}).await;
    let again = world.ok("tasks.enqueue", json!({"task": other, "queue_name": "made on the way"})).await;
    assert_eq!(again["fields"]["execution.queue"], made);

    let create = |name| json!({"name": name, "system_tags": ["default"]});
    let default = world.ok("queues.create", create("one default")).await["id"].clone();
    let third = world.task(doc! {}).await;
    let answer = world.ok("tasks.enqueue", json!({"task": third})).await;
    assert_eq!(answer["fields"]["execution.queue"], default);
    let second_default = world.ok("queues.create", create("two defaults")).await["id"].clone();
    let error = world.error("tasks.enqueue", json!({"task": world.task(doc! {}).await})).await;
    assert!(error.starts_with(
        "400/708 More than one queue is tagged as the default queue for this company: queues=("
    ));
    assert!(error.contains(default.as_str().unwrap()) && error.contains(second_default.as_str().unwrap()));
}

#[tokio::test]
async fn the_execution_queue_can_be_left_alone() {
    let world = World::new().await;
    let (first, second) = (world.queue("first").await, world.queue("second").await);
    let task = world.task(doc! {}).await;
    let request = json!({"task": task, "queue": second, "update_execution_queue": false});
    assert_eq!(
        world.error("tasks.enqueue", request.clone()).await,
        "400/12 Validation error (Cannot skip setting execution queue for a task that is not enqueued or does not have execution queue set)"
    );
    world.ok("tasks.enqueue", json!({"task": task, "queue": first})).await;
    let answer = world.ok("tasks.enqueue", request).await;
    assert_eq!(answer["fields"].get("execution.queue"), None);
    let execution = world.stored(&task).await.get_document("execution").unwrap().clone();
    assert_eq!(execution.get_str("queue").unwrap(), first);
    assert_eq!(world.entries(&second).await, [task.as_str()]);
    assert!(world.entries(&first).await.is_empty());
    let verify = json!({
        "task": task, "queue": first, "update_execution_queue": false, "verify_watched_queue": true,
    });
    assert_eq!(
        world.error("tasks.enqueue", verify).await,
        "400/12 Validation error (verify_watched_queue cannot be used with update_execution_queue=False)"
    );
}

#[tokio::test]
async fn a_queue_is_watched_while_a_worker_serves_it() {
    let world = World::new().await;
    let (first, second) = (world.queue("first").await, world.queue("second").await);
    world.ok("workers.register", json!({"worker": "w:0", "queues": [second]})).await;
    for (queue, watched) in [(&first, false), (&second, true)] {
        let task = world.task(doc! {}).await;
        let request = json!({"task": task, "queue": queue, "verify_watched_queue": true});
        assert_eq!(world.ok("tasks.enqueue", request).await["queue_watched"], json!(watched));
        let many = json!({"ids": [world.task(doc! {}).await], "queue": queue, "verify_watched_queue": true});
        assert_eq!(world.ok("tasks.enqueue_many", many).await["queue_watched"], json!(watched));
    }
    let none = json!({"ids": ["unknown"], "queue": first, "verify_watched_queue": true});
    assert_eq!(world.ok("tasks.enqueue_many", none).await.get("queue_watched"), None);
}

#[tokio::test]
async fn many_tasks_are_enqueued_in_order() {
    let world = World::new().await;
    world.ok("queues.create", json!({"name": "default queue", "system_tags": ["default"]})).await;
    let queue = world.ok("queues.get_default", json!({})).await["id"].as_str().unwrap().to_owned();
    let first = world.task(doc! {}).await;
    world.assert_batch_collects_errors("tasks.enqueue_many", &first).await;
    let tasks = [world.task(doc! {}).await, world.task_in("stopped").await, world.task_in("closed").await];
    let answer = world.ok("tasks.enqueue_many", json!({"ids": tasks, "queue": queue})).await;
    assert_eq!(field_names(&answer["succeeded"][0]), ["fields", "id", "queued", "updated"]);
    assert_eq!(answer["succeeded"][1]["queued"], true);
    assert_eq!(answer["succeeded"][1]["fields"]["enqueue_status"], "stopped");
    assert_eq!(answer["failed"][0]["error"]["codes"], json!([400, 110]));
    assert_eq!(world.entries(&queue).await, [first, tasks[0].clone(), tasks[1].clone()]);
}

#[tokio::test]
async fn many_tasks_can_be_validated_first() {
    let world = World::new().await;
    let queue = world.queue("some queue").await;
    let task = world.task(doc! { "models": {"input": [{"name": "m", "model": "gone"}]} }).await;
    let request = json!({"ids": [task], "queue": queue, "validate_tasks": true});
    let answer = world.ok("tasks.enqueue_many", request).await;
    assert_eq!(answer["failed"][0]["error"]["msg"], "Invalid model id: models=(gone)");
    assert_eq!(world.status(&task).await, "created");
    world.ok("tasks.enqueue_many", json!({"ids": [task], "queue": queue})).await;
    assert_eq!(world.status(&task).await, "queued");
}

#[tokio::test]
async fn a_dequeued_task_has_its_former_status_again() {
    let world = World::new().await;
    let queue = world.queue("some queue").await;
    let task = world.task_in("stopped").await;
    world.ok("tasks.enqueue", json!({"task": task, "queue": queue})).await;
    let answer =
        world.ok("tasks.dequeue", json!({"task": task, "status_reason": "r", "status_message": "m"})).await;
    assert_eq!((&answer["dequeued"], &answer["updated"]), (&json!(1), &json!(1)));
    assert_eq!(answer["fields"]["status"], "stopped");
    assert_eq!(answer["fields"]["enqueue_status"], json!(null));
    assert_eq!(answer["fields"]["status_reason"], "r");
    let stored = world.stored(&task).await;
    assert_eq!(stored.get("enqueue_status"), Some(&Bson::Null));
    assert_eq!(stored.get_document("execution").unwrap().get_str("queue").unwrap(), queue);
    assert!(world.entries(&queue).await.is_empty());
    assert_eq!(
        world.ok("tasks.dequeue", json!({"task": task})).await,
        json!({"dequeued": 1, "updated": 0, "fields": {}})
    );
}

#[tokio::test]
async fn dequeueing_also_changes_running_tasks_and_takes_a_status() {
    let world = World::new().await;
    let running = world.task_in("in_progress").await;
    world.ok("tasks.dequeue", json!({"task": running})).await;
    assert_eq!(world.status(&running).await, "created");

    let queue = world.queue("some queue").await;
    let task = world.queued_task(&queue).await;
    let answer = world.ok("tasks.dequeue", json!({"task": task, "new_status": "in_progress"})).await;
    assert_eq!(answer["updated"], 1);
    assert_eq!(world.status(&task).await, "in_progress");
    for endpoint in ["tasks.dequeue", "tasks.dequeue_many"] {
        assert_eq!(
            world.error(endpoint, json!({"task": task, "ids": [task], "new_status": "running"})).await,
            "400/12 Validation error (Invalid task status: running)"
        );
    }
}

#[tokio::test]
async fn tasks_leave_other_queues_on_request_and_when_they_are_gone() {
    let world = World::new().await;
    let (first, second) = (world.queue("first").await, world.queue("second").await);
    let task = world.queued_task(&first).await;
    let add = json!({"queue": second, "task": task, "update_execution_queue": false});
    world.ok("queues.add_task", add).await;
    world.ok("tasks.dequeue", json!({"task": task, "remove_from_all_queues": true})).await;
    assert!(world.entries(&first).await.is_empty() && world.entries(&second).await.is_empty());

    let add = json!({"queue": first, "task": "gone"});
    world.ok("queues.add_task", add).await;
    assert_eq!(
        world.ok("tasks.dequeue", json!({"task": "gone"})).await,
        json!({"dequeued": 1, "updated": 0, "fields": {}})
    );
    assert!(world.entries(&first).await.is_empty());
    let public = world.public_task().await;
    assert_eq!(world.error("tasks.dequeue", json!({"task": public})).await, forbidden(&public));
}

#[tokio::test]
async fn many_tasks_are_dequeued_one_by_one() {
    let world = World::new().await;
    let queue = world.queue("some queue").await;
    let task = world.queued_task(&queue).await;
    let public = world.public_task().await;
    let answer = world.ok("tasks.dequeue_many", json!({"ids": [task, public, "gone"]})).await;
    assert_eq!(field_names(&answer["succeeded"][0]), ["dequeued", "fields", "id", "updated"]);
    assert_eq!(answer["succeeded"][0]["dequeued"], true);
    assert_eq!(answer["succeeded"][1], json!({"id": "gone", "dequeued": true, "updated": 0, "fields": {}}));
    assert_eq!(answer["failed"][0]["error"]["codes"], json!([403, 21]));
    assert_eq!(world.status(&task).await, "created");
}

#[tokio::test]
async fn of_concurrent_enqueueings_of_a_task_one_entry_remains() {
    let world = World::new().await;
    let queue = world.queue("some queue").await;
    let task = world.task(doc! {}).await;
    let calls: Vec<_> = (0..16)
        .map(|_| {
            let (user, request) = (world.user.clone(), json!({"task": task, "queue": queue}));
            tokio::spawn(async move { user.call("tasks.enqueue", request).await.code() })
        })
        .collect();
    let mut succeeded = 0;
    for call in calls {
        match call.await.unwrap() {
            (200, 0) => succeeded += 1,
            code => assert!(matches!(code, (400, 121 | 703 | 706)), "{code:?}"),
        }
    }
    assert_eq!(succeeded, 1);
    assert_eq!(world.entries(&queue).await, [task]);
}

#[tokio::test]
async fn a_task_that_is_removed_from_its_queue_by_hand_can_be_stopped() {
    let world = World::new().await;
    let queue = world.queue("some queue").await;
    let task = world.queued_task(&queue).await;
    world.change(Collection::Queue, &queue, vec![Change::set("entries", Bson::Array(vec![]))]).await;
    world.ok("tasks.stop", json!({"task": task})).await;
    assert_eq!(world.status(&task).await, "stopped");
}
