//! Debug images in the answers of old clients (spec 05 §9, "Legacy debug_images").

use serde_json::json;

use super::*;

#[tokio::test]
async fn version_1_8_scrolls_over_the_last_iterations() {
    let (_server, user) = server().await;
    let mut images: Vec<Value> =
        (1..=4).map(|iter| image("m", "v", iter, &format!("http://{iter}"))).collect();
    images
        .push(json!({"type": "training_debug_image", "task": "t", "metric": "n", "variant": "v", "iter": 4}));
    send(&user, &images).await;
    let user = user.version("2.6");
    let data = user.ok("events.debug_images", json!({"task": "t", "iters": 2})).await;
    assert_eq!(data["task"], "t");
    assert_eq!(pick(&data["images"], "iter"), [json!(4), json!(4), json!(3)]);
    assert_eq!((&data["returned"], &data["total"]), (&json!(3), &json!(3)));
    let data = user.ok("events.debug_images", json!({"task": "t", "scroll_id": data["scroll_id"]})).await;
    assert_eq!((&data["images"], &data["scroll_id"]), (&json!([]), &json!("FFFF")));
    assert_eq!(
        user.ok("events.debug_images", json!({"task": "t", "scroll_id": "FFFF"})).await,
        json!({"task": "t", "images": [], "returned": 0, "total": 0, "scroll_id": null})
    );
}

#[tokio::test]
async fn version_1_0_shows_the_last_of_each_variant() {
    let (server, user) = server().await;
    add_task(&server, "empty", doc! {}).await;
    send(
        &user,
        &[image("m", "v", 1, "http://1"), image("m", "v", 2, "http://2"), image("m", "w", 1, "http://w")],
    )
    .await;
    for version in ["1.0", "1.7"] {
        let user = user.clone().version(version);
        let data = user.ok("events.debug_images", json!({"task": "t"})).await;
        assert_eq!(pick(&data["images"], "url"), [json!("http://2"), json!("http://w")]);
        assert_eq!((&data["returned"], &data["total"]), (&json!(2), &json!(3)));
    }
    for version in ["1.0", "1.8"] {
        let user = user.clone().version(version);
        let data = user.ok("events.debug_images", json!({"task": "empty"})).await;
        assert_eq!((&data["images"], &data["total"]), (&json!([]), &json!(0)));
        for (request, code) in [
            (json!({"task": "t", "iters": 0}), (400, 12)),
            (json!({"task": "t", "iters": null}), (400, 12)),
            (json!({"task": "x"}), (400, 101)),
            (json!({"task": "t", "scroll_id": "x"}), (400, 1104)),
        ] {
            let (status, subcode, _) = user.error("events.debug_images", request).await;
            assert_eq!((status, subcode), code);
        }
    }
}
