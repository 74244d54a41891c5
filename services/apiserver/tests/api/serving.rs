//! The `serving` service (spec 04 §4).

use serde_json::{Value, json};

use crate::{
    lifecycle::World,
    support::{COMPANY, TestServer},
};

const URL: &str = "http://serving.example/one";

/// A container's own description.
fn container(id: &str, more: &Value) -> Value {
    let mut request = json!({"container_id": id, "endpoint_name": "an endpoint", "model_name": "a model"});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

async fn report(world: &World, id: &str, more: Value) {
    let mut request = container(id, &json!({"endpoint_url": URL}));
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    assert_eq!(world.ok("serving.container_status_report", request).await, json!({}));
}

async fn record(world: &World, id: &str) -> Option<Value> {
    let key = format!("serving_container_{COMPANY}_{id}");
    let record = world.server.app.worker_state.get(&key).await.unwrap()?;
    Some(serde_json::from_str(&record).unwrap())
}

async fn members(world: &World, url: &str) -> Vec<String> {
    let key = format!("serving_url_{COMPANY}_{url}");
    world.server.app.worker_state.sorted_range(&key, f64::NEG_INFINITY, f64::INFINITY).await.unwrap()
}

#[tokio::test]
async fn a_container_loads_then_serves_then_goes() {
    let world = World::new().await;
    let request = container(
        "c1",
        &json!({
            "timeout": 60, "input_size": 10, "input_type": "float32", "model_source": "s3", "model_version": "2",
            "preprocess_artifact": "pre", "reference": [{"type": "task", "value": "t"}],
        }),
    );
    assert_eq!(world.ok("serving.register_container", request).await, json!({}));

    let key = format!("serving_container_{COMPANY}_c1");
    let stored = record(&world, "c1").await.unwrap();
    assert_eq!(
        (&stored["key"], &stored["register_timeout"], &stored["input_size"], &stored["tags"]),
        (&json!(key), &json!(60), &json!("10"), &json!([]))
    );
    assert_eq!(stored["reference"], json!([{"type": "task", "value": "t"}]));
    assert_eq!(stored.get("endpoint_url"), None);
    assert_eq!(members(&world, "None").await, std::slice::from_ref(&key));
    let loading = world.ok("serving.get_loading_instances", json!({})).await;
    let instance = &loading["instances"][0];
    assert!(instance["last_update"].is_string() && instance["age_sec"].is_u64());
    assert_eq!(
        json!([
            instance["id"],
            instance["endpoint"],
            instance["model"],
            instance["url"],
            instance["model_source"],
            instance["model_version"],
            instance["preprocess_artifact"],
            instance["input_type"],
            instance["input_size"],
            instance["uptime_sec"]
        ]),
        json!(["c1", "an endpoint", "a model", null, "s3", "2", "pre", "float32", "10", null])
    );
    assert_eq!(world.ok("serving.get_endpoints", json!({})).await, json!({"endpoints": []}));

    report(&world, "c1", json!({"uptime_sec": 5})).await;
    let reported = record(&world, "c1").await.unwrap();
    assert_eq!(
        (&reported["register_timeout"], &reported["register_time"], &reported["uptime_sec"]),
        (&json!(60), &stored["register_time"], &json!(5))
    );
    // What the report did not say is not known any more.
    assert_eq!(reported.get("model_source"), None);
    assert_eq!(members(&world, URL).await, [key]);
    assert_eq!(world.ok("serving.get_loading_instances", json!({})).await, json!({"instances": []}));
    assert!(members(&world, "None").await.is_empty());

    world.ok("serving.unregister_container", json!({"container_id": "c1"})).await;
    assert_eq!(record(&world, "c1").await, None);
    assert!(members(&world, URL).await.is_empty());
    world.ok("serving.unregister_container", json!({"container_id": "c1"})).await;
}

#[tokio::test]
async fn endpoints_sum_up_their_containers() {
    let world = World::new().await;
    let stats = json!({"cpu_usage": [10, 20], "gpu_usage": [50.0], "memory_free": 1024, "memory_used": 1024});
    report(
        &world,
        "a",
        json!({
            "uptime_sec": 100, "requests_num": 10, "requests_min": 1.0, "latency_ms": 10, "machine_stats": stats,
            "reference": [{"type": "url", "value": "u"}],
        }),
    )
    .await;
    report(
        &world,
        "b",
        json!({"uptime_sec": 300, "requests_num": 5, "requests_min": 2.005, "latency_ms": 15}),
    )
    .await;
    report(&world, "c", json!({})).await;
    report(&world, "other", json!({"endpoint_url": "http://serving.example/two"})).await;

    let answer = world.ok("serving.get_endpoints", json!({})).await;
    let endpoints = answer["endpoints"].as_array().unwrap();
    assert_eq!(endpoints.len(), 2);
    let mut one = endpoints[0].clone();
    assert!(one.as_object_mut().unwrap().remove("last_update").unwrap().is_string());
    assert_eq!(
        one,
        json!({
            "endpoint": "an endpoint", "model": "a model", "url": URL, "instances": 3, "uptime_sec": 300,
            "requests": 15, "requests_min": 1.5, "latency_ms": 12,
        })
    );
    assert_eq!(
        (&endpoints[1]["requests"], &endpoints[1]["requests_min"], &endpoints[1]["latency_ms"]),
        (&json!(0), &json!(null), &json!(null))
    );

    let details = world.ok("serving.get_endpoint_details", json!({"endpoint_url": URL})).await;
    assert_eq!(
        (&details["url"], &details["uptime_sec"], &details["input_size"]),
        (&json!(URL), &json!(300), &json!(null))
    );
    let instances = details["instances"].as_array().unwrap();
    let mut first = instances[0].clone();
    assert!(first.as_object_mut().unwrap().remove("last_update").unwrap().is_string());
    assert_eq!(
        first,
        json!({
            "id": "a", "uptime_sec": 100, "requests": 10, "requests_min": 1.0, "latency_ms": 10, "cpu_count": 2,
            "gpu_count": 1, "reference": [{"type": "url", "value": "u"}],
        })
    );
    assert_eq!(
        (
            &instances[2]["id"],
            &instances[2]["uptime_sec"],
            &instances[2]["cpu_count"],
            &instances[2]["reference"]
        ),
        (&json!("c"), &json!(null), &json!(0), &json!([]))
    );
}

#[tokio::test]
async fn a_container_that_moved_is_found_behind_its_new_url_only() {
    let world = World::new().await;
    report(&world, "a", json!({})).await;
    report(&world, "a", json!({"endpoint_url": "http://serving.example/two"})).await;
    assert_eq!(
        world.error("serving.get_endpoint_details", json!({"endpoint_url": URL})).await,
        format!("400/1052 No container instances found for service url: url={URL}")
    );
    assert!(members(&world, URL).await.is_empty());
    let details =
        world.ok("serving.get_endpoint_details", json!({"endpoint_url": "http://serving.example/two"})).await;
    assert_eq!(details["instances"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn odd_reports_are_refused() {
    let world = World::new().await;
    for (endpoint, request, message) in [
        (
            "serving.register_container",
            json!({"endpoint_name": "e", "model_name": "m"}),
            "error for field 'container_id'. field is required!",
        ),
        (
            "serving.register_container",
            container("c", &json!({"timeout": 0})),
            "error for field 'timeout': '0' is lower than minimum ('1')..",
        ),
        (
            "serving.register_container",
            container("c", &json!({"reference": [{"type": "x", "value": "v"}]})),
            "error for field 'type': value 'x' is not a valid choice..",
        ),
        (
            "serving.register_container",
            container("c", &json!({"input_size": [1]})),
            "error for field 'input_size': text or a number expected.",
        ),
        (
            "serving.container_status_report",
            container("c", &json!({})),
            "Missing required field 'endpoint_url'",
        ),
        (
            "serving.container_status_report",
            container("c", &json!({"endpoint_url": ""})),
            "Missing required field 'endpoint_url'",
        ),
        ("serving.unregister_container", json!({}), "error for field 'container_id'. field is required!"),
        ("serving.get_endpoint_details", json!({}), "error for field 'endpoint_url'. field is required!"),
    ] {
        assert_eq!(
            world.error(endpoint, request).await,
            format!("400/12 Validation error ({message})"),
            "{endpoint}"
        );
    }
    assert_eq!(record(&world, "c").await, None);
}

#[tokio::test]
async fn unknown_containers_are_refused_where_the_settings_say_so() {
    let server = TestServer::with_settings(|settings| {
        settings.serving.container_auto_register = false;
        settings.serving.container_auto_unregister = false;
    })
    .await;
    let user = server.user().await;
    let expected = (400, 1051, "Container is not registered: container=c".to_owned());
    let report = container("c", &json!({"endpoint_url": URL}));
    assert_eq!(user.error("serving.container_status_report", report).await, expected);
    assert_eq!(user.error("serving.unregister_container", json!({"container_id": "c"})).await, expected);
    user.ok("serving.register_container", container("c", &json!({}))).await;
    user.ok("serving.container_status_report", container("c", &json!({"endpoint_url": URL}))).await;
    user.ok("serving.unregister_container", json!({"container_id": "c"})).await;
}

#[tokio::test]
async fn companies_do_not_see_each_others_containers() {
    let world = World::new().await;
    report(&world, "a", json!({})).await;
    world.server.add_company("another", "another").await;
    let stranger = world.server.user_of("another", clearml_auth::Role::User).await;
    assert_eq!(stranger.ok("serving.get_endpoints", json!({})).await, json!({"endpoints": []}));
    let (_, subcode, _) = stranger.error("serving.get_endpoint_details", json!({"endpoint_url": URL})).await;
    assert_eq!(subcode, 1052);
}

/// A request for the history of the last hour up to two intervals from now: today's samples are shown.
fn history(more: &Value) -> Value {
    let now = bson::DateTime::now().timestamp_millis() / 1000;
    let mut request =
        json!({"endpoint_url": URL, "from_date": now - 3600, "to_date": now + 7200, "interval": 3600});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

/// The values of a chart that are not 0.
fn values(chart: &Value) -> Vec<f64> {
    assert_eq!(chart["dates"].as_array().unwrap().len(), chart["values"].as_array().unwrap().len());
    let values = chart["values"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap());
    values.filter(|value| *value != 0.0).collect()
}

#[tokio::test]
async fn reports_have_a_history() {
    let world = World::new().await;
    let stats =
        json!({"cpu_usage": [10, 30], "memory_free": 1024, "memory_used": 2048, "gpu_memory_used": [512]});
    report(
        &world,
        "a",
        json!({"requests_num": 10, "requests_min": 2.5, "latency_ms": 10, "machine_stats": stats}),
    )
    .await;
    report(&world, "b", json!({"requests_num": 4, "latency_ms": 30})).await;

    for (metric, title, total, a) in [
        ("requests", "Number of Requests", 14.0, 10.0),
        ("requests_min", "Requests per Minute", 2.5, 2.5),
        ("latency_ms", "Average Latency (ms)", 20.0, 10.0),
        ("cpu_count", "CPU Count", 2.0, 2.0),
        ("cpu_util", "Average CPU Load (%)", 10.0, 20.0),
        ("ram_total", "RAM Total (GB)", 3.0, 3.0),
        ("ram_used", "RAM Used (GB)", 2.0, 2.0),
        ("ram_free", "RAM Free (GB)", 1.0, 1.0),
        ("gpu_ram_total", "GPU RAM Total (GB)", 0.5, 0.5),
    ] {
        let answer =
            world.ok("serving.get_endpoint_metrics_history", history(&json!({"metric_type": metric}))).await;
        assert_eq!(answer["computed_interval"], json!(3600));
        assert_eq!(answer["total"]["title"], json!(title));
        assert_eq!(values(&answer["total"]), [total], "{metric}");
        let instances = answer["instances"].as_object().unwrap();
        assert_eq!(instances.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(instances["a"]["title"], json!("a"));
        assert_eq!(values(&instances["a"]), [a], "{metric}");
        assert_eq!(instances["a"]["dates"], answer["total"]["dates"]);
    }
    for metric in ["gpu_count", "gpu_util", "gpu_ram_free", "network_rx", "network_tx"] {
        let answer =
            world.ok("serving.get_endpoint_metrics_history", history(&json!({"metric_type": metric}))).await;
        assert!(
            values(&answer["total"]).is_empty() && !answer["total"]["dates"].as_array().unwrap().is_empty()
        );
    }

    // Only buckets with reports, and requests, unless something else is asked for.
    let answer =
        world.ok("serving.get_endpoint_metrics_history", history(&json!({"instance_charts": false}))).await;
    assert_eq!((answer["total"]["dates"].as_array().unwrap().len(), &answer["instances"]), (1, &json!({})));
    let nothing = history(&json!({"endpoint_url": "http://serving.example/none", "interval": 1}));
    assert_eq!(
        world.ok("serving.get_endpoint_metrics_history", nothing).await,
        json!({
            "computed_interval": 40, "instances": {},
            "total": {"title": "Number of Requests", "dates": [], "values": []},
        })
    );
}

#[tokio::test]
async fn odd_ranges_are_refused() {
    let world = World::new().await;
    for (more, message) in [
        (
            json!({"from_date": 5, "to_date": 5}),
            "400/16 Invalid value for fields (from_date must be less than to_date)",
        ),
        (
            json!({"from_date": -1}),
            "400/12 Validation error (error for field 'from_date': '-1' is lower than minimum ('0')..)",
        ),
        (
            json!({"interval": 0}),
            "400/12 Validation error (error for field 'interval': '0' is lower than minimum ('1')..)",
        ),
        (
            json!({"metric_type": "x"}),
            "400/12 Validation error (error for field 'metric_type': value 'x' is not a valid choice..)",
        ),
    ] {
        assert_eq!(world.error("serving.get_endpoint_metrics_history", history(&more)).await, message);
    }
}
