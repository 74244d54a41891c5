//! `tasks.clone` (spec 02 §5.2).

use serde_json::{Value, json};

use super::Api;
use crate::support::{COMPANY, normalized};

async fn source(api: &Api) -> Value {
    let project = api.project("source project").await;
    api.create(json!({
        "name": "source", "type": "testing", "project": project, "comment": "c", "tags": ["t"],
        "system_tags": ["development", "archived", "kept"], "output_dest": "s3://a",
        "script": {"repository": "r", "diff": "d"}, "runtime": {"x": 1},
        "hyperparams": {"Args": {"a.b": {"section": "Args", "name": "a.b", "value": "1"}}},
        "configuration": {"c": {"name": "c", "value": "v"}},
        "container": {"image": "i"},
        "models": {"output": [{"name": "m", "model": "x"}]},
        "execution": {"queue": "q", "framework": "torch", "model_labels": {"a": 1}, "artifacts": [
            {"key": "in", "type": "t", "mode": "input"}, {"key": "out", "type": "t"},
        ]},
    }))
    .await
}

#[tokio::test]
async fn a_clone_is_a_draft_with_the_source_s_inputs() {
    let api = Api::start().await;
    let source = source(&api).await;
    api.set_status(&source, "completed").await;
    let clone = api.data("tasks.clone", json!({"task": source})).await;
    assert!(clone.get("new_project").is_none());
    let task = api.task(&clone["id"]).await;
    assert_eq!(task["parent"], source);
    insta::assert_json_snapshot!(normalized(&task));

    let again = api.data("tasks.clone", json!({"task": clone["id"]})).await;
    assert_eq!(api.task(&again["id"]).await["parent"], source, "clones of clones share the parent");
}

#[tokio::test]
async fn everything_can_be_overridden() {
    let api = Api::start().await;
    let source = source(&api).await;
    let model = api.model().await;
    let clone = api
        .data(
            "tasks.clone",
            json!({"task": source, "new_task_name": "other", "new_task_comment": "", "new_task_tags": ["x"],
                "new_task_system_tags": ["development"], "new_project_name": " new / sub ",
                "new_task_hyperparams": {"G.x": {"k": {"section": "G.x", "name": "k", "value": "2"}}},
                "execution_overrides": {"model": model, "docker_cmd": "image args here", "framework": "tf",
                    "parameters": {"ignored": 1}, "unknown": 1,
                    "artifacts": [{"key": "i2", "type": "t", "mode": "input"}, {"key": "o2", "type": "t"}]}}),
        )
        .await;
    assert_eq!(clone["new_project"]["name"], " new / sub ");
    let task = api.task(&clone["id"]).await;
    assert_eq!(task["project"], clone["new_project"]["id"]);
    let named =
        api.data("tasks.get_by_id_ex", json!({"id": [clone["id"]], "only_fields": ["project.name"]})).await;
    assert_eq!(named["tasks"][0]["project"]["name"], "new/sub");
    assert_eq!(task["name"], "other");
    assert_eq!(task["comment"], "c");
    assert_eq!(task["tags"], json!(["x"]));
    assert_eq!(task["system_tags"], json!(["development"]));
    assert_eq!(task["hyperparams"].as_object().unwrap().keys().collect::<Vec<_>>(), ["G.x"]);
    assert_eq!(task["container"], json!({"image": "image", "arguments": "args here"}));
    assert_eq!(task["models"]["input"][0]["name"], "Input Model");
    assert_eq!(task["models"]["input"][0]["model"], json!(model));
    assert_eq!(task["execution"]["framework"], "tf");
    assert_eq!(task["execution"]["artifacts"].as_array().unwrap().len(), 1);
    assert_eq!(task["execution"]["artifacts"][0]["key"], "i2");
}

#[tokio::test]
async fn overridden_references_are_checked() {
    let api = Api::start().await;
    let source = source(&api).await;
    for (extra, expected) in [
        (json!({"task": "nope"}), "400/101 Invalid task id: id=nope".to_owned()),
        (
            json!({"new_task_parent": "nope"}),
            "400/101 Invalid task id (invalid parent): parent=nope".to_owned(),
        ),
        (json!({"new_task_project": "nope"}), "400/401 Invalid project id: id=nope".to_owned()),
        (
            json!({"execution_overrides": {"model": "nope"}}),
            "400/201 Invalid model id: models=(nope)".to_owned(),
        ),
        (
            json!({"new_task_tags": ["__$a"]}),
            "400/16 Invalid value for fields (unsupported tag prefix): values=(__$a)".to_owned(),
        ),
        (
            json!({"new_task_name": "ab"}),
            "400/800 Data validation error: name=String value is too short".to_owned(),
        ),
    ] {
        let mut request = json!({"task": source});
        request.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        assert_eq!(api.error("tasks.clone", request).await, expected);
    }
    let public = api.public_project().await;
    let error = api.error("tasks.clone", json!({"task": source, "new_task_project": public})).await;
    assert!(error.starts_with("403/21 "), "{error}");

    let public_task = api.public_task().await;
    let clone = api.data("tasks.clone", json!({"task": public_task})).await;
    assert_eq!(api.task(&clone["id"]).await["company"], json!(COMPANY));
}
