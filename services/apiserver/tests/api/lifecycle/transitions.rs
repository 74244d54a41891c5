//! started, stopped, failed, close, completed (spec 02 §3.1 to §3.5, 09 §2).

use bson::{Bson, DateTime, doc};
use clearml_documents::{Change, Collection};
use serde_json::json;

use super::{STATUS_FIELDS, World, field_names, is_now};
use crate::support::COMPANY;

const STATUSES: [&str; 9] = [
    "created",
    "queued",
    "in_progress",
    "stopped",
    "publishing",
    "published",
    "closed",
    "failed",
    "completed",
];

/// Endpoint, its status, and from where it can be reached without force (spec 02 §3.1).
const OPERATIONS: [(&str, &str, &[&str]); 5] = [
    ("tasks.started", "in_progress", &["created", "queued", "stopped", "completed", "in_progress"]),
    ("tasks.stopped", "stopped", &["queued", "in_progress", "closed", "failed", "stopped"]),
    ("tasks.failed", "failed", &["in_progress", "stopped", "closed", "failed"]),
    ("tasks.close", "closed", &["stopped", "closed"]),
    ("tasks.completed", "completed", &["in_progress", "stopped", "completed"]),
];

#[tokio::test]
async fn each_operation_keeps_to_the_table_and_force_overrides_it() {
    let world = World::new().await;
    for (endpoint, to, allowed) in OPERATIONS {
        for from in STATUSES {
            let task = world.task_in(from).await;
            if allowed.contains(&from) {
                let answer = world.ok(endpoint, json!({"task": task})).await;
                assert_eq!((&answer["updated"], &answer["fields"]["status"]), (&json!(1), &json!(to)));
            } else {
                assert_eq!(
                    world.error(endpoint, json!({"task": task})).await,
                    format!(
                        "400/110 Invalid task status (Invalid status change): current_status={from}, new_status={to}"
                    )
                );
                assert_eq!(world.status(&task).await, from, "{endpoint} changed a task that it refused");
                world.ok(endpoint, json!({"task": task, "force": true})).await;
            }
            assert_eq!(world.status(&task).await, to, "{endpoint} from {from}");
        }
    }
}

#[tokio::test]
async fn an_unknown_status_needs_force() {
    let world = World::new().await;
    let task = world.task_in("unknown").await;
    assert_eq!(
        world.error("tasks.stopped", json!({"task": task})).await,
        "400/110 Invalid task status (Current status unknown not supported by state machine)"
    );
    world.ok("tasks.stopped", json!({"task": task, "force": true})).await;
}

#[tokio::test]
async fn tasks_of_others_and_public_ones_are_out_of_reach() {
    let world = World::new().await;
    for (endpoint, ..) in OPERATIONS {
        world.assert_needs_writable_task(endpoint).await;
        let unknown = world.error(endpoint, json!({"task": "unknown"})).await;
        if endpoint == "tasks.started" {
            assert_eq!(unknown, "400/10 Invalid object id: task=None");
        } else {
            assert_eq!(unknown, format!("400/101 Invalid task id: id=unknown, company={COMPANY}"));
        }
    }
}

#[tokio::test]
async fn a_change_sets_texts_dates_user_and_project() {
    let world = World::new().await;
    let old = DateTime::from_millis(0);
    let project = world.insert(Collection::Project, doc! { "last_update": old }).await;
    let task = world.task(doc! { "status": "in_progress", "project": &project }).await;
    let answer = world
        .ok("tasks.failed", json!({"task": task, "status_reason": "why", "status_message": "what"}))
        .await;
    let mut expected = STATUS_FIELDS.to_vec();
    expected.insert(0, "completed");
    assert_eq!(field_names(&answer["fields"]), expected);
    assert_eq!(answer["fields"]["status_reason"], "why");
    assert_eq!(answer["fields"]["status_message"], "what");
    assert_eq!(answer["fields"]["last_changed_by"], json!(world.user.id));

    let stored = world.stored(&task).await;
    for date in ["status_changed", "last_update", "last_change", "completed"] {
        assert!(is_now(stored.get(date)), "{date}: {stored}");
    }
    assert_eq!(stored.get_str("last_changed_by").unwrap(), world.user.id);
    assert_eq!(stored.get_str("status_message").unwrap(), "what");
    let project = world.find(Collection::Project, &project).await.unwrap();
    assert!(is_now(project.get("last_update")));

    // Also when the status stays; absent and null texts are empty.
    let again = world.ok("tasks.failed", json!({"task": task, "status_reason": null})).await;
    assert_eq!(again["fields"]["status_reason"], "");
    assert_eq!(world.stored(&task).await.get_str("status_message").unwrap(), "");
}

