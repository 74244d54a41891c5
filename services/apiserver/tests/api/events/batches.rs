//! The forms of an `add_batch` body (spec 05 §3.1).

use serde_json::json;

use super::*;

#[tokio::test]
async fn a_single_object_is_a_batch_of_one() {
    let (_server, user) = server().await;
    let data = user.ok("events.add_batch", log(1, "x")).await;
    assert_eq!(data, json!({"added": 1, "errors": 0, "errors_info": {}}));
}

#[tokio::test]
async fn an_empty_batch_is_refused() {
    let (_server, user) = server().await;
    for (content_type, body) in
        [("application/json-lines", ""), ("application/json", "{}"), ("application/json", "")]
    {
        let response = user.post("events.add_batch", content_type, body).await;
        assert_eq!(response.code(), (400, 17), "{content_type} {body}");
        assert_eq!(response.message(), "Batch request contains no items");
    }
}

#[tokio::test]
async fn lines_that_are_no_objects_fail_the_call() {
    let (_server, user) = server().await;
    let good = log(1, "x").to_string();
    for (line, text) in [
        ("[1]", "json lines must contain objects, found: list"),
        ("1", "json lines must contain objects, found: int"),
        ("", ""),
        ("{", ""),
    ] {
        let body = format!("{good}\n{line}\n{good}");
        let response = user.post("events.add_batch", "application/json-lines", body).await;
        assert_eq!(response.code(), (400, 0), "{line}");
        assert!(response.message().contains(text), "{}", response.message());
    }
    assert!(events_of_type(&user, "*").await.is_empty());
}

#[tokio::test]
async fn lines_sent_to_add_count_as_nothing() {
    let (_server, user) = server().await;
    let response = user.lines("events.add", &[log(1, "x")]).await;
    assert_eq!(response.code(), (400, 131));
    assert!(events_of_type(&user, "*").await.is_empty());
}

#[tokio::test]
async fn several_tasks_and_models_share_a_batch() {
    let (server, user) = server().await;
    add_task(&server, "u", doc! {}).await;
    add_model(&server, "m", doc! {}).await;
    let mut of_model = of_task("m", scalar("loss", "train", 5, 1.0));
    of_model["model_event"] = true.into();
    send(&user, &[scalar("loss", "train", 1, 1.0), of_task("u", scalar("loss", "train", 2, 2.0)), of_model])
        .await;
    assert_eq!(stored(&server, Collection::Task, "t").await.get_i64("last_iteration").unwrap(), (1));
    assert_eq!(stored(&server, Collection::Task, "u").await.get_i64("last_iteration").unwrap(), (2));
    assert_eq!(stored(&server, Collection::Model, "m").await.get_i64("last_iteration").unwrap(), (5));
}

#[tokio::test]
async fn a_huge_batch_is_stored_whole() {
    let (server, user) = server().await;
    let count = 45_000;
    let lines: Vec<String> = (0..count)
        .map(|iter| {
            format!(r#"{{"type":"training_stats_scalar","task":"t","metric":"m","variant":"v","iter":{iter},"value":1}}"#)
        })
        .collect();
    let response = user.post("events.add_batch", "application/json-lines", lines.join("\n")).await;
    assert_eq!(response.data()["added"], count, "{}", response.message());
    let task = stored(&server, Collection::Task, "t").await;
    assert_eq!(task.get_i64("last_iteration").unwrap(), (count - 1));
    let request = json!({"task": "t", "event_type": "training_stats_scalar", "batch_size": 1});
    assert_eq!(user.ok("events.get_task_events", request).await["total"], count);
}

#[tokio::test]
async fn an_endless_variety_of_faults_is_summed_up() {
    let (_server, user) = server().await;
    let mut events: Vec<Value> = (0..1200).map(|id| of_task(&format!("no{id}"), log(1, "x"))).collect();
    events.push(log(1, "good"));
    let response = user.lines("events.add_batch", &events).await;
    assert_eq!(response.data()["errors"], 1200);
    assert_eq!(response.data()["errors_info"]["Other errors"], 200);
}
