//! Deleting events and forgetting scrolls (spec 05 §12).

use serde_json::json;

use super::*;

#[tokio::test]
async fn the_events_of_a_task_are_deleted() {
    let (server, user) = server().await;
    add_task(&server, "u", doc! {}).await;
    send(&user, &[scalar("m", "v", 1, 1.0), log(1, "x"), plot("m", "v", 1, "{}"), of_task("u", log(1, "x"))])
        .await;
    assert_eq!(user.ok("events.delete_for_task", json!({"task": "t"})).await, json!({"deleted": 3}));
    assert!(events_of_type(&user, "*").await.is_empty());
    assert_eq!(user.ok("events.delete_for_task", json!({"task": "t"})).await, json!({"deleted": 0}));
    assert_eq!(user.ok("events.get_task_log", json!({"task": "u"})).await["returned"], 1);
    let task = stored(&server, Collection::Task, "t").await;
    assert_eq!(task.get_array("unique_metrics").unwrap().len(), 1, "statistics stay");
}

#[tokio::test]
async fn the_events_of_a_model_are_deleted() {
    let (server, user) = server().await;
    add_model(&server, "m", doc! {}).await;
    let mut event = of_task("m", scalar("m", "v", 1, 1.0));
    event["model_event"] = true.into();
    send(&user, &[event]).await;
    assert_eq!(user.ok("events.delete_for_model", json!({"model": "m"})).await, json!({"deleted": 1}));
}

#[tokio::test]
async fn locked_public_and_missing_ones_are_refused() {
    let (server, user) = server().await;
    add_task(&server, "published", doc! {"status": "published"}).await;
    add_task(&server, "public", doc! {"company": ""}).await;
    add_task(&server, "foreign", doc! {"company": "another"}).await;
    add_model(&server, "ready", doc! {"ready": true}).await;
    add_model(&server, "public", doc! {"company": ""}).await;
    for (endpoint, id, code, message) in [
        ("task", "x", (400, 101), format!("Invalid task id: id=x, company={COMPANY}")),
        ("task", "foreign", (400, 101), format!("Invalid task id: id=foreign, company={COMPANY}")),
        (
            "task",
            "published",
            (400, 101),
            format!("Cannot update events for a published task: company={COMPANY}, id=published"),
        ),
        ("model", "x", (400, 201), format!("Invalid model id: id=x, company={COMPANY}")),
        (
            "model",
            "ready",
            (400, 201),
            format!("Cannot update events for a published model: company={COMPANY}, id=ready"),
        ),
    ] {
        let request = json!({endpoint: id});
        let (status, subcode, text) = user.error(&format!("events.delete_for_{endpoint}"), request).await;
        assert_eq!(((status, subcode), text), (code, message));
    }
    for kind in ["task", "model"] {
        let request = json!({kind: "public"});
        let (status, subcode, message) = user.error(&format!("events.delete_for_{kind}"), request).await;
        assert_eq!((status, subcode), (403, 21));
        assert!(message.contains(&format!("cannot modify public {kind}(s)")), "{message}");
        let (status, subcode, _) = user.error(&format!("events.delete_for_{kind}"), json!({})).await;
        assert_eq!((status, subcode), (400, 12));
    }
    user.ok("events.delete_for_task", json!({"task": "published", "allow_locked": true})).await;
    user.ok("events.delete_for_model", json!({"model": "ready", "allow_locked": true})).await;
}

#[tokio::test]
async fn clearing_a_scroll_never_fails() {
    let (_server, user) = server().await;
    for scroll_id in [json!("FFFF"), json!(""), json!("unknown"), json!(null)] {
        assert_eq!(user.ok("events.clear_scroll", json!({"scroll_id": scroll_id})).await, json!({}));
    }
    let (status, subcode, _) =
        user.version("2.17").error("events.clear_scroll", json!({"scroll_id": "FFFF"})).await;
    assert_eq!((status, subcode), (404, 0));
}
