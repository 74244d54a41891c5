//! Hyperparameters, configuration, artifacts and models of a task (spec 02 §8, §9).

use serde_json::{Value, json};

use super::Api;

fn parameter(section: &str, name: &str, value: &str) -> Value {
    json!({"section": section, "name": name, "value": value})
}

#[tokio::test]
async fn hyperparameters_are_edited_and_listed_in_order() {
    let api = Api::start().await;
    let task = api.create(json!({})).await;
    let items = json!([
        parameter("Z", "b", "1"),
        parameter("Args", "x.y", "1"),
        {"section": "Args", "name": "a", "value": "", "type": "str", "description": "d"},
        parameter("Z", "b", "2"),
    ]);
    let edited = api.data("tasks.edit_hyper_params", json!({"task": task, "hyperparams": items})).await;
    assert_eq!(edited, json!({"updated": 1}));
    let other = api.create(json!({})).await;
    let mut listed = api.data("tasks.get_hyper_params", json!({"tasks": [task, other, task]})).await;
    // The tasks come in the order of the database (spec 02 §8), which each store has its own of.
    listed["params"].as_array_mut().unwrap().sort_by_key(|item| item["task"] != task);
    assert_eq!(
        listed,
        json!({"params": [
            {"task": task, "hyperparams": [
                {"section": "Args", "name": "a", "value": "", "type": "str", "description": "d"},
                parameter("Args", "x.y", "1"),
                parameter("Z", "b", "2"),
            ]},
            {"task": other, "hyperparams": []},
        ]})
    );
    assert_eq!(
        api.error("tasks.get_hyper_params", json!({"tasks": [task, "x"]})).await,
        format!("400/101 Invalid task id: ids=({}, x)", task.as_str().unwrap())
    );

    for (replace, remaining) in [("none", 4), ("section", 3), ("all", 1)] {
        let request = json!({"task": task, "hyperparams": [parameter("Args", replace, "3")],
            "replace_hyperparams": replace});
        api.data("tasks.edit_hyper_params", request).await;
        let listed = api.data("tasks.get_hyper_params", json!({"tasks": [task]})).await;
        // "section" leaves Args with one item beside Z's one.
        let expected = if replace == "section" { 2 } else { remaining };
        assert_eq!(listed["params"][0]["hyperparams"].as_array().unwrap().len(), expected, "{replace}");
    }
}

#[tokio::test]
async fn hyperparameters_are_deleted_one_by_one_or_by_section() {
    let api = Api::start().await;
    let section = json!({"a": parameter("s", "a", "1"), "size": parameter("s", "size", "2")});
    let task = api.create(json!({"hyperparams": {"s": section, "t": section}})).await;
    let delete = |items: Value| json!({"task": task, "hyperparams": items});
    assert_eq!(
        api.error(
            "tasks.delete_hyper_params",
            delete(json!([{"section": "s"}, {"section": "s", "name": "a"}]))
        )
        .await,
        "400/15 Conflicting fields (Cannot delete section field if the whole section was scheduled for deletion)"
    );
    let items =
        json!([{"section": "s", "name": "size"}, {"section": "t"}, {"section": "s", "name": "missing"}]);
    assert_eq!(api.data("tasks.delete_hyper_params", delete(items)).await, json!({"deleted": 1}));
    let left = api.task(&task).await["hyperparams"].clone();
    assert_eq!(left, json!({"s": {"a": parameter("s", "a", "1")}}));
    api.data("tasks.delete_hyper_params", delete(json!([{"section": "s", "name": "a"}]))).await;
    assert_eq!(api.task(&task).await["hyperparams"], json!({"s": {}}));
}

#[tokio::test]
async fn user_properties_can_always_be_edited() {
    let api = Api::start().await;
    let task = api.create(json!({})).await;
    api.set_status(&task, "published").await;
    let before = api.task(&task).await;
    let request = json!({"task": task, "hyperparams": [parameter("Properties", "p", "1")]});
    assert_eq!(api.data("tasks.edit_hyper_params", request).await, json!({"updated": 1}));
    let after = api.task(&task).await;
    assert_eq!(after["hyperparams"], json!({"properties": {"p": parameter("properties", "p", "1")}}));
    assert_eq!(after["last_update"], before["last_update"]);
    let mixed = json!({"task": task, "force": true,
        "hyperparams": [parameter("properties", "p", "1"), parameter("Args", "p", "1")]});
    assert_eq!(
        api.error("tasks.edit_hyper_params", mixed).await,
        "400/110 Invalid task status: expected=created, status=published"
    );
    let request = json!({"task": task, "hyperparams": [{"section": "PROPERTIES", "name": "p"}]});
    assert_eq!(api.data("tasks.delete_hyper_params", request).await, json!({"deleted": 1}));
}

