//! Debug images and plots, paged by iteration (spec 05 §9).

use serde_json::json;

use super::*;

/// The iterations of the only task of an answer.
fn iterations(data: &Value) -> Vec<i64> {
    assert_eq!(data["metrics"].as_array().unwrap().len(), 1);
    let numbers = pick(&data["metrics"][0]["iterations"], "iter");
    numbers.iter().map(|iter| iter.as_i64().unwrap()).collect()
}

/// Variants of the first iteration of an answer.
fn first_variants(data: &Value) -> Vec<Value> {
    pick(&data["metrics"][0]["iterations"][0]["events"], "variant")
}

/// Five images with urls of their own at iterations 1 to 5.
async fn send_images(user: &Client) {
    let images: Vec<Value> = (1..=5).map(|iter| image("m", "v", iter, &format!("http://{iter}"))).collect();
    send(user, &images).await;
}

#[tokio::test]
async fn pages_go_back_and_forth_without_loss() {
    let (_server, user) = server().await;
    send_images(&user).await;
    let plots: Vec<Value> = (1..=5).map(|iter| plot("m", "v", iter, "{}")).collect();
    send(&user, &plots).await;
    for endpoint in ["events.debug_images", "events.plots"] {
        let mut scroll_id = Value::Null;
        for (earlier, expected) in [
            (true, vec![5, 4]),
            (true, vec![3, 2]),
            (true, vec![1]),
            (true, vec![]),
            (false, vec![3, 2]),
            (false, vec![5, 4]),
            (false, vec![]),
            (true, vec![3, 2]),
        ] {
            let request = json!({
                "metrics": [{"task": "t", "metric": "m"}], "iters": 2, "navigate_earlier": earlier, "scroll_id": scroll_id,
            });
            let data = user.ok(endpoint, request).await;
            assert_eq!(iterations(&data), expected, "{endpoint}");
            assert_eq!(data["metrics"][0]["task"], "t");
            scroll_id = data["scroll_id"].clone();
        }
        // A first call that goes later begins at the newest iteration too.
        let request = json!({"metrics": [{"task": "t"}], "navigate_earlier": false});
        assert_eq!(iterations(&user.ok(endpoint, request).await), [5]);
    }
}

