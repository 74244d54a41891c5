//! The full-screen viewers of images and plots (spec 05 §10).

use serde_json::json;

use super::*;

/// Where an image sample is: metric, variant, iteration.
fn place(data: &Value) -> (String, String, i64) {
    let event = &data["event"];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&event["metric"]), text(&event["variant"]), event["iter"].as_i64().unwrap())
}

fn at(metric: &str, variant: &str, iter: i64) -> (String, String, i64) {
    (metric.to_owned(), variant.to_owned(), iter)
}

/// Variants a and b of metric m at iterations 1 and 2, variant a of metric n at 2.
async fn send_images(user: &Client) {
    let images = [("m", "a", 1), ("m", "b", 1), ("m", "a", 2), ("m", "b", 2), ("n", "a", 2)];
    let images = images.map(|(metric, variant, iter)| {
        image(metric, variant, iter, &format!("http://{metric}/{variant}/{iter}"))
    });
    send(user, &images).await;
}

async fn next(user: &Client, endpoint: &str, scroll_id: &Value, more: Value) -> Value {
    let mut request = json!({"task": "t", "scroll_id": scroll_id});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    user.ok(endpoint, request).await
}

#[tokio::test]
async fn images_of_a_metric_are_walked_through() {
    let (_server, user) = server().await;
    send_images(&user).await;
    let request = json!({"task": "t", "metric": "m", "variant": "b"});
    let first = user.ok("events.get_debug_image_sample", request).await;
    assert_eq!(place(&first), at("m", "b", 2));
    assert_eq!((&first["min_iteration"], &first["max_iteration"]), (&json!(1), &json!(2)));
    let scroll_id = &first["scroll_id"];

    let walk = "events.next_debug_image_sample";
    for expected in [at("m", "a", 2), at("m", "b", 1), at("m", "a", 1)] {
        assert_eq!(place(&next(&user, walk, scroll_id, json!({})).await), expected);
    }
    let end = next(&user, walk, scroll_id, json!({})).await;
    assert_eq!(
        end,
        json!({"scroll_id": scroll_id, "event": null, "min_iteration": null, "max_iteration": null})
    );
    for expected in [at("m", "b", 1), at("m", "a", 2), at("m", "b", 2)] {
        assert_eq!(place(&next(&user, walk, scroll_id, json!({"navigate_earlier": false})).await), expected);
    }
    assert_eq!(next(&user, walk, scroll_id, json!({"navigate_earlier": false})).await["event"], Value::Null);
    // The newest of the iteration before, whatever comes beside.
    assert_eq!(place(&next(&user, walk, scroll_id, json!({"next_iteration": true})).await), at("m", "b", 1));
}

#[tokio::test]
async fn images_of_all_metrics_are_walked_through() {
    let (_server, user) = server().await;
    send_images(&user).await;
    let request =
        json!({"task": "t", "metric": "m", "variant": "a", "navigate_current_metric": false, "iteration": 1});
    let first = user.ok("events.get_debug_image_sample", request).await;
    assert_eq!(place(&first), at("m", "a", 1));
    let scroll_id = &first["scroll_id"];
    let mut seen = Vec::new();
    loop {
        let data =
            next(&user, "events.next_debug_image_sample", scroll_id, json!({"navigate_earlier": false}))
                .await;
        if data["event"].is_null() {
            break;
        }
        seen.push(place(&data));
    }
    assert_eq!(seen, [at("m", "b", 1), at("m", "a", 2), at("m", "b", 2), at("n", "a", 2)]);
}

#[tokio::test]
async fn only_images_that_are_still_there_are_shown() {
    let (_server, user) = server().await;
    // Each file name was used again two iterations later.
    let images: Vec<Value> =
        (1..=5).map(|iter| image("m", "v", iter, &format!("http://{}", iter % 2))).collect();
    send(&user, &images).await;
    let request = json!({"task": "t", "metric": "m", "variant": "v"});
    let first = user.ok("events.get_debug_image_sample", request).await;
    assert_eq!((&first["min_iteration"], &first["max_iteration"]), (&json!(4), &json!(5)));
    let scroll_id = &first["scroll_id"];
    let walk = "events.next_debug_image_sample";
    assert_eq!(place(&next(&user, walk, scroll_id, json!({})).await), at("m", "v", 4));
    assert_eq!(next(&user, walk, scroll_id, json!({})).await["event"], Value::Null);
    let request = json!({"task": "t", "metric": "m", "variant": "v", "iteration": 3, "scroll_id": scroll_id});
    let gone = user.ok("events.get_debug_image_sample", request).await;
    assert_eq!((&gone["event"], &gone["min_iteration"]), (&Value::Null, &json!(4)));
}

#[tokio::test]
async fn a_refresh_knows_of_new_images() {
    let (_server, user) = server().await;
    send_images(&user).await;
    let request = json!({"task": "t", "metric": "m", "variant": "new"});
    let first = user.ok("events.get_debug_image_sample", request).await;
    let unknown =
        json!({"scroll_id": first["scroll_id"], "event": null, "min_iteration": null, "max_iteration": null});
    assert_eq!(first, unknown);
    send(&user, &[image("m", "new", 7, "http://new")]).await;
    let mut request = json!({"task": "t", "metric": "m", "variant": "new", "scroll_id": first["scroll_id"]});
    assert_eq!(user.ok("events.get_debug_image_sample", request.clone()).await, unknown);
    request["refresh"] = true.into();
    let data = user.ok("events.get_debug_image_sample", request).await;
    assert_eq!((place(&data), &data["scroll_id"]), (at("m", "new", 7), &first["scroll_id"]));
}

