//! Reading, downloading and clearing logs (spec 05 §5).

use std::collections::BTreeSet;

use serde_json::json;

use super::*;

fn messages(data: &Value) -> Vec<String> {
    pick(&data["events"], "msg").iter().map(|msg| msg.as_str().unwrap().to_owned()).collect()
}

/// Sends logs at these times, each with its number as message.
async fn send_logs(user: &Client, timestamps: &[i64]) {
    let events: Vec<Value> = timestamps
        .iter()
        .enumerate()
        .map(|(number, timestamp)| log(*timestamp, &number.to_string()))
        .collect();
    send(user, &events).await;
}

#[tokio::test]
async fn pages_of_2_9_go_both_ways_from_a_timestamp() {
    let (_server, user) = server().await;
    send_logs(&user, &[10, 20, 30, 40, 50]).await;
    let page = |request: Value| {
        let user = user.clone();
        async move {
            let mut full = json!({"task": "t", "batch_size": 2});
            full.as_object_mut().unwrap().extend(request.as_object().unwrap().clone());
            let data = user.ok("events.get_task_log", full).await;
            assert_eq!(data["total"], 5);
            assert_eq!(data.get("scroll_id"), None);
            assert_eq!(data["returned"], data["events"].as_array().unwrap().len());
            messages(&data)
        }
    };
    assert_eq!(page(json!({})).await, ["4", "3"]);
    assert_eq!(page(json!({"order": "asc"})).await, ["3", "4"], "the last ones, as the SDK wants them");
    assert_eq!(page(json!({"order": "desc"})).await, ["4", "3"]);
    assert_eq!(page(json!({"from_timestamp": 40})).await, ["2", "1"]);
    assert_eq!(page(json!({"from_timestamp": 0})).await, ["4", "3"], "0 is absent");
    assert_eq!(page(json!({"navigate_earlier": false})).await, ["0", "1"]);
    assert_eq!(
        page(json!({"navigate_earlier": false, "from_timestamp": 20, "order": "desc"})).await,
        ["3", "2"]
    );
    assert_eq!(page(json!({"from_timestamp": 10})).await, Vec::<String>::new());
}

#[tokio::test]
async fn equal_timestamps_are_not_torn_apart() {
    let (_server, user) = server().await;
    send_logs(&user, &[10, 20, 20, 20, 30]).await;
    let data = user.ok("events.get_task_log", json!({"task": "t", "batch_size": 2})).await;
    assert_eq!(messages(&data), ["4", "1", "2", "3"]);
    let ascending = json!({"task": "t", "batch_size": 2, "order": "asc"});
    assert_eq!(messages(&user.ok("events.get_task_log", ascending).await), ["3", "2", "1", "4"]);
}

#[tokio::test]
async fn paging_loses_nothing() {
    let (_server, user) = server().await;
    let timestamps: Vec<i64> = (0..200).map(|number| 1 + number * number % 37).collect();
    send_logs(&user, &timestamps).await;
    for earlier in [true, false] {
        let mut seen = Vec::new();
        let mut from = json!(null);
        loop {
            let request =
                json!({"task": "t", "batch_size": 7, "navigate_earlier": earlier, "from_timestamp": from});
            let data = user.ok("events.get_task_log", request).await;
            if data["returned"] == 0 {
                break;
            }
            seen.extend(messages(&data));
            from = data["events"].as_array().unwrap().last().unwrap()["timestamp"].clone();
        }
        assert_eq!(seen.len(), 200);
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 200);
    }
}

#[tokio::test]
async fn logs_are_filtered_by_metric() {
    let (_server, user) = server().await;
    let mut labelled = log(1, "labelled");
    labelled["metric"] = "m".into();
    labelled["variant"] = "v".into();
    send(&user, &[labelled, log(2, "plain")]).await;
    let request = json!({"task": "t", "metrics": [{"metric": "m", "variants": ["v"]}]});
    assert_eq!(messages(&user.ok("events.get_task_log", request).await), ["labelled"]);
    let request = json!({"task": "t", "metrics": [{"metric": ""}]});
    let data = user.ok("events.get_task_log", request).await;
    assert_eq!((messages(&data), &data["total"]), (vec!["plain".to_owned()], &json!(1)));
}

#[tokio::test]
async fn version_1_0_scrolls_in_its_order() {
    let (_server, user) = server().await;
    send_logs(&user, &[10, 20, 30]).await;
    let user = user.version("1.5");
    let mut seen = Vec::new();
    let mut data = user.ok("events.get_task_log", json!({"task": "t", "batch_size": 2})).await;
    assert_eq!(data["total"], 3);
    while data["returned"] != 0 {
        seen.extend(messages(&data));
        // Everything but the scroll id is ignored.
        let request = json!({"task": "t", "order": "asc", "batch_size": 1, "scroll_id": data["scroll_id"]});
        data = user.ok("events.get_task_log", request).await;
    }
    assert_eq!(seen, ["2", "1", "0"]);
    assert_eq!((&data["scroll_id"], &data["total"]), (&json!("FFFF"), &json!(3)));
    let data = user.ok("events.get_task_log", json!({"task": "t", "scroll_id": "FFFF"})).await;
    assert_eq!(data, json!({"events": [], "returned": 0, "total": 0, "scroll_id": "FFFF"}));
    let data = user.ok("events.get_task_log", json!({"task": "t", "order": "asc"})).await;
    assert_eq!(messages(&data), ["0", "1", "2"]);
}

