//! Which writes make the tags of models in use known (spec 04 §1.7).

use bson::doc;
use clearml_documents::Collection;
use serde_json::{Value, json};

use crate::lifecycle::World;

async fn tags(world: &World, project: &str) -> Value {
    let request = json!({"projects": [project], "include_system": true});
    world.ok("projects.get_model_tags", request).await
}

#[tokio::test]
async fn tags_are_known_at_once() {
    let world = World::new().await;
    let project = world.insert(Collection::Project, doc! { "path": [] }).await;
    let other = world.insert(Collection::Project, doc! { "name": "other", "path": [] }).await;
    let none = json!({"tags": [], "system_tags": []});
    assert_eq!(tags(&world, &project).await, none);

    let request = json!({
        "name": "name", "uri": "s3://b/w", "project": project, "tags": ["a"], "system_tags": ["s"],
    });
    let created = world.ok("models.create", request).await;
    let model = created["id"].as_str().unwrap();
    assert_eq!(tags(&world, &project).await, json!({"tags": ["a"], "system_tags": ["s"]}));
    world.ok("models.edit", json!({"model": model, "tags": ["b"]})).await;
    assert_eq!(tags(&world, &project).await, json!({"tags": ["b"], "system_tags": ["s"]}));
    world.ok("models.update", json!({"model": model, "system_tags": ["t"]})).await;
    assert_eq!(tags(&world, &project).await, json!({"tags": ["b"], "system_tags": ["t"]}));
    world.ok("models.update_tags", json!({"ids": [model], "add_tags": ["c"]})).await;
    assert_eq!(tags(&world, &project).await, json!({"tags": ["b", "c"], "system_tags": ["t"]}));

    assert_eq!(tags(&world, &other).await, none);
    world.ok("models.edit", json!({"model": model, "project": other})).await;
    assert_eq!(tags(&world, &project).await, none);
    assert_eq!(tags(&world, &other).await, json!({"tags": ["b", "c"], "system_tags": ["t"]}));
    world.ok("models.edit", json!({"model": model, "project": other, "tags": ["d"]})).await;
    assert_eq!(tags(&world, &other).await, json!({"tags": ["d"], "system_tags": ["t"]}));
    world.ok("models.delete", json!({"model": model})).await;
    assert_eq!(tags(&world, &other).await, none);
}

#[tokio::test]
async fn so_are_those_of_an_old_client_s_output() {
    let world = World::new().await;
    let project = world.insert(Collection::Project, doc! { "path": [] }).await;
    let task = world.task(doc! { "project": &project }).await;
    assert_eq!(tags(&world, &project).await["tags"], json!([]));
    let request = json!({"task": task, "uri": "u", "tags": ["a"]});
    world.data_at("2.13", "models.update_for_task", request).await;
    assert_eq!(tags(&world, &project).await["tags"], json!(["a"]));
}
