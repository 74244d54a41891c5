//! Plots of one task and of several (spec 05 §8).

use serde_json::json;

use super::*;

/// Metric, variant and iteration of plots.
fn places(plots: &Value) -> Vec<(String, String, i64)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let place =
        |plot: &Value| (text(&plot["metric"]), text(&plot["variant"]), plot["iter"].as_i64().unwrap());
    plots.as_array().unwrap().iter().map(place).collect()
}

fn at(metric: &str, variant: &str, iter: i64) -> (String, String, i64) {
    (metric.to_owned(), variant.to_owned(), iter)
}

#[tokio::test]
async fn the_last_plots_of_each_variant_are_shown() {
    let (_server, user) = server().await;
    send(
        &user,
        &[
            plot("b", "x", 1, "1"),
            plot("a", "y", 1, "1"),
            plot("a", "x", 1, "1"),
            plot("a", "x", 2, "2"),
            plot("a", "x", 3, "3"),
        ],
    )
    .await;
    let endpoint = "events.get_task_plots";
    let data = user.ok(endpoint, json!({"task": "t", "no_scroll": true, "scroll_id": "ignored"})).await;
    assert_eq!(places(&data["plots"]), [at("a", "x", 3), at("a", "y", 1), at("b", "x", 1)]);
    assert_eq!((&data["returned"], &data["total"], &data["scroll_id"]), (&json!(3), &json!(3), &Value::Null));
    let data = user.ok(endpoint, json!({"task": "t", "iters": 2})).await;
    assert_eq!(places(&data["plots"]), [at("a", "x", 3), at("a", "x", 2), at("a", "y", 1), at("b", "x", 1)]);
    let request = json!({"task": "t", "metrics": [{"metric": "a", "variants": ["y"]}]});
    assert_eq!(places(&user.ok(endpoint, request).await["plots"]), [at("a", "y", 1)]);
    for (request, code) in [
        (json!({}), (400, 12)),
        (json!({"task": "t", "iters": 0}), (400, 12)),
        (json!({"task": "x"}), (400, 101)),
        (json!({"task": "x", "model_events": true}), (400, 201)),
    ] {
        let (status, subcode, _) = user.error(endpoint, request).await;
        assert_eq!((status, subcode), code);
    }
}

#[tokio::test]
async fn version_1_0_scrolls_over_all_plots() {
    let (_server, user) = server().await;
    send(&user, &[plot("a", "x", 1, "1"), plot("a", "x", 2, "2"), plot("b", "x", 1, "1")]).await;
    let user = user.version("1.7");
    let data = user.ok("events.get_task_plots", json!({"task": "t"})).await;
    assert_eq!(places(&data["plots"]), [at("a", "x", 2), at("b", "x", 1)]);
    assert_eq!((&data["returned"], &data["total"]), (&json!(2), &json!(3)));
    let data = user.ok("events.get_task_plots", json!({"task": "t", "scroll_id": data["scroll_id"]})).await;
    assert_eq!((&data["returned"], &data["scroll_id"]), (&json!(0), &json!("FFFF")));
    for iters in [json!(null), json!(0)] {
        let (status, subcode, _) =
            user.error("events.get_task_plots", json!({"task": "t", "iters": iters})).await;
        assert_eq!((status, subcode), (400, 12));
    }
}

