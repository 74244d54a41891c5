//! The `queues` service (spec 04 §2, 09 §5, §10.4).

use std::collections::HashSet;

use bson::{Bson, DateTime, doc};
use clearml_auth::Role;
use clearml_documents::{Change, Collection};
use serde_json::{Value, json};

use crate::{
    lifecycle::{World, is_now},
    support::{COMPANY, TestServer},
};

fn unknown(queue: &str) -> String {
    format!("400/701 Invalid queue id: id={queue}, company={COMPANY}")
}

fn not_queued(queue: &str, task: &str) -> String {
    format!("400/703 Invalid queue id or task not in queue: task={task}, id={queue}, company={COMPANY}")
}

async fn add(world: &World, queue: &str, tasks: &[&str]) {
    for task in tasks {
        let request = json!({"queue": queue, "task": task, "update_execution_queue": false});
        assert_eq!(world.ok("queues.add_task", request).await, json!({"added": 1}));
    }
}

/// Waiting times and lengths of a queue's metrics, from its creation on.
async fn lengths(world: &World, queue: &str) -> Vec<i64> {
    let now = DateTime::now().timestamp_millis() / 1000;
    let range = clearml_events::BucketRange { from: (now - 60) * 1000, to: (now + 60) * 1000, interval: 1 };
    let buckets =
        world.server.app.statistics.queue_buckets(COMPANY, range, &[queue.to_owned()]).await.unwrap();
    buckets.unwrap_or_default().into_iter().map(|bucket| bucket.queues[0].queue_length).collect()
}

#[tokio::test]
async fn created_queues_are_read_back() {
    let world = World::new().await;
    let request = json!({
        "name": "  a queue ", "display_name": "Q", "tags": ["b", "a"], "system_tags": ["s"],
        "metadata": {"k.1": {"key": "k.1", "type": "str", "value": "v"}},
    });
    let id = world.ok("queues.create", request).await["id"].as_str().unwrap().to_owned();
    let stored = world.find(Collection::Queue, &id).await.unwrap();
    assert_eq!(stored.get_array("tags").unwrap(), &[Bson::from("a"), Bson::from("b")]);
    assert!(stored.get_document("metadata").unwrap().contains_key("k%2E1"));
    assert!(is_now(stored.get("created")) && stored.get("created") == stored.get("last_update"));

    let queue = world.ok("queues.get_by_id", json!({"queue": id})).await["queue"].clone();
    assert_eq!(queue["name"], "a queue");
    assert_eq!(queue["display_name"], "Q");
    assert_eq!(queue["company"], COMPANY);
    assert_eq!(queue["entries"], json!([]));
    assert_eq!(queue["metadata"], json!({"k.1": {"key": "k.1", "type": "str", "value": "v"}}));
    let older = world.user.clone().version("2.16").ok("queues.get_by_id", json!({"queue": id})).await;
    assert_eq!(older["queue"]["metadata"], json!([]));
}

#[tokio::test]
async fn names_are_long_enough_and_unique() {
    let world = World::new().await;
    world.queue("a queue").await;
    assert_eq!(
        world.error("queues.create", json!({"name": " ab "})).await,
        "400/800 Data validation error: name=String value is too short"
    );
    let taken = format!(
        "400/801 Value combination already exists (unique field already contains this value): name=a queue, company={COMPANY}"
    );
    assert_eq!(world.error("queues.create", json!({"name": "a queue"})).await, taken);
    let other = world.queue("another queue").await;
    assert_eq!(world.error("queues.update", json!({"queue": other, "name": "a queue"})).await, taken);
    assert_eq!(
        world.error("queues.create", json!({})).await,
        "400/12 Validation error (error for field 'name'. field is required!)"
    );
    assert_eq!(
        world.error("queues.create", json!({"name": "tagged", "tags": ["__$x"]})).await,
        "400/16 Invalid value for fields (unsupported tag prefix): values=(__$x)"
    );
    // Other companies have names of their own.
    world.server.add_company("another", "Another").await;
    let stranger = world.server.user_of("another", Role::User).await;
    stranger.ok("queues.create", json!({"name": "a queue"})).await;
}

