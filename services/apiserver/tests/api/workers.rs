//! The `workers` service (spec 04 §3, 09 §5).

use bson::{DateTime, doc};
use clearml_auth::{Claims, Role};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter};
use serde_json::{Value, json};

use crate::{
    lifecycle::{World, is_now},
    support::{COMPANY, TestServer, claims, sign},
};

async fn register(world: &World, worker: &str, more: Value) {
    let mut request = json!({"worker": worker});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    assert_eq!(world.ok("workers.register", request).await, json!({}));
}

/// Ids of the listed workers, sorted.
async fn listed(world: &World, request: Value) -> Vec<String> {
    let answer = world.ok("workers.get_all", request.clone()).await;
    let mut ids: Vec<String> = answer["workers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|worker| worker["id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort_unstable();
    let count = world.ok("workers.get_count", request).await;
    assert_eq!(count, json!({"count": ids.len()}));
    ids
}

fn key(world: &World, worker: &str) -> String {
    format!("worker_{COMPANY}_{}_{worker}", world.user.id)
}

#[tokio::test]
async fn a_registered_worker_is_listed_until_it_leaves() {
    let world = World::new().await;
    let queue = world.queue("a queue").await;
    let waiting = world.queued_task(&queue).await;
    let request =
        json!({"worker": "host:0", "queues": [queue], "tags": ["t"], "system_tags": ["s"], "timeout": 60});
    world.user.clone().header("x-forwarded-for", "10.0.0.7, 10.0.0.1").ok("workers.register", request).await;
    let answer = world.ok("workers.get_all", json!({})).await;
    let worker = &answer["workers"][0];
    assert_eq!(
        (&worker["key"], &worker["id"], &worker["ip"], &worker["register_timeout"]),
        (&json!(key(&world, "host:0")), &json!("host:0"), &json!("10.0.0.7, 10.0.0.1"), &json!(60))
    );
    assert_eq!(worker["user"], json!({"id": world.user.id, "name": "Jane Doe"}));
    assert_eq!(worker["company"], json!({"id": COMPANY, "name": "clearml"}));
    assert_eq!((&worker["tags"], &worker["system_tags"]), (&json!(["t"]), &json!(["s"])));
    assert_eq!(
        worker["queues"],
        json!([{"id": queue, "name": "a queue", "num_tasks": 1, "next_task": {"id": waiting, "name": "a name"}}])
    );
    for absent in ["task", "project", "queue", "last_report_time"] {
        assert_eq!(worker.get(absent), None, "{absent}");
    }
    assert!(worker["register_time"].is_string() && worker["last_activity_time"].is_string());

    let record = world.server.app.worker_state.get(&key(&world, "host:0")).await.unwrap().unwrap();
    assert!(!record.contains("null"), "{record}");
    assert_eq!(world.ok("workers.unregister", json!({"worker": "host:0"})).await, json!({}));
    assert!(listed(&world, json!({})).await.is_empty());
    assert_eq!(world.ok("workers.unregister", json!({"worker": "host:0"})).await, json!({}));
}

#[tokio::test]
async fn a_report_that_arrives_after_its_worker_signed_off_does_not_bring_it_back() {
    let world = World::new().await;
    let (worker, report) = (json!({"worker": "w"}), json!({"worker": "w", "timestamp": 0}));
    world.ok("workers.register", worker.clone()).await;
    world.ok("workers.unregister", worker.clone()).await;
    assert_eq!(world.ok("workers.status_report", report.clone()).await, json!({}));
    assert!(listed(&world, json!({})).await.is_empty());

    // Started again, it is listed at once.
    world.ok("workers.register", worker).await;
    world.ok("workers.status_report", report).await;
    assert_eq!(listed(&world, json!({})).await.len(), 1);
}

#[tokio::test]
async fn registration_checks_timeout_user_company_and_queues() {
    let world = World::new().await;
    assert_eq!(
        world.error("workers.register", json!({"worker": "w", "timeout": -1})).await,
        "400/1002 Worker registration failed (invalid timeout): timeout=-1, worker=w"
    );
    let queue = world.queue("a queue").await;
    assert_eq!(
        world.error("workers.register", json!({"worker": "w", "queues": [queue, "x", "y"]})).await,
        "400/701 Invalid queue id: ids=(x, y)"
    );
    assert_eq!(
        world.error("workers.register", json!({"worker": "w", "queues": [queue, queue]})).await,
        "400/701 Invalid queue id: ids=()"
    );
    assert!(world.error("workers.register", json!({})).await.starts_with("400/12 "));

    let unknown: Claims = claims("nobody", COMPANY, Role::User);
    let nobody = world.server.anonymous().bearer(&sign(&unknown));
    let (code, subcode, message) = nobody.error("workers.register", json!({"worker": "w"})).await;
    assert_eq!(
        (code, subcode, message),
        (400, 301, format!("Invalid user id: id=nobody, company={COMPANY}"))
    );
    let homeless = world.server.user_of("nowhere", Role::User).await;
    let (code, subcode, message) = homeless.error("workers.register", json!({"worker": "w"})).await;
    assert_eq!(
        (code, subcode, message.as_str()),
        (400, 10, "Invalid object id (invalid company): company=nowhere")
    );
    assert!(listed(&world, json!({})).await.is_empty());
}

#[tokio::test]
async fn timeouts_have_defaults() {
    let server = TestServer::with_settings(|settings| {
        settings.workers.default_worker_timeout = std::time::Duration::from_secs(11);
        settings.workers.default_timeout = std::time::Duration::from_secs(22);
    })
    .await;
    let user = server.user().await;
    for (request, timeout) in [
        (json!({"worker": "a"}), 11),
        (json!({"worker": "a", "timeout": 0}), 22),
        (json!({"worker": "a", "timeout": null}), 22),
        (json!({"worker": "a", "timeout": "33"}), 33),
        (json!({"worker": "a", "timeout": i64::MAX}), i64::MAX),
    ] {
        user.ok("workers.register", request).await;
        let answer = user.ok("workers.get_all", json!({})).await;
        assert_eq!(answer["workers"][0]["register_timeout"], json!(timeout));
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_worker_expires() {
    if crate::support::left_out_on_cluster("Redis has a clock of its own") {
        return;
    }
    let world = World::new().await;
    register(&world, "short", json!({"timeout": 30})).await;
    register(&world, "long", json!({"timeout": 100})).await;
    tokio::time::advance(std::time::Duration::from_secs(29)).await;
    assert_eq!(listed(&world, json!({"last_seen": 0})).await, ["long", "short"]);
    world.ok("workers.status_report", json!({"worker": "short", "timestamp": 1})).await;
    tokio::time::advance(std::time::Duration::from_secs(29)).await;
    assert_eq!(listed(&world, json!({"last_seen": 0})).await, ["long", "short"], "a report renews");
    tokio::time::advance(std::time::Duration::from_secs(2)).await;
    assert_eq!(listed(&world, json!({"last_seen": 0})).await, ["long"]);
}

#[tokio::test]
async fn workers_can_have_to_unregister_once_only_and_to_register_first() {
    let server = TestServer::with_settings(|settings| {
        settings.workers.auto_unregister = false;
        settings.workers.auto_register = false;
    })
    .await;
    let user = server.user().await;
    let (code, subcode, message) = user.error("workers.unregister", json!({"worker": "w"})).await;
    assert_eq!((code, subcode, message.as_str()), (400, 1004, "Worker is not registered: worker=w"));
    let report = json!({"worker": "w", "timestamp": 1});
    let (code, subcode, message) = user.error("workers.status_report", report).await;
    assert_eq!((code, subcode, message.as_str()), (400, 1001, "Invalid worker id: worker=w"));
}

#[tokio::test]
async fn a_report_tells_who_runs_what() {
    let world = World::new().await;
    let queue = world.queue("a queue").await;
    let project = world.insert(Collection::Project, doc! {}).await;
    let task = world
        .task(doc! {
            "status": "in_progress", "project": &project, "active_duration": 5_i64, "last_iteration": 7_i64,
        })
        .await;
    let report = json!({
        "worker": "w", "timestamp": 1, "task": task, "queue": queue, "queues": [queue], "tags": ["t"],
        "machine_stats": null,
    });
    assert_eq!(world.ok("workers.status_report", report).await, json!({}));
    let stored = world.stored(&task).await;
    assert_eq!(stored.get_str("last_worker").unwrap(), "w");
    for date in ["last_worker_report", "last_update", "last_change"] {
        assert!(is_now(stored.get(date)), "{date}");
    }
    assert_eq!(stored.get_str("last_changed_by").unwrap(), world.user.id);
    assert_eq!(stored.get_i64("active_duration").unwrap(), 5);

    let worker = world.ok("workers.get_all", json!({})).await["workers"][0].clone();
    let running = json!({"id": task, "name": "a name", "running_time": 5000, "last_iteration": 7});
    assert_eq!(worker["task"], running);
    assert_eq!(worker["project"], json!({"id": project, "name": "a name"}));
    assert_eq!(worker["queue"], json!({"id": queue, "name": "a queue", "num_tasks": 0}));
    assert_eq!(worker["tags"], json!(["t"]));
    assert!(worker["last_report_time"].is_string());

    // Idle again: task, queue and tags go, the list of queues stays.
    world.ok("workers.status_report", json!({"worker": "w", "timestamp": 1})).await;
    let worker = world.ok("workers.get_all", json!({})).await["workers"][0].clone();
    for absent in ["task", "project", "queue"] {
        assert_eq!(worker.get(absent), None, "{absent}");
    }
    assert_eq!(worker["tags"], json!([]));
    assert_eq!(worker["queues"][0]["id"], json!(queue));
}

#[tokio::test]
async fn a_report_of_an_unknown_task_still_counts_as_life() {
    let world = World::new().await;
    let foreign = world.foreign_task().await;
    let report = json!({"worker": "w", "timestamp": 1, "task": foreign, "queues": ["gone"]});
    assert_eq!(
        world.error("workers.status_report", report).await,
        format!("400/101 Invalid task id: id={foreign}, company={COMPANY}")
    );
    let worker = world.ok("workers.get_all", json!({})).await["workers"][0].clone();
    assert_eq!(worker["queues"], json!([{"id": "gone"}]));
    assert_eq!(worker["register_timeout"], 600);
    assert!(world.error("workers.status_report", json!({"worker": "w"})).await.starts_with("400/12 "));
}

#[tokio::test]
async fn a_broken_record_is_an_error() {
    let world = World::new().await;
    world.server.app.worker_state.set(&key(&world, "w"), "{", None).await.unwrap();
    let error = world.error("workers.status_report", json!({"worker": "w", "timestamp": 1})).await;
    assert!(error.starts_with("500/100 General data error (Failed parsing worker entry)"), "{error}");
    let error = world.error("workers.get_all", json!({})).await;
    assert!(error.starts_with("500/100 General data error (failed loading worker entries): err="), "{error}");
}

#[tokio::test]
async fn workers_are_selected_by_tags_and_pattern() {
    let world = World::new().await;
    register(&world, "a:gpu0", json!({"tags": ["x"], "system_tags": ["s"]})).await;
    register(&world, "a:gpu1", json!({"tags": ["x", "y"]})).await;
    register(&world, "b:cpu", json!({"tags": ["y"], "system_tags": ["s"]})).await;
    register(&world, "plain", json!({})).await;
    for (request, expected) in [
        (json!({}), vec!["a:gpu0", "a:gpu1", "b:cpu", "plain"]),
        (json!({"worker_pattern": "a:gpu*"}), vec!["a:gpu0", "a:gpu1"]),
        (json!({"worker_pattern": "?:cpu"}), vec!["b:cpu"]),
        (json!({"tags": ["x"]}), vec!["a:gpu0", "a:gpu1"]),
        (json!({"tags": ["x", "y"]}), vec!["a:gpu0", "a:gpu1", "b:cpu"]),
        (json!({"tags": ["x", "-y"]}), vec!["a:gpu0"]),
        (json!({"tags": ["-x"]}), vec!["b:cpu", "plain"]),
        (json!({"tags": ["y"], "system_tags": ["s"]}), vec!["b:cpu"]),
        (json!({"system_tags": ["-s"]}), vec!["a:gpu1", "plain"]),
        (json!({"tags": ["x"], "system_tags": ["-s"]}), vec!["a:gpu1"]),
        (json!({"tags": ["y"], "worker_pattern": "gpu*"}), vec!["a:gpu1"]),
        (json!({"tags": ["none"]}), vec![]),
    ] {
        assert_eq!(listed(&world, request.clone()).await, expected, "{request}");
    }
    // Others of the company see them too; other companies don't.
    let colleague = world.server.user().await;
    let seen = colleague.ok("workers.get_count", json!({})).await;
    assert_eq!(seen, json!({"count": 4}));
    world.server.add_company("another", "Another").await;
    let stranger = world.server.user_of("another", Role::User).await;
    assert_eq!(stranger.ok("workers.get_count", json!({})).await, json!({"count": 0}));
}

#[tokio::test]
async fn long_unseen_workers_are_left_out() {
    let world = World::new().await;
    register(&world, "w", json!({})).await;
    let key = key(&world, "w");
    let record = world.server.app.worker_state.get(&key).await.unwrap().unwrap();
    let mut record: Value = serde_json::from_str(&record).unwrap();
    record["last_activity_time"] = json!("2024-01-01T10:00:00.123456");
    world.server.app.worker_state.set(&key, &record.to_string(), None).await.unwrap();
    assert_eq!(world.ok("workers.get_all", json!({})).await["workers"], json!([]));
    assert_eq!(world.ok("workers.get_count", json!({})).await, json!({"count": 1}));
    assert_eq!(listed(&world, json!({"last_seen": 0})).await, ["w"]);
    assert!(listed(&world, json!({"last_seen": 3600})).await.is_empty());
    let all = world.ok("workers.get_all", json!({"last_seen": null})).await;
    assert_eq!(all["workers"][0]["last_activity_time"], "2024-01-01T10:00:00.123000+00:00");
}

#[tokio::test]
async fn resources_go_to_the_queues() {
    let world = World::new().await;
    let queue = world.queue("a queue").await;
    register(&world, "w", json!({"queues": [queue], "resources": {"gpu_usage": 0.5}})).await;
    let answer = world.ok("queues.get_by_id", json!({"queue": queue})).await;
    assert_eq!(answer["queue"]["resources"], json!({"gpu_usage": 0.5}));
    register(&world, "w", json!({"queues": [queue]})).await;
    let answer = world.ok("queues.get_by_id", json!({"queue": queue})).await;
    assert_eq!(answer["queue"]["resources"], json!({"gpu_usage": 0.5}));
}

/// Reports figures of a machine in three buckets of 40 s, and says where the first one starts (seconds).
async fn report_figures(world: &World) -> i64 {
    let start = DateTime::now().timestamp_millis() / 1000 / 40 * 40 - 400;
    let task = world.task_in("in_progress").await;
    for (offset, cpu, gpus, with_task) in
        [(0, 10, json!([1, 3]), true), (10, 30, json!([5]), false), (80, 50, json!([0, 100]), false)]
    {
        let mut report = json!({
            "worker": "w", "timestamp": (start + offset) * 1000,
            "machine_stats": {"cpu_usage": [cpu], "gpu_usage": gpus, "memory_used": 0, "disk_read": 7, "x": 1},
        });
        if with_task {
            report["task"] = json!(task);
        }
        world.ok("workers.status_report", report).await;
    }
    start
}

#[tokio::test]
async fn figures_of_machines_are_charted() {
    let world = World::new().await;
    let start = report_figures(&world).await;
    let request = |more: Value| {
        let mut request = json!({"from_date": start, "to_date": start + 160, "interval": 1});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    let dates = [start * 1000, (start + 40) * 1000, (start + 80) * 1000, (start + 120) * 1000];
    let items = json!([
        {"key": "cpu_usage", "aggregation": "max"},
        {"key": "cpu_usage"},
        {"key": "cpu_usage", "aggregation": "max"},
        {"key": "memory_used"},
        {"key": "disk_read", "aggregation": "min"},
    ]);
    let answer = world.ok("workers.get_stats", request(json!({"items": items}))).await;
    assert_eq!(
        answer,
        json!({"workers": [{"worker": "w", "metrics": [
            {"metric": "cpu_usage", "dates": dates, "stats": [
                {"aggregation": "max", "dates": dates, "values": [30.0, 0.0, 50.0, 0.0], "resource_series": []},
                {"aggregation": "avg", "dates": dates, "values": [20.0, 0.0, 50.0, 0.0], "resource_series": []},
            ]},
            {"metric": "disk_read", "dates": dates, "stats": [
                {"aggregation": "min", "dates": dates, "values": [7.0, 0.0, 7.0, 0.0], "resource_series": []},
            ]},
        ]}]})
    );

    let items = json!([{"key": "gpu_usage"}, {"key": "cpu_usage"}]);
    let answer =
        world.ok("workers.get_stats", request(json!({"items": items, "split_by_resource": true}))).await;
    let stats = &answer["workers"][0]["metrics"][0]["stats"][0];
    assert_eq!(stats["values"], json!([3.0, 0.0, 50.0, 0.0]));
    let mut series = stats["resource_series"].as_array().unwrap().clone();
    series.sort_by_key(|series| series["name"].as_str().unwrap().to_owned());
    assert_eq!(
        series,
        [
            json!({"name": "0", "values": [3.0, 0.0, 0.0, 0.0]}),
            json!({"name": "1", "values": [3.0, 0.0, 100.0, 0.0]}),
        ]
    );
    assert_eq!(answer["workers"][0]["metrics"][1]["stats"][0]["resource_series"], json!([]));

    let nobody = request(json!({"items": [{"key": "cpu_usage"}], "worker_ids": ["x"]}));
    assert_eq!(world.ok("workers.get_stats", nobody).await, json!({"workers": []}));
}

#[tokio::test]
async fn activity_and_metric_keys_are_reported() {
    let world = World::new().await;
    let range = |start: i64| json!({"from_date": start, "to_date": start + 160, "interval": 40});
    let empty = json!({"dates": [], "counts": []});
    assert_eq!(
        world.ok("workers.get_activity_report", range(1000)).await,
        json!({"total": empty, "active": empty})
    );
    assert_eq!(
        world.error("workers.get_metric_keys", json!({"worker_ids": ["w"]})).await,
        format!(
            "400/1005 Worker stats not found (No statistic metrics found for the company {COMPANY} and workers ['w'])"
        )
    );
    let start = report_figures(&world).await;
    let dates = [start * 1000, (start + 40) * 1000, (start + 80) * 1000, (start + 120) * 1000];
    assert_eq!(
        world.ok("workers.get_activity_report", range(start)).await,
        json!({
            "total": {"dates": dates, "counts": [1, 0, 1, 0]},
            "active": {"dates": dates, "counts": [1, 0, 0, 0]},
        })
    );
    let answer = world.ok("workers.get_metric_keys", json!({})).await;
    let mut categories = answer["categories"].as_array().unwrap().clone();
    categories.sort_by_key(|category| category["name"].as_str().unwrap().to_owned());
    assert_eq!(
        categories,
        [
            json!({"name": "cpu", "metric_keys": ["cpu_usage"]}),
            json!({"name": "disk", "metric_keys": ["disk_read"]}),
            json!({"name": "gpu", "metric_keys": ["gpu_usage"]}),
        ]
    );
}

#[tokio::test]
async fn statistics_requests_are_checked_like_a_schema() {
    let world = World::new().await;
    let text = "context=(), cause=None";
    assert_eq!(
        world
            .error("workers.get_activity_report", json!({"from_date": "a", "to_date": 2, "interval": 1}))
            .await,
        format!(
            "400/12 Validation error: message='a' is not of type 'number', path=(from_date), {text}, validator=type, validator_value=number, instance=a, parent=None"
        )
    );
    for (endpoint, request) in [
        ("workers.get_activity_report", json!({"from_date": 1, "to_date": 2})),
        ("workers.get_metric_keys", json!({"worker_ids": "w"})),
        ("workers.get_stats", json!({"from_date": 1, "to_date": 2, "interval": 1})),
        (
            "workers.get_stats",
            json!({"from_date": 1, "to_date": 2, "interval": 1, "items": [{"key": "unknown"}]}),
        ),
        (
            "workers.get_stats",
            json!({"from_date": 1, "to_date": 2, "interval": 1, "items": [{"key": "cpu_usage", "aggregation": "x"}]}),
        ),
    ] {
        let error = world.error(endpoint, request.clone()).await;
        assert!(error.starts_with("400/12 "), "{endpoint} {request}: {error}");
    }
    for endpoint in ["workers.get_activity_report", "workers.get_stats"] {
        let request = json!({"from_date": 2, "to_date": 1, "interval": 1, "items": [{"key": "cpu_usage"}]});
        assert_eq!(
            world.error(endpoint, request).await,
            "400/16 Invalid value for fields (from_date must be less than to_date)"
        );
        let request =
            json!({"from_date": 0, "to_date": 1e11, "interval": 1, "items": [{"key": "cpu_usage"}]});
        assert!(world.error(endpoint, request).await.starts_with("400/16 "));
    }
}

#[tokio::test]
async fn agents_may_call_with_get() {
    let world = World::new().await;
    let update = vec![Change::set("name", "Renamed")];
    let company = Filter::id(COMPANY);
    world.server.app.documents.update_one(Collection::Company, company, update).await.unwrap();
    let request =
        http::Request::get("/v2.14/workers.register?worker=host:0").body(axum::body::Body::empty()).unwrap();
    assert_eq!(world.user.send(request).await.code(), (200, 0));
    let worker = world.ok("workers.get_all", json!({})).await["workers"][0].clone();
    assert_eq!(worker["company"]["name"], "Renamed");
}
