//! The `get_*` endpoints of models (spec 04 §1.1).

use bson::{Bson, doc};
use clearml_documents::Collection;
use serde_json::{Value, json};

use crate::{
    lifecycle::World,
    support::{COMPANY, normalized},
};

fn ids(answer: &Value) -> Vec<&str> {
    answer["models"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect()
}

fn no_such(model: &str) -> String {
    format!("400/201 Invalid model id (no such public or company model): id={model}, company={COMPANY}")
}

#[tokio::test]
async fn own_and_public_models_are_read_by_id() {
    let world = World::new().await;
    let own = world.model(doc! { "ui_cache": {"k": 1}, "unique_metrics": ["a/b"], "tags": ["b", "a"] }).await;
    let answered = world.get_model(&own).await;
    assert_eq!(answered["tags"], json!(["a", "b"]));
    for hidden in ["ui_cache", "unique_metrics", "company_origin"] {
        assert!(answered.get(hidden).is_none(), "{hidden}");
    }
    let public = world.public_model().await;
    let answered = world.get_model(&public).await;
    assert_eq!(answered["company"], json!(""));
    assert!(answered.get("company_origin").is_none());

    let foreign = world.foreign_model().await;
    for model in ["unknown", &foreign] {
        assert_eq!(world.error("models.get_by_id", json!({"model": model})).await, no_such(model));
    }
    assert_eq!(
        world.error("models.get_by_id", json!({})).await,
        "400/12 Validation error (error for field 'model'. field is required!)"
    );
}

#[tokio::test]
async fn get_by_id_filters_by_query_fields_and_does_not_project() {
    let world = World::new().await;
    let model = world.model(doc! { "project": "p", "framework": "f" }).await;
    let request = json!({"model": model, "framework": ["f"], "only_fields": ["name"], "page": 3});
    let answer = world.ok("models.get_by_id", request).await;
    assert_eq!(answer["model"]["project"], json!("p"));
    let request = json!({"model": model, "framework": ["other"]});
    assert_eq!(world.error("models.get_by_id", request).await, no_such(&model));
}

#[tokio::test]
async fn old_clients_get_the_last_output_of_their_task() {
    let world = World::new().await;
    let model = world.model(doc! { "ui_cache": {"k": 1} }).await;
    let task = world.creating_task(&model, doc! {}).await;
    let request = json!({"task": task});
    let answer = world.data_at("2.13", "models.get_by_task_id", request.clone()).await;
    assert_eq!(answer["model"]["id"], json!(model));
    assert_eq!(answer["model"]["ui_cache"], json!({"k": 1}), "all fields are answered");
    let (code, subcode, message) = world.user.error("models.get_by_task_id", request).await;
    assert_eq!(
        (code, subcode, message.as_str()),
        (
            301,
            1,
            "This endpoint is no longer supported for the requested api version (use models.get_by_id/get_all \
             apis)"
        )
    );

    let public = world.public_task().await;
    for task in ["unknown", &public] {
        assert_eq!(
            world.error_at("2.1", "models.get_by_task_id", json!({"task": task})).await,
            format!("400/101 Invalid task id: id={task}, company={COMPANY}")
        );
    }
    let without = world.task(doc! {}).await;
    assert_eq!(
        world.error_at("2.13", "models.get_by_task_id", json!({"task": without})).await,
        "400/122 Task is missing expected fields: field=models.output"
    );
    let dangling = world.creating_task("gone", doc! {}).await;
    assert_eq!(
        world.error_at("2.13", "models.get_by_task_id", json!({"task": dangling})).await,
        no_such("gone")
    );
}

#[tokio::test]
async fn get_all_answers_plain_ids_of_own_and_public_models() {
    let world = World::new().await;
    let own = world.model(doc! { "project": "p", "task": "t", "name": "first" }).await;
    let public = world.public_model().await;
    world.foreign_model().await;
    let answer = world.ok("models.get_all", json!({"order_by": ["-name"]})).await;
    assert_eq!(ids(&answer), [&own, &public]);
    assert!(answer.get("scroll_id").is_none());
    let request = json!({"id": [own], "only_fields": ["project", "company", "uri"]});
    let answer = world.ok("models.get_all", request).await;
    assert_eq!(answer["models"], json!([{"project": "p", "company": COMPANY, "uri": "file:///weights"}]));
}

#[tokio::test]
async fn every_query_field_finds() {
    if crate::support::left_out_on_cluster("the stand-in for MongoDB has no text indexes") {
        return;
    }
    let world = World::new().await;
    let metadata = doc! { "a%2Eb": {"key": "a.b", "type": "int", "value": "10"} };
    let wanted = world
        .model(doc! {
            "name": "wanted one", "comment": "some words", "ready": true, "tags": ["t1"], "system_tags": ["s1"],
            "framework": "keras", "uri": "s3://x", "user": "u1", "project": "p1", "task": "t1", "parent": "m1",
            "last_iteration": 7, "metadata": metadata, "last_metrics": {"m": {"v": {"value": 0.5}}},
        })
        .await;
    world.model(doc! { "name": "other", "last_iteration": 1 }).await;
    for request in [
        json!({"name": "^wanted"}),
        json!({"comment": "some.*words"}),
        json!({"ready": true}),
        json!({"tags": ["t1"]}),
        json!({"system_tags": ["s1"]}),
        json!({"framework": ["keras"]}),
        json!({"uri": ["s3://x"]}),
        json!({"id": [wanted]}),
        json!({"user": ["u1"]}),
        json!({"project": ["p1"]}),
        json!({"task": ["t1"]}),
        json!({"parent": ["m1"]}),
        json!({"last_iteration": [5, null]}),
        json!({"last_metrics.m.v.value": [0.1, 0.9]}),
        json!({"metadata.a%2Eb.value": ["10"]}),
        json!({"search_text": "wanted"}),
        json!({"_any_": {"pattern": "keras", "fields": ["framework"]}}),
    ] {
        assert_eq!(ids(&world.ok("models.get_all", request.clone()).await), [&wanted], "{request}");
    }
    let request = json!({"created": [null, "1971-01-01T00:00:00"], "last_change": ["<1971-01-01T00:00:00"]});
    assert_eq!(ids(&world.ok("models.get_all", request).await).len(), 2);
}

#[tokio::test]
async fn paths_into_metadata_have_two_or_three_parts() {
    let world = World::new().await;
    let model = world.model(doc! {}).await;
    for endpoint in ["models.get_by_id", "models.get_all", "models.get_all_ex", "models.get_by_id_ex"] {
        let mut request = json!({"model": model, "id": [model]});
        request["metadata.a.b.c"] = json!(["v"]);
        assert_eq!(
            world.error(endpoint, request).await,
            "400/12 Validation error (invalid field): path=metadata.a.b.c",
            "{endpoint}"
        );
    }
    for (key, path) in [("only_fields", "metadata.a.b.c"), ("order_by", "-metadata.a.b.c")] {
        assert_eq!(
            world.error("models.get_all", json!({key: [path]})).await,
            format!("400/12 Validation error (invalid field): path={path}")
        );
    }
}

#[tokio::test]
async fn metadata_is_ordered_as_numbers() {
    let world = World::new().await;
    let item = |value: &str| doc! { "metadata": {"k": {"key": "k", "type": "int", "value": value}} };
    let ten = world.model(item("10")).await;
    let nine = world.model(item("9")).await;
    let answer = world.ok("models.get_all", json!({"order_by": ["metadata.k.value"]})).await;
    assert_eq!(ids(&answer), [&nine, &ten]);
}

#[tokio::test]
async fn lists_scroll() {
    let world = World::new().await;
    for _ in 0..3 {
        world.model(doc! {}).await;
    }
    for endpoint in ["models.get_all", "models.get_all_ex"] {
        let first = world.ok(endpoint, json!({"scroll_id": null, "size": 2})).await;
        assert_eq!(ids(&first).len(), 2);
        let second = world.ok(endpoint, json!({"scroll_id": first["scroll_id"], "size": 2})).await;
        assert_eq!(ids(&second).len(), 1);
    }
}

#[tokio::test]
async fn get_all_ex_joins() {
    let world = World::new().await;
    let project = world.insert(Collection::Project, doc! { "name": "the project" }).await;
    let task = world.task(doc! { "name": "the task", "status": "completed" }).await;
    let user = world.user.id.clone();
    let parent = world.model(doc! { "name": "b parent" }).await;
    world
        .model(doc! {
            "name": "a child", "project": &project, "task": &task, "user": &user, "parent": &parent,
            "labels": {"a": 1, "b": 2},
        })
        .await;
    world.model(doc! { "name": "c public", "company": "", "company_origin": COMPANY }).await;

    let plain = world.ok("models.get_all_ex", json!({"name": "a child"})).await;
    insta::assert_json_snapshot!("objects", normalized(&plain));
    let fields =
        ["name", "project.name", "task.name", "task.status", "user.name", "parent.name", "company.name"];
    let request = json!({"only_fields": fields, "order_by": ["name"], "include_stats": true});
    let joined = world.ok("models.get_all_ex", request).await;
    insta::assert_json_snapshot!("joined", normalized(&joined));
    let own = world.ok("models.get_all_ex", json!({"allow_public": false, "order_by": ["name"]})).await;
    assert_eq!(own["models"].as_array().unwrap().len(), 2);
    let public = world.ok("models.get_all_ex", json!({"name": "c public"})).await;
    assert_eq!(public["models"][0]["company"], json!({}));
}

#[tokio::test]
async fn subprojects_are_included_on_request() {
    let world = World::new().await;
    let top = world.insert(Collection::Project, doc! { "name": "top", "path": [] }).await;
    let below =
        world.insert(Collection::Project, doc! { "name": "top/below", "path": [&top], "parent": &top }).await;
    let model = world.model(doc! { "project": &below }).await;
    for endpoint in ["models.get_all", "models.get_all_ex"] {
        let request = json!({"project": [top], "include_subprojects": true});
        assert_eq!(ids(&world.ok(endpoint, request).await), [&model], "{endpoint}");
        assert!(ids(&world.ok(endpoint, json!({"project": [top]})).await).is_empty());
    }
    let request = json!({"id": [model], "project": [top], "include_subprojects": true});
    assert!(ids(&world.ok("models.get_by_id_ex", request).await).is_empty());
}

#[tokio::test]
async fn filters_take_include_and_exclude() {
    let world = World::new().await;
    let wanted = world.model(doc! { "tags": ["a"] }).await;
    world.model(doc! { "tags": ["a", "b"] }).await;
    let request = json!({"filters": {"tags": {"all": {"include": ["a"], "exclude": ["b"]}}}});
    assert_eq!(ids(&world.ok("models.get_all_ex", request).await), [&wanted]);
}

#[tokio::test]
async fn get_by_id_ex_needs_its_key_only() {
    let world = World::new().await;
    let public = world.public_model().await;
    let request = json!({"id": [public], "allow_public": false, "scroll_id": null, "include_stats": true});
    let answer = world.ok("models.get_by_id_ex", request).await;
    assert_eq!(ids(&answer), [&public]);
    assert!(answer.get("scroll_id").is_none() && answer["models"][0].get("stats").is_none());
    assert_eq!(
        world.error("models.get_by_id_ex", json!({})).await,
        "400/11 Missing required fields: missing=(id)"
    );
}

#[tokio::test]
async fn frameworks_are_distinct_and_sorted() {
    let world = World::new().await;
    let top = world.insert(Collection::Project, doc! { "name": "top", "path": [] }).await;
    let below =
        world.insert(Collection::Project, doc! { "name": "top/below", "path": [&top], "parent": &top }).await;
    world.model(doc! { "framework": "keras", "project": &below }).await;
    world.model(doc! { "framework": "PyTorch" }).await;
    world.model(doc! { "framework": "keras", "company": "" }).await;
    world.model(doc! { "framework": "secret", "company": "another" }).await;
    for empty in [Bson::Null, Bson::from("")] {
        world.model(doc! { "framework": empty }).await;
    }
    let all = world.ok("models.get_frameworks", json!({})).await;
    assert_eq!(all, json!({"frameworks": ["PyTorch", "keras"]}));
    let some = world.ok("models.get_frameworks", json!({"projects": [top]})).await;
    assert_eq!(some, json!({"frameworks": ["keras"]}));
}
