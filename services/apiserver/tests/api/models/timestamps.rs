//! Which writes are updates of a model, and which are only changes (spec 04 §1.4, §1.7).

use bson::doc;
use serde_json::{Value, json};

use crate::lifecycle::{World, is_now};

const ITEM: &str = r#"[{"key": "k", "type": "t", "value": "v"}]"#;

#[tokio::test]
async fn every_write_leaves_its_traces() {
    let world = World::new().await;
    let task = world.task_in("created").await;
    let parent = world.model(doc! {}).await;
    let item: Value = serde_json::from_str(ITEM).unwrap();
    let map = json!({"k": item[0]});
    for (endpoint, fields, is_update) in [
        ("set_ready", json!({}), true),
        ("add_or_update_metadata", json!({"metadata": item}), true),
        ("delete_metadata", json!({"keys": ["k"]}), true),
        ("edit", json!({"uri": "u"}), true),
        ("edit", json!({"framework": "f"}), true),
        ("edit", json!({"design": {}}), true),
        ("edit", json!({"labels": {}}), true),
        ("edit", json!({"ready": false}), true),
        ("edit", json!({"metadata": map}), true),
        ("edit", json!({"tags": []}), true),
        ("edit", json!({"system_tags": []}), true),
        ("edit", json!({"name": "other"}), false),
        ("edit", json!({"comment": "other"}), false),
        ("edit", json!({"task": task}), false),
        ("edit", json!({"parent": parent}), false),
        ("update", json!({"uri": "u"}), true),
        ("update", json!({"metadata": map}), true),
        ("update", json!({"tags": []}), true),
        ("update", json!({"system_tags": null}), true),
        ("update", json!({"name": "other"}), false),
        ("update", json!({"comment": null}), false),
        ("update", json!({"project": "p"}), false),
        ("update", json!({"ui_cache": {}}), false),
        ("update", json!({"created": "2020-01-01T00:00:00"}), false),
        ("archive_many", json!({}), false),
        ("unarchive_many", json!({}), false),
        ("make_public", json!({}), false),
        ("move", json!({"project_name": "some project"}), false),
        ("update_tags", json!({"add_tags": ["a"]}), false),
        ("update_tags", json!({"remove_tags": ["a"]}), false),
    ] {
        let model = world.model(doc! {}).await;
        let mut request = fields.clone();
        request["model"] = json!(model);
        request["ids"] = json!([model]);
        world.ok(&format!("models.{endpoint}"), request).await;
        let stored = world.stored_model(&model).await;
        assert!(is_now(stored.get("last_change")), "{endpoint} {fields}");
        assert_eq!(stored.get_str("last_changed_by").unwrap(), world.user.id, "{endpoint} {fields}");
        assert_eq!(is_now(stored.get("last_update")), is_update, "{endpoint} {fields}");
    }
}

#[tokio::test]
async fn going_private_is_only_a_change() {
    let world = World::new().await;
    let model = world.public_model().await;
    world.ok("models.make_private", json!({"ids": [model]})).await;
    let stored = world.stored_model(&model).await;
    assert!(is_now(stored.get("last_change")) && !is_now(stored.get("last_update")));
    assert_eq!(stored.get_str("last_changed_by").unwrap(), world.user.id);
}
