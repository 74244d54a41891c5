//! What `add` and `add_batch` take, and how they store it (spec 05 §3.1 to §3.5, §3.7).

use bson::doc;
use serde_json::{Value, json};

use super::*;

async fn add(user: &Client, event: Value) -> Value {
    user.ok("events.add", event).await
}

/// The only stored event of the task `t`.
async fn only_event(user: &Client) -> Value {
    let events = events_of_type(user, "*").await;
    assert_eq!(events.len(), 1, "{events:?}");
    events[0].clone()
}

#[tokio::test]
async fn one_event_is_stored_as_specified() {
    let (_server, user) = server().await;
    let user = user.header("x-clearml-worker", "host:0");
    let data = add(&user, scalar("loss", "train", 10, 0.1)).await;
    assert_eq!(data, json!({"added": 1, "errors": 0, "errors_info": {}}));

    let mut event = only_event(&user).await;
    let written = event["@timestamp"].as_str().unwrap().to_owned();
    assert_eq!((written.len(), &written[23..]), (24, "Z"));
    event.as_object_mut().unwrap().remove("@timestamp");
    assert_eq!(
        event,
        json!({
            "timestamp": 1_700_000_000_010_i64, "type": "training_stats_scalar", "task": "t", "worker": "host:0",
            "metric": "loss", "variant": "train", "model_event": false, "iter": 10, "value": 0.1,
        })
    );
}

#[tokio::test]
async fn missing_fields_get_defaults() {
    let (server, user) = server().await;
    let before = server.app.now().timestamp_millis();
    add(&user, json!({"type": "training stats scalar", "task": "t", "value": 5})).await;
    let event = only_event(&user).await;
    assert_eq!(event["type"], "training_stats_scalar");
    assert_eq!(
        (&event["metric"], &event["variant"], &event["worker"]),
        (&json!(""), &json!(""), &json!("<unknown>"))
    );
    assert_eq!(event.get("iter"), None);
    assert_eq!(event["value"], json!(5), "an integer stays one");
    assert!(event["timestamp"].as_i64().unwrap() >= before);
}

#[tokio::test]
async fn sent_fields_are_kept_and_renamed() {
    let (_server, user) = server().await;
    let event = json!({
        "type": "training_stats_vector", "task": "t", "timestamp": 1, "ts": 5.0, "values": [1, 2.5], "worker": null,
        "iter": null, "x_axis_label": "epoch", "extra": {"a": [1, null]}, "model": "not a model event",
        "@timestamp": "mine", "metric": null,
    });
    add(&user, event).await;
    let event = only_event(&user).await;
    assert_eq!(event["timestamp"], 5);
    assert_eq!(event["value"], json!([1, 2.5]));
    assert_eq!(event.get("worker"), Some(&Value::Null));
    assert_eq!(event.get("iter"), Some(&Value::Null));
    assert_eq!(event["extra"], json!({"a": [1, null]}));
    assert_eq!(event["model"], "not a model event");
    assert_eq!(event["metric"], "");
    assert_ne!(event["@timestamp"], "mine");
    for gone in ["values", "ts", "x_axis_label", "allow_locked", "method"] {
        assert_eq!(event.get(gone), None, "{gone}");
    }
}

#[tokio::test]
async fn query_arguments_make_an_event_too() {
    let (_server, user) = server().await;
    let response = user.post("events.add?task=t&type=log&msg=hello&iter=3", "application/json", "").await;
    assert_eq!(response.data()["added"], 1);
    let event = only_event(&user).await;
    assert_eq!((&event["msg"], &event["iter"]), (&json!("hello"), &json!(3)));
}

#[tokio::test]
async fn equal_identities_overwrite_and_logs_never_do() {
    let (_server, user) = server().await;
    send(&user, &[scalar("m", "v", 1, 1.0), scalar("m", "v", 1, 2.0), log(1, "a"), log(1, "a")]).await;
    assert_eq!(pick(&events_of_type(&user, "training_stats_scalar").await.into(), "value"), [json!(2.0)]);
    assert_eq!(events_of_type(&user, "log").await.len(), 2);

    send(&user, &[image("m", "v", 1, "http://a"), image("m", "v", 1, "http://b")]).await;
    assert_eq!(
        events_of_type(&user, "training_debug_image").await.len(),
        2,
        "the key is part of the identity"
    );
}

