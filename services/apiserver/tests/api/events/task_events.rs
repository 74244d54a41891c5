//! Events of all types by iteration, and lists of metrics (spec 05 §6, §11).

use serde_json::json;

use super::*;

#[tokio::test]
async fn events_are_paged_by_iteration() {
    let (_server, user) = server().await;
    let events: Vec<Value> = [5, 3, 1, 4, 2].iter().map(|iter| scalar("m", "v", *iter, 1.0)).collect();
    send(&user, &events).await;
    send(&user, &[scalar("m", "single", SINGLE, 1.0), log(1, "no iteration")]).await;

    let request = json!({"task": "t", "event_type": "training_stats_scalar", "batch_size": 4});
    let first = user.ok("events.get_task_events", request).await;
    assert_eq!(pick(&first["events"], "iter"), [json!(SINGLE), json!(1), json!(2), json!(3)]);
    assert_eq!((&first["returned"], &first["total"]), (&json!(4), &json!(6)));

    // With a scroll id the filter comes from the first request, the size from this one.
    let request = json!({"task": "t", "event_type": "log", "batch_size": 1, "scroll_id": first["scroll_id"]});
    let second = user.ok("events.get_task_events", request).await;
    assert_eq!(pick(&second["events"], "iter"), [json!(4)]);
    let request = json!({"task": "t", "batch_size": 0, "scroll_id": second["scroll_id"]});
    let third = user.ok("events.get_task_events", request).await;
    assert_eq!(pick(&third["events"], "iter"), [json!(5)]);
    assert_eq!(third["total"], 6);

    let request = json!({"task": "t", "scroll_id": third["scroll_id"]});
    let empty = user.ok("events.get_task_events", request).await;
    assert_eq!((&empty["returned"], &empty["events"]), (&json!(0), &json!([])));
    let request = json!({"task": "t", "scroll_id": empty["scroll_id"]});
    let again = user.ok("events.get_task_events", request).await;
    assert_eq!(again, json!({"returned": 0, "total": 6, "scroll_id": empty["scroll_id"], "events": []}));
}

#[tokio::test]
async fn descending_order_and_filters_hold_over_pages() {
    let (_server, user) = server().await;
    let events: Vec<Value> =
        (0..20).map(|iter| scalar(if iter % 2 == 0 { "even" } else { "odd" }, "v", iter, 1.0)).collect();
    send(&user, &events).await;
    let mut seen = Vec::new();
    let mut scroll_id = Value::Null;
    loop {
        let request = json!({
            "task": "t", "order": "desc", "batch_size": 3, "metrics": [{"metric": "even"}], "count_total": false,
            "scroll_id": scroll_id,
        });
        let data = user.ok("events.get_task_events", request).await;
        assert_eq!(data["total"], Value::Null);
        if data["returned"] == 0 {
            break;
        }
        seen.extend(pick(&data["events"], "iter"));
        scroll_id = data["scroll_id"].clone();
    }
    assert_eq!(seen, (0..10).rev().map(|half| json!(half * 2)).collect::<Vec<_>>());
}

#[tokio::test]
async fn events_without_iteration_come_last_and_are_not_lost() {
    let (_server, user) = server().await;
    let mut events: Vec<Value> = (0..7).map(|number| log(number, "x")).collect();
    events.push(scalar("m", "v", 0, 1.0));
    send(&user, &events).await;
    let mut returned = 0;
    let mut scroll_id = Value::Null;
    let mut pages = 0;
    loop {
        let request = json!({"task": "t", "batch_size": 3, "scroll_id": scroll_id});
        let data = user.ok("events.get_task_events", request).await;
        if pages == 0 {
            assert_eq!(data["events"][0]["iter"], 0);
        }
        if data["returned"] == 0 {
            break;
        }
        pages += 1;
        returned += data["returned"].as_i64().unwrap();
        scroll_id = data["scroll_id"].clone();
    }
    assert_eq!(returned, 8);
}

#[tokio::test]
async fn faulty_requests_are_refused() {
    let (_server, user) = server().await;
    for (request, code) in [
        (json!({"task": "x"}), (400, 101)),
        (json!({"task": "t", "model_events": true}), (400, 201)),
        (json!({"task": "t", "event_type": "images"}), (400, 12)),
        (json!({"task": "t", "order": "up"}), (400, 12)),
        (json!({"task": "t", "batch_size": 20_000}), (400, 12)),
        (json!({"task": "t", "scroll_id": "x.y.z"}), (400, 1104)),
    ] {
        let (status, subcode, message) = user.error("events.get_task_events", request.clone()).await;
        assert_eq!((status, subcode), code, "{request}: {message}");
    }
    let empty = user.ok("events.get_task_events", json!({"task": "t"})).await;
    assert_eq!((&empty["events"], &empty["returned"], &empty["total"]), (&json!([]), &json!(0), &json!(0)));
}

#[tokio::test]
async fn metrics_of_tasks_are_listed() {
    let (server, user) = server().await;
    add_task(&server, "u", doc! {}).await;
    send(
        &user,
        &[
            scalar("b", "2", 1, 1.0),
            scalar("b", "1", 1, 1.0),
            scalar("a", "1", 1, 1.0),
            scalar("single", "1", SINGLE, 1.0),
            plot("p", "", 1, "{}"),
            of_task("u", scalar("c", "1", 1, 1.0)),
        ],
    )
    .await;
    let request = json!({"tasks": ["u", "t", "u"], "event_type": "training_stats_scalar"});
    assert_eq!(
        user.ok("events.get_task_metrics", request).await["metrics"],
        json!([{"task": "u", "metrics": ["c"]}, {"task": "t", "metrics": ["a", "b"]}, {"task": "u", "metrics": ["c"]}])
    );
    let request = json!({"tasks": ["t"], "event_type": "*"});
    assert_eq!(
        user.ok("events.get_task_metrics", request).await["metrics"],
        json!([{"task": "t", "metrics": ["a", "b", "p"]}])
    );
    let request = json!({"tasks": ["t", "u"]});
    assert_eq!(
        user.ok("events.get_multi_task_metrics", request).await["metrics"],
        json!([
            {"metric": "a", "variants": ["1"]}, {"metric": "b", "variants": ["1", "2"]},
            {"metric": "c", "variants": ["1"]}, {"metric": "p", "variants": [""]},
            {"metric": "single", "variants": ["1"]},
        ])
    );
    let request = json!({"tasks": ["t"], "event_type": "plot"});
    assert_eq!(
        user.ok("events.get_multi_task_metrics", request).await["metrics"],
        json!([{"metric": "p", "variants": [""]}])
    );
    for (endpoint, request, code) in [
        ("events.get_task_metrics", json!({"tasks": [], "event_type": "*"}), (400, 12)),
        ("events.get_task_metrics", json!({"tasks": ["t"]}), (400, 12)),
        ("events.get_task_metrics", json!({"tasks": ["t", "x"], "event_type": "*"}), (400, 101)),
        ("events.get_multi_task_metrics", json!({"tasks": ["x"], "model_events": true}), (400, 201)),
        ("events.get_multi_task_metrics", json!({"tasks": []}), (400, 12)),
    ] {
        let (status, subcode, _) = user.error(endpoint, request).await;
        assert_eq!((status, subcode), code);
    }
}
