//! What the charts in a report show: `get_task_data`.

use bson::doc;
use clearml_documents::Collection;
use serde_json::{Value, json};

use crate::lifecycle::World;

async fn add(world: &World, events: Vec<Value>) {
    let response = world.user.lines("events.add_batch", &events).await;
    assert_eq!(response.code(), (200, 0), "{}", response.message());
}

/// A task or model with an event of each kind in two iterations.
async fn reported(world: &World, id: &str, more: Value) {
    let mut events = Vec::new();
    for iter in 1..=2 {
        events.push(
            json!({"type": "training_stats_scalar", "metric": "loss", "variant": "train", "value": iter}),
        );
        events.push(json!({"type": "training_debug_image", "metric": "img", "variant": "v", "url": format!("http://f/{iter}")}));
        events.push(json!({"type": "plot", "metric": "roc", "variant": "p", "plot_str": format!("{{\"iter\": {iter}}}")}));
        for event in events.iter_mut().rev().take(3) {
            event["iter"] = json!(iter);
        }
    }
    events.push(json!({"type": "training_stats_scalar", "metric": "Summary", "variant": "best", "value": 7, "iter": -(1_i64 << 31)}));
    for event in &mut events {
        event["task"] = json!(id);
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    }
    add(world, events).await;
}

#[tokio::test]
async fn tasks_come_with_the_parts_that_are_asked_for() {
    let world = World::new().await;
    let project = world.insert(Collection::Project, doc! {"name": "p"}).await;
    let task = world.task(doc! {"name": "one", "project": &project}).await;
    let other = world.task(doc! {"name": "two"}).await;
    reported(&world, &task, json!({})).await;

    let plain =
        world.ok("reports.get_task_data", json!({"id": [task], "only_fields": ["name", "project"]})).await;
    assert_eq!(plain, json!({"tasks": [{"id": task, "name": "one", "project": {"id": project}}]}));

    let request = json!({
        "id": [task, other], "debug_images": {}, "plots": {"metrics": [{"metric": "roc"}]}, "single_value_metrics": {},
        "scalar_metrics_iter_histogram": {"key": "iter", "metrics": [{"metric": "loss", "variants": ["train"]}]},
    });
    let answer = world.ok("reports.get_task_data", request).await;
    let images = answer["debug_images"].as_array().unwrap();
    let of = |id: &str| images.iter().find(|images| images["task"] == json!(id)).unwrap();
    assert_eq!(of(&other)["iterations"], json!([]));
    let iterations = of(&task)["iterations"].as_array().unwrap();
    assert_eq!((iterations.len(), &iterations[0]["iter"]), (1, &json!(2)));
    assert_eq!(iterations[0]["events"][0]["url"], json!("http://f/2"));
    let plots = &answer["plots"]["roc"]["p"][&task]["2"];
    assert_eq!((&plots["name"], &plots["plots"][0]["plot_str"]), (&json!("one"), &json!("{\"iter\": 2}")));
    assert_eq!(
        answer["scalar_metrics_iter_histogram"],
        json!({"metrics": {"loss": {"train": {(&task): {"name": "one", "x": [1, 2], "y": [1.0, 2.0]}}}}})
    );
    let single = &answer["single_value_metrics"];
    assert_eq!((single.as_array().unwrap().len(), &single[0]["task_name"]), (1, &json!("one")));
    let value = &single[0]["values"][0];
    assert_eq!((&value["metric"], value["value"].as_f64()), (&json!("Summary"), Some(7.0)));
}

#[tokio::test]
async fn more_iterations_and_some_metrics_can_be_asked_for() {
    let world = World::new().await;
    let task = world.task(doc! {}).await;
    reported(&world, &task, json!({})).await;
    let request = json!({"id": [task], "debug_images": {"iters": 2, "metrics": [{"metric": "img", "variants": ["v"]}]}, "plots": {"iters": 2}});
    let answer = world.ok("reports.get_task_data", request).await;
    assert_eq!(answer["debug_images"][0]["iterations"].as_array().unwrap().len(), 2);
    assert_eq!(answer["plots"]["roc"]["p"][&task].as_object().unwrap().len(), 2);
    let none = json!({"id": [task], "debug_images": {"metrics": [{"metric": "none"}]}, "plots": {"metrics": [{"metric": "none"}]}});
    let answer = world.ok("reports.get_task_data", none).await;
    assert_eq!((&answer["debug_images"][0]["iterations"], &answer["plots"]), (&json!([]), &json!({})));
}

#[tokio::test]
async fn models_have_data_too() {
    let world = World::new().await;
    let model = world.insert(Collection::Model, doc! {"name": "m", "ready": false}).await;
    reported(&world, &model, json!({"model_event": true})).await;
    let request = json!({"id": [model], "model_events": true, "scalar_metrics_iter_histogram": {}});
    let answer = world.ok("reports.get_task_data", request).await;
    assert_eq!(answer["tasks"][0]["name"], json!("m"));
    assert_eq!(
        answer["scalar_metrics_iter_histogram"]["metrics"]["loss"]["train"][&model]["name"],
        json!("m")
    );
}

#[tokio::test]
async fn without_tasks_every_part_is_empty() {
    let world = World::new().await;
    let request = json!({
        "id": ["unknown"], "debug_images": {}, "plots": {}, "single_value_metrics": {},
        "scalar_metrics_iter_histogram": {},
    });
    assert_eq!(
        world.ok("reports.get_task_data", request).await,
        json!({
            "tasks": [], "debug_images": [], "plots": {}, "single_value_metrics": [],
            "scalar_metrics_iter_histogram": {"metrics": {}},
        })
    );
    let scroll = world.ok("reports.get_task_data", json!({"scroll_id": null, "size": 5})).await;
    assert!(scroll["scroll_id"].is_string());
}

#[tokio::test]
async fn odd_parts_are_refused() {
    let world = World::new().await;
    for (part, message) in [
        (json!({"debug_images": {"iters": 0}}), "error for field 'iters': '0' is lower than minimum ('1').."),
        (json!({"plots": {"iters": 0}}), "error for field 'iters': '0' is lower than minimum ('1').."),
        (
            json!({"scalar_metrics_iter_histogram": {"samples": 6001}}),
            "error for field 'samples': '6001' is bigger than maximum ('6000')..",
        ),
        (
            json!({"scalar_metrics_iter_histogram": {"key": "x"}}),
            "error for field 'key': value 'x' is not a valid choice..",
        ),
        (json!({"plots": 5}), "error for field 'plots': ('value is wrong, expected type \"dict\"', 5)."),
    ] {
        assert_eq!(
            world.error("reports.get_task_data", part).await,
            format!("400/12 Validation error ({message})")
        );
    }
    assert!(world.error("reports.get_task_data", json!({"only_fields": ["x"]})).await.starts_with("400/14 "));
}
