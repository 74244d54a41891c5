//! `models.create` (spec 04 §1.2).

use bson::{Bson, doc};
use clearml_documents::Collection;
use serde_json::json;

use crate::{
    lifecycle::{World, forbidden, is_now},
    support::{COMPANY, normalized},
};

#[tokio::test]
async fn a_new_model_is_ready_and_has_all_its_defaults() {
    let world = World::new().await;
    let answer = world.ok("models.create", json!({"name": "  weights ", "uri": " s3://b/w "})).await;
    assert_eq!(answer["created"], json!(true));
    let id = answer["id"].as_str().unwrap();
    insta::assert_json_snapshot!(normalized(&world.get_model(id).await));
    let stored = world.stored_model(id).await;
    for date in ["created", "last_update", "last_change"] {
        assert!(is_now(stored.get(date)), "{date}");
    }
    assert_eq!(stored.get_str("user").unwrap(), world.user.id);
    assert_eq!(stored.get_str("last_changed_by").unwrap(), world.user.id);
}

#[tokio::test]
async fn a_new_model_keeps_what_it_is_given() {
    let world = World::new().await;
    let project = world.insert(Collection::Project, doc! {}).await;
    let task = world.task_in("completed").await;
    let request = json!({
        "name": "weights", "uri": "s3://b/w", "comment": "c", "framework": "PyTorch", "project": project,
        "task": task, "parent": "not verified", "tags": ["b", "a"], "system_tags": ["y", "x"],
        "labels": {"a.b": 1, "back": 0, "ground": 0}, "design": {"proto.txt": {"x": [1]}},
        "ui_cache": {"k": 1}, "ready": false,
        "metadata": {"a.b": {"key": "a.b", "type": "str", "value": "v"}},
        "user": "ignored", "unknown": 1,
    });
    let id = world.ok("models.create", request).await["id"].as_str().unwrap().to_owned();
    insta::assert_json_snapshot!(normalized(&world.get_model(&id).await));
    let stored = world.stored_model(&id).await;
    assert_eq!(stored.get_array("tags").unwrap(), &[Bson::from("a"), Bson::from("b")]);
    assert_eq!(stored.get_array("system_tags").unwrap(), &[Bson::from("x"), Bson::from("y")]);
    assert!(stored.get_document("metadata").unwrap().contains_key("a%2Eb"));
    assert_eq!(stored.get_document("ui_cache").unwrap().len(), 1);
    let task = world.stored(&task).await;
    assert!(!task.contains_key("models"), "{task}");
}

#[tokio::test]
async fn names_need_not_be_unique() {
    let world = World::new().await;
    let request = json!({"name": "same", "uri": "u"});
    let first = world.ok("models.create", request.clone()).await;
    assert_ne!(first, world.ok("models.create", request).await);
}

#[tokio::test]
async fn name_and_uri_are_required_and_checked() {
    let world = World::new().await;
    for (field, request) in [("name", json!({"uri": "u"})), ("uri", json!({"name": "some"}))] {
        assert_eq!(
            world.error("models.create", request).await,
            format!("400/12 Validation error (error for field '{field}'. field is required!)")
        );
    }
    assert_eq!(
        world.error("models.create", json!({"name": " ab ", "uri": "u"})).await,
        "400/800 Data validation error: name=String value is too short"
    );
    let error = world.error("models.create", json!({"name": 5, "uri": "u"})).await;
    assert!(error.starts_with("400/12 Validation error (error for field 'name'"), "{error}");
}

#[tokio::test]
async fn labels_are_unique_integers() {
    let world = World::new().await;
    for (labels, expected) in [
        (json!({"a": "1"}), "400/800 Data validation error: labels="),
        (json!({"a": 1.5}), "400/12 Validation error (labels values must be integers)"),
        (
            json!({"a": 1, "b": 1}),
            "400/800 Data validation error: labels=Same label id appears more than once in model labels",
        ),
        (json!({"$a": 1}), "400/800 Data validation error: labels="),
        (json!({"": 1}), "400/800 Data validation error: labels="),
    ] {
        let request = json!({"name": "name", "uri": "u", "labels": labels});
        let error = world.error("models.create", request).await;
        assert!(error.starts_with(expected), "{error}");
    }
    let request = json!({"name": "name", "uri": "u", "labels": {"a": null, "b": null, "c": -1}});
    world.ok("models.create", request).await;
}

