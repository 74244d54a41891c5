//! `tasks.edit`, `update`, `update_batch`, `set_requirements`, `ping`, `edit_runtime` (spec 02 §5, 09 §2).

use serde_json::{Value, json};

use super::{Api, forbidden};
use crate::support::COMPANY;

#[tokio::test]
async fn sub_documents_are_merged_and_maps_replaced() {
    let api = Api::start().await;
    let task = api
        .create(json!({
            "script": {"repository": "r", "branch": "main"},
            "hyperparams": {"Args": {"a": {"section": "Args", "name": "a", "value": "1"}}},
            "container": {"image": "old", "arguments": "x"},
            "runtime": {"progress": "0"},
            "output_dest": "s3://a",
        }))
        .await;
    let edited = api
        .data(
            "tasks.edit",
            json!({"task": task, "script": {"branch": " dev ", "diff": " d "},
                "hyperparams": {"General": {"b": {"section": "General", "name": "b", "value": "2"}}},
                "container": {"image": "new"}, "runtime": {"CLEARML VERSION": "2.1", "n.dots": 1},
                "output_dest": "", "comment": null}),
        )
        .await;
    assert_eq!(edited["updated"], 1);
    let fields = &edited["fields"];
    assert_eq!(
        fields["script"],
        json!({"binary": "python", "repository": "r", "entry_point": "", "requirements": {},
            "branch": "dev", "diff": " d "})
    );
    assert!(fields.get("comment").is_none());
    for date in ["last_update", "last_change"] {
        assert!(fields[date].as_str().unwrap().ends_with("+00:00"), "{fields}");
    }

    let answered = api.task(&task).await;
    assert_eq!(answered["script"], fields["script"]);
    assert_eq!(answered["hyperparams"], fields["hyperparams"]);
    assert_eq!(answered["hyperparams"].as_object().unwrap().keys().collect::<Vec<_>>(), ["General"]);
    assert_eq!(answered["container"], json!({"image": "new"}));
    assert_eq!(answered["runtime"], json!({"CLEARML VERSION": "2.1", "n.dots": 1}));
    assert_eq!(answered["output"], json!({"destination": ""}));
}

#[tokio::test]
async fn the_status_decides_without_force() {
    let api = Api::start().await;
    let task = api.create(json!({})).await;
    api.data("tasks.edit", json!({"task": task, "status": "completed"})).await;
    assert_eq!(
        api.error("tasks.edit", json!({"task": task, "name": "other"})).await,
        "400/110 Invalid task status: expected=created, status=completed"
    );
    let edited = api.data("tasks.edit", json!({"task": task, "name": "other", "force": true})).await;
    assert_eq!(edited["fields"]["name"], "other");
    assert!(edited["fields"].get("last_update").is_none(), "a name does not update the task");
    assert_eq!(
        api.data("tasks.edit", json!({"task": task, "force": true, "unknown": 1})).await,
        json!({"updated": 0, "fields": {}})
    );
    assert_eq!(
        api.error("tasks.edit", json!({"task": "nope", "name": "other"})).await,
        format!("400/101 Invalid task id: id=nope, company={COMPANY}")
    );
}

#[tokio::test]
async fn edits_are_validated() {
    let api = Api::start().await;
    let task = api.create(json!({})).await;
    for (fields, expected) in [
        (json!({"name": "ab"}), "400/800 Data validation error: name=String value is too short"),
        (json!({"script": {"foo": 1}}), "400/12 Validation error: document=Script, field=foo"),
        (
            json!({"models": {"input": [{"name": "m", "model": "nope"}]}}),
            "400/201 Invalid model id: models=(nope)",
        ),
        (
            json!({"project": "nope"}),
            "400/16 Invalid value for fields (expecting Project id): id=nope, field=project",
        ),
        (json!({"tags": 3}), "400/16 Invalid value for fields (expecting list): field=tags"),
        (
            json!({"execution": {"model_labels": {"a": 1, "b": 1}}}),
            "400/800 Data validation error: execution.model_labels=Same label id appears more than once in model labels",
        ),
    ] {
        let mut request = fields;
        request["task"] = task.clone();
        assert_eq!(api.error("tasks.edit", request).await, expected);
    }
    let incomplete = json!({"task": task, "hyperparams": {"Args": {"a": {"name": "a"}}}});
    assert_eq!(api.data("tasks.edit", incomplete).await["updated"], 1);
}

