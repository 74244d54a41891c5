//! The services `server` and `debug` (spec 01 §5.4, §5.5).

use bson::doc;
use clearml_auth::Role;
use clearml_documents::{Collection, DocumentStoreExt};
use serde_json::{Value, json};

use crate::support::{COMPANY, TestServer, claims, sign};

#[tokio::test]
async fn ping_echoes() {
    let client = TestServer::start().await.anonymous();
    assert_eq!(client.ok("debug.ping", json!({})).await, json!({"msg": "ClearML server"}));
    assert_eq!(
        client.ok("debug.ping", json!({"a": {"b": [1]}})).await,
        json!({"msg": "ClearML server", "a": {"b": [1]}})
    );
    client.bearer("nonsense").ok("debug.ping", json!({})).await;
}

#[tokio::test]
async fn info_grew_with_versions() {
    let server = TestServer::with_settings(|settings| {
        settings.server.build = "7".into();
        settings.server.commit = "abc".into();
    })
    .await;
    let client = server.user().await;
    let info = async |version: &str| client.clone().version(version).ok("server.info", json!({})).await;
    let base = json!({"version": "2.3.0", "build": "7", "commit": "abc"});
    assert_eq!(info("2.7").await, base);
    assert_eq!(info("2.8").await, base);
    let setting = doc! {"_id": "server.uuid", "value": "the-uuid"};
    server.app.documents.insert(Collection::Settings, setting).await.unwrap();
    let with_uid = json!({"version": "2.3.0", "build": "7", "commit": "abc", "uid": "the-uuid"});
    assert_eq!(info("2.8").await, with_uid);
    assert_eq!(info("2.11").await, with_uid);
    assert_eq!(info("1.0").await, base);
    let newest = json!({"version": "2.3.0", "build": "7", "commit": "abc", "api_version": "2.34"});
    assert_eq!(info("2.12").await, newest);
    assert_eq!(client.ok("server.info", json!({})).await, newest);
    let (status, subcode, _) = server.anonymous().error("server.info", json!({})).await;
    assert_eq!((status, subcode), (401, 20));
}

#[tokio::test]
async fn config_is_shown_without_secrets() {
    let server = TestServer::with_settings(|settings| {
        settings.server.configuration = doc! {
            "apiserver": {"auth": {"cookies": {"secure": true}}, "debug": false},
            "secure": {"auth": {"token_secret": "hidden"}},
        };
    })
    .await;
    let system = server.user_with_role(Role::System).await;
    let apiserver = json!({"auth": {"cookies": {"secure": true}}, "debug": false});
    assert_eq!(system.ok("server.config", json!({})).await, json!({"apiserver": apiserver}));
    assert_eq!(
        system.ok("server.config", json!({"path": "apiserver.auth.cookies"})).await,
        json!({"secure": true})
    );
    for path in ["nothing", "apiserver.debug", "apiserver..auth", "secure", "secure.auth"] {
        let (code, subcode, message) = system.error("server.config", json!({"path": path})).await;
        assert_eq!((code, subcode), (400, 0), "{path}");
        assert!(!message.contains("hidden"));
    }
}

#[tokio::test]
async fn endpoints_are_listed_with_their_versions() {
    let server = TestServer::start().await;
    let root = server.user_with_role(Role::Root).await;
    let listed = root.ok("server.endpoints", json!({})).await;
    let versions: Vec<&str> = listed["endpoints"]["server.info"]
        .as_array()
        .unwrap()
        .iter()
        .map(|version| version["min_version"].as_str().unwrap())
        .collect();
    assert_eq!(versions, ["2.12", "2.8", "1.0"]);
    assert_eq!(
        listed["endpoints"]["debug.ping"],
        json!([{"min_version": "1.0", "required_fields": [], "request_data_model": null, "response_data_model": null}])
    );
    assert_eq!(listed["models"], json!({}));
}

