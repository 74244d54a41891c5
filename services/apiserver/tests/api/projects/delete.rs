//! `validate_delete` and `delete` (spec 03 §2.9).

use super::*;

async fn count(server: &TestServer, collection: Collection) -> u64 {
    server.app.documents.count(collection, Filter::Everything, false).await.unwrap()
}

/// `top` and `top/below` with tasks, a report, a model; a pipeline and a dataset below.
async fn tree(server: &TestServer, user: &Client) -> String {
    let below = create(user, "top/below").await;
    let pipeline =
        create_with(user, "top/.pipelines/p", json!({"system_tags": ["pipeline", "hidden"]})).await;
    let dataset = create_with(user, "top/.datasets/d", json!({"system_tags": ["dataset", "hidden"]})).await;
    let top = id_of(&by_name(server, "top").await);
    store(
        server,
        Collection::Task,
        vec![
            doc! { "_id": "t1", "project": &top },
            doc! { "_id": "t2", "project": &below, "system_tags": ["archived"] },
            doc! { "_id": "r1", "project": &below, "system_tags": ["reports"] },
            doc! { "_id": "c1", "project": &pipeline, "type": "controller" },
            doc! { "_id": "d1", "project": &dataset, "type": "data_processing" },
        ],
    )
    .await;
    store(
        server,
        Collection::Model,
        vec![
            doc! { "_id": "m1", "project": &below },
            doc! { "_id": "m2", "project": &top, "system_tags": ["archived"] },
        ],
    )
    .await;
    top
}

#[tokio::test]
async fn validation_counts_what_goes() {
    let (server, user) = server().await;
    let top = tree(&server, &user).await;
    assert_eq!(
        user.ok("projects.validate_delete", json!({"project": top})).await,
        json!({
            "tasks": 2, "non_archived_tasks": 1, "reports": 1, "non_archived_reports": 1,
            "models": 2, "non_archived_models": 1, "pipelines": 1, "datasets": 1,
        })
    );
    store_public(&server, "public", "examples").await;
    for endpoint in ["projects.validate_delete", "projects.delete"] {
        let (code, subcode, message) = user.error(endpoint, json!({"project": "x"})).await;
        assert_eq!((code, subcode, message.as_str()), (400, 401, "Invalid project id: id=x"));
        let (code, subcode, _) = user.error(endpoint, json!({"project": "public"})).await;
        assert_eq!((code, subcode), (403, 21));
    }
}

#[tokio::test]
async fn contents_forbid_deletion_in_order() {
    let (server, user) = server().await;
    let top = tree(&server, &user).await;
    let refusal = async || {
        let (code, subcode, message) = user.error("projects.delete", json!({"project": top})).await;
        assert_eq!(code, 400);
        assert!(message.ends_with(&format!("use force=true): id={top}")), "{message}");
        subcode
    };
    let remove = async |collection, id: &str| {
        server.app.documents.delete(collection, Filter::id(id)).await.unwrap();
    };
    assert_eq!(refusal().await, 413);
    remove(Collection::Task, "c1").await;
    assert_eq!(refusal().await, 406);
    remove(Collection::Task, "d1").await;
    assert_eq!(refusal().await, 402);
    remove(Collection::Task, "t1").await;
    assert_eq!(refusal().await, 402, "reports count");
    remove(Collection::Task, "r1").await;
    assert_eq!(refusal().await, 405);
    remove(Collection::Model, "m1").await;
    let data = user.ok("projects.delete", json!({"project": top})).await;
    assert_eq!(data["deleted"], json!(6));
}

#[tokio::test]
async fn forced_deletion_leaves_contents_without_project() {
    let (server, user) = server().await;
    let top = tree(&server, &user).await;
    let data = user.ok("projects.delete", json!({"project": top, "force": true})).await;
    assert_eq!(
        data,
        json!({"deleted": 6, "disassociated_tasks": 5, "deleted_models": 0, "deleted_tasks": 0, "urls": null})
    );
    assert_eq!(count(&server, Collection::Project).await, 0);
    assert_eq!((count(&server, Collection::Task).await, count(&server, Collection::Model).await), (5, 2));
    for (collection, id) in [(Collection::Task, "t1"), (Collection::Model, "m1")] {
        let document = stored(&server, collection, id).await.unwrap();
        assert_eq!(document.get("project"), Some(&bson::Bson::Null));
    }
}