#[tokio::test]
async fn version_1_7_scrolls_from_head_or_tail() {
    let (_server, user) = server().await;
    send_logs(&user, &[10, 20, 30]).await;
    let user = user.version("1.7");
    for (request, expected) in [
        (json!({}), ["1", "0"]),
        (json!({"order": "asc"}), ["0", "1"]),
        (json!({"from": "tail"}), ["2", "1"]),
        (json!({"from": "tail", "order": "asc"}), ["1", "2"]),
    ] {
        let mut full = json!({"task": "t", "batch_size": 2});
        full.as_object_mut().unwrap().extend(request.as_object().unwrap().clone());
        let data = user.ok("events.get_task_log", full).await;
        assert_eq!(messages(&data), expected, "{request}");
        let scroll = json!({"task": "t", "scroll_id": data["scroll_id"]});
        assert_eq!(user.ok("events.get_task_log", scroll).await["returned"], 1);
    }
    let (code, subcode, _) = user.error("events.get_task_log", json!({"task": "t", "from": "middle"})).await;
    assert_eq!((code, subcode), (400, 12));
}

#[tokio::test]
async fn foreign_and_forged_scroll_ids_are_refused() {
    let (server, user) = server().await;
    send_logs(&user, &[10, 20, 30]).await;
    let legacy = user.clone().version("1.5");
    let data = legacy.ok("events.get_task_log", json!({"task": "t", "batch_size": 1})).await;
    let scroll_id = data["scroll_id"].as_str().unwrap();

    server.add_company("another", "another").await;
    let stranger = server.user_of("another", clearml_auth::Role::User).await.version("1.5");
    add_task(&server, "theirs", doc! {"company": "another"}).await;
    let (code, subcode, _) =
        stranger.error("events.get_task_log", json!({"task": "theirs", "scroll_id": scroll_id})).await;
    assert_eq!((code, subcode), (400, 1104));

    let forged = format!("{scroll_id}x");
    for scroll_id in ["nonsense", forged.as_str()] {
        let request = json!({"task": "t", "scroll_id": scroll_id});
        let (code, subcode, message) = legacy.error("events.get_task_log", request).await;
        assert_eq!((code, subcode), (400, 1104));
        assert_eq!(message, format!("Invalid scroll id: scroll_id={scroll_id}"));
    }

    user.ok("events.clear_scroll", json!({"scroll_id": scroll_id})).await;
    let (code, subcode, _) =
        legacy.error("events.get_task_log", json!({"task": "t", "scroll_id": scroll_id})).await;
    assert_eq!((code, subcode), (400, 1104), "a cleared scroll is gone");
}

#[tokio::test]
async fn faulty_requests_are_refused() {
    let (server, user) = server().await;
    add_task(&server, "foreign", doc! {"company": "another"}).await;
    for version in ["1.0", "1.7", "2.9", "2.30"] {
        let user = user.clone().version(version);
        for id in ["foreign", "missing"] {
            let (code, subcode, message) = user.error("events.get_task_log", json!({"task": id})).await;
            assert_eq!((code, subcode), (400, 101));
            assert_eq!(message, format!("Invalid task id: ids=({id})"));
        }
        for (request, field) in [
            (json!({}), "task"),
            (json!({"task": 5}), "task"),
            (json!({"task": "t", "order": "up"}), "order"),
            (json!({"task": "t", "batch_size": "many"}), "'many'"),
        ] {
            let (code, subcode, message) = user.error("events.get_task_log", request).await;
            assert_eq!((code, subcode), (400, 12));
            assert!(message.contains(field), "{message}");
        }
        for size in [10_001, -1] {
            let request = json!({"task": "t", "batch_size": size});
            let (code, subcode, _) = user.error("events.get_task_log", request).await;
            assert_eq!((code, subcode), (400, 12));
        }
    }
    let data = user.ok("events.get_task_log", json!({"task": "t"})).await;
    assert_eq!(data, json!({"events": [], "returned": 0, "total": 0}));
}