#[tokio::test]
async fn update_changes_what_is_given() {
    let world = World::new().await;
    let id = world.queue("a queue").await;
    let old = DateTime::from_millis(0);
    world.change(Collection::Queue, &id, vec![Change::set("last_update", old)]).await;
    let request = json!({
        "queue": id, "name": "renamed", "tags": ["b", "a"],
        "metadata": {"x.y": {"key": "x.y", "type": "t", "value": "v"}},
    });
    assert_eq!(
        world.ok("queues.update", request).await,
        json!({"updated": 1, "fields": {
            "name": "renamed", "tags": ["a", "b"],
            "metadata": {"x.y": {"key": "x.y", "type": "t", "value": "v"}},
        }})
    );
    let stored = world.find(Collection::Queue, &id).await.unwrap();
    assert_eq!(stored.get_array("tags").unwrap(), &[Bson::from("b"), Bson::from("a")]);
    assert_eq!(stored.get("last_update"), Some(&Bson::DateTime(old)));
    let nothing = json!({"updated": 0, "fields": {}});
    assert_eq!(world.ok("queues.update", json!({"queue": id})).await, nothing);
    assert_eq!(world.error("queues.update", json!({"queue": "x"})).await, unknown("x"));
    assert!(world.error("queues.update", json!({"queue": id, "name": "ab"})).await.starts_with("400/800 "));

    let older = world.user.clone().version("2.2");
    older.call("queues.update", json!({})).await;
    let too_old = older.error("queues.update", json!({"queue": id})).await;
    assert_eq!((too_old.0, too_old.1), (404, 0), "queues begin with 2.4");
}

#[tokio::test]
async fn metadata_is_set_replaced_and_removed() {
    let world = World::new().await;
    let id = world.queue("a queue").await;
    let item = |key: &str| json!({"key": key, "type": "str", "value": "v"});
    let set = async |items: Value, replace: bool| {
        let request = json!({"queue": id, "metadata": items, "replace_metadata": replace});
        assert_eq!(world.ok("queues.add_or_update_metadata", request).await, json!({"updated": 1}));
        let queue = world.ok("queues.get_by_id", json!({"queue": id})).await;
        let mut keys: Vec<String> = queue["queue"]["metadata"].as_object().unwrap().keys().cloned().collect();
        keys.sort_unstable();
        keys
    };
    assert_eq!(set(json!([item("a"), item("b.c")]), false).await, ["a", "b.c"]);
    assert_eq!(set(json!([item("d")]), false).await, ["a", "b.c", "d"]);
    let delete = json!({"queue": id, "keys": ["b.c", "missing"]});
    assert_eq!(world.ok("queues.delete_metadata", delete).await, json!({"updated": 1}));
    assert_eq!(set(json!([item("_e")]), true).await, ["_e"]);

    let cases = [
        ("queues.add_or_update_metadata", json!({"queue": id, "metadata": []}), "400/12 "),
        ("queues.add_or_update_metadata", json!({"queue": id, "metadata": [{"key": "k"}]}), "400/12 "),
        ("queues.add_or_update_metadata", json!({"queue": id, "metadata": [item(" ")]}), "400/12 "),
        ("queues.add_or_update_metadata", json!({"queue": "x", "metadata": [item("k")]}), "400/701 "),
        ("queues.delete_metadata", json!({"queue": id, "keys": []}), "400/12 "),
        ("queues.delete_metadata", json!({"queue": "x", "keys": ["k"]}), "400/701 "),
    ];
    for (endpoint, request, code) in cases {
        let error = world.error(endpoint, request.clone()).await;
        assert!(error.starts_with(code), "{endpoint} {request}: {error}");
    }
}

