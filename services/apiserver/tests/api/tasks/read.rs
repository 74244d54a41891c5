//! `tasks.get_by_id`, `get_by_id_ex`, `get_all`, `get_all_ex`, `get_types` (spec 02 §13, 08 §1.7).

use serde_json::{Value, json};

use super::Api;
use crate::support::COMPANY;

#[tokio::test]
async fn get_by_id_finds_own_and_public_tasks() {
    let api = Api::start().await;
    let task = api.create(json!({})).await;
    assert_eq!(api.task(&task).await["unique_metrics"], json!([]));
    let public = api.public_task_of_others().await;
    assert_eq!(api.task(&public).await["company"], "");
    let foreign = api.foreign_task().await;
    for id in [json!("nope"), json!(foreign)] {
        assert_eq!(
            api.error("tasks.get_by_id", json!({"task": id})).await,
            format!("400/101 Invalid task id: ids=({})", id.as_str().unwrap())
        );
    }
}

#[tokio::test]
async fn lists_answer_strings_and_extended_lists_objects() {
    let api = Api::start().await;
    let project = api.project("the project").await;
    let task = api.create(json!({"project": project, "execution": {"queue": "q"}})).await;
    let plain = api.data("tasks.get_all", json!({"id": [task]})).await;
    let plain = &plain["tasks"][0];
    assert_eq!(plain["project"], project);
    assert_eq!(plain["execution"]["queue"], "q");
    for object in ["output", "script", "models", "execution", "runtime", "hyperparams", "last_metrics"] {
        assert!(plain[object].is_object(), "{object}");
    }
    let only = ["name", "project.name", "user.name", "execution.queue"];
    let extended = api.data("tasks.get_all_ex", json!({"id": [task], "only_fields": only})).await;
    let extended = &extended["tasks"][0];
    assert_eq!(extended["id"], task);
    assert_eq!(extended["project"], json!({"id": project, "name": "the project"}));
    assert_eq!(extended["execution"]["queue"], json!({"id": "q"}));
    let by_id = api.data("tasks.get_by_id_ex", json!({"id": [task], "only_fields": ["company"]})).await;
    assert_eq!(by_id, json!({"tasks": [{"id": task, "company": {"id": COMPANY}}]}));
    assert_eq!(
        api.error("tasks.get_by_id_ex", json!({})).await,
        "400/11 Missing required fields: missing=(id)"
    );
}

#[tokio::test]
async fn projections_take_dotted_paths_and_keep_defaults() {
    let api = Api::start().await;
    let task = api
        .create(json!({"hyperparams": {"Args": {"l.r": {"section": "Args", "name": "l.r", "value": "1"}}},
            "runtime": {"version": "1"}, "script": {"branch": "b"}}))
        .await;
    let project = |fields: Value| {
        let api = &api;
        let task = task.clone();
        async move {
            let request = json!({"id": [task], "only_fields": fields, "search_hidden": false});
            api.data("tasks.get_all", request).await["tasks"][0].clone()
        }
    };
    assert_eq!(
        project(json!(["status", "status_message", "id"])).await,
        json!({"id": task, "status": "created"})
    );
    assert_eq!(
        project(json!(["script.branch", "script.repository"])).await,
        json!({"script": {"repository": "", "branch": "b"}})
    );
    assert_eq!(project(json!(["runtime.version"])).await, json!({"runtime": {"version": "1"}}));
    assert_eq!(
        project(json!(["hyperparams.Args.l%2Er.value"])).await,
        json!({"hyperparams": {"Args": {"l.r": {"value": "1"}}}})
    );
    assert_eq!(
        project(json!(["execution.parameters"])).await["hyperparams"]["Args"]["l.r"]["value"],
        "1",
        "old names are rewritten"
    );
    for fields in [json!(["foo"]), json!(["execution.model"]), json!(["project.name"])] {
        let error = api.error("tasks.get_all", json!({"id": [task], "only_fields": fields})).await;
        assert!(error.starts_with("400/14 Lookup error"), "{error}");
    }
    assert_eq!(
        api.error("tasks.get_all_ex", json!({"id": [task], "only_fields": ["foo"]})).await,
        "400/14 Fields not defined for object: fields=(foo), object=Task"
    );
}

#[tokio::test]
async fn hidden_tasks_are_found_by_id_only() {
    let api = Api::start().await;
    let hidden = api.create(json!({"system_tags": ["hidden"]})).await;
    let ids = |answer: Value| -> Vec<Value> {
        answer["tasks"].as_array().unwrap().iter().map(|task| task["id"].clone()).collect()
    };
    for endpoint in ["tasks.get_all", "tasks.get_all_ex"] {
        let fields = json!(["id"]);
        let all = api.data(endpoint, json!({"only_fields": fields})).await;
        assert_eq!(ids(all), Vec::<Value>::new());
        let request = json!({"id": [hidden], "search_hidden": false, "only_fields": fields});
        assert_eq!(ids(api.data(endpoint, request).await), std::slice::from_ref(&hidden));
        let request = json!({"search_hidden": true, "only_fields": fields});
        assert_eq!(ids(api.data(endpoint, request).await), std::slice::from_ref(&hidden));
    }
    let by_id = api.data("tasks.get_by_id_ex", json!({"id": [hidden], "only_fields": ["id"]})).await;
    assert_eq!(ids(by_id), [hidden]);
}

#[tokio::test]
async fn subprojects_are_included_on_request() {
    let api = Api::start().await;
    let parent = api.project("parent").await;
    let child = api.project("parent/child").await;
    api.create(json!({"project": parent, "type": "testing"})).await;
    api.create(json!({"project": child, "type": "inference"})).await;
    for (included, count) in [(false, 1), (true, 2)] {
        let request = json!({"project": [parent], "include_subprojects": included, "only_fields": ["id"]});
        let answer = api.data("tasks.get_all", request).await;
        assert_eq!(answer["tasks"].as_array().unwrap().len(), count);
    }
    let types = |answer: Value| {
        let mut types: Vec<String> =
            answer["types"].as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect();
        types.sort();
        types
    };
    assert_eq!(
        types(api.data("tasks.get_types", json!({"projects": [parent]})).await),
        ["inference", "testing"]
    );
    assert_eq!(types(api.data("tasks.get_types", json!({"projects": [child]})).await), ["inference"]);
    assert_eq!(types(api.data("tasks.get_types", json!({})).await), ["inference", "testing"]);
}

#[tokio::test]
async fn scrolling_walks_through_all_tasks() {
    let api = Api::start().await;
    for _ in 0..3 {
        api.create(json!({})).await;
    }
    let request = json!({"scroll_id": null, "size": 2, "only_fields": ["id"]});
    let first = api.data("tasks.get_all_ex", request).await;
    assert_eq!(first["tasks"].as_array().unwrap().len(), 2);
    let request = json!({"scroll_id": first["scroll_id"], "size": 2, "only_fields": ["id"]});
    let second = api.data("tasks.get_all_ex", request).await;
    assert_eq!(second["tasks"].as_array().unwrap().len(), 1);
    assert_ne!(first["tasks"][0], second["tasks"][0]);
}