#[tokio::test]
async fn public_tasks_are_read_from_where_they_came() {
    let (server, user) = server().await;
    send_logs(&user, &[10]).await;
    let make_public = vec![
        clearml_documents::Change::set("company", ""),
        clearml_documents::Change::set("company_origin", COMPANY),
    ];
    let filter = clearml_documents::Filter::id("t");
    server.app.documents.update_one(Collection::Task, filter, make_public).await.unwrap();
    server.add_company("another", "another").await;
    let stranger = server.user_of("another", clearml_auth::Role::User).await;
    assert_eq!(stranger.ok("events.get_task_log", json!({"task": "t"})).await["returned"], 1);
}

#[tokio::test]
async fn a_log_is_downloaded_as_json_lines() {
    let (_server, user) = server().await;
    let response = user.call("events.download_task_log", json!({"task": "t"})).await;
    assert_eq!((response.status.as_u16(), response.body.len()), (200, 0));

    send(&user, &[log(20, "second\n"), log(10, "é")]).await;
    let response = user.call("events.download_task_log", json!({"task": "t"})).await;
    assert_eq!(response.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(response.header("content-disposition"), "attachment; filename=task_t.log");
    assert_eq!(response.header("cache-control"), "no-store, max-age=0");
    let text = std::str::from_utf8(&response.body).unwrap();
    assert!(text.is_ascii() && text.ends_with('\n'));
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["asctime"], &lines[0]["msg"]), (&json!(10), &json!("é")));
    for gone in ["type", "task", "timestamp"] {
        assert_eq!(lines[0].get(gone), None);
    }
}

#[tokio::test]
async fn a_log_is_downloaded_as_text() {
    let (_server, user) = server().await;
    send(&user, &[log(20, "second\n\n"), log(10, "first")]).await;
    let text = |request: Value| {
        let user = user.clone();
        async move {
            let mut full = json!({"task": "t", "line_type": "TEXT"});
            full.as_object_mut().unwrap().extend(request.as_object().unwrap().clone());
            let response = user.call("events.download_task_log", full).await;
            assert_eq!(response.status.as_u16(), 200);
            String::from_utf8(response.body.to_vec()).unwrap()
        }
    };
    assert_eq!(text(json!({})).await, "10 w info first\n20 w info second\n");
    assert_eq!(text(json!({"line_format": "{timestamp}|{level!r}"})).await, "10|'info'\n20|'info'\n");

    for (format, code, message) in [
        ("", (400, 11), "Missing required fields (line_format is required for plain text lines)"),
        (
            "{x} {y}",
            (400, 16),
            "Invalid value for fields (undefined placeholders in line format): placeholders=(x, y)",
        ),
        (
            "{msg",
            (400, 16),
            "Invalid value for fields (invalid line format): error=expected '}' before end of string",
        ),
    ] {
        let request = json!({"task": "t", "line_type": "text", "line_format": format});
        let (status, subcode, text) = user.error("events.download_task_log", request).await;
        assert_eq!(((status, subcode), text.as_str()), (code, message));
    }
    let (code, subcode, _) = user.error("events.download_task_log", json!({"task": "x"})).await;
    assert_eq!((code, subcode), (400, 101));
}

#[tokio::test]
async fn a_long_log_is_downloaded_whole() {
    let (_server, user) = server().await;
    let timestamps: Vec<i64> = (0..2500).map(|number| number / 3).collect();
    send_logs(&user, &timestamps).await;
    let request = json!({"task": "t", "line_type": "text", "line_format": "{msg}"});
    let response = user.call("events.download_task_log", request).await;
    let text = String::from_utf8(response.body.to_vec()).unwrap();
    let expected: Vec<String> = (0..2500).map(|number| number.to_string()).collect();
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn logs_are_cleared_by_age_and_metric() {
    let (server, user) = server().await;
    let now = server.app.now().timestamp_millis();
    let labelled = |metric: &str| {
        let mut event = log(now, metric);
        event["metric"] = metric.into();
        event
    };
    send(
        &user,
        &[log(now - 100_000, "old"), log(now, "new"), labelled("a"), labelled("b"), scalar("a", "v", 1, 1.0)],
    )
    .await;
    for (request, deleted) in [
        (json!({"threshold_sec": 50}), 1),
        (json!({"include_metrics": ["a"]}), 1),
        (json!({"exclude_metrics": ["b"]}), 1),
        (json!({}), 1),
        (json!({}), 0),
    ] {
        let mut full = json!({"task": "t"});
        full.as_object_mut().unwrap().extend(request.as_object().unwrap().clone());
        assert_eq!(user.ok("events.clear_task_log", full).await, json!({"deleted": deleted}), "{request}");
    }
    assert_eq!(events_of_type(&user, "*").await.len(), 1, "the scalar stays");

    add_task(&server, "published", doc! {"status": "published"}).await;
    let (code, subcode, _) = user.error("events.clear_task_log", json!({"task": "published"})).await;
    assert_eq!((code, subcode), (400, 101));
    user.ok("events.clear_task_log", json!({"task": "published", "allow_locked": true})).await;
}