#[tokio::test]
async fn running_tasks_need_force() {
    let api = Api::start().await;
    let task = api.create(json!({})).await;
    api.set_status(&task, "in_progress").await;
    for (endpoint, part) in [
        ("tasks.edit_hyper_params", json!({"hyperparams": [parameter("Args", "p", "1")]})),
        ("tasks.delete_hyper_params", json!({"hyperparams": [{"section": "Args"}]})),
        ("tasks.edit_configuration", json!({"configuration": [{"name": "c", "value": "v"}]})),
        ("tasks.delete_configuration", json!({"configuration": ["c"]})),
    ] {
        let mut request = part;
        request["task"] = task.clone();
        assert_eq!(
            api.error(endpoint, request.clone()).await,
            "400/110 Invalid task status: expected=created, status=in_progress"
        );
        request["force"] = json!(true);
        api.data(endpoint, request).await;
    }
}

#[tokio::test]
async fn lists_must_not_be_empty() {
    let api = Api::start().await;
    let task = api.create(json!({})).await;
    for (endpoint, field) in [
        ("tasks.get_hyper_params", "tasks"),
        ("tasks.edit_hyper_params", "hyperparams"),
        ("tasks.delete_hyper_params", "hyperparams"),
        ("tasks.get_configurations", "tasks"),
        ("tasks.get_configuration_names", "tasks"),
        ("tasks.edit_configuration", "configuration"),
        ("tasks.delete_configuration", "configuration"),
        ("tasks.add_or_update_artifacts", "artifacts"),
        ("tasks.delete_artifacts", "artifacts"),
        ("tasks.delete_models", "models"),
        ("tasks.move", "ids"),
        ("tasks.update_tags", "ids"),
        ("tasks.make_public", "ids"),
        ("tasks.make_private", "ids"),
    ] {
        for value in [json!([]), Value::Null] {
            let mut request = json!({"task": task});
            request[field] = value;
            let error = api.error(endpoint, request).await;
            assert!(error.starts_with("400/12 Validation error (error for field"), "{endpoint}: {error}");
        }
    }
}

#[tokio::test]
async fn configurations() {
    let api = Api::start().await;
    let task = api.create(json!({})).await;
    let request = json!({"task": task, "configuration": [
        {"name": "z.conf", "value": "", "type": "dictionary"},
        {"name": "a", "value": "text", "description": "d"},
    ]});
    assert_eq!(api.data("tasks.edit_configuration", request).await, json!({"updated": 1}));
    let other = api.create(json!({})).await;
    let mut both = api.data("tasks.get_configurations", json!({"tasks": [task, other]})).await;
    // In no order that is promised.
    both["configurations"].as_array_mut().unwrap().sort_by_key(|item| item["task"] != json!(task));
    assert_eq!(
        both,
        json!({"configurations": [
            {"task": task, "configuration": [
                {"name": "a", "value": "text", "description": "d"},
                {"name": "z.conf", "value": "", "type": "dictionary"},
            ]},
            {"task": other, "configuration": []},
        ]})
    );
    let named = api.data("tasks.get_configurations", json!({"tasks": [task], "names": ["z.conf"]})).await;
    assert_eq!(named["configurations"][0]["configuration"].as_array().unwrap().len(), 1);
    assert_eq!(
        api.data("tasks.get_configuration_names", json!({"tasks": [task, other, "unknown"]})).await,
        json!({"configurations": [{"task": task, "names": ["a"]}]})
    );
    assert_eq!(
        api.data("tasks.get_configuration_names", json!({"tasks": [task], "skip_empty": false})).await,
        json!({"configurations": [{"task": task, "names": ["a", "z.conf"]}]})
    );
    assert_eq!(
        api.data("tasks.delete_configuration", json!({"task": task, "configuration": ["a", "missing"]}))
            .await,
        json!({"deleted": 1})
    );
    let request = json!({"task": task, "replace_configuration": true,
        "configuration": [{"name": "only", "value": "1"}]});
    api.data("tasks.edit_configuration", request).await;
    assert_eq!(api.task(&task).await["configuration"], json!({"only": {"name": "only", "value": "1"}}));
    assert_eq!(
        api.error(
            "tasks.edit_configuration",
            json!({"task": task, "configuration": [{"name": " ", "value": "1"}]})
        )
        .await,
        "400/12 Validation error (Empty key is not allowed)"
    );
}