#[tokio::test]
async fn an_sdk_reads_all_samples_of_a_variant() {
    let (_server, user) = server().await;
    send_images(&user).await;
    send(&user, &[image("m", "other", 5, "http://other"), image("n", "v", 5, "http://n")]).await;
    let mut urls = Vec::new();
    let mut request = json!({"metrics": [{"task": "t", "metric": "m", "variants": ["v"]}], "iters": 2});
    loop {
        let data = user.ok("events.debug_images", request.clone()).await;
        if data["metrics"][0]["iterations"].as_array().unwrap().is_empty() {
            break;
        }
        for iteration in data["metrics"][0]["iterations"].as_array().unwrap() {
            urls.extend(pick(&iteration["events"], "url"));
        }
        request["scroll_id"] = data["scroll_id"].clone();
    }
    assert_eq!(urls, (1..=5).rev().map(|iter| json!(format!("http://{iter}"))).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_entry_without_metric_asks_for_all() {
    let (_server, user) = server().await;
    send(&user, &[image("a", "v", 1, "http://a"), image("b", "v", 2, "http://b")]).await;
    let request = json!({"metrics": [{"task": "t", "metric": "a"}, {"task": "t"}], "iters": 5});
    assert_eq!(iterations(&user.ok("events.debug_images", request).await), [2, 1]);
    let request = json!({"metrics": [{"task": "t", "metric": "a"}], "iters": 5});
    assert_eq!(iterations(&user.ok("events.debug_images", request).await), [1]);
}

#[tokio::test]
async fn overwritten_images_are_not_shown() {
    let (_server, user) = server().await;
    // Two file names in turn: those of iterations 1 to 3 were used again.
    let images: Vec<Value> =
        (1..=5).map(|iter| image("m", "v", iter, &format!("http://{}", iter % 2))).collect();
    send(&user, &images).await;
    let request = json!({"metrics": [{"task": "t"}], "iters": 10});
    assert_eq!(iterations(&user.ok("events.debug_images", request).await), [5, 4]);
}

#[tokio::test]
async fn images_without_url_and_the_lesser_urls_are_not_shown() {
    let (_server, user) = server().await;
    let mut without = image("m", "none", 1, "k");
    without.as_object_mut().unwrap().remove("url");
    let keyed = |key: &str, url: &str| {
        let mut event = image("m", "v", 1, url);
        event["key"] = key.into();
        event
    };
    send(&user, &[without, keyed("1", "http://a"), keyed("2", "http://b")]).await;
    let data = user.ok("events.debug_images", json!({"metrics": [{"task": "t"}]})).await;
    assert_eq!(pick(&data["metrics"][0]["iterations"][0]["events"], "url"), [json!("http://b")]);
}

#[tokio::test]
async fn a_refresh_shows_what_is_new() {
    let (_server, user) = server().await;
    send_images(&user).await;
    let view = |scroll_id: Value, refresh: bool| {
        let user = user.clone();
        async move {
            let request = json!({"metrics": [{"task": "t"}], "refresh": refresh, "scroll_id": scroll_id});
            user.ok("events.debug_images", request).await
        }
    };
    let first = view(Value::Null, false).await;
    let scroll_id = first["scroll_id"].clone();
    send(&user, &[image("new", "v", 6, "http://new"), image("m", "v", 7, "http://7")]).await;
    assert_eq!(iterations(&view(scroll_id.clone(), false).await), [4]);
    let refreshed = view(scroll_id.clone(), true).await;
    assert_eq!(refreshed["scroll_id"], scroll_id);
    assert_eq!(iterations(&refreshed), [7]);
    let next = view(scroll_id.clone(), false).await;
    assert_eq!(iterations(&next), [6], "the new metric is known now");
    assert_eq!(iterations(&view(scroll_id, false).await), [5]);
}

#[tokio::test]
async fn variants_that_appear_later_are_shown_unless_variants_were_asked_for() {
    let (_server, user) = server().await;
    send(&user, &[image("m", "a", 1, "http://1")]).await;
    for (entry, expected) in [
        (json!({"task": "t", "metric": "m"}), vec![json!("a"), json!("b")]),
        (json!({"task": "t", "metric": "m", "variants": ["a"]}), vec![json!("a")]),
    ] {
        let request = json!({"metrics": [entry.clone()]});
        let data = user.ok("events.debug_images", request).await;
        send(&user, &[image("m", "a", 2, "http://2"), image("m", "b", 2, "http://b")]).await;
        let request = json!({"metrics": [entry], "scroll_id": data["scroll_id"], "navigate_earlier": false});
        let data = user.ok("events.debug_images", request).await;
        assert_eq!(first_variants(&data), expected);
        user.ok("events.delete_for_task", json!({"task": "t"})).await;
        send(&user, &[image("m", "a", 1, "http://1")]).await;
    }
}

#[tokio::test]
async fn a_scroll_of_plots_finds_no_images_and_stays_where_it_is() {
    let (_server, user) = server().await;
    let plots: Vec<Value> = (1..=3).map(|iter| plot("p", "v", iter, "{}")).collect();
    send(&user, &plots).await;
    let data = user.ok("events.plots", json!({"metrics": [{"task": "t"}]})).await;
    let request = json!({"metrics": [{"task": "t"}], "scroll_id": data["scroll_id"]});
    let images = user.ok("events.debug_images", request.clone()).await;
    assert_eq!((iterations(&images), &images["scroll_id"]), (vec![], &data["scroll_id"]));
    assert_eq!(iterations(&user.ok("events.plots", request).await), [2]);
}

#[tokio::test]
async fn several_tasks_and_models_have_windows_of_their_own() {
    let (server, user) = server().await;
    add_task(&server, "u", doc! {}).await;
    add_model(&server, "model", doc! {}).await;
    send_images(&user).await;
    let mut of_model = of_task("model", image("m", "v", 9, "http://model"));
    of_model["model_event"] = true.into();
    send(&user, &[of_task("u", image("m", "v", 100, "http://u")), of_model]).await;
    let request = json!({"metrics": [{"task": "u", "metric": "m"}, {"task": "t", "metric": "m"}]});
    let data = user.ok("events.debug_images", request).await;
    assert_eq!(pick(&data["metrics"], "task"), [json!("u"), json!("t")]);
    assert_eq!(pick(&data["metrics"][0]["iterations"], "iter"), [json!(100)]);
    assert_eq!(pick(&data["metrics"][1]["iterations"], "iter"), [json!(5)]);
    let request = json!({"metrics": [{"task": "model"}], "model_events": true});
    assert_eq!(iterations(&user.ok("events.debug_images", request).await), [9]);

    let request = json!({"metrics": [{"task": "t"}], "scroll_id": data["scroll_id"]});
    let (status, subcode, _) = user.error("events.debug_images", request).await;
    assert_eq!((status, subcode), (400, 1104));
}

#[tokio::test]
async fn tasks_without_events_have_no_iterations() {
    let (_server, user) = server().await;
    for endpoint in ["events.debug_images", "events.plots"] {
        let data = user.ok(endpoint, json!({"metrics": [{"task": "t"}], "scroll_id": "unknown"})).await;
        assert_eq!(data["metrics"], json!([{"task": "t", "iterations": []}]));
        assert_eq!(data["scroll_id"].as_str().unwrap().len(), 32, "an unknown id makes a fresh state");
        for (request, code) in [
            (json!({}), (400, 12)),
            (json!({"metrics": []}), (400, 12)),
            (json!({"metrics": [{"metric": "m"}]}), (400, 12)),
            (json!({"metrics": [{"task": "t"}], "iters": 0}), (400, 12)),
            (json!({"metrics": [{"task": "t"}], "iters": null}), (400, 12)),
            (json!({"metrics": [{"task": "x"}]}), (400, 101)),
            (json!({"metrics": [{"task": "x"}], "model_events": true}), (400, 201)),
        ] {
            let (status, subcode, _) = user.error(endpoint, request).await;
            assert_eq!((status, subcode), code);
        }
    }
}
