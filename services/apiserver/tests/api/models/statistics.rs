//! What events leave on a model (spec 04 §1.8).

use bson::{Bson, Document, doc};
use serde_json::{Value, json};

use crate::lifecycle::{World, is_now};

/// MD5 of `loss` and of `train`.
const LOSS: &str = "81513effdf5790b79549208838404407";
const TRAIN: &str = "61b3a8faa9c1091806675c230a9abe64";

fn scalar(model: &str, iteration: i64, value: f64) -> Value {
    json!({
        "type": "training_stats_scalar", "model": model, "model_event": true, "metric": "loss",
        "variant": "train", "iter": iteration, "value": value, "timestamp": 1_000 + iteration,
    })
}

async fn add(world: &World, events: &[Value]) -> Value {
    world.user.lines("events.add_batch", events).await.json.clone()
}

fn last(model: &Document) -> Document {
    let metrics = model.get_document("last_metrics").unwrap();
    metrics.get_document(LOSS).unwrap().get_document(TRAIN).unwrap().clone()
}

#[tokio::test]
async fn scalars_are_summed_up_on_their_model() {
    let world = World::new().await;
    let model = world.model(doc! {}).await;
    let events = [scalar(&model, 1, 4.0), scalar(&model, 3, 1.0), scalar(&model, 2, 9.0)];
    let answer = add(&world, &events).await;
    assert_eq!(answer["data"]["added"], json!(3), "{answer}");
    let stored = world.stored_model(&model).await;
    assert!(is_now(stored.get("last_update")) && is_now(stored.get("last_change")));
    assert_eq!(stored.get_str("last_changed_by").unwrap(), world.user.id);
    assert_eq!(stored.get("last_iteration"), Some(&Bson::Int64(3)));
    assert_eq!(stored.get_array("unique_metrics").unwrap(), &[Bson::from("loss/train")]);
    assert!(!stored.contains_key("metric_stats"), "{stored}");
    let answered = world.get_model(&model).await;
    assert_eq!(
        answered["last_metrics"][LOSS][TRAIN],
        json!({
            "metric": "loss", "variant": "train", "value": 1.0,
            "min_value": 1.0, "min_value_iteration": 3, "max_value": 9.0, "max_value_iteration": 2,
            "first_value": 4.0, "first_value_iteration": 1, "mean_value": 4.67, "count": 3,
        })
    );

    add(&world, &[scalar(&model, 0, 0.5), scalar(&model, 2, 3.0)]).await;
    let stored = world.stored_model(&model).await;
    assert_eq!(stored.get("last_iteration"), Some(&Bson::Int64(3)), "it never falls");
    let last = last(&stored);
    for (field, value) in [("value", 3.0), ("min_value", 0.5), ("max_value", 9.0), ("first_value", 4.0)] {
        assert!((last.get_f64(field).unwrap() - value).abs() < 1e-9, "{field}: {last}");
    }
    assert_eq!(last.get("min_value_iteration"), Some(&Bson::Int64(0)));
    assert_eq!(last.get("count").and_then(Bson::as_i64), Some(5));
    assert!((last.get_f64("mean_value").unwrap() - 3.5).abs() < 1e-9, "{last}");
}

#[tokio::test]
async fn only_own_drafts_take_events() {
    let world = World::new().await;
    let ready = world.model(doc! { "ready": true }).await;
    for model in [ready.clone(), world.public_model().await, world.foreign_model().await, "x".to_owned()] {
        let answer = add(&world, &[scalar(&model, 1, 1.0)]).await;
        assert_eq!(answer["meta"]["result_code"], json!(400), "{answer}");
        assert!(answer.to_string().contains(&format!("Invalid model id {model}")), "{answer}");
    }
    let mut unlocked = scalar(&ready, 1, 1.0);
    unlocked["allow_locked"] = json!(true);
    assert_eq!(add(&world, &[unlocked]).await["data"]["added"], json!(1));
    assert_eq!(last(&world.stored_model(&ready).await).get_str("metric").unwrap(), "loss");
}

#[tokio::test]
async fn the_task_key_names_the_model_as_well() {
    let world = World::new().await;
    let model = world.model(doc! {}).await;
    let mut event = scalar("", 1, 2.0);
    event.as_object_mut().unwrap().remove("model");
    event["task"] = json!(model);
    assert_eq!(add(&world, &[event]).await["data"]["added"], json!(1));
    assert!((last(&world.stored_model(&model).await).get_f64("value").unwrap() - 2.0).abs() < 1e-9);
}

#[tokio::test]
async fn other_events_leave_the_iteration_only() {
    let world = World::new().await;
    let model = world.model(doc! {}).await;
    let mut plot = scalar(&model, 8, 1.0);
    plot["type"] = json!("plot");
    let mut log = scalar(&model, 9, 1.0);
    log["type"] = json!("log");
    let answer = add(&world, &[plot, log]).await;
    assert!(answer.to_string().contains("Task log events are not supported for models"), "{answer}");
    let stored = world.stored_model(&model).await;
    assert_eq!(stored.get("last_iteration"), Some(&Bson::Int64(8)));
    assert!(is_now(stored.get("last_update")));
    assert!(!stored.contains_key("last_metrics"), "{stored}");
}