#[tokio::test]
async fn deletes_contents_and_mends_references() {
    let (server, user) = server().await;
    let doomed = create(&user, "doomed").await;
    let other = create(&user, "other").await;
    let model = |id: &str, task: &str| {
        doc! { "_id": id, "project": &doomed, "task": task, "uri": format!("file:///{id}") }
    };
    store(
        &server,
        Collection::Model,
        vec![
            model("m1", "maker"),
            model("m2", "publisher"),
            doc! { "_id": "kept", "project": &other, "task": "t1" },
        ],
    )
    .await;
    let models = |input: &str, output: &str| {
        doc! { "input": [{"name": "i", "model": input}], "output": [{"name": "o", "model": output}] }
    };
    store(
        &server,
        Collection::Task,
        vec![
            doc! {
                "_id": "t1", "project": &doomed,
                "execution": {"artifacts": {
                    "a_output": {"key": "a", "mode": "output", "uri": "file:///a"},
                    "b_input": {"key": "b", "mode": "input", "uri": "file:///b"},
                }},
            },
            doc! { "_id": "child", "project": &other, "parent": "t1" },
            doc! { "_id": "user", "project": &other, "models": models("m1", "elsewhere") },
            doc! { "_id": "maker", "project": &other, "status": "completed", "models": models("x", "m1") },
            doc! { "_id": "publisher", "project": &other, "status": "published", "models": models("x", "m2") },
        ],
    )
    .await;
    let request = json!({"project": doomed, "force": true, "delete_contents": true});
    let data = user.ok("projects.delete", request).await;
    assert_eq!(
        data,
        json!({
            "deleted": 1, "disassociated_tasks": 0, "deleted_models": 2, "deleted_tasks": 1,
            "urls": {
                "model_urls": ["file:///m1", "file:///m2"], "artifact_urls": ["file:///a"], "event_urls": [],
            },
        })
    );
    for (collection, id) in [
        (Collection::Task, "t1"),
        (Collection::Model, "m1"),
        (Collection::Model, "m2"),
        (Collection::TaskTrash, "t1"),
    ] {
        assert!(stored(&server, collection, id).await.is_none(), "{id}");
    }
    let task = async |id: &str| stored(&server, Collection::Task, id).await.unwrap();
    let models_of = |task: &Document, side: &str| {
        let items = task.get_document("models").unwrap().get_array(side).unwrap().clone();
        let ids = items.iter().map(|item| item.as_document().unwrap().get_str("model").unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(task("child").await.get("parent"), Some(&bson::Bson::Null));
    assert_eq!(models_of(&task("user").await, "input"), ["__DELETED__"]);
    assert_eq!(models_of(&task("user").await, "output"), ["elsewhere"]);
    assert_eq!(models_of(&task("maker").await, "output"), [""; 0]);
    assert_eq!(task("maker").await.get_str("last_changed_by").unwrap(), user.id);
    assert_eq!(models_of(&task("publisher").await, "output"), ["__DELETED__"]);
    let kept = stored(&server, Collection::Model, "kept").await.unwrap();
    assert_eq!(kept.get("task"), Some(&bson::Bson::Null));
    assert_eq!(kept.get_str("last_changed_by").unwrap(), user.id);
}

#[tokio::test]
async fn files_that_the_server_can_delete_are_scheduled() {
    let (server, user) = server().await;
    for (with_files, expected_urls, scheduled) in [
        (json!(null), json!(["file:///local"]), vec!["http://files/a", "s3://bucket/m"]),
        (json!(false), json!(["file:///local", "http://files/a"]), vec![]),
    ] {
        let doomed = create(&user, "doomed").await;
        let artifact = |uri: &str| doc! { "key": uri, "mode": "output", "uri": uri };
        let artifacts =
            doc! { "a_output": artifact("http://files/a"), "b_output": artifact("file:///local") };
        let task = doc! { "project": &doomed, "execution": {"artifacts": artifacts} };
        store(&server, Collection::Task, vec![task]).await;
        store(&server, Collection::Model, vec![doc! { "project": &doomed, "uri": "s3://bucket/m" }]).await;
        let request = json!({
            "project": doomed, "force": true, "delete_contents": true, "delete_external_artifacts": with_files,
        });
        let urls = user.ok("projects.delete", request).await["urls"].clone();
        assert_eq!(urls["artifact_urls"], expected_urls);
        let find = Find::new(Filter::eq("task", doomed.as_str()));
        let records = server.app.documents.find(Collection::UrlToDelete, find).await.unwrap();
        let mut found: Vec<&str> = records.iter().map(|record| record.get_str("url").unwrap()).collect();
        found.sort_unstable();
        assert_eq!(found, scheduled);
    }
}