#[tokio::test]
async fn plots_are_walked_through() {
    let (_server, user) = server().await;
    send(
        &user,
        &[
            plot("m", "b", 1, "1"),
            plot("m", "a", 1, "1"),
            plot("m", "a", 2, "2"),
            plot("n", "a", 2, "n"),
            plot("n", "a", 3, "n"),
        ],
    )
    .await;
    let shown = |data: &Value| {
        let events = data["events"].as_array().unwrap();
        events.first().map(|event| {
            let variants: Vec<&str> = events.iter().map(|event| event["variant"].as_str().unwrap()).collect();
            (event["metric"].as_str().unwrap().to_owned(), event["iter"].as_i64().unwrap(), variants.join(""))
        })
    };
    let at = |metric: &str, iter: i64, variants: &str| Some((metric.to_owned(), iter, variants.to_owned()));
    let walk = "events.next_plot_sample";

    let first = user.ok("events.get_plot_sample", json!({"task": "t", "metric": "m"})).await;
    assert_eq!(shown(&first), at("m", 2, "a"));
    assert_eq!((&first["min_iteration"], &first["max_iteration"]), (&json!(1), &json!(2)));
    let scroll_id = &first["scroll_id"];
    assert_eq!(shown(&next(&user, walk, scroll_id, json!({})).await), at("m", 1, "ab"));
    assert_eq!(
        next(&user, walk, scroll_id, json!({})).await,
        json!({"scroll_id": scroll_id, "events": [], "min_iteration": null, "max_iteration": null})
    );
    assert_eq!(
        shown(&next(&user, walk, scroll_id, json!({"navigate_earlier": false})).await),
        at("m", 2, "a")
    );

    let request = json!({"task": "t", "metric": "m", "navigate_current_metric": false, "iteration": 1});
    let first = user.ok("events.get_plot_sample", request).await;
    assert_eq!(shown(&first), at("m", 1, "ab"));
    let scroll_id = &first["scroll_id"];
    for expected in [at("m", 2, "a"), at("n", 2, "a"), at("n", 3, "a"), None] {
        assert_eq!(shown(&next(&user, walk, scroll_id, json!({"navigate_earlier": false})).await), expected);
    }
    let back = next(&user, walk, scroll_id, json!({"next_iteration": true})).await;
    assert_eq!(shown(&back), at("n", 2, "a"));
    assert_eq!((&back["min_iteration"], &back["max_iteration"]), (&json!(2), &json!(3)));

    let unknown = user.ok("events.get_plot_sample", json!({"task": "t", "metric": "none"})).await;
    assert_eq!((&unknown["events"], &unknown["min_iteration"]), (&json!([]), &Value::Null));
    send(&user, &[plot("none", "v", 1, "{}")]).await;
    let request = json!({"task": "t", "metric": "none", "scroll_id": unknown["scroll_id"], "refresh": true});
    assert_eq!(shown(&user.ok("events.get_plot_sample", request).await), at("none", 1, "v"));
}

#[tokio::test]
async fn states_of_something_else_are_refused() {
    let (server, user) = server().await;
    add_task(&server, "u", doc! {}).await;
    send_images(&user).await;
    send(&user, &[plot("m", "a", 1, "1")]).await;
    for (get, walk) in [
        ("events.get_debug_image_sample", "events.next_debug_image_sample"),
        ("events.get_plot_sample", "events.next_plot_sample"),
    ] {
        let request = json!({"task": "t", "metric": "m", "variant": "a"});
        let scroll_id = user.ok(get, request).await["scroll_id"].clone();
        for (task, metric, current) in [("u", "m", true), ("t", "n", true), ("t", "m", false)] {
            let request = json!({
                "task": task, "metric": metric, "variant": "a", "navigate_current_metric": current, "scroll_id": scroll_id,
            });
            let (status, subcode, message) = user.error(get, request).await;
            assert_eq!((status, subcode), (400, 1104));
            let id = scroll_id.as_str().unwrap();
            assert_eq!(
                message,
                format!(
                    "Invalid scroll id (Task and metric stored in the state do not match the passed ones): scroll_id={id}"
                )
            );
        }
        for (task, scroll_id) in [("u", scroll_id.clone()), ("t", json!("unknown"))] {
            let (status, subcode, message) =
                user.error(walk, json!({"task": task, "scroll_id": scroll_id})).await;
            assert_eq!((status, subcode), (400, 1104));
            assert_eq!(message, format!("Invalid scroll id: scroll_id={}", scroll_id.as_str().unwrap()));
        }
        for (endpoint, request, code) in [
            (get, json!({"task": "x", "metric": "m", "variant": "a"}), (400, 101)),
            (get, json!({"task": "x", "metric": "m", "variant": "a", "model_events": true}), (400, 201)),
            (get, json!({"task": "t", "variant": "a"}), (400, 12)),
            (walk, json!({"task": "x", "scroll_id": "y"}), (400, 101)),
            (walk, json!({"task": "t"}), (400, 12)),
        ] {
            let (status, subcode, _) = user.error(endpoint, request).await;
            assert_eq!((status, subcode), code);
        }
    }
}
