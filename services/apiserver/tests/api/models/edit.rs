//! `models.edit` and `models.update` (spec 04 §1.4).

use bson::{Bson, DateTime, doc};
use clearml_documents::Collection;
use serde_json::json;

use super::texts;
use crate::{
    lifecycle::{World, field_names, forbidden, is_now},
    support::COMPANY,
};

#[tokio::test]
async fn edit_stores_and_answers_its_fields() {
    let world = World::new().await;
    let model = world.model(doc! { "ready": true, "ui_cache": {"k": 1}, "comment": "old" }).await;
    let project = world.insert(Collection::Project, doc! { "company": "another" }).await;
    let parent = world.foreign_model().await;
    let task = world.task_in("published").await;
    let request = json!({
        "model": model, "name": " new name ", "uri": " s3://new ", "comment": null, "framework": "f",
        "design": {"d": "x"}, "labels": {"a": 1, "b": 1}, "tags": ["b", "a"], "system_tags": ["s"],
        "project": project, "parent": parent, "task": task, "ready": false,
        "metadata": {"a.b": {"key": "a.b", "type": "str", "value": "v"}}, "ui_cache": {"ignored": 1},
        "company": "ignored",
    });
    let answer = world.ok("models.edit", request).await;
    assert_eq!(answer["updated"], json!(1));
    assert_eq!(
        field_names(&answer["fields"]),
        [
            "design",
            "framework",
            "labels",
            "last_change",
            "last_changed_by",
            "last_update",
            "metadata",
            "name",
            "parent",
            "project",
            "ready",
            "system_tags",
            "tags",
            "task",
            "ui_cache",
            "uri"
        ]
    );
    assert_eq!(answer["fields"]["tags"], json!(["a", "b"]));
    assert_eq!(answer["fields"]["name"], json!("new name"));
    assert_eq!(answer["fields"]["ui_cache"], json!({}));
    assert_eq!(answer["fields"]["metadata"], json!({"a.b": {"key": "a.b", "type": "str", "value": "v"}}));
    let stored = world.stored_model(&model).await;
    assert_eq!(texts(&stored, "tags"), ["b", "a"], "as sent");
    assert_eq!(stored.get_str("uri").unwrap(), "s3://new");
    assert_eq!(stored.get_str("comment").unwrap(), "old", "null is ignored");
    assert_eq!(stored.get_str("company").unwrap(), COMPANY);
    assert_eq!(stored.get_str("last_changed_by").unwrap(), world.user.id);
    assert!(stored.get_document("ui_cache").unwrap().is_empty());
    assert!(stored.get_document("metadata").unwrap().contains_key("a%2Eb"));
    assert!(!stored.get_bool("ready").unwrap());
}

#[tokio::test]
async fn nothing_to_edit_is_no_change() {
    let world = World::new().await;
    let model = world.model(doc! {}).await;
    for (endpoint, request) in [
        ("models.edit", json!({"model": model, "name": null, "ui_cache": {}})),
        ("models.update", json!({"model": model, "ready": true, "labels": {"a": 1}, "framework": "f"})),
    ] {
        assert_eq!(world.ok(endpoint, request).await, json!({"updated": 0, "fields": {}}));
    }
    let stored = world.stored_model(&model).await;
    assert_eq!(stored.get_datetime("last_change").unwrap(), &DateTime::from_millis(0));
    assert!(!stored.get_bool("ready").unwrap());
}

#[tokio::test]
async fn update_stores_nulls() {
    let world = World::new().await;
    let model = world.model(doc! { "comment": "old", "project": "p" }).await;
    let request = json!({
        "model": model, "comment": null, "project": "not verified", "uri": "u", "ui_cache": {"kept": 1},
        "created": "2020-01-02T03:04:05.678Z", "ready": true, "tags": ["b", "a"],
    });
    let answer = world.ok("models.update", request).await;
    assert_eq!(answer["updated"], json!(1));
    assert_eq!(
        field_names(&answer["fields"]),
        ["comment", "created", "last_change", "last_changed_by", "project", "tags", "ui_cache", "uri"]
    );
    assert_eq!(answer["fields"]["ui_cache"], json!({"kept": 1}));
    assert_eq!(answer["fields"]["tags"], json!(["a", "b"]));
    let stored = world.stored_model(&model).await;
    assert_eq!(stored.get("comment"), Some(&Bson::Null));
    assert_eq!(stored.get_str("project").unwrap(), "not verified");
    assert_eq!(stored.get_datetime("created").unwrap(), &DateTime::from_millis(1_577_934_245_678));
    assert!(is_now(stored.get("last_update")), "{stored}");
    assert!(!stored.get_bool("ready").unwrap());
    assert!(world.get_model(&model).await.get("comment").is_none());
}

