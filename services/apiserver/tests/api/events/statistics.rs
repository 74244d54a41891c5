//! What events leave on their task or model (spec 05 §3.6).

#![expect(clippy::float_cmp, reason = "numbers come back as they were sent")]

use bson::{Bson, DateTime, Document, doc};

use super::*;

const LOSS: &str = "81513effdf5790b79549208838404407";
const TRAIN: &str = "61b3a8faa9c1091806675c230a9abe64";

fn leaf(document: &Document) -> Document {
    let metric = document.get_document("last_metrics").unwrap().get_document(LOSS).unwrap();
    metric.get_document(TRAIN).unwrap().clone()
}

fn number(document: &Document, field: &str) -> f64 {
    match document.get(field) {
        Some(Bson::Double(value)) => *value,
        Some(Bson::Int64(value)) => *value as f64,
        Some(Bson::Int32(value)) => f64::from(*value),
        other => panic!("{field} is {other:?}"),
    }
}

fn numbers(document: &Document) -> Vec<f64> {
    let fields = [
        "value",
        "min_value",
        "min_value_iteration",
        "max_value",
        "max_value_iteration",
        "first_value",
        "first_value_iteration",
        "count",
        "mean_value",
    ];
    fields.iter().map(|field| number(document, field)).collect()
}

#[tokio::test]
async fn the_worked_example_of_the_specification() {
    let (server, user) = server().await;
    let loss = |iter, value| scalar("loss", "train", iter, value);
    send(&user, &[loss(0, 0.5), loss(1, 0.3), loss(2, 0.9)]).await;
    let task = stored(&server, Collection::Task, "t").await;
    assert_eq!(numbers(&leaf(&task)), [0.9, 0.3, 1.0, 0.9, 2.0, 0.5, 0.0, 3.0, 0.57]);
    assert_eq!(leaf(&task).get_str("metric").unwrap(), ("loss"));
    assert_eq!(leaf(&task).get_str("variant").unwrap(), ("train"));
    assert_eq!(number(&task, "last_iteration"), 2.0);

    send(&user, &[loss(3, 0.2), loss(1, 0.7)]).await;
    let task = stored(&server, Collection::Task, "t").await;
    assert_eq!(numbers(&leaf(&task)), [0.2, 0.2, 3.0, 0.9, 2.0, 0.5, 0.0, 5.0, 0.52]);
    assert_eq!(number(&task, "last_iteration"), 3.0);
    assert_eq!(task.get_array("unique_metrics").unwrap(), &vec!["loss/train".into()]);

    send(&user, &[loss(SINGLE, 7.0)]).await;
    let task = stored(&server, Collection::Task, "t").await;
    assert_eq!(number(&leaf(&task), "value"), 7.0, "the latest batch wins, whatever its iteration");
    assert_eq!(number(&task, "last_iteration"), 3.0);
}

#[tokio::test]
async fn numbers_stay_of_the_kind_they_were_sent_as() {
    let (server, user) = server().await;
    let mut event = scalar("loss", "train", 1, 0.0);
    event["value"] = serde_json::json!(3);
    send(&user, &[event]).await;
    let leaf = leaf(&stored(&server, Collection::Task, "t").await);
    for (field, expected) in [
        ("value", Bson::Int64(3)),
        ("min_value", Bson::Int64(3)),
        ("max_value", Bson::Int64(3)),
        ("first_value", Bson::Double(3.0)),
        ("mean_value", Bson::Double(3.0)),
    ] {
        assert_eq!(leaf.get(field), Some(&expected), "{field}");
    }
}

#[tokio::test]
async fn the_task_shows_when_and_by_whom() {
    let (server, user) = server().await;
    let started = DateTime::from_millis(server.app.now().timestamp_millis() - 90_500);
    add_task(&server, "running", doc! {"started": started, "last_update": started}).await;
    let event = of_task("running", log(1_700_000_000_123, "x"));
    send(&user, &[event]).await;
    let task = stored(&server, Collection::Task, "running").await;
    assert!(task.get_datetime("last_update").unwrap() > &started);
    assert_eq!(task.get("last_update"), task.get("last_change"));
    assert_eq!(task.get_str("last_changed_by").unwrap(), (user.id.as_str()));
    assert!((90.0..120.0).contains(&number(&task, "active_duration")));
    let stats =
        task.get_document("metric_stats").unwrap().get_document("d41d8cd98f00b204e9800998ecf8427e").unwrap();
    assert_eq!(stats.get_str("metric").unwrap(), (""));
    let times = stats.get_document("event_stats_by_type").unwrap().get_document("log").unwrap();
    assert_eq!(number(times, "last_update"), 1_700_000_000_123.0);
}

#[tokio::test]
async fn models_have_metrics_but_no_times_of_them() {
    let (server, user) = server().await;
    add_model(&server, "m", doc! {}).await;
    let mut event = of_task("m", scalar("loss", "train", 4, 0.5));
    event["model_event"] = true.into();
    event["x_axis_label"] = "epoch".into();
    send(&user, &[event]).await;
    let model = stored(&server, Collection::Model, "m").await;
    assert_eq!(number(&model, "last_iteration"), 4.0);
    assert_eq!(number(&leaf(&model), "value"), 0.5);
    assert_eq!(leaf(&model).get_str("x_axis_label").unwrap(), ("epoch"));
    assert_eq!(model.get("metric_stats"), None);
    assert!(model.get_datetime("last_update").is_ok());
}

#[tokio::test]
async fn monitors_do_not_raise_the_last_iteration() {
    let (server, user) = server().await;
    send(&user, &[scalar(":monitor:machine", "cpu", 900, 1.0), scalar("m", "v", 3, 1.0)]).await;
    assert_eq!(number(&stored(&server, Collection::Task, "t").await, "last_iteration"), 3.0);
}

#[tokio::test]
async fn a_full_task_keeps_events_but_no_more_metrics() {
    let server = TestServer::with_settings(|settings| settings.events.max_last_metrics = 2).await;
    let user = server.user().await;
    add_task(&server, "t", doc! {}).await;
    send(&user, &[scalar("a", "1", 1, 1.0), scalar("a", "2", 1, 1.0), scalar("a", "3", 1, 1.0)]).await;
    send(&user, &[scalar("b", "1", 1, 1.0), scalar("a", "1", 2, 5.0)]).await;
    let task = stored(&server, Collection::Task, "t").await;
    assert_eq!(task.get_array("unique_metrics").unwrap(), &vec!["a/1".into(), "a/2".into()]);
    assert_eq!(task.get_document("last_metrics").unwrap().len(), 1);
    assert_eq!(events_of_type(&user, "*").await.len(), 5);
}
