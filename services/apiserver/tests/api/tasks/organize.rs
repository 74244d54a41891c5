//! `tasks.move`, `update_tags`, `make_public`, `make_private` (spec 02 §5.7 to §5.9).

use serde_json::{Value, json};

use super::{Api, forbidden};
use crate::support::COMPANY;

#[tokio::test]
async fn tasks_are_moved_to_projects_or_to_the_root() {
    let api = Api::start().await;
    let project = api.project("target").await;
    let task = api.create(json!({})).await;
    assert_eq!(
        api.data("tasks.move", json!({"ids": [task], "project": project})).await,
        json!({"project_id": project})
    );
    assert_eq!(api.task(&task).await["project"], project);
    let moved = api.data("tasks.move", json!({"ids": [task, task], "project_name": "new one/sub"})).await;
    let by_name = api.project("new one/sub").await;
    assert_eq!(moved["project_id"], by_name);
    assert_eq!(
        api.data("tasks.move", json!({"ids": [task], "project": null})).await,
        json!({"project_id": null})
    );
    assert!(api.task(&task).await.get("project").is_none());

    assert_eq!(
        api.error("tasks.move", json!({"ids": [task]})).await,
        "400/11 Missing required fields (project or project_name is required)"
    );
    assert_eq!(
        api.error("tasks.move", json!({"ids": [task], "project": "nope"})).await,
        "400/401 Invalid project id: id=nope"
    );
    assert_eq!(
        api.error("tasks.move", json!({"ids": [task, "x"], "project": project})).await,
        "400/101 Invalid task id: ids=(x)"
    );
    let public = api.public_task().await;
    assert_eq!(
        api.error("tasks.move", json!({"ids": [task, public], "project": project})).await,
        forbidden(&[&public])
    );
}

#[tokio::test]
async fn tags_are_added_and_removed() {
    let api = Api::start().await;
    let first = api.create(json!({"tags": ["a"]})).await;
    let second = api.create(json!({"tags": ["b", "c"]})).await;
    let request = json!({"ids": [first, second], "add_tags": ["a", "d"], "remove_tags": ["c"]});
    assert_eq!(api.data("tasks.update_tags", request).await, json!({"updated": 4}));
    assert_eq!(api.task(&first).await["tags"], json!(["a", "d"]));
    assert_eq!(api.task(&second).await["tags"], json!(["a", "b", "d"]));
    assert_eq!(
        api.error("tasks.update_tags", json!({"ids": [first]})).await,
        "400/12 Validation error (Either add tags or remove tags should be provided)"
    );
    assert_eq!(
        api.error("tasks.update_tags", json!({"ids": [first, "x"], "add_tags": ["e"]})).await,
        "400/101 Invalid task id: ids=(x)"
    );
    assert_eq!(api.task(&first).await["tags"], json!(["a", "d"]));
}

#[tokio::test]
async fn tasks_are_shared_and_taken_back() {
    let api = Api::start().await;
    let task = api.create(json!({})).await;
    let id = task.as_str().unwrap();
    assert_eq!(
        api.error("tasks.make_public", json!({"ids": [task, "x"]})).await,
        "400/101 Invalid task id: ids=(x)"
    );
    assert_eq!(api.data("tasks.make_public", json!({"ids": [task]})).await, json!({"updated": 1}));
    let shared = api.task(&task).await;
    assert_eq!(shared["company"], "");
    assert!(shared.get("company_origin").is_none());
    assert_eq!(api.error("tasks.edit", json!({"task": task, "name": "other"})).await, forbidden(&[&task]));
    assert_eq!(
        api.error("tasks.make_public", json!({"ids": [task]})).await,
        format!("400/101 Invalid task id: ids=({id})")
    );
    assert_eq!(api.data("tasks.make_private", json!({"ids": [task]})).await, json!({"updated": 1}));
    assert_eq!(api.task(&task).await["company"], json!(COMPANY));
    let others = api.public_task_of_others().await;
    let error = api.error("tasks.make_private", json!({"ids": [others]})).await;
    assert!(error.starts_with("400/101 "), "{error}");
    let old: Value = json!({"ids": [task]});
    assert_eq!(
        api.error_at("2.8", "tasks.make_public", old).await,
        "404/0 Unable to find endpoint for name tasks.make_public and version 2.8"
    );
}