#[tokio::test]
async fn artifacts() {
    let api = Api::start().await;
    let task = api.create(json!({})).await;
    api.set_status(&task, "in_progress").await;
    let artifact = json!({"key": "data", "type": "numpy", "uri": "http://files/1", "content_size": 10,
        "hash": "h", "timestamp": 5, "unknown": 1,
        "type_data": {"preview": "p", "content_type": "c", "data_hash": "d"},
        "display_data": [["b", 2], ["a", 1.5]]});
    let request =
        json!({"task": task, "artifacts": [artifact, {"key": "data", "type": "t", "mode": "input"}]});
    assert_eq!(api.data("tasks.add_or_update_artifacts", request).await, json!({"updated": 1}));
    let mut answered = api.task(&task).await["execution"]["artifacts"].clone();
    answered.as_array_mut().unwrap().sort_by_key(|one| one["mode"].as_str().unwrap().to_owned());
    assert_eq!(
        answered,
        json!([
            {"key": "data", "type": "t", "mode": "input", "display_data": []},
            {"key": "data", "type": "numpy", "mode": "output", "uri": "http://files/1", "hash": "h",
                "content_size": 10, "timestamp": 5,
                "type_data": {"preview": "p", "content_type": "c", "data_hash": "d"},
                "display_data": [["a", 1.5], ["b", 2]]},
        ])
    );
    let stored = api.stored_task(&task).await;
    let map = stored.get_document("execution").unwrap().get_document("artifacts").unwrap();
    assert!(map.contains_key("8d777f385d3dfec8815d20f7496026dc_output"), "{map}");

    api.data(
        "tasks.add_or_update_artifacts",
        json!({"task": task, "artifacts": [{"key": "data", "type": "new"}]}),
    )
    .await;
    let keys = [json!({"key": "data", "mode": "input"}), json!({"key": "missing"})];
    assert_eq!(
        api.data("tasks.delete_artifacts", json!({"task": task, "artifacts": keys})).await,
        json!({"deleted": 1})
    );
    assert_eq!(
        api.task(&task).await["execution"]["artifacts"],
        json!([{"key": "data", "type": "new", "mode": "output", "display_data": []}])
    );
    api.set_status(&task, "completed").await;
    assert_eq!(
        api.error(
            "tasks.add_or_update_artifacts",
            json!({"task": task, "force": true, "artifacts": [{"key": "k", "type": "t"}]})
        )
        .await,
        "400/110 Invalid task status: expected=created, status=completed"
    );
    let old = api.error_at("2.9", "tasks.delete_artifacts", json!({"task": task, "artifacts": keys})).await;
    assert_eq!(old, "404/0 Unable to find endpoint for name tasks.delete_artifacts and version 2.9");
}

#[tokio::test]
async fn models_are_replaced_by_name() {
    let api = Api::start().await;
    let task = api.create(json!({})).await;
    api.set_running(&task, 5).await;
    for (name, model, iteration) in [("a", "m1", 7), ("b", "m2", 3), ("a", "m3", 1)] {
        let request =
            json!({"task": task, "name": name, "model": model, "type": "output", "iteration": iteration});
        assert_eq!(api.data("tasks.add_or_update_model", request).await, json!({"updated": 1}));
    }
    let answered = api.task(&task).await;
    let models: Vec<(&Value, &Value)> = answered["models"]["output"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (&item["name"], &item["model"]))
        .collect();
    assert_eq!(models, [(&json!("a"), &json!("m3")), (&json!("b"), &json!("m2"))]);
    assert_eq!(answered["last_iteration"], 7);
    assert!(answered["active_duration"].as_i64().unwrap() >= 5);
    let old = api.data_at("2.12", "tasks.get_by_id", json!({"task": task})).await;
    assert_eq!(old["task"]["output"]["model"], "m2");

    let request =
        json!({"task": task, "models": [{"name": "a", "type": "output"}, {"name": "b", "type": "input"}]});
    assert_eq!(api.data("tasks.delete_models", request).await, json!({"updated": 1}));
    assert_eq!(api.task(&task).await["models"]["output"].as_array().unwrap().len(), 1);
    let error = api
        .error("tasks.add_or_update_model", json!({"task": task, "name": "a", "model": "m", "type": "x"}))
        .await;
    assert!(error.starts_with("400/12 Validation error (error for field 'type'"), "{error}");
}