#[tokio::test]
async fn free_objects_have_proper_keys() {
    let world = World::new().await;
    for field in ["design", "ui_cache"] {
        for key in ["", "$set"] {
            let mut request = json!({"name": "name", "uri": "u"});
            request[field] = json!({key: 1});
            let error = world.error("models.create", request).await;
            assert!(error.starts_with(&format!("400/800 Data validation error: {field}=")), "{error}");
        }
    }
}

#[tokio::test]
async fn metadata_and_tags_are_checked() {
    let world = World::new().await;
    let with = |field: &str, value| {
        let mut request = json!({"name": "name", "uri": "u"});
        request[field] = value;
        request
    };
    let without_value = json!({"k": {"key": "k", "type": "t"}});
    assert_eq!(
        world.error("models.create", with("metadata", without_value)).await,
        "400/12 Validation error (error for field 'value'. field is required!)"
    );
    let empty_key = json!({" ": {"key": " ", "type": "t", "value": "v"}});
    assert_eq!(
        world.error("models.create", with("metadata", empty_key)).await,
        "400/12 Validation error (Empty key is not allowed)"
    );
    assert_eq!(
        world.error("models.create", with("tags", json!(["__$all", "x"]))).await,
        "400/16 Invalid value for fields (unsupported tag prefix): values=(__$all)"
    );
}

#[tokio::test]
async fn project_and_task_must_be_own() {
    let world = World::new().await;
    let with = |field: &str, value: &str| json!({"name": "name", "uri": "u", field: value});
    let foreign = world.insert(Collection::Project, doc! { "company": "another" }).await;
    let public = world.insert(Collection::Project, doc! { "company": "" }).await;
    for project in ["unknown", &foreign, &public] {
        assert_eq!(
            world.error("models.create", with("project", project)).await,
            format!("400/12 Validation error (Invalid project ids): project={project}")
        );
    }
    let foreign = world.foreign_task().await;
    assert_eq!(
        world.error("models.create", with("task", &foreign)).await,
        format!("400/101 Invalid task id: id={foreign}, company={COMPANY}")
    );
    let public = world.public_task().await;
    assert_eq!(world.error("models.create", with("task", &public)).await, forbidden(&public));
}

#[tokio::test]
async fn a_public_model_is_about_public_things() {
    let world = World::new().await;
    let own = world.insert(Collection::Project, doc! {}).await;
    let public = world.insert(Collection::Project, doc! { "company": "" }).await;
    let request = |project: &str| json!({"name": "name", "uri": "u", "public": true, "project": project});
    assert_eq!(
        world.error("models.create", request(&own)).await,
        format!("400/12 Validation error (Invalid project ids): project={own}")
    );
    let created = world.ok("models.create", request(&public)).await;
    let model = world.stored_model(created["id"].as_str().unwrap()).await;
    assert_eq!(model.get_str("company").unwrap(), "");
    let own_task = world.task_in("created").await;
    let request = json!({"name": "name", "uri": "u", "public": true, "task": own_task});
    assert!(world.error("models.create", request).await.starts_with("400/101 Invalid task id"));
}

#[tokio::test]
async fn older_clients_send_system_tags_among_tags() {
    let world = World::new().await;
    let request = json!({"name": "name", "uri": "u", "tags": ["b", "archived", "a"]});
    let created = world.data_at("2.1", "models.create", request).await;
    let id = created["id"].as_str().unwrap();
    let stored = world.get_model(id).await;
    assert_eq!((&stored["tags"], &stored["system_tags"]), (&json!(["a", "b"]), &json!(["archived"])));
    let seen = world.data_at("2.2", "models.get_by_id", json!({"model": id})).await;
    assert_eq!(seen["model"]["tags"], json!(["a", "archived", "b"]));
    let found = world.data_at("2.2", "models.get_all", json!({"tags": ["-archived"]})).await;
    assert_eq!(found["models"], json!([]));
}