#[tokio::test]
async fn a_filled_queue_is_deleted_with_force_only() {
    let world = World::new().await;
    let queue = world.queue("a queue").await;
    let task = world.task_in("stopped").await;
    world.ok("tasks.enqueue", json!({"task": task, "queue": queue})).await;
    add(&world, &queue, &["unknown"]).await;
    assert_eq!(
        world.error("queues.delete", json!({"queue": queue})).await,
        format!("400/702 Queue is not empty (use force=true to delete): id={queue}")
    );
    assert_eq!(
        world.ok("queues.delete", json!({"queue": queue, "force": true})).await,
        json!({"deleted": 1})
    );
    let stored = world.stored(&task).await;
    assert_eq!(stored.get_str("status").unwrap(), "stopped");
    assert_eq!(stored.get_str("status_reason").unwrap(), format!("Queue {queue} was deleted"));
    assert_eq!(stored.get_str("status_message").unwrap(), "");
    assert_eq!(stored.get("enqueue_status"), Some(&Bson::Null));
    assert_eq!(stored.get_document("execution").unwrap().get("queue"), None);
    assert_eq!(world.error("queues.delete", json!({"queue": queue})).await, unknown(&queue));
    let empty = world.queue("empty").await;
    world.ok("queues.delete", json!({"queue": empty})).await;
}

#[tokio::test]
async fn tasks_are_added_once() {
    let world = World::new().await;
    let queue = world.queue("a queue").await;
    let task = world.task(doc! { "company": "another" }).await;
    assert_eq!(world.ok("queues.add_task", json!({"queue": queue, "task": task})).await, json!({"added": 1}));
    let stored = world.stored(&task).await;
    assert_eq!(stored.get_document("execution").unwrap().get_str("queue").unwrap(), queue);
    assert_eq!(stored.get_str("status").unwrap(), "created");
    assert_eq!(
        world.error("queues.add_task", json!({"queue": queue, "task": task})).await,
        format!("400/706 Failed adding task to queue since task is already queued: task={task}")
    );
    assert_eq!(world.error("queues.add_task", json!({"queue": "x", "task": task})).await, unknown("x"));
    let other = world.task(doc! {}).await;
    add(&world, &queue, &[&other]).await;
    assert_eq!(world.stored(&other).await.get("execution"), None);
    assert_eq!(world.entries(&queue).await, [task, other]);
}

#[tokio::test]
async fn tasks_are_removed_and_released_on_request() {
    let world = World::new().await;
    let queue = world.queue("a queue").await;
    let (first, second) = (world.queued_task(&queue).await, world.queued_task(&queue).await);
    let remove =
        |task: &str, update: bool| json!({"queue": queue, "task": task, "update_task_status": update});
    assert_eq!(world.ok("queues.remove_task", remove(&first, false)).await, json!({"removed": 1}));
    assert_eq!(world.status(&first).await, "queued");
    assert_eq!(world.ok("queues.remove_task", remove(&second, true)).await, json!({"removed": 1}));
    let stored = world.stored(&second).await;
    assert_eq!(stored.get_str("status").unwrap(), "created");
    assert_eq!(stored.get_str("status_reason").unwrap(), format!("Task was removed from the queue {queue}"));
    // The Kubernetes glue removes tasks that are not there.
    assert_eq!(world.ok("queues.remove_task", remove(&first, false)).await, json!({"removed": 0}));
    let unknown_queue = json!({"queue": "x", "task": first});
    assert_eq!(world.error("queues.remove_task", unknown_queue).await, not_queued("x", &first));
}

#[tokio::test]
async fn a_cleared_queue_releases_its_own_tasks() {
    let world = World::new().await;
    let queue = world.queue("a queue").await;
    let task = world.queued_task(&queue).await;
    let elsewhere = world.task(doc! { "status": "queued", "execution": {"queue": "other"} }).await;
    add(&world, &queue, &[&elsewhere]).await;
    let old = DateTime::from_millis(0);
    world.change(Collection::Queue, &queue, vec![Change::set("last_update", old)]).await;
    assert_eq!(
        world.ok("queues.clear_queue", json!({"queue": queue})).await,
        json!({"removed_tasks": [task]})
    );
    assert!(world.entries(&queue).await.is_empty());
    assert_eq!(world.status(&task).await, "created");
    assert_eq!(
        world.stored(&task).await.get_str("status_reason").unwrap(),
        format!("Queue {queue} was cleared")
    );
    assert_eq!(world.status(&elsewhere).await, "queued");
    let stored = world.find(Collection::Queue, &queue).await.unwrap();
    assert_eq!(stored.get("last_update"), Some(&Bson::DateTime(old)));
    assert_eq!(world.ok("queues.clear_queue", json!({"queue": queue})).await, json!({"removed_tasks": []}));
    assert_eq!(
        world.error("queues.clear_queue", json!({"queue": "x"})).await,
        "400/701 Invalid queue id: queue=x"
    );
}

