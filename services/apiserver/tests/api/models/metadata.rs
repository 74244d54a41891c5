//! `models.add_or_update_metadata`, `models.delete_metadata` and what versions see (spec 04 §0.2).

use bson::doc;
use serde_json::{Value, json};

use crate::lifecycle::World;

fn item(key: &str, value: &str) -> Value {
    json!({"key": key, "type": "str", "value": value})
}

async fn metadata(world: &World, model: &str) -> Value {
    world.get_model(model).await["metadata"].clone()
}

#[tokio::test]
async fn items_are_added_replaced_and_deleted() {
    let world = World::new().await;
    let model = world.model(doc! {}).await;
    let add = async |items: Value, replace: Value| {
        let request = json!({"model": model, "metadata": items, "replace_metadata": replace});
        assert_eq!(world.ok("models.add_or_update_metadata", request).await, json!({"updated": 1}));
    };
    add(json!([item("a.b", "1"), item("_x", "2")]), Value::Null).await;
    assert_eq!(metadata(&world, &model).await, json!({"a.b": item("a.b", "1"), "_x": item("_x", "2")}));
    let stored = world.stored_model(&model).await;
    let mut keys: Vec<&str> = stored.get_document("metadata").unwrap().keys().map(String::as_str).collect();
    // MongoDB orders new fields by name.
    keys.sort_unstable();
    assert_eq!(keys, ["%_x", "a%2Eb"]);

    add(json!([item("a.b", "3"), item("c", "4")]), json!(false)).await;
    assert_eq!(
        metadata(&world, &model).await,
        json!({"a.b": item("a.b", "3"), "_x": item("_x", "2"), "c": item("c", "4")})
    );
    let request = json!({"model": model, "keys": ["a.b", "missing"]});
    assert_eq!(world.ok("models.delete_metadata", request).await, json!({"updated": 1}));
    assert_eq!(metadata(&world, &model).await, json!({"_x": item("_x", "2"), "c": item("c", "4")}));
    add(json!([item("only", "5")]), json!(true)).await;
    assert_eq!(metadata(&world, &model).await, json!({"only": item("only", "5")}));
}

#[tokio::test]
async fn requests_are_checked() {
    let world = World::new().await;
    let model = world.model(doc! {}).await;
    for (endpoint, field) in
        [("models.add_or_update_metadata", "metadata"), ("models.delete_metadata", "keys")]
    {
        for request in [json!({"model": model}), json!({"model": model, field: []})] {
            assert_eq!(
                world.error(endpoint, request).await,
                format!(
                    "400/12 Validation error (error for field '{field}': value '[]' length is lower than allowed \
                     minimum '1'.)"
                )
            );
        }
    }
    let request = json!({"model": model, "metadata": [{"key": "k", "type": "t"}]});
    assert_eq!(
        world.error("models.add_or_update_metadata", request).await,
        "400/12 Validation error (error for field 'value'. field is required!)"
    );
    let request = json!({"model": model, "metadata": [item("  ", "v")]});
    assert_eq!(
        world.error("models.add_or_update_metadata", request).await,
        "400/12 Validation error (Empty key is not allowed)"
    );
    world
        .assert_needs_own_model("models.add_or_update_metadata", &json!({"metadata": [item("k", "v")]}))
        .await;
    world.assert_needs_own_model("models.delete_metadata", &json!({"keys": ["k"]})).await;
}

#[tokio::test]
async fn the_endpoints_are_as_old_as_2_13() {
    let world = World::new().await;
    for endpoint in ["models.add_or_update_metadata", "models.delete_metadata"] {
        assert_eq!(
            world.error_at("2.12", endpoint, json!({})).await,
            format!("404/0 Unable to find endpoint for name {endpoint} and version 2.12")
        );
    }
}

#[tokio::test]
async fn clients_up_to_2_16_see_an_empty_list() {
    let world = World::new().await;
    let model = world.model(doc! { "metadata": {"k": {"key": "k", "type": "t", "value": "v"}} }).await;
    let expected = json!({"k": {"key": "k", "type": "t", "value": "v"}});
    for (version, seen) in [("2.16", json!([])), ("2.17", expected)] {
        for (endpoint, request, pointer) in [
            ("models.get_by_id", json!({"model": model}), "/model/metadata"),
            ("models.get_all", json!({"id": [model]}), "/models/0/metadata"),
            ("models.get_all_ex", json!({"id": [model]}), "/models/0/metadata"),
            ("models.get_by_id_ex", json!({"id": [model]}), "/models/0/metadata"),
            (
                "models.edit",
                json!({"model": model, "metadata": {"k": {"key": "k", "type": "t", "value": "v"}}}),
                "/fields/metadata",
            ),
        ] {
            let answer = world.data_at(version, endpoint, request).await;
            assert_eq!(answer.pointer(pointer), Some(&seen), "{endpoint} {version}");
        }
    }
    let projected = json!({"id": [model], "only_fields": ["name"]});
    let answer = world.data_at("2.16", "models.get_all", projected).await;
    assert!(answer["models"][0].get("metadata").is_none());
}

#[tokio::test]
async fn metadata_that_was_set_to_null_takes_items() {
    let world = World::new().await;
    let model = world.model(doc! {}).await;
    let answer = world.ok("models.update", json!({"model": model, "metadata": null})).await;
    assert_eq!(answer["fields"]["metadata"], json!({}));
    let request = json!({"model": model, "metadata": [item("k", "v")]});
    world.ok("models.add_or_update_metadata", request).await;
    assert_eq!(metadata(&world, &model).await, json!({"k": item("k", "v")}));
}