#[tokio::test]
async fn the_sdk_can_clear_a_reused_task() {
    let api = Api::start().await;
    let task = api
        .create(json!({
            "script": {"repository": "r"},
            "hyperparams": {"Args": {"a": {"section": "Args", "name": "a", "value": "1"}}},
            "models": {"output": [{"name": "m", "model": "x"}]},
        }))
        .await;
    let request = json!({"task": task, "force": true, "system_tags": ["development"], "comment": "again",
        "script": {"binary": "", "repository": "", "tag": null, "branch": "", "version_num": "",
            "entry_point": "", "working_dir": "", "requirements": {}, "diff": ""},
        "execution": {"parameters": {}, "model_desc": {}, "model_labels": {}, "artifacts": [], "dataviews": [],
            "queue": null, "test_split": null},
        "hyperparams": {}, "configuration": {}, "container": {}, "models": {"input": [], "output": []},
        "output_dest": ""});
    api.data("tasks.edit", request).await;
    let answered = api.task(&task).await;
    assert_eq!(answered["hyperparams"], json!({}));
    assert_eq!(answered["models"], json!({"input": [], "output": []}));
    assert_eq!(
        answered["execution"],
        json!({"test_split": 0, "parameters": {}, "model_desc": {}, "model_labels": {}, "artifacts": []})
    );
    assert_eq!(answered["script"]["repository"], "");
    assert!(answered["script"].get("tag").is_none());
}

#[tokio::test]
async fn legacy_parameters_replace_legacy_parameters_only() {
    let api = Api::start().await;
    let task = api
        .create(json!({
            "hyperparams": {"General": {"k": {"section": "General", "name": "k", "value": "v"}}},
            "execution": {"parameters": {"old": 1}},
        }))
        .await;
    let edit = json!({"task": task, "execution": {"parameters": {"new": null}}});
    let edited = api.data_at("2.8", "tasks.edit", edit).await;
    assert_eq!(edited["fields"]["execution"]["parameters"], json!({"new": "None"}));
    let answered = api.task(&task).await;
    assert_eq!(answered["hyperparams"]["General"]["k"]["value"], "v");
    assert_eq!(
        answered["hyperparams"]["Args"],
        json!({"new": {"section": "Args", "name": "new", "type": "legacy", "value": "None"}})
    );
}

#[tokio::test]
async fn update_writes_a_few_fields_in_any_status() {
    let api = Api::start().await;
    let task = api.create(json!({"output_dest": "s3://a"})).await;
    api.set_status(&task, "published").await;
    let updated = api
        .data(
            "tasks.update",
            json!({"task": task, "name": " renamed ", "tags": ["b", "a"], "status_message": "m",
                "output__error": "failed", "status": "failed", "type": "testing", "created": "2020-01-01"}),
        )
        .await;
    assert_eq!(updated["updated"], 1);
    let mut names: Vec<&String> = updated["fields"].as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["last_change", "last_changed_by", "name", "output.error", "status_message", "tags"]);
    assert_eq!(updated["fields"]["name"], " renamed ");
    assert_eq!(updated["fields"]["tags"], json!(["a", "b"]));
    let answered = api.task(&task).await;
    assert_eq!(answered["name"], "renamed");
    assert_eq!(answered["status"], "published");
    assert_eq!(answered["type"], "training");
    assert_eq!(answered["output"], json!({"destination": "s3://a", "error": "failed"}));

    assert_eq!(
        api.data("tasks.update", json!({"task": task, "status": "x"})).await,
        json!({"updated": 0, "fields": {}})
    );
    for (fields, expected) in [
        (json!({"name": "ab"}), "400/800 Data validation error: name=String value is too short"),
        (
            json!({"project": "nope"}),
            "400/16 Invalid value for fields (expecting Project id): id=nope, field=project",
        ),
        (
            json!({"tags": ["__$x"]}),
            "400/16 Invalid value for fields (unsupported tag prefix): values=(__$x)",
        ),
    ] {
        let mut request = fields;
        request["task"] = task.clone();
        assert_eq!(api.error("tasks.update", request).await, expected);
    }
    let public = api.public_task().await;
    assert_eq!(
        api.error("tasks.update", json!({"task": public, "name": "other"})).await,
        forbidden(&[&public])
    );
}