#[tokio::test]
async fn the_next_task_is_the_first_one() {
    let world = World::new().await;
    let queue = world.queue("a queue").await;
    let next = |more: Value| {
        let mut request = json!({"queue": queue});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    assert_eq!(world.ok("queues.get_next_task", next(json!({}))).await, json!({}));
    let (first, second) = (world.queued_task(&queue).await, world.queued_task(&queue).await);
    assert_eq!(world.ok("queues.peek_task", json!({"queue": queue})).await, json!({"task": first}));
    assert_eq!(world.ok("queues.get_num_entries", json!({"queue": queue})).await, json!({"num": 2}));
    assert_eq!(world.ok("queues.get_next_task", next(json!({"task": second}))).await, json!({}));
    let answer = world.ok("queues.get_next_task", next(json!({"task": first, "get_task_info": true}))).await;
    assert_eq!(answer["entry"]["task"], json!(first));
    assert!(answer["entry"]["added"].is_string());
    assert_eq!(answer["task_info"], json!({"company": COMPANY, "user": "somebody"}));

    // Stopped just before it is handed out: the agent must find it queued.
    world.change(Collection::Task, &second, vec![Change::set("status", "stopped")]).await;
    let answer = world.ok("queues.get_next_task", next(json!({}))).await;
    assert_eq!(answer["entry"]["task"], json!(second));
    assert_eq!(answer.get("task_info"), None);
    assert_eq!(world.status(&second).await, "queued");
    assert_eq!(world.status(&first).await, "queued");

    assert_eq!(world.ok("queues.get_next_task", next(json!({"task": first}))).await, json!({}));
    assert_eq!(world.ok("queues.peek_task", json!({"queue": queue})).await, json!({"task": null}));
    assert_eq!(world.error("queues.get_next_task", json!({"queue": "x"})).await, unknown("x"));
    for endpoint in ["queues.get_num_entries", "queues.peek_task"] {
        let error = world.error(endpoint, json!({"queue": "x"})).await;
        assert_eq!(error, "400/701 Invalid queue id: queue_id=x");
    }
}

#[tokio::test]
async fn concurrent_agents_get_each_task_exactly_once() {
    if crate::support::left_out_on_cluster("the findAndModify of the stand-in for MongoDB is not atomic") {
        return;
    }
    let world = World::new().await;
    let queue = world.queue("a queue").await;
    let tasks: Vec<String> = (0..100).map(|number| format!("task {number:03}")).collect();
    add(&world, &queue, &tasks.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let agents: Vec<_> = (0..16)
        .map(|_| {
            let (user, request) = (world.user.clone(), json!({"queue": queue}));
            tokio::spawn(async move {
                let mut taken = Vec::new();
                loop {
                    let answer = user.ok("queues.get_next_task", request.clone()).await;
                    match answer.get("entry") {
                        Some(entry) => taken.push(entry["task"].as_str().unwrap().to_owned()),
                        None => return taken,
                    }
                }
            })
        })
        .collect();
    let mut handed_out = Vec::new();
    for agent in agents {
        let taken = agent.await.unwrap();
        assert!(taken.is_sorted(), "the order of the queue");
        handed_out.extend(taken);
    }
    assert_eq!(handed_out.len(), 100);
    assert_eq!(handed_out.into_iter().collect::<HashSet<_>>(), tasks.into_iter().collect());
    assert!(world.entries(&queue).await.is_empty());
}

#[tokio::test]
async fn concurrent_additions_of_a_task_leave_one_entry() {
    let world = World::new().await;
    let queue = world.queue("a queue").await;
    let calls: Vec<_> = (0..16)
        .map(|_| {
            let (user, request) = (world.user.clone(), json!({"queue": queue, "task": "t"}));
            tokio::spawn(async move { user.call("queues.add_task", request).await.code() })
        })
        .collect();
    let mut added = 0;
    for call in calls {
        match call.await.unwrap() {
            (200, 0) => added += 1,
            code => assert!(matches!(code, (400, 703 | 706)), "{code:?}"),
        }
    }
    assert_eq!((added, world.entries(&queue).await.len()), (1, 1));
}

#[tokio::test]
async fn tasks_move_within_their_queue() {
    let world = World::new().await;
    let queue = world.queue("a queue").await;
    add(&world, &queue, &["a", "b", "c", "d", "e"]).await;
    let cases = [
        ("queues.move_task_forward", "c", None, 1, "acbde"),
        ("queues.move_task_backward", "c", None, 2, "abcde"),
        ("queues.move_task_forward", "d", Some(2), 1, "adbce"),
        ("queues.move_task_backward", "d", Some(2), 3, "abcde"),
        ("queues.move_task_backward", "d", Some(-2), 1, "adbce"),
        ("queues.move_task_forward", "d", Some(-2), 3, "abcde"),
        ("queues.move_task_forward", "b", Some(100), 0, "bacde"),
        ("queues.move_task_backward", "b", Some(100), 4, "acdeb"),
        ("queues.move_task_to_front", "b", None, 0, "bacde"),
        ("queues.move_task_to_front", "b", None, 0, "bacde"),
        ("queues.move_task_to_back", "b", None, 4, "acdeb"),
        ("queues.move_task_to_back", "b", None, 4, "acdeb"),
        ("queues.move_task_forward", "c", Some(0), 1, "acdeb"),
    ];
    for (endpoint, task, count, position, order) in cases {
        let request = json!({"queue": queue, "task": task, "count": count});
        let answer = world.ok(endpoint, request).await;
        assert_eq!(answer, json!({"position": position}), "{endpoint} {task} {count:?}");
        assert_eq!(world.entries(&queue).await.concat(), order, "{endpoint} {task} {count:?}");
        let error = world.error(endpoint, json!({"queue": queue, "task": "x"})).await;
        assert_eq!(error, not_queued(&queue, "x"));
    }
}

#[tokio::test]
async fn tasks_move_to_other_queues() {
    let world = World::new().await;
    let (source, target) = (world.queue("source").await, world.queue("target").await);
    let task = world.queued_task(&source).await;
    assert_eq!(
        world.ok("queues.get_by_task_id", json!({"task": task})).await,
        json!({"id": source, "name": "source"})
    );
    let move_to = |queue: &str, target: &str| json!({"queue": queue, "task": task, "target_queue": target});
    assert_eq!(world.error("queues.move_task_to_queue", move_to(&source, "x")).await, unknown("x"));
    assert_eq!(world.ok("queues.move_task_to_queue", move_to(&source, &target)).await, json!({"moved": 1}));
    assert_eq!(world.entries(&target).await, [task.as_str()]);
    assert!(world.entries(&source).await.is_empty());
    let stored = world.stored(&task).await;
    assert_eq!(stored.get_str("status").unwrap(), "queued");
    assert_eq!(stored.get_document("execution").unwrap().get_str("queue").unwrap(), target);
    assert_eq!(
        world.error("queues.move_task_to_queue", move_to(&source, &target)).await,
        not_queued(&source, &task)
    );
    world.ok("tasks.dequeue", json!({"task": task})).await;
    let error = world.error("queues.get_by_task_id", json!({"task": task})).await;
    assert!(error.starts_with("400/703 "), "{error}");
}

#[tokio::test]
async fn the_default_queue_is_the_tagged_one() {
    let world = World::new().await;
    let none = "400/707 No queue is tagged as the default queue for this company";
    assert_eq!(world.error("queues.get_default", json!({})).await, none);
    let id =
        world.ok("queues.create", json!({"name": "first", "system_tags": ["default"]})).await["id"].clone();
    assert_eq!(world.ok("queues.get_default", json!({})).await, json!({"id": id, "name": "first"}));
    world.ok("queues.create", json!({"name": "second", "system_tags": ["default"]})).await;
    assert!(world.error("queues.get_default", json!({})).await.starts_with("400/708 "));
}

fn names(answer: &Value) -> Vec<&str> {
    answer["queues"].as_array().unwrap().iter().map(|queue| queue["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn lists_leave_hidden_and_foreign_queues_out() {
    let world = World::new().await;
    world.queue("shown").await;
    let glue = json!({"name": "k8s_scheduler", "system_tags": ["k8s-glue"]});
    let hidden = world.ok("queues.create", glue).await["id"].clone();
    world.insert(Collection::Queue, doc! { "company": "another", "name": "foreign", "entries": [] }).await;
    for endpoint in ["queues.get_all", "queues.get_all_ex"] {
        assert_eq!(names(&world.ok(endpoint, json!({})).await), ["shown"]);
        let all = json!({"search_hidden": true, "order_by": ["-name"]});
        assert_eq!(names(&world.ok(endpoint, all).await), ["shown", "k8s_scheduler"]);
        for request in [json!({"name": "k8s"}), json!({"id": [hidden]})] {
            assert_eq!(names(&world.ok(endpoint, request).await), ["k8s_scheduler"]);
        }
        assert_eq!(names(&world.ok(endpoint, json!({"id": []})).await), ["shown"]);
    }
    let ids = world.ok("queues.get_all", json!({"only_fields": ["name"]})).await;
    assert_eq!(ids, json!({"queues": [{"name": "shown"}]}));
}

#[tokio::test]
async fn get_all_ex_answers_whole_queues_with_tasks_and_workers() {
    let world = World::new().await;
    let queue = world.queue("a queue").await;
    let task = world.queued_task(&queue).await;
    add(&world, &queue, &["gone"]).await;
    let running = world.task_in("in_progress").await;
    let register = json!({"worker": "host:0", "queues": [queue]});
    world.user.clone().header("x-forwarded-for", "10.0.0.7").ok("workers.register", register).await;
    let report = json!({"worker": "host:0", "timestamp": 1, "queues": [queue], "task": running});
    world.user.clone().header("x-forwarded-for", "10.0.0.7").ok("workers.status_report", report).await;
    let request =
        json!({"only_fields": ["name", "workers"], "count_task_entries": true, "max_task_entries": 1});
    let answer = world.ok("queues.get_all_ex", request).await;
    let shown = &answer["queues"][0];
    assert_eq!(shown["company"], json!({"id": COMPANY}));
    assert_eq!(shown["entries_count"], 2);
    assert_eq!(shown["entries"].as_array().unwrap().len(), 1);
    assert_eq!(shown["entries"][0]["task"], json!({"id": task, "name": "a name"}));
    assert_eq!(shown["tags"], json!([]));
    assert!(shown["created"].is_string() && shown["last_update"].is_string());
    assert_eq!(
        shown["workers"],
        json!([{
            "name": "host:0",
            "ip": "10.0.0.7",
            "key": format!("worker_{COMPANY}_{}_host:0", world.user.id),
            "task": {"id": running, "name": "a name"},
        }])
    );
    let answer = world.ok("queues.get_all_ex", json!({})).await;
    assert_eq!(answer["queues"][0]["entries"][1]["task"], json!({"id": "gone"}));
    assert_eq!(answer["queues"][0].get("entries_count"), None);
    world.ok("workers.unregister", json!({"worker": "host:0"})).await;
    assert_eq!(world.ok("queues.get_all_ex", json!({})).await["queues"][0]["workers"], json!([]));
}

#[tokio::test]
async fn entries_can_be_cut() {
    let world = World::new().await;
    let queue = world.queue("a queue").await;
    add(&world, &queue, &["a", "b", "c"]).await;
    for (count, expected) in [(0, "abc"), (2, "ab"), (-2, "bc"), (5, "abc"), (-5, "abc")] {
        let request = json!({"queue": queue, "max_task_entries": count});
        let answer = world.ok("queues.get_by_id", request).await;
        let entries = answer["queue"]["entries"].as_array().unwrap();
        let tasks: String = entries.iter().map(|entry| entry["task"].as_str().unwrap()).collect();
        assert_eq!(tasks, expected, "{count}");
    }
    assert_eq!(world.error("queues.get_by_id", json!({"queue": "x"})).await, unknown("x"));
}

#[tokio::test]
async fn metadata_is_queried_by_escaped_paths() {
    let world = World::new().await;
    let metadata = |value: &str| json!({"a.b": {"key": "a.b", "type": "str", "value": value}});
    world.ok("queues.create", json!({"name": "first", "metadata": metadata("10")})).await;
    world.ok("queues.create", json!({"name": "second", "metadata": metadata("9")})).await;
    let request = json!({"metadata.a%2Eb.value": ["9"]});
    assert_eq!(names(&world.ok("queues.get_all", request).await), ["second"]);
    let request = json!({"order_by": ["metadata.a%2Eb.value"]});
    assert_eq!(names(&world.ok("queues.get_all", request).await), ["second", "first"], "numeric order");
    let error = world.error("queues.get_all", json!({"metadata.a.b.c.d": ["9"]})).await;
    assert!(error.starts_with("400/12 "), "{error}");
}

#[tokio::test]
async fn changes_of_the_content_leave_metrics_points() {
    let world = World::new().await;
    let queue = world.queue("a queue").await;
    assert!(lengths(&world, &queue).await.is_empty());
    let request = json!({"from_date": 1, "to_date": 2, "interval": 1});
    assert_eq!(world.ok("queues.get_queue_metrics", request).await, json!({"queues": []}));

    let task = world.queued_task(&queue).await;
    assert!(lengths(&world, &queue).await.contains(&1));
    world.ok("queues.remove_task", json!({"queue": queue, "task": task})).await;
    let key = format!("queue_metrics_{queue}");
    let last = world.server.app.state.get(&key).await.unwrap().unwrap();
    let last: Value = serde_json::from_str(&last).unwrap();
    assert_eq!((&last["queue"], &last["queue_length"]), (&json!(queue), &json!(0)));

    let now = DateTime::now().timestamp_millis() / 1000;
    let request = |more: Value| {
        let mut request = json!({"from_date": now - 1000, "to_date": now + 1000, "interval": 5000});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    let total = world.ok("queues.get_queue_metrics", request(json!({}))).await;
    assert_eq!(total["queues"][0]["queue"], "total");
    let one =
        world.ok("queues.get_queue_metrics", request(json!({"queue_ids": [queue], "refresh": true}))).await;
    assert_eq!(one["queues"][0]["queue"], json!(queue));
    let dates = one["queues"][0]["dates"].as_array().unwrap();
    assert_eq!(dates[0].as_i64().unwrap() % 5_000_000, 0, "starts of buckets in milliseconds");
    assert_eq!(one["queues"][0]["queue_lengths"].as_array().unwrap().len(), dates.len());
    assert_eq!(one["queues"][0]["avg_waiting_times"].as_array().unwrap().len(), dates.len());
    let unknown = world.ok("queues.get_queue_metrics", request(json!({"queue_ids": ["x"]}))).await;
    assert_eq!(unknown, json!({"queues": []}));
}

#[tokio::test]
async fn metrics_need_a_range() {
    let world = World::new().await;
    let request = json!({"from_date": 2, "to_date": 2, "interval": 1});
    assert_eq!(
        world.error("queues.get_queue_metrics", request).await,
        "400/16 Invalid value for fields (from_date must be less than to_date)"
    );
    for request in [
        json!({"to_date": 2, "interval": 1}),
        json!({"from_date": -1, "to_date": 2, "interval": 1}),
        json!({"from_date": 1, "to_date": 2, "interval": 0}),
    ] {
        let error = world.error("queues.get_queue_metrics", request).await;
        assert!(error.starts_with("400/12 "), "{error}");
    }
}

#[tokio::test]
async fn hidden_tags_are_a_setting() {
    let server = TestServer::with_settings(|settings| {
        settings.queues.hidden_tags = vec!["secret".to_owned()];
    })
    .await;
    let user = server.user().await;
    user.ok("queues.create", json!({"name": "glue", "system_tags": ["k8s-glue"]})).await;
    user.ok("queues.create", json!({"name": "hidden", "system_tags": ["secret"]})).await;
    assert_eq!(names(&user.ok("queues.get_all", json!({})).await), ["glue"]);
}