#[tokio::test]
async fn a_new_uri_empties_the_cache() {
    let world = World::new().await;
    for endpoint in ["models.edit", "models.update"] {
        let model = world.model(doc! { "ui_cache": {"k": 1} }).await;
        let answer = world.ok(endpoint, json!({"model": model, "uri": "u"})).await;
        assert_eq!(answer["fields"]["ui_cache"], json!({}));
        assert!(world.stored_model(&model).await.get_document("ui_cache").unwrap().is_empty());
        let other = world.model(doc! { "ui_cache": {"k": 1} }).await;
        world.ok(endpoint, json!({"model": other, "comment": "c"})).await;
        assert!(!world.stored_model(&other).await.get_document("ui_cache").unwrap().is_empty());
    }
}

#[tokio::test]
async fn only_own_models_are_edited() {
    let world = World::new().await;
    world.assert_needs_own_model("models.edit", &json!({"name": "other"})).await;
    world.assert_needs_own_model("models.update", &json!({"name": "other"})).await;
}

#[tokio::test]
async fn edit_checks_that_references_exist() {
    let world = World::new().await;
    let model = world.model(doc! {}).await;
    for (field, kind) in [("task", "Task"), ("project", "Project"), ("parent", "Model")] {
        assert_eq!(
            world.error("models.edit", json!({"model": model, field: "nope"})).await,
            format!("400/16 Invalid value for fields (expecting {kind} id): id=nope, field={field}")
        );
    }
    world.ok("models.update", json!({"model": model, "project": "nope"})).await;
}

#[tokio::test]
async fn the_task_must_be_writable() {
    let world = World::new().await;
    let model = world.model(doc! {}).await;
    let (public, foreign) = (world.public_task().await, world.foreign_task().await);
    for endpoint in ["models.edit", "models.update"] {
        let request = |task: &str| json!({"model": model, "task": task, "name": "other"});
        assert_eq!(world.error(endpoint, request(&public)).await, forbidden(&public));
        assert_eq!(
            world.error(endpoint, request(&foreign)).await,
            format!("400/101 Invalid task id: id={foreign}, company={COMPANY}")
        );
    }
    assert_eq!(world.stored_model(&model).await.get_str("name").unwrap(), "a name");
}

#[tokio::test]
async fn deleted_tasks_are_passed_over() {
    let world = World::new().await;
    let gone = "__DELETED__0123";
    let model = world.model(doc! { "task": gone }).await;
    let answer = world.ok("models.edit", json!({"model": model, "task": gone, "comment": "c"})).await;
    assert_eq!(field_names(&answer["fields"]), ["comment", "last_change", "last_changed_by"]);
    assert_eq!(world.stored_model(&model).await.get_str("task").unwrap(), gone);
    let error = world.error("models.update", json!({"model": model, "task": gone, "comment": "c"})).await;
    assert_eq!(error, format!("400/101 Invalid task id: id={gone}, company={COMPANY}"));
}