#[tokio::test]
async fn a_batch_updates_many_tasks_or_none() {
    let api = Api::start().await;
    let first = api.create(json!({})).await;
    let second = api.create(json!({})).await;
    let lines = [
        json!({"task": first, "name": "ignored"}),
        json!({"task": second, "comment": "two", "unknown": 1}),
        json!({"task": first, "comment": "one"}),
    ];
    assert_eq!(api.batch("tasks.update_batch", &lines).await, json!({"updated": 2}));
    assert_eq!(api.task(&first).await["comment"], "one");
    assert_ne!(api.task(&first).await["name"], "ignored", "the last line of a task wins");
    assert_eq!(api.task(&second).await["comment"], "two");

    assert_eq!(
        api.data("tasks.update_batch", json!({"task": first, "comment": "single"})).await,
        json!({"updated": 1})
    );
    assert_eq!(api.data("tasks.update_batch", json!({})).await, json!({"updated": 0}));

    let lines = [json!({"task": first, "comment": "never"}), json!({"task": "x"}), json!({"task": "y"})];
    assert_eq!(api.batch_error("tasks.update_batch", &lines).await, "400/101 Invalid task id: ids=(x, y)");
    let public = api.public_task().await;
    let lines = [json!({"task": first, "comment": "never"}), json!({"task": public}), json!({"task": "y"})];
    assert_eq!(api.batch_error("tasks.update_batch", &lines).await, forbidden(&[&public]));
    assert_eq!(api.task(&first).await["comment"], "single");
}

#[tokio::test]
async fn requirements_are_replaced_in_any_status() {
    let api = Api::start().await;
    let task = api.create(json!({"script": {"repository": "r"}})).await;
    api.set_status(&task, "in_progress").await;
    let requirements = json!({"pip": ["a==1.0", "b"], "org_pip": "a", "$odd": {"k": 1}});
    assert_eq!(
        api.data("tasks.set_requirements", json!({"task": task, "requirements": requirements})).await,
        json!({"updated": 1, "fields": {}})
    );
    let answered = api.task(&task).await;
    assert_eq!(answered["script"]["requirements"], requirements);
    assert_eq!(answered["script"]["repository"], "r");
}

#[tokio::test]
async fn ping_keeps_a_running_task_alive() {
    let api = Api::start().await;
    let task = api.create(json!({})).await;
    assert_eq!(api.data("tasks.ping", json!({"task": task})).await, json!({}));
    assert!(api.task(&task).await.get("active_duration").is_none());
    api.set_running(&task, 90).await;
    api.data("tasks.ping", json!({"task": task})).await;
    let duration = api.task(&task).await["active_duration"].as_i64().unwrap();
    assert!((90..100).contains(&duration), "{duration}");
    assert_eq!(api.data("tasks.ping", json!({"task": "unknown"})).await, json!({}));
}

#[tokio::test]
async fn runtime_keys_are_edited_one_by_one() {
    let api = Api::start().await;
    let task = api.create(json!({"runtime": {"keep": 1, "drop": 2}})).await;
    let request = json!({"task": task, "add_or_update": {"a.b": [1, null], "size": "s"}, "remove": ["drop"]});
    assert_eq!(api.data("tasks.edit_runtime", request).await, json!({"updated": 1}));
    assert_eq!(api.task(&task).await["runtime"], json!({"keep": 1, "a%2Eb": [1, null], "size": "s"}));
    assert_eq!(api.data("tasks.edit_runtime", json!({"task": task})).await, json!({"updated": 0}));
    assert_eq!(
        api.error("tasks.edit_runtime", json!({"task": task, "remove": [" "]})).await,
        "400/12 Validation error (Empty key is not allowed)"
    );
    for (status, editable) in [("queued", true), ("in_progress", true), ("completed", false)] {
        api.set_status(&task, status).await;
        let request = json!({"task": task, "add_or_update": {"status": status}});
        if editable {
            assert_eq!(api.data("tasks.edit_runtime", request).await, json!({"updated": 1}));
        } else {
            assert_eq!(
                api.error("tasks.edit_runtime", request).await,
                "400/110 Invalid task status: expected=created, status=completed"
            );
        }
    }
}

/// `fields` of the answers say what a later `get_by_id` says.
#[tokio::test]
async fn edited_fields_are_answered_as_they_are_read() {
    let api = Api::start().await;
    let task = api.create(json!({})).await;
    let edit = json!({"task": task, "tags": ["z", "a"],
        "execution": {"artifacts": [{"key": "b", "type": "t"}, {"key": "a", "type": "t", "mode": "input"}],
            "model_labels": {"x.y": "1"}},
        "configuration": {"c.d": {"name": "c.d", "value": "v", "type": "t"}}});
    let edited = api.data("tasks.edit", edit).await;
    let answered = api.task(&task).await;
    for field in ["tags", "configuration"] {
        assert_eq!(edited["fields"][field], answered[field], "{field}");
    }
    let keys: Vec<&Value> =
        answered["execution"]["artifacts"].as_array().unwrap().iter().map(|one| &one["key"]).collect();
    assert_eq!(keys, ["a", "b"]);
    assert_eq!(answered["execution"]["model_labels"], json!({"x.y": 1}));
    assert_eq!(edited["fields"]["execution"]["model_labels"], json!({"x.y": 1}));
}
