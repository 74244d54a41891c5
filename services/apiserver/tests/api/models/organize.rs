//! archive, public and private, move, tags (spec 04 §1.7).

use bson::{DateTime, doc};
use clearml_documents::Collection;
use serde_json::json;

use super::texts;
use crate::{
    lifecycle::{World, is_now},
    support::COMPANY,
};

#[tokio::test]
async fn models_are_archived_and_taken_back() {
    let world = World::new().await;
    let model = world.model(doc! { "system_tags": ["s"] }).await;
    world.assert_batch_of_models("models.archive_many", &model).await;
    let answer = world.ok("models.archive_many", json!({"ids": [model, model]})).await;
    assert_eq!(
        answer["succeeded"],
        json!([{"id": model, "archived": true}, {"id": model, "archived": true}])
    );
    assert_eq!(texts(&world.stored_model(&model).await, "system_tags"), ["s", "archived"]);

    let answer = world.ok("models.unarchive_many", json!({"ids": [model]})).await;
    assert_eq!(answer, json!({"succeeded": [{"id": model, "unarchived": true}], "failed": []}));
    assert_eq!(texts(&world.stored_model(&model).await, "system_tags"), ["s"]);
    world.assert_batch_of_models("models.unarchive_many", &model).await;
}

#[tokio::test]
async fn models_are_shared_and_taken_back_all_or_none() {
    let world = World::new().await;
    let (first, second) = (world.model(doc! {}).await, world.model(doc! {}).await);
    let foreign = world.foreign_model().await;
    assert_eq!(
        world.error("models.make_public", json!({"ids": [first, foreign, "x"]})).await,
        format!("400/201 Invalid model id: ids=({foreign}, x)")
    );
    assert_eq!(world.stored_model(&first).await.get_str("company").unwrap(), COMPANY);

    assert_eq!(
        world.ok("models.make_public", json!({"ids": [first, second, first]})).await,
        json!({"updated": 2})
    );
    let shared = world.stored_model(&first).await;
    assert_eq!(
        (shared.get_str("company").unwrap(), shared.get_str("company_origin").unwrap()),
        ("", COMPANY)
    );
    assert_eq!(
        world.error("models.make_public", json!({"ids": [first]})).await,
        format!("400/201 Invalid model id: ids=({first})")
    );

    let others = world.model(doc! { "company": "", "company_origin": "another" }).await;
    assert_eq!(
        world.error("models.make_private", json!({"ids": [first, others]})).await,
        format!("400/201 Invalid model id: ids=({others})")
    );
    assert_eq!(world.ok("models.make_private", json!({"ids": [first]})).await, json!({"updated": 1}));
    let back = world.stored_model(&first).await;
    assert_eq!(back.get_str("company").unwrap(), COMPANY);
    assert!(!back.contains_key("company_origin"));
    for endpoint in ["models.make_public", "models.make_private"] {
        world.assert_needs_ids(endpoint).await;
        assert_eq!(
            world.error_at("2.8", endpoint, json!({"ids": [first]})).await,
            format!("404/0 Unable to find endpoint for name {endpoint} and version 2.8")
        );
    }
}

#[tokio::test]
async fn models_move_to_projects_by_id_or_name_or_to_the_root() {
    let world = World::new().await;
    let model = world.model(doc! {}).await;
    let project = world.insert(Collection::Project, doc! { "name": "target", "path": [] }).await;
    let request = json!({"ids": [model, "unknown"], "project": project, "project_name": "ignored"});
    assert_eq!(world.ok("models.move", request).await, json!({"project_id": project}));
    assert_eq!(world.stored_model(&model).await.get_str("project").unwrap(), project);

    let answer = world.ok("models.move", json!({"ids": [model], "project_name": "new/below"})).await;
    let created = answer["project_id"].as_str().unwrap();
    let below = world.find(Collection::Project, created).await.unwrap();
    assert_eq!(below.get_str("name").unwrap(), "new/below");
    assert_eq!(below.get_str("description").unwrap(), "");
    assert_eq!(world.stored_model(&model).await.get_str("project").unwrap(), created);
    let answer = world.ok("models.move", json!({"ids": [model], "project_name": "target"})).await;
    assert_eq!(answer, json!({"project_id": project}), "found by its name");

    let answer = world.ok("models.move", json!({"ids": [model], "project": null})).await;
    assert_eq!(answer, json!({"project_id": null}));
    assert!(world.get_model(&model).await.get("project").is_none());
}

#[tokio::test]
async fn moves_are_checked() {
    let world = World::new().await;
    let (model, public) = (world.model(doc! {}).await, world.public_model().await);
    for request in [json!({"ids": [model]}), json!({"ids": [model], "project_name": ""})] {
        assert_eq!(
            world.error("models.move", request).await,
            "400/11 Missing required fields (project or project_name is required)"
        );
    }
    let foreign = world.insert(Collection::Project, doc! { "company": "another" }).await;
    for project in ["nope", &foreign] {
        assert_eq!(
            world.error("models.move", json!({"ids": [model], "project": project})).await,
            format!("400/401 Invalid project id: id={project}")
        );
    }
    world.assert_needs_ids("models.move").await;
    world.ok("models.move", json!({"ids": [public], "project_name": "somewhere"})).await;
    assert!(!world.stored_model(&public).await.contains_key("project"));
}

#[tokio::test]
async fn tags_are_added_and_removed() {
    let world = World::new().await;
    let project = world.insert(Collection::Project, doc! { "last_update": DateTime::from_millis(0) }).await;
    let first = world.model(doc! { "tags": ["a", "b"], "project": &project }).await;
    let second = world.model(doc! {}).await;
    let public = world.public_model().await;
    let ids = [&first, &second, &public];
    let request = json!({"ids": ids, "add_tags": ["c", "a"], "remove_tags": ["b"]});
    assert_eq!(world.ok("models.update_tags", request).await, json!({"updated": 4}));
    assert_eq!(texts(&world.stored_model(&first).await, "tags"), ["a", "c"]);
    assert_eq!(texts(&world.stored_model(&second).await, "tags"), ["c", "a"]);
    assert!(!world.stored_model(&public).await.contains_key("tags"));
    assert!(is_now(world.find(Collection::Project, &project).await.unwrap().get("last_update")));

    let request = json!({"ids": ids, "remove_tags": ["c"]});
    assert_eq!(world.ok("models.update_tags", request).await, json!({"updated": 2}));
    assert_eq!(
        world.error("models.update_tags", json!({"ids": [first], "add_tags": []})).await,
        "400/12 Validation error (Either add tags or remove tags should be provided)"
    );
    world.assert_needs_ids("models.update_tags").await;
}