#[tokio::test]
async fn shapes_and_values_are_checked() {
    let world = World::new().await;
    let model = world.model(doc! {}).await;
    let short = "400/800 Data validation error: name=String value is too short";
    for (endpoint, field, value, expected) in [
        ("models.edit", "tags", json!("a"), "400/16 Invalid value for fields (expecting list): field=tags"),
        (
            "models.edit",
            "system_tags",
            json!(1),
            "400/16 Invalid value for fields (expecting list): field=system_tags",
        ),
        (
            "models.edit",
            "metadata",
            json!(1),
            "400/16 Invalid value for fields (expecting list): field=metadata",
        ),
        (
            "models.edit",
            "design",
            json!([]),
            "400/16 Invalid value for fields (expecting dict): field=design",
        ),
        (
            "models.edit",
            "labels",
            json!("x"),
            "400/16 Invalid value for fields (expecting dict): field=labels",
        ),
        (
            "models.edit",
            "labels",
            json!({"a": "1"}),
            "400/12 Validation error (labels values must be integers): values=(1)",
        ),
        (
            "models.update",
            "labels",
            json!({"a": null}),
            "400/12 Validation error (labels values must be integers): values=(None)",
        ),
        (
            "models.edit",
            "tags",
            json!(["__$or"]),
            "400/16 Invalid value for fields (unsupported tag prefix): values=(__$or)",
        ),
        (
            "models.update",
            "tags",
            json!(["__$or"]),
            "400/16 Invalid value for fields (unsupported tag prefix): values=(__$or)",
        ),
        ("models.edit", "name", json!(" ab "), short),
        ("models.update", "name", json!("ab"), short),
        (
            "models.edit",
            "name",
            json!(5),
            "400/800 Data validation error: name=StringField only accepts string values",
        ),
        (
            "models.update",
            "uri",
            json!(["u"]),
            "400/800 Data validation error: uri=StringField only accepts string values",
        ),
        (
            "models.edit",
            "ready",
            json!("yes"),
            "400/800 Data validation error: ready=BooleanField only accepts boolean values",
        ),
        (
            "models.edit",
            "tags",
            json!([1]),
            "400/800 Data validation error: tags=StringField only accepts string values",
        ),
        (
            "models.update",
            "created",
            json!("yesterday"),
            "400/800 Data validation error: created=cannot parse date",
        ),
    ] {
        let error = world.error(endpoint, json!({"model": model, field: value})).await;
        assert_eq!(error, expected, "{endpoint} {field}");
    }
    let error = world.error("models.edit", json!({"model": model, "design": {"$x": 1}})).await;
    assert!(error.starts_with("400/800 Data validation error: design="), "{error}");
    let stored = world.stored_model(&model).await;
    assert_eq!(stored.get_datetime("last_change").unwrap(), &DateTime::from_millis(0), "{stored}");
}

#[tokio::test]
async fn edit_raises_the_iteration_of_the_model_s_task() {
    let world = World::new().await;
    let task = world.task(doc! { "last_iteration": 5, "status": "in_progress" }).await;
    let model = world.model(doc! { "task": &task }).await;
    assert_eq!(
        world.ok("models.edit", json!({"model": model, "iteration": 9})).await,
        json!({"updated": 0, "fields": {}})
    );
    let stored = world.stored(&task).await;
    assert_eq!(stored.get("last_iteration"), Some(&Bson::Int64(9)));
    assert!(is_now(stored.get("last_update")) && is_now(stored.get("last_change")));
    assert_eq!(stored.get_str("last_changed_by").unwrap(), world.user.id);
    world.ok("models.edit", json!({"model": model, "iteration": 3})).await;
    assert_eq!(world.stored(&task).await.get("last_iteration"), Some(&Bson::Int64(9)));

    let other = world.task(doc! {}).await;
    world.ok("models.edit", json!({"model": model, "task": other, "iteration": 4})).await;
    assert_eq!(world.stored(&other).await.get("last_iteration"), Some(&Bson::Int64(4)));
}

#[tokio::test]
async fn update_raises_the_iteration_of_a_given_task_only() {
    let world = World::new().await;
    let task = world.task(doc! {}).await;
    let model = world.model(doc! { "task": &task }).await;
    world.ok("models.update", json!({"model": model, "iteration": 9, "comment": "c"})).await;
    assert_eq!(world.stored(&task).await.get("last_iteration"), None);
    let answer = world.ok("models.update", json!({"model": model, "task": task, "iteration": 9})).await;
    assert_eq!(answer["updated"], json!(0));
    assert_eq!(world.stored(&task).await.get("last_iteration"), Some(&Bson::Int64(9)));
}

#[tokio::test]
async fn tags_of_old_clients_replace_both_lists() {
    let world = World::new().await;
    for endpoint in ["models.edit", "models.update"] {
        let model = world.model(doc! { "tags": ["old"], "system_tags": ["archived"] }).await;
        let answer = world.data_at("2.2", endpoint, json!({"model": model, "tags": ["new"]})).await;
        assert_eq!(answer["fields"]["tags"], json!(["new"]));
        let stored = world.stored_model(&model).await;
        assert_eq!(texts(&stored, "tags"), ["new"]);
        assert!(texts(&stored, "system_tags").is_empty());
    }
}