/// The versions from which an endpoint is reachable (spec 01 §1.3, 04, 09), newest first.
fn min_versions(name: &str) -> &'static [&'static str] {
    match name {
        "users.get_all_ex" => &["2.8", "1.0"],
        "server.info" => &["2.12", "2.8", "1.0"],
        "events.get_task_log" => &["2.9", "1.7", "1.0"],
        "events.get_multi_task_plots" | "events.get_task_plots" => &["1.8", "1.0"],
        "events.debug_images" => &["2.7", "1.8", "1.0"],
        "auth.logout" | "tasks.completed" => &["2.2"],
        "projects.get_task_tags" | "projects.get_model_tags" => &["2.8"],
        "tasks.make_public"
        | "tasks.make_private"
        | "models.make_public"
        | "models.make_private"
        | "projects.make_public"
        | "projects.make_private"
        | "projects.get_hyper_parameters" => &["2.9"],
        "tasks.add_or_update_artifacts" | "tasks.delete_artifacts" => &["2.10"],
        "events.get_debug_image_sample" | "events.next_debug_image_sample" | "projects.get_task_parents" => {
            &["2.12"]
        }
        "login.logout"
        | "tasks.add_or_update_model"
        | "tasks.delete_models"
        | "models.add_or_update_metadata"
        | "models.delete_metadata"
        | "queues.add_or_update_metadata"
        | "queues.delete_metadata"
        | "projects.get_hyperparam_values" => &["2.13"],
        "queues.peek_task" | "queues.get_num_entries" => &["2.15"],
        "events.scalar_metrics_iter_raw" => &["2.16"],
        "events.clear_scroll" => &["2.18"],
        // The last two came long after the others.
        "queues.get_next_task"
        | "queues.clear_queue"
        | "workers.get_count"
        | "queues.get_by_task_id"
        | "queues.move_task_to_queue" => &["1.0"],
        other if other.starts_with("workers.") || other.starts_with("queues.") => &["2.4"],
        _ => &["1.0"],
    }
}

#[tokio::test]
async fn every_endpoint_is_reachable_from_the_version_that_clients_know() {
    let server = TestServer::start().await;
    let listed = server.user_with_role(Role::Root).await.ok("server.endpoints", json!({})).await;
    for (name, implementations) in listed["endpoints"].as_object().unwrap() {
        let implementations = implementations.as_array().unwrap();
        let versions: Vec<&str> =
            implementations.iter().map(|version| version["min_version"].as_str().unwrap()).collect();
        assert_eq!(versions, min_versions(name), "{name}");
    }
}

#[tokio::test]
async fn the_statistics_option_is_remembered() {
    let server = TestServer::start().await;
    let user = server.user().await;
    let endpoint = "server.report_stats_option";
    let initial = json!({"supported": true, "enabled": false, "current_version": "2.3.0"});
    assert_eq!(user.ok(endpoint, json!({})).await, initial);
    assert_eq!(user.ok(endpoint, json!({"enabled": null})).await, initial);
    for enabled in [true, false] {
        let answer = user.ok(endpoint, json!({"enabled": enabled})).await;
        assert_eq!(answer["enabled"], enabled);
        assert_eq!(answer["enabled_version"], "2.3.0");
        assert_eq!(answer["enabled_user"], *user.id);
        let time = answer["enabled_time"].as_str().unwrap();
        assert!(time.contains('T') && !time.contains('+'), "{time}");
        assert_eq!(user.ok(endpoint, json!({})).await, answer);
    }
    let lost = server.anonymous().bearer(&sign(&claims("u", "no company", Role::User)));
    assert_eq!(lost.error(endpoint, json!({})).await.1, 10);
    assert_eq!(lost.error(endpoint, json!({"enabled": true})).await.1, 10);
}

#[tokio::test]
async fn the_statistics_option_can_be_unsupported() {
    let server = TestServer::with_settings(|settings| settings.server.statistics_supported = false).await;
    let user = server.user().await;
    assert_eq!(
        user.ok("server.report_stats_option", json!({"enabled": true})).await,
        json!({"supported": false})
    );
}

