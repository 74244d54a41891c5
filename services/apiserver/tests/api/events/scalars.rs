//! Scalars and vectors (spec 05 §7).

use serde_json::json;

use super::*;

async fn histogram(user: &Client, request: Value) -> Value {
    user.ok("events.scalar_metrics_iter_histogram", request).await
}

#[tokio::test]
async fn the_worked_example_of_the_specification() {
    let (_server, user) = server().await;
    let mut events: Vec<Value> = (1..=10).map(|iter| scalar("A", "a", iter, iter as f64)).collect();
    events.extend((1..=3).map(|iter| scalar("A", "b", iter, 1.0)));
    send(&user, &events).await;
    let data = histogram(&user, json!({"task": "t", "samples": 4})).await;
    assert_eq!(
        data,
        json!({"A": {
            "b": {"name": "b", "x": [1, 2, 3], "y": [1.0, 1.0, 1.0]},
            "a": {"name": "a", "x": [0, 3, 6, 9], "y": [1.5, 4.0, 7.0, 9.5]},
        }})
    );
    let names: Vec<&String> = data["A"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["b", "a"], "groups of small intervals come first");
}

#[tokio::test]
async fn like_intervals_share_their_buckets() {
    let (_server, user) = server().await;
    let spread = |metric: &str, variant: &str, count: i64, last: i64| {
        (0..count)
            .map(|number| scalar(metric, variant, 1 + number * (last - 1) / (count - 1), 1.0))
            .collect::<Vec<_>>()
    };
    let mut events = spread("C", "c", 12, 40);
    events.extend(spread("D", "d", 12, 43));
    events.extend((1..=100).map(|iter| scalar("E", "e", iter, 1.0)));
    send(&user, &events).await;
    let data =
        histogram(&user, json!({"task": "t", "samples": 4, "metrics": [{"metric": "C"}, {"metric": "D"}]}))
            .await;
    assert_eq!(data["C"]["c"]["x"], json!([0, 11, 22, 33]));
    assert_eq!(data["D"]["d"]["x"], json!([0, 11, 22, 33]));
    let data = histogram(
        &user,
        json!({"task": "t", "samples": 10, "metrics": [{"metric": "E", "variants": ["e"]}]}),
    )
    .await;
    assert_eq!(data["E"]["e"]["x"], json!([0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]));
    assert_eq!(data.as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn points_are_drawn_over_time_too() {
    let (server, user) = server().await;
    let mut event = scalar("m", "v", 1, 0.1);
    event["timestamp"] = json!(1_614_834_367_890_i64);
    event["x_axis_label"] = "epoch".into();
    send(&user, &[event, scalar("m", "single", SINGLE, 1.0)]).await;
    let data = histogram(&user, json!({"task": "t", "key": "timestamp"})).await;
    assert_eq!(
        data,
        json!({"m": {"v": {
            "name": "v", "x": [1_614_834_367_890_i64], "y": [0.100_000_001_490_116_12], "x_axis_label": "epoch",
        }}})
    );
    let data = histogram(&user, json!({"task": "t", "key": "iso_time"})).await;
    assert_eq!(data["m"]["v"]["x"], json!(["2021-03-04T05:06:07.890Z"]));
    add_task(&server, "empty", doc! {}).await;
    assert_eq!(histogram(&user, json!({"task": "empty"})).await, json!({}));
}

#[tokio::test]
async fn several_tasks_are_drawn_together() {
    let (server, user) = server().await;
    add_task(&server, "u", doc! {}).await;
    send(
        &user,
        &[
            scalar("m", "v", 1, 1.0),
            of_task("u", scalar("m", "v", 2, 2.0)),
            of_task("u", scalar("m", "w", 2, 3.0)),
        ],
    )
    .await;
    let request = json!({"tasks": ["t", "u"]});
    assert_eq!(
        user.ok("events.multi_task_scalar_metrics_iter_histogram", request).await,
        json!({"metrics": {"m": {
            "v": {
                "t": {"name": "name of t", "x": [1], "y": [1.0]},
                "u": {"name": "name of u", "x": [2], "y": [2.0]},
            },
            "w": {"u": {"name": "name of u", "x": [2], "y": [3.0]}},
        }}})
    );
    add_task(&server, "empty", doc! {}).await;
    let data = user.ok("events.multi_task_scalar_metrics_iter_histogram", json!({"tasks": ["empty"]})).await;
    assert_eq!(data, json!({"metrics": {}}));

    let many: Vec<String> = (0..101).map(|number| number.to_string()).collect();
    for (request, code) in [
        (json!({"tasks": []}), (400, 12)),
        (json!({}), (400, 12)),
        (json!({"tasks": many}), (400, 12)),
        (json!({"tasks": ["t"], "samples": 0}), (400, 12)),
        (json!({"tasks": ["t", "x"]}), (400, 101)),
    ] {
        let (status, subcode, _) =
            user.error("events.multi_task_scalar_metrics_iter_histogram", request).await;
        assert_eq!((status, subcode), code);
    }
}

#[tokio::test]
async fn faulty_histograms_are_refused() {
    let (_server, user) = server().await;
    for (request, code) in [
        (json!({}), (400, 12)),
        (json!({"task": "t", "samples": 0}), (400, 12)),
        (json!({"task": "t", "samples": 6001}), (400, 12)),
        (json!({"task": "t", "samples": null}), (400, 12)),
        (json!({"task": "t", "samples": "many"}), (400, 12)),
        (json!({"task": "t", "key": "time"}), (400, 12)),
        (json!({"task": "t", "metrics": [{"variants": ["v"]}]}), (400, 12)),
        (json!({"task": "x"}), (400, 101)),
        (json!({"task": "x", "model_events": true}), (400, 201)),
    ] {
        let (status, subcode, _) = user.error("events.scalar_metrics_iter_histogram", request.clone()).await;
        assert_eq!((status, subcode), code, "{request}");
    }
    histogram(&user, json!({"task": "t", "samples": "6000", "metrics": null})).await;
}

#[tokio::test]
async fn raw_points_are_paged_with_full_precision() {
    let (_server, user) = server().await;
    let mut events: Vec<Value> = (0..10).map(|iter| scalar("m", "v", iter, 0.1)).collect();
    events.push(scalar("m", "w", 3, 7.0));
    events.push(scalar("other", "v", 3, 7.0));
    send(&user, &events).await;
    let request = json!({"task": "t", "metric": {"metric": "m"}, "batch_size": 4, "count_total": true});
    let first = user.ok("events.scalar_metrics_iter_raw", request).await;
    assert_eq!(
        (&first["returned"], &first["total"]),
        (&json!(5), &json!(11)),
        "equal iterations stay together"
    );
    assert_eq!(
        first["variants"],
        json!({"v": {"y": [0.1, 0.1, 0.1, 0.1], "iter": [0, 1, 2, 3]}, "w": {"y": [7.0], "iter": [3]}})
    );
    let request =
        json!({"task": "t", "metric": {"metric": "m"}, "batch_size": 100, "scroll_id": first["scroll_id"]});
    let second = user.ok("events.scalar_metrics_iter_raw", request).await;
    assert_eq!((&second["returned"], &second["total"]), (&json!(6), &json!(11)));
    assert_eq!(second["variants"]["v"]["iter"], json!([4, 5, 6, 7, 8, 9]));
    let request = json!({"task": "t", "metric": {"metric": "m"}, "scroll_id": second["scroll_id"]});
    let empty = user.ok("events.scalar_metrics_iter_raw", request).await;
    assert_eq!((&empty["returned"], &empty["variants"]), (&json!(0), &json!({})));
    let request = json!({"task": "t", "metric": {"metric": "m"}, "scroll_id": empty["scroll_id"]});
    let again = user.ok("events.scalar_metrics_iter_raw", request).await;
    assert_eq!(again, json!({"returned": 0, "total": 11, "scroll_id": empty["scroll_id"], "variants": {}}));

    let request = json!({"task": "t", "metric": {"metric": "m", "variants": ["w"]}, "key": "iso_time"});
    let data = user.ok("events.scalar_metrics_iter_raw", request).await;
    assert_eq!(data["total"], Value::Null);
    assert_eq!(data["variants"], json!({"w": {"y": [7.0], "iso_time": [1_700_000_000_003_i64]}}));
}

#[tokio::test]
async fn a_cursor_at_iteration_zero_goes_on() {
    let (_server, user) = server().await;
    send(&user, &[scalar("m", "v", -1, 1.0), scalar("m", "v", 0, 1.0), scalar("m", "v", 1, 1.0)]).await;
    let mut seen = Vec::new();
    let mut scroll_id = Value::Null;
    loop {
        let request =
            json!({"task": "t", "metric": {"metric": "m"}, "batch_size": 1, "scroll_id": scroll_id});
        let data = user.ok("events.scalar_metrics_iter_raw", request).await;
        if data["returned"] == 0 {
            break;
        }
        seen.extend(data["variants"]["v"]["iter"].as_array().unwrap().clone());
        scroll_id = data["scroll_id"].clone();
    }
    assert_eq!(seen, [json!(-1), json!(0), json!(1)]);
}

#[tokio::test]
async fn large_raw_batches_need_one_call() {
    let (_server, user) = server().await;
    let lines: Vec<String> = (0..25_000)
        .map(|iter| {
            format!(r#"{{"type":"training_stats_scalar","task":"t","metric":"m","variant":"v","iter":{iter},"value":{iter}}}"#)
        })
        .collect();
    user.post("events.add_batch", "application/json-lines", lines.join("\n")).await;
    let request = json!({"task": "t", "metric": {"metric": "m"}, "batch_size": 200_000, "count_total": true});
    let data = user.ok("events.scalar_metrics_iter_raw", request).await;
    assert_eq!((&data["returned"], &data["total"]), (&json!(25_000), &json!(25_000)));
    assert_eq!(data["variants"]["v"]["y"][24_999], json!(24_999));
}

#[tokio::test]
async fn faulty_raw_requests_are_refused() {
    let (_server, user) = server().await;
    for (request, code) in [
        (json!({"task": "t"}), (400, 12)),
        (json!({"task": "t", "metric": "m"}), (400, 12)),
        (json!({"task": "t", "metric": {"metric": "m"}, "batch_size": -1}), (400, 12)),
        (json!({"task": "t", "metric": {"metric": "m"}, "key": "x"}), (400, 12)),
        (json!({"task": "t", "metric": {"metric": "m"}, "scroll_id": "x"}), (400, 1104)),
        (json!({"task": "x", "metric": {"metric": "m"}}), (400, 101)),
    ] {
        let (status, subcode, message) = user.error("events.scalar_metrics_iter_raw", request).await;
        assert_eq!((status, subcode), code, "{message}");
    }
    // A scroll id of another endpoint is none here.
    let events = user.ok("events.get_task_events", json!({"task": "t"})).await;
    let request = json!({"task": "t", "metric": {"metric": "m"}, "scroll_id": events["scroll_id"]});
    let (status, subcode, _) = user.error("events.scalar_metrics_iter_raw", request).await;
    assert_eq!((status, subcode), (400, 1104));
    let old = user.version("2.15");
    let (status, subcode, _) =
        old.error("events.scalar_metrics_iter_raw", json!({"task": "t", "metric": {"metric": "m"}})).await;
    assert_eq!((status, subcode), (404, 0));
}

#[tokio::test]
async fn single_values_are_listed_by_task() {
    let (server, user) = server().await;
    add_task(&server, "u", doc! {}).await;
    add_task(&server, "none", doc! {}).await;
    let mut integer = scalar("Summary", "b", SINGLE, 0.0);
    integer["value"] = json!(3);
    send(
        &user,
        &[
            scalar("Summary", "a", SINGLE, 0.1),
            scalar("m", "v", 1, 1.0),
            integer,
            of_task("u", scalar("S", "x", SINGLE, 2.0)),
        ],
    )
    .await;
    let timestamp = 1_700_000_000_000_i64 + SINGLE;
    let of_t = json!({"task": "t", "task_name": "name of t", "values": [
        {"metric": "Summary", "variant": "a", "value": 0.1, "timestamp": timestamp},
        {"metric": "Summary", "variant": "b", "value": 3, "timestamp": timestamp},
    ]});
    let of_u = json!({"task": "u", "task_name": "name of u", "values": [
        {"metric": "S", "variant": "x", "value": 2.0, "timestamp": timestamp},
    ]});
    let endpoint = "events.get_task_single_value_metrics";
    assert_eq!(user.ok(endpoint, json!({"tasks": ["t", "none", "u"]})).await, json!({"tasks": [of_t, of_u]}));
    let request = json!({"tasks": ["t", "u"], "metrics": [{"metric": "S"}]});
    assert_eq!(user.ok(endpoint, request).await, json!({"tasks": [of_u]}));
    assert_eq!(user.ok(endpoint, json!({"tasks": ["none"]})).await, json!({"tasks": []}));
    for (request, code) in [(json!({"tasks": []}), (400, 12)), (json!({"tasks": ["t", "x"]}), (400, 101))] {
        let (status, subcode, _) = user.error(endpoint, request).await;
        assert_eq!((status, subcode), code);
    }
}

#[tokio::test]
async fn the_events_of_a_metric_are_scrolled() {
    let (_server, user) = server().await;
    let events: Vec<Value> = (0..600).map(|iter| scalar("m", "v", iter, 1.0)).collect();
    send(&user, &events).await;
    send(&user, &[scalar("other", "v", 1, 1.0)]).await;
    let endpoint = "events.get_scalar_metric_data";
    let first = user.ok(endpoint, json!({"task": "t", "metric": "m"})).await;
    assert_eq!((&first["returned"], &first["total"]), (&json!(500), &json!(600)));
    assert_eq!(first["events"][0]["iter"], 599);
    let request = json!({"task": "t", "metric": "other", "scroll_id": first["scroll_id"]});
    let second = user.ok(endpoint, request).await;
    assert_eq!((&second["returned"], &second["events"][0]["iter"]), (&json!(100), &json!(99)));
    let request = json!({"task": "t", "metric": "m", "scroll_id": second["scroll_id"]});
    let end = user.ok(endpoint, request).await;
    assert_eq!((&end["returned"], &end["scroll_id"]), (&json!(0), &json!("FFFF")));
    let request = json!({"task": "t", "metric": "m", "scroll_id": "FFFF"});
    let data = user.ok(endpoint, request).await;
    assert_eq!(data, json!({"events": [], "returned": 0, "total": 0, "scroll_id": null}));
    let data = user.ok(endpoint, json!({"task": "t", "metric": "m", "no_scroll": true})).await;
    assert_eq!((&data["returned"], &data["scroll_id"]), (&json!(500), &Value::Null));
}

#[tokio::test]
async fn latest_values_are_those_above_zero() {
    let (server, user) = server().await;
    add_task(&server, "empty", doc! {"status": "created"}).await;
    send(
        &user,
        &[
            scalar("m", "a", 1, 0.1),
            scalar("m", "a", 2, 0.2),
            scalar("m", "a", 3, -1.0),
            scalar("m", "b", 9, 0.0),
            plot("p", "", 12, "{}"),
        ],
    )
    .await;
    let endpoint = "events.get_task_latest_scalar_values";
    let data = user.ok(endpoint, json!({"task": "t"})).await;
    let value = f64::from(0.2_f32);
    assert_eq!(
        data["metrics"],
        json!([{"name": "m", "variants": [{"name": "a", "last_value": value, "last_10_value": value}]}])
    );
    assert_eq!(
        (&data["last_iter"], &data["name"], &data["status"]),
        (&json!(12), &json!("name of t"), &json!("in_progress"))
    );
    assert!(data["last_timestamp"].as_f64().unwrap() > 1.6e12);
    assert_eq!(
        user.ok(endpoint, json!({"task": "empty"})).await,
        json!({"metrics": [], "last_iter": 0, "name": "name of empty", "status": "created", "last_timestamp": 0.0})
    );
    let (status, subcode, _) = user.error(endpoint, json!({"task": "x"})).await;
    assert_eq!((status, subcode), (400, 101));
}

#[tokio::test]
async fn names_and_vectors_are_listed() {
    let (_server, user) = server().await;
    let vector = |variant: &str, iter: i64| json!({"type": "training_stats_vector", "task": "t", "metric": "m", "variant": variant, "iter": iter, "values": [iter, 0.5]});
    send(
        &user,
        &[
            vector("b", 2),
            vector("b", 1),
            vector("a", 1),
            scalar("s", "2", SINGLE, 1.0),
            scalar("s", "1", 1, 1.0),
        ],
    )
    .await;
    assert_eq!(
        user.ok("events.get_vector_metrics_and_variants", json!({"task": "t"})).await,
        json!({"metrics": {"m": ["a", "b"]}})
    );
    assert_eq!(
        user.ok("events.get_scalar_metrics_and_variants", json!({"task": "t"})).await,
        json!({"metrics": {"s": ["1", "2"]}})
    );
    let request = json!({"task": "t", "metric": "m", "variant": "b"});
    assert_eq!(
        user.ok("events.vector_metrics_iter_histogram", request).await,
        json!({"metric": "m", "variant": "b", "vectors": [[1, 0.5], [2, 0.5]], "iterations": [1, 2]})
    );
    let request = json!({"task": "t", "metric": "m", "variant": "none"});
    assert_eq!(
        user.ok("events.vector_metrics_iter_histogram", request).await,
        json!({"metric": "m", "variant": "none", "vectors": [], "iterations": []})
    );
    for endpoint in ["events.get_scalar_metrics_and_variants", "events.get_vector_metrics_and_variants"] {
        let (status, subcode, _) = user.error(endpoint, json!({"task": "x"})).await;
        assert_eq!((status, subcode), (400, 101));
        let (status, subcode, _) = user.error(endpoint, json!({"task": "x", "model_events": true})).await;
        assert_eq!((status, subcode), (400, 201));
    }
}