#[tokio::test]
async fn started_keeps_the_start_of_a_running_task_only() {
    let world = World::new().await;
    let task = world.task(doc! { "completed": DateTime::now(), "active_duration": 5_i64 }).await;
    let answer = world.ok("tasks.started", json!({"task": task})).await;
    assert_eq!((&answer["started"], &answer["updated"]), (&json!(1), &json!(1)));
    assert!(answer["fields"].get("started").is_some());
    let stored = world.stored(&task).await;
    assert!(is_now(stored.get("started")));
    assert_eq!(stored.get("completed"), None);
    assert_eq!(stored.get("active_duration"), None);

    let early = DateTime::from_millis(1_000_000);
    world.change(Collection::Task, &task, vec![Change::set("started", early)]).await;
    let answer = world.ok("tasks.started", json!({"task": task})).await;
    assert_eq!(answer["fields"].get("started"), None);
    assert_eq!(world.stored(&task).await.get("started"), Some(&Bson::DateTime(early)));

    world.ok("tasks.stopped", json!({"task": task})).await;
    world.ok("tasks.started", json!({"task": task})).await;
    assert!(is_now(world.stored(&task).await.get("started")), "a run begins anew");
}

#[tokio::test]
async fn stopped_and_completed_note_the_end_and_close_does_not() {
    let world = World::new().await;
    for (endpoint, from) in [("tasks.stopped", "in_progress"), ("tasks.completed", "in_progress")] {
        let task = world.task_in(from).await;
        let answer = world.ok(endpoint, json!({"task": task})).await;
        assert!(answer["fields"].get("completed").is_some());
        assert!(is_now(world.stored(&task).await.get("completed")));
    }
    let task = world.task_in("stopped").await;
    let answer = world.ok("tasks.close", json!({"task": task})).await;
    assert_eq!(field_names(&answer["fields"]), STATUS_FIELDS);
}

#[tokio::test]
async fn a_started_task_stays_in_its_queue() {
    let world = World::new().await;
    let queue = world.queue("some queue").await;
    let task = world.queued_task(&queue).await;
    world.ok("tasks.started", json!({"task": task})).await;
    assert_eq!(world.entries(&queue).await, [task]);
}

#[tokio::test]
async fn completed_can_publish_at_once() {
    let world = World::new().await;
    let model = world.insert(Collection::Model, doc! { "ready": false }).await;
    let task = world
        .task(doc! { "status": "in_progress", "models": {"output": [{"name": "m", "model": &model}]} })
        .await;
    let plain = world.task_in("in_progress").await;
    let answer = world.ok("tasks.completed", json!({"task": plain})).await;
    assert_eq!((&answer["published"], &answer["fields"]["status"]), (&json!(0), &json!("completed")));

    let request = json!({"task": task, "publish": true, "status_reason": "r"});
    let answer = world.ok("tasks.completed", request).await;
    assert_eq!((&answer["published"], &answer["fields"]["status"]), (&json!(1), &json!("published")));
    let stored = world.stored(&task).await;
    assert_eq!(stored.get_str("status").unwrap(), "published");
    assert_eq!(stored.get_str("status_reason").unwrap(), "r");
    assert!(world.find(Collection::Model, &model).await.unwrap().get_bool("ready").unwrap());
}

#[tokio::test]
async fn completed_is_not_known_before_2_2() {
    let world = World::new().await;
    let task = world.task_in("in_progress").await;
    let old = world.user.clone().version("2.1");
    let (code, subcode, message) = old.error("tasks.completed", json!({"task": task})).await;
    assert_eq!((code, subcode), (404, 0));
    assert_eq!(message, "Unable to find endpoint for name tasks.completed and version 2.1");
    world.user.clone().version("2.2").ok("tasks.completed", json!({"task": task})).await;
    let task = world.task(doc! {}).await;
    world.user.clone().version("1.0").ok("tasks.started", json!({"task": task})).await;
}

#[tokio::test]
async fn of_concurrent_changes_from_one_status_each_counts_or_fails() {
    let world = World::new().await;
    let task = world.task_in("in_progress").await;
    let calls = (0..16).map(|number| {
        let (user, task) = (world.user.clone(), task.clone());
        tokio::spawn(async move {
            // Two ends that exclude each other: `completed` can't become `failed`.
            let endpoint = if number % 2 == 0 { "tasks.completed" } else { "tasks.failed" };
            (endpoint, user.call(endpoint, json!({"task": task})).await.code())
        })
    });
    let mut winners = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        let (endpoint, code) = call.await.unwrap();
        match code {
            (200, 0) => winners.push(endpoint),
            code => assert!(matches!(code, (400, 110 | 121)), "{code:?}"),
        }
    }
    winners.dedup();
    assert!(!winners.is_empty());
    winners.sort_unstable();
    winners.dedup();
    assert_eq!(winners.len(), 1, "completed and failed both won");
}