#[tokio::test]
async fn the_report_counts_what_the_company_did() {
    let server = TestServer::start().await;
    let system = server.user_with_role(Role::System).await;
    let documents = &server.app.documents;
    let date = |seconds: i64| bson::DateTime::from_millis(1_700_000_000_000 + seconds * 1000);
    for (id, status, seconds, iterations, company) in [
        ("t1", "completed", 10, 100, COMPANY),
        ("t2", "in_progress", 21, 201, COMPANY),
        ("t3", "queued", 500, 5, COMPANY),
        ("t4", "created", 500, 5, COMPANY),
        ("t5", "completed", 500, 5, "other"),
    ] {
        let task = doc! {
            "_id": id, "name": "task", "company": company, "user": "u", "status": status, "type": "training",
            "started": date(0), "last_update": date(seconds), "last_iteration": iterations,
        };
        documents.insert(Collection::Task, task).await.unwrap();
    }
    documents.insert(Collection::Queue, doc! {"_id": "q", "name": "q", "company": COMPANY}).await.unwrap();
    let report = system.ok("server.get_stats", json!({})).await;
    assert_eq!(report["company_id"], COMPANY);
    let told = &report["server"];
    assert_eq!(told["version"], "2.3.0");
    assert_eq!(told["deployment"], "manual");
    assert_eq!(told["queues"], json!({"count": 1}));
    assert_eq!(told["users"], json!({"count": 1}));
    assert_eq!(told["experiments"], json!({"count": 2, "avg_run_time_sec": 15, "avg_iterations": 150}));
    for figure in ["cpu_usage", "mem_used_gb", "mem_free_gb"] {
        for part in ["min", "max", "avg"] {
            assert!(told["resources"][figure][part].is_f64(), "{figure} {part}");
        }
    }
    assert!(told["resources"]["num_cores"].as_i64().unwrap() >= 1);
    assert_eq!(report["agents"], json!([]));
    assert_ne!(report["time"], Value::Null);
}

#[tokio::test]
async fn the_report_of_an_idle_company_is_empty() {
    let server = TestServer::start().await;
    let report = server.user_with_role(Role::Root).await.ok("server.get_stats", json!({})).await;
    assert_eq!(report["server"]["experiments"], json!({}));
}

#[tokio::test]
async fn the_report_lists_agents() {
    use clearml_events::WorkerSample;
    let server = TestServer::start().await;
    let now = bson::DateTime::now().timestamp_millis();
    let sample = |metric: &str, value: f64| WorkerSample {
        timestamp: now - 1000,
        worker: "machine:0".into(),
        task: None,
        category: "cpu".into(),
        metric: metric.into(),
        variant: "total".into(),
        value,
    };
    let samples = vec![sample("cpu_usage", 10.0), sample("cpu_usage", 30.0), sample("memory_used", 2.0)];
    server.app.statistics.add_worker_samples(COMPANY, samples).await.unwrap();
    let task = doc! {
        "_id": "t1", "name": "task", "company": COMPANY, "user": "u", "status": "completed", "type": "training",
        "started": bson::DateTime::from_millis(now - 60_000), "last_update": bson::DateTime::from_millis(now),
        "last_iteration": 7, "last_worker": "machine:0",
    };
    server.app.documents.insert(Collection::Task, task).await.unwrap();
    let report = server.user_with_role(Role::Root).await.ok("server.get_stats", json!({})).await;
    let agent = &report["agents"][0];
    assert_eq!(agent["uuid"], "machine:0");
    assert_eq!(agent["resources"]["cpu_usage"], json!({"min": 10.0, "max": 30.0, "avg": 20.0}));
    assert_eq!(agent["resources"]["mem_used_gb"]["avg"], 2.0);
    assert_eq!(agent["experiments"]["count"], 1);
    assert_eq!(agent["experiments"]["avg_run_time_sec"], 60);
    assert_eq!(agent["experiments"]["avg_iterations"], 7);
    assert!(agent["experiments"]["last_activity_time"].as_i64().unwrap() <= now + 60_000);
}
