//! How the texts of plots are stored and come back (spec 05 §3.4).

use serde_json::json;

use super::*;

#[tokio::test]
async fn plots_get_their_length_and_urls() {
    let (_server, user) = server().await;
    let text = r#"{"layout":{"images":[{"source":"http://files/é.png"},{"source":"http://files/é.png"}]}}"#;
    send(&user, &[plot("m", "v", 1, text), plot("m", "empty", 1, "")]).await;
    let mut events = events_of_type(&user, "plot").await;
    events.sort_by_key(|event| event["variant"].to_string());
    assert_eq!(events[0]["plot_len"], 0);
    assert_eq!(events[1]["plot_len"], text.chars().count());
    assert_eq!(events[1]["source_urls"], json!(["http://files/é.png"]));
    assert_eq!(events[1]["plot_str"], text);
    assert_eq!(events[1].get("valid_plot"), None);
}

#[tokio::test]
async fn large_plots_come_back_exactly_from_every_endpoint() {
    let server = TestServer::with_settings(|settings| settings.events.plot_compression_threshold = 100).await;
    let user = server.user().await;
    add_task(&server, "t", doc! {}).await;
    let large = format!(r#"{{"data":"{}"}}"#, "é😀".repeat(5000));
    let small = "{}";
    send(&user, &[plot("large", "v", 1, &large), plot("small", "v", 1, small)]).await;

    let by_metric = |events: &Value| {
        let mut texts: Vec<(String, String)> = events
            .as_array()
            .unwrap()
            .iter()
            .map(|event| {
                assert_eq!(event.get("plot_data"), None);
                (event["metric"].as_str().unwrap().to_owned(), event["plot_str"].as_str().unwrap().to_owned())
            })
            .collect();
        texts.sort();
        texts
    };
    let expected = vec![("large".to_owned(), large.clone()), ("small".to_owned(), small.to_owned())];
    let plots = user.ok("events.get_task_plots", json!({"task": "t"})).await;
    assert_eq!(by_metric(&plots["plots"]), expected);
    let events = events_of_type(&user, "plot").await;
    assert_eq!(by_metric(&events.into()), expected);
    let window = user.ok("events.plots", json!({"metrics": [{"task": "t"}]})).await;
    assert_eq!(by_metric(&window["metrics"][0]["iterations"][0]["events"]), expected);
    let sample = user.ok("events.get_plot_sample", json!({"task": "t", "metric": "large"})).await;
    assert_eq!(by_metric(&sample["events"]), expected[..1]);
    let multi = user.ok("events.get_multi_task_plots", json!({"tasks": ["t"]})).await;
    assert_eq!(by_metric(&multi["plots"]["large"]["v"]["t"]["1"]["plots"]), expected[..1]);
}

#[tokio::test]
async fn plots_are_validated_on_demand() {
    let server = TestServer::with_settings(|settings| settings.events.validate_plot_str = true).await;
    let user = server.user().await;
    add_task(&server, "t", doc! {}).await;
    let mut skipped = plot("m", "skipped", 1, "{");
    skipped["skip_validation"] = true.into();
    send(
        &user,
        &[plot("m", "bad", 1, "{"), plot("m", "good", 1, "{\"a\": NaN}"), plot("m", "none", 1, ""), skipped],
    )
    .await;
    let events = events_of_type(&user, "plot").await;
    let validity = |variant: &str| {
        let event = events.iter().find(|event| event["variant"] == variant).unwrap();
        assert_eq!(event.get("skip_validation"), None);
        event.get("valid_plot").cloned()
    };
    assert_eq!(validity("bad"), Some(false.into()));
    assert_eq!(validity("good"), Some(true.into()));
    assert_eq!(validity("none"), Some(false.into()));
    assert_eq!(validity("skipped"), None);
    let shown = user.ok("events.get_task_plots", json!({"task": "t"})).await;
    assert_eq!(pick(&shown["plots"], "variant"), [json!("good"), json!("skipped")]);
}