#[tokio::test]
async fn iterations_are_read_as_integers() {
    let (_server, user) = server().await;
    for (sent, stored) in [
        ("7", 7),
        ("7.9", 7),
        ("-7.9", -7),
        ("\" 8 \"", 8),
        ("true", 1),
        ("9223372036854775807", i64::MAX),
        ("-9223372036854775808", i64::MIN),
    ] {
        let text = stored.to_string();
        let body = format!(r#"{{"type":"log","task":"t","msg":"{text}","iter":{sent}}}"#);
        let response = user.post("events.add", "application/json", body).await;
        assert_eq!(response.data()["added"], 1, "{sent}: {}", response.message());
        let events = events_of_type(&user, "log").await;
        let event = events.iter().find(|event| event["msg"] == text).unwrap();
        assert_eq!(event["iter"], stored, "{sent}");
    }
}

#[tokio::test]
async fn iterations_that_are_no_integers_fail_the_call() {
    let (_server, user) = server().await;
    for (sent, text) in [
        ("\"x\"", "invalid literal for int() with base 10: 'x'"),
        ("\"1.5\"", "invalid literal for int() with base 10: '1.5'"),
        ("NaN", "cannot convert float NaN to integer"),
        ("Infinity", "cannot convert float infinity to integer"),
        ("[1]", "int() argument must be a string, a bytes-like object or a real number, not 'list'"),
    ] {
        let body = format!(
            "{{\"type\":\"log\",\"task\":\"t\",\"msg\":\"first\"}}\n{{\"type\":\"log\",\"task\":\"t\",\"iter\":{sent}}}"
        );
        let response = user.post("events.add_batch", "application/json-lines", body).await;
        assert_eq!(response.code(), (400, 12));
        assert_eq!(response.message(), format!("Validation error ({text})"));
    }
    assert!(events_of_type(&user, "*").await.is_empty(), "nothing of a failed call is stored");
}

#[tokio::test]
async fn too_large_iterations_fail_the_call_but_not_the_others() {
    let (server, user) = server().await;
    let body = r#"{"type":"training_stats_scalar","task":"t","metric":"m","variant":"v","iter":9223372036854775808,"value":1}
{"type":"training_stats_scalar","task":"t","metric":"m","variant":"v","iter":"-9223372036854775809","value":1}
{"type":"training_stats_scalar","task":"t","metric":"m","variant":"v","iter":4,"value":2}"#;
    let response = user.post("events.add_batch", "application/json-lines", body).await;
    assert_eq!(response.code(), (400, 12));
    assert_eq!(response.message(), "Validation error: err=2 document(s) failed to index., extra_info=None");
    assert_eq!(pick(&events_of_type(&user, "*").await.into(), "iter"), [json!(4)]);
    assert_eq!(stored(&server, Collection::Task, "t").await.get_i64("last_iteration").unwrap(), (4));
}

#[tokio::test]
async fn values_that_no_index_takes_fail_the_call_but_not_the_others() {
    let (server, user) = server().await;
    for value in ["NaN", "Infinity", "-Infinity", "1e300"] {
        let body = format!(
            r#"{{"type":"training_stats_scalar","task":"t","metric":"m","variant":"v","iter":1,"value":2}}
{{"type":"training_stats_scalar","task":"t","metric":"m","variant":"bad","iter":1,"value":{value}}}"#
        );
        let response = user.post("events.add_batch", "application/json-lines", body).await;
        assert_eq!(response.code(), (400, 12), "{value}");
        assert!(response.message().contains("err=1 document(s) failed to index."), "{}", response.message());
    }
    assert_eq!(events_of_type(&user, "*").await.len(), 1);
    let task = stored(&server, Collection::Task, "t").await;
    assert_eq!(task.get_array("unique_metrics").unwrap(), &vec!["m/v".into()]);
}

#[tokio::test]
async fn names_that_no_index_takes_fail_the_call_but_not_the_others() {
    let (_server, user) = server().await;
    let (longest, longer) = ("é".repeat(16_383), "n".repeat(32_767));
    for (metric, variant) in [(longer.as_str(), "v"), ("m", longer.as_str())] {
        let events = [scalar(&longest, "v", 1, 1.0), scalar(metric, variant, 1, 1.0)];
        let response = user.lines("events.add_batch", &events).await;
        assert_eq!(response.code(), (400, 12));
        assert!(response.message().contains("immense term"), "{}", response.message());
    }
    let stored = events_of_type(&user, "*").await;
    assert_eq!(pick(&stored.into(), "metric"), [json!(longest)]);
}

#[tokio::test]
async fn values_that_are_no_numbers_fail_the_call() {
    let (_server, user) = server().await;
    for value in [json!("0.5"), json!([1.0]), json!({"a": 1}), json!(true)] {
        let mut bad = scalar("m", "v", 1, 1.0);
        bad["value"] = value;
        let response = user.lines("events.add_batch", &[scalar("m", "v", 0, 1.0), bad]).await;
        assert_eq!(response.code(), (400, 12));
    }
    assert!(events_of_type(&user, "*").await.is_empty());
    let mut null = scalar("m", "v", 1, 1.0);
    null["value"] = Value::Null;
    send(&user, &[null]).await;
}

#[tokio::test]
async fn rejected_events_are_counted_by_their_fault() {
    let (_server, user) = server().await;
    let response = user
        .lines(
            "events.add_batch",
            &[
                log(1, "good"),
                json!({"task": "t"}),
                json!({"type": null, "task": "t"}),
                json!({"type": "no such type", "task": "t"}),
                json!({"type": "log"}),
                json!({"type": "log", "task": null}),
                json!({"type": "log", "task": "missing"}),
                json!({"type": "log", "task": "missing"}),
                json!({"type": "log", "task": "m", "model_event": true}),
                json!({"type": "plot", "task": "m", "model_event": true}),
            ],
        )
        .await;
    assert_eq!(response.code(), (200, 0));
    assert_eq!(
        *response.data(),
        json!({
            "added": 1, "errors": 9,
            "errors_info": {
                "Event must have a 'type' field": 2,
                "Invalid event type no_such_type": 1,
                "Event must have a 'task' field": 2,
                "Invalid task id missing": 2,
                "Task log events are not supported for models": 1,
                "Invalid model id m": 1,
            },
        })
    );
}

#[tokio::test]
async fn a_call_that_adds_nothing_fails() {
    let (_server, user) = server().await;
    let events = [
        json!({"type": "log", "task": "x"}),
        json!({"type": "log", "task": "x"}),
        json!({"type": "y", "task": "x"}),
    ];
    let response = user.lines("events.add_batch", &events).await;
    assert_eq!(response.code(), (400, 131));
    assert_eq!(response.message(), "Events not added: Invalid task id x=2, Invalid event type y=1");
    let (code, subcode, message) = user.error("events.add", json!({})).await;
    assert_eq!((code, subcode), (400, 131));
    assert_eq!(message, "Events not added: Event must have a 'type' field=1");
}

#[tokio::test]
async fn only_own_tasks_and_models_that_are_not_locked_take_events() {
    let (server, user) = server().await;
    add_task(&server, "foreign", doc! {"company": "another"}).await;
    add_task(&server, "public", doc! {"company": ""}).await;
    add_task(&server, "published", doc! {"status": "published"}).await;
    add_task(&server, "publishing", doc! {"status": "publishing"}).await;
    add_model(&server, "ready", doc! {"ready": true}).await;
    add_model(&server, "model", doc! {}).await;
    for status in ["created", "queued", "stopped", "closed", "failed", "completed", "unknown"] {
        add_task(&server, status, doc! {"status": status}).await;
        send(&user, &[of_task(status, log(1, "x"))]).await;
    }
    for (id, is_model) in [
        ("foreign", false),
        ("public", false),
        ("published", false),
        ("publishing", false),
        ("ready", true),
        ("t", true),
    ] {
        let mut event = of_task(id, scalar("m", "v", 1, 1.0));
        event["model_event"] = is_model.into();
        let (code, subcode, message) = user.error("events.add", event).await;
        let kind = if is_model { "model" } else { "task" };
        assert_eq!((code, subcode), (400, 131));
        assert_eq!(message, format!("Events not added: Invalid {kind} id {id}=1"));
    }
    for (id, is_model) in [("published", false), ("publishing", false), ("ready", true)] {
        let mut event = of_task(id, scalar("m", "v", 1, 1.0));
        event["model_event"] = is_model.into();
        event["allow_locked"] = true.into();
        send(&user, &[event]).await;
    }
    // The field `model` names the model in place of `task`.
    let event = json!({"type": "training_stats_scalar", "task": "ignored", "model": "model", "model_event": 1, "value": 1});
    send(&user, &[event]).await;
    let request = json!({"task": "model", "model_events": true});
    let events = user.ok("events.get_task_events", request).await;
    assert_eq!(events["events"][0]["task"], "model");
    assert_eq!(events["events"][0]["model_event"], true);
    assert_eq!(events["events"][0].get("model"), None);
}

#[tokio::test]
async fn contradictions_fail_the_call() {
    let (server, user) = server().await;
    add_model(&server, "m", doc! {}).await;
    let mut locked = log(1, "x");
    locked["allow_locked"] = true.into();
    let response = user.lines("events.add_batch", &[log(1, "x"), locked]).await;
    assert_eq!(response.code(), (400, 12));
    assert!(
        response.message().contains("Inconsistent allow_locked setting in the passed events for t"),
        "{}",
        response.message()
    );

    let mut model_event = scalar("m", "v", 1, 1.0);
    model_event["model_event"] = true.into();
    let response = user.lines("events.add_batch", &[scalar("m", "v", 1, 1.0), model_event]).await;
    assert_eq!(response.code(), (400, 12));
    assert_eq!(
        response.message(),
        "Validation error (Inconsistent model_event setting in the passed events): tasks=(t)"
    );
    assert!(events_of_type(&user, "*").await.is_empty());
}

#[tokio::test]
async fn odd_texts_survive() {
    let (_server, user) = server().await;
    let long = "x".repeat(200_000);
    let body = format!(
        "{{\"type\":\"log\",\"task\":\"t\",\"timestamp\":1,\"msg\":\"é😀 \\ud83d\\ude00 \\udc80\"}}\r\n{{\"type\":\"log\",\"task\":\"t\",\"timestamp\":2,\"msg\":\"{long}\"}}\n"
    );
    let response = user.post("events.add_batch", "application/json-lines", body).await;
    assert_eq!(response.data()["added"], 2, "{}", response.message());
    let events = events_of_type(&user, "log").await;
    assert_eq!(events[0]["msg"], "é😀 😀 \u{fffd}");
    assert_eq!(events[1]["msg"], long);
}

#[tokio::test]
async fn timestamps_may_be_floats_or_dates() {
    let (_server, user) = server().await;
    // As long as the times of today: the official mapping reads four digits as a year.
    for (sent, shown) in [
        (json!(1_700_000_001_500.0), json!(1_700_000_001_500_i64)),
        (json!(1_700_000_001_500.5), json!(1_700_000_001_500.5)),
        (json!("1700000001500"), json!("1700000001500")),
        (json!("2023-11-14T22:13:21.500Z"), json!("2023-11-14T22:13:21.500Z")),
    ] {
        let mut event = log(0, "x");
        event["timestamp"] = sent.clone();
        send(&user, &[event]).await;
        let request =
            json!({"task": "t", "from_timestamp": 1_700_000_001_499_i64, "navigate_earlier": false});
        let data = user.ok("events.get_task_log", request).await;
        assert_eq!(data["returned"], 1, "{sent}");
        assert_eq!(data["events"][0]["timestamp"], shown, "{sent}");
        user.ok("events.clear_task_log", json!({"task": "t"})).await;
    }
    let mut event = log(0, "x");
    event["timestamp"] = json!("yesterday");
    let response = user.lines("events.add_batch", &[event]).await;
    assert_eq!(response.code(), (400, 12));
}