#[tokio::test]
async fn plots_of_several_tasks_are_nested() {
    let (server, user) = server().await;
    add_task(&server, "u", doc! {}).await;
    send(
        &user,
        &[
            plot("a", "x", 1, "old"),
            plot("a", "x", 5, "new"),
            plot("b", "y", 2, "other"),
            of_task("u", plot("a", "x", 3, "third")),
        ],
    )
    .await;
    let endpoint = "events.get_multi_task_plots";
    let data = user.ok(endpoint, json!({"tasks": ["t", "u"]})).await;
    assert_eq!((&data["returned"], &data["total"]), (&json!(2), &json!(3)));
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&data["plots"]), ["b", "a"]);
    assert_eq!(keys(&data["plots"]["a"]["x"]), ["u", "t"]);
    let shown = &data["plots"]["a"]["x"]["t"];
    assert_eq!(keys(shown), ["5"]);
    assert_eq!(shown["5"]["name"], "name of t");
    assert_eq!(pick(&shown["5"]["plots"], "plot_str"), [json!("new")]);

    let request = json!({"tasks": ["t", "u"], "scroll_id": data["scroll_id"]});
    let end = user.ok(endpoint, request).await;
    assert_eq!(end, json!({"plots": {}, "returned": 0, "total": 3, "scroll_id": "FFFF"}));
    let end = user.ok(endpoint, json!({"tasks": ["t"], "scroll_id": "FFFF"})).await;
    assert_eq!(end, json!({"plots": {}, "returned": 0, "total": 0, "scroll_id": null}));

    let request = json!({"tasks": ["t"], "last_iters_per_task_metric": false, "no_scroll": true});
    let data = user.ok(endpoint, request).await;
    assert_eq!((keys(&data["plots"]), &data["scroll_id"]), (vec!["a".to_owned()], &Value::Null));
    let request = json!({"tasks": ["t"], "iters": null, "metrics": [{"metric": "a"}]});
    let data = user.ok(endpoint, request).await;
    assert_eq!(keys(&data["plots"]["a"]["x"]["t"]), ["5", "1"]);
    let request = json!({"tasks": ["t"], "metrics": [{"metric": "none"}]});
    let data = user.ok(endpoint, request).await;
    assert_eq!(data, json!({"plots": {}, "returned": 0, "total": 0, "scroll_id": null}));
    for (request, code) in [
        (json!({"tasks": []}), (400, 12)),
        (json!({"tasks": ["t"], "iters": 0}), (400, 12)),
        (json!({"tasks": ["t", "x"]}), (400, 101)),
        (json!({"tasks": ["t"], "scroll_id": "x"}), (400, 1104)),
    ] {
        let (status, subcode, _) = user.error(endpoint, request).await;
        assert_eq!((status, subcode), code);
    }
}

#[tokio::test]
async fn plots_of_several_tasks_are_paged() {
    let server = TestServer::with_settings(|settings| settings.events.multi_plots_batch_size = 2).await;
    let user = server.user().await;
    add_task(&server, "t", doc! {}).await;
    let plots: Vec<Value> = (0..5).map(|number| plot(&format!("m{number}"), "v", number, "{}")).collect();
    send(&user, &plots).await;
    let mut seen = Vec::new();
    let mut request = json!({"tasks": ["t"]});
    loop {
        let data = user.ok("events.get_multi_task_plots", request.clone()).await;
        assert_eq!(data["total"], 5);
        if data["returned"] == 0 {
            break;
        }
        seen.extend(data["plots"].as_object().unwrap().keys().cloned());
        request["scroll_id"] = data["scroll_id"].clone();
    }
    assert_eq!(seen, ["m4", "m3", "m2", "m1", "m0"]);
}

#[tokio::test]
async fn version_1_0_nests_all_plots_of_several_tasks() {
    let (_server, user) = server().await;
    send(&user, &[plot("a", "x", 1, "1"), plot("a", "x", 2, "2")]).await;
    let user = user.version("1.7");
    let data = user.ok("events.get_multi_task_plots", json!({"tasks": ["t"]})).await;
    assert_eq!(data["plots"]["a"]["x"]["t"].as_object().unwrap().len(), 1);
    assert_eq!(data["total"], 2);
    let data = user.ok("events.get_multi_task_plots", json!({"tasks": ["t"], "iters": 2})).await;
    assert_eq!(data["plots"]["a"]["x"]["t"].as_object().unwrap().len(), 2);
    let (status, subcode, _) =
        user.error("events.get_multi_task_plots", json!({"tasks": ["t"], "iters": null})).await;
    assert_eq!((status, subcode), (400, 12));
}
