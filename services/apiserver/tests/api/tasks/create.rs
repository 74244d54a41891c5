//! `tasks.create` and `tasks.validate` (spec 02 §5.1, §4.1).

use serde_json::{Value, json};

use super::{Api, is_id};
use crate::support::normalized;

#[tokio::test]
async fn a_new_task_has_all_its_defaults() {
    let api = Api::start().await;
    let project = api.project("Examples/Basic").await;
    let created = api
        .data(
            "tasks.create",
            json!({"name": "  first  ", "type": "training", "project": project, "tags": ["b", "a"],
                "system_tags": ["development"], "comment": "c", "output_dest": " s3://bucket ",
                "status": "published", "unknown": 1}),
        )
        .await;
    assert!(is_id(&created["id"]), "{created}");
    insta::assert_json_snapshot!(normalized(&api.task(&created["id"]).await));
}

#[tokio::test]
async fn name_and_type_are_required_and_checked() {
    let api = Api::start().await;
    assert_eq!(
        api.error("tasks.create", json!({"type": "training"})).await,
        "400/12 Validation error (error for field 'name'. field is required!)"
    );
    assert_eq!(
        api.error("tasks.create", json!({"name": "task"})).await,
        "400/12 Validation error (error for field 'type'. field is required!)"
    );
    let error = api.error("tasks.create", json!({"name": "task", "type": "Training"})).await;
    assert!(error.starts_with("400/12 Validation error (error for field 'type'"), "{error}");
    assert_eq!(
        api.error("tasks.create", json!({"name": "ab", "type": "training"})).await,
        "400/800 Data validation error: name=String value is too short"
    );
    let validated = api.data("tasks.validate", json!({"name": "ab", "type": "training"})).await;
    assert_eq!(validated, json!({}), "validate does not look at the document's rules");
}

#[tokio::test]
async fn shapes_of_fields_are_checked() {
    let api = Api::start().await;
    for (field, value, what) in [
        ("tags", json!(1), "list"),
        ("system_tags", json!({"a": 1}), "list"),
        ("container", json!([1]), "dict"),
        ("hyperparams", json!("x"), "dict"),
        ("configuration", json!([1]), "dict"),
        ("runtime", json!(1), "dict"),
    ] {
        let mut request = json!({"name": "task", "type": "training"});
        request[field] = value;
        assert_eq!(
            api.error("tasks.create", request).await,
            format!("400/16 Invalid value for fields (expecting {what}): field={field}")
        );
    }
    assert_eq!(
        api.error("tasks.create", json!({"name": "task", "type": "training", "tags": ["__$all", "x"]})).await,
        "400/16 Invalid value for fields (unsupported tag prefix): values=(__$all)"
    );
}

#[tokio::test]
async fn references_must_exist_and_be_usable() {
    let api = Api::start().await;
    let request = |extra: Value| {
        let mut request = json!({"name": "task", "type": "training"});
        request.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        request
    };
    for endpoint in ["tasks.create", "tasks.validate"] {
        for (extra, expected) in [
            (
                json!({"parent": "nope"}),
                "400/16 Invalid value for fields (expecting Task id): id=nope, field=parent",
            ),
            (
                json!({"project": "nope"}),
                "400/16 Invalid value for fields (expecting Project id): id=nope, field=project",
            ),
            (
                json!({"models": {"input": [{"name": "m", "model": "nope"}]}}),
                "400/201 Invalid model id: models=(nope)",
            ),
        ] {
            assert_eq!(api.error(endpoint, request(extra)).await, expected);
        }
    }
    let foreign_task = api.foreign_task().await;
    assert_eq!(
        api.error("tasks.create", request(json!({"parent": foreign_task}))).await,
        format!("400/101 Invalid task id (invalid parent): parent={foreign_task}")
    );
    let foreign_project = api.foreign_project().await;
    assert_eq!(
        api.error("tasks.create", request(json!({"project": foreign_project}))).await,
        format!("400/401 Invalid project id: id={foreign_project}")
    );
    let public = api.public_project().await;
    assert_eq!(
        api.error("tasks.create", request(json!({"project": public}))).await,
        format!(
            "403/21 Forbidden (modification not allowed) (cannot modify public project(s), ids=('{public}',))"
        )
    );
    let validated = api.data("tasks.validate", request(json!({"parent": "__DELETED__abc"}))).await;
    assert_eq!(validated, json!({}));
}

#[tokio::test]
async fn unknown_members_are_refused() {
    let api = Api::start().await;
    for endpoint in ["tasks.create", "tasks.validate"] {
        let request = json!({"name": "task", "type": "training", "script": {"x": 1, "y": 2}});
        assert_eq!(
            api.error(endpoint, request).await,
            "400/12 Validation error: document=Script, fields=(x, y)"
        );
    }
    let request = json!({"name": "task", "type": "training", "execution": {"artifacts": [{"type": "t"}]}});
    assert_eq!(api.error("tasks.create", request).await, "400/12 Validation error ('key')");
}

#[tokio::test]
async fn maps_are_escaped_in_store_and_unescaped_in_answers() {
    let api = Api::start().await;
    let names = ["a.b", "a__b", "a___b", "_a", "__a", "%2E", ".%", "$x", "plain"];
    let items: serde_json::Map<String, Value> = names
        .iter()
        .map(|name| ((*name).to_owned(), json!({"section": "my.section", "name": name, "value": "1"})))
        .collect();
    let task = api
        .create(json!({"hyperparams": {"my.section": items}, "container": {"image": "i", "a.b": "c"}}))
        .await;
    let stored = api.stored_task(&task).await;
    let section = stored.get_document("hyperparams").unwrap().get_document("my%2Esection").unwrap();
    let keys: Vec<&str> = section.keys().map(String::as_str).collect();
    assert_eq!(keys, ["a%2Eb", "a%_%_b", "a%_%__b", "%_a", "%_%_a", "%%2E", "%2E%%", "%24x", "plain"]);
    let answered = api.task(&task).await;
    let answered_names: Vec<&String> =
        answered["hyperparams"]["my.section"].as_object().unwrap().keys().collect();
    assert_eq!(answered_names, names);
    assert_eq!(answered["container"], json!({"image": "i", "a.b": "c"}));

    for (fields, text) in [
        (json!({"hyperparams": {"": {}}}), "Empty section name is not allowed"),
        (json!({"hyperparams": {"s": {"": {}}}}), "Empty parameter name is not allowed"),
        (json!({"configuration": {"": {}}}), "Empty configuration name is not allowed"),
        (json!({"configuration": {"  ": {}}}), "Empty key is not allowed"),
        (json!({"execution": {"parameters": {"TF_DEFINE/": 1}}}), "Parameter name cannot be empty"),
    ] {
        let mut request = fields;
        request["name"] = json!("task");
        request["type"] = json!("training");
        assert_eq!(api.error("tasks.create", request).await, format!("400/12 Validation error ({text})"));
    }
}

#[tokio::test]
async fn old_names_work_for_old_clients() {
    let api = Api::start().await;
    let request = json!({
        "name": "legacy", "type": "training",
        "tags": ["mine", "archived", "Annotated data", "-development"],
        "execution": {
            "parameters": {"lr": 0.5, "TF_DEFINE/flag": true, "a/b": [1, "x", null]},
            "model_desc": {"design": "text"},
            "docker_cmd": "nvidia/cuda:11 --ipc host",
        },
    });
    let id = api.data_at("2.1", "tasks.create", request).await["id"].clone();

    let mut answers = serde_json::Map::new();
    for version in ["2.1", "2.9", "2.13", "2.31"] {
        let answer = api.data_at(version, "tasks.get_by_id", json!({"task": id})).await;
        let task = &answer["task"];
        let part: Value =
            ["tags", "system_tags", "execution", "hyperparams", "configuration", "container", "output"]
                .iter()
                .map(|field| ((*field).to_owned(), task[*field].clone()))
                .collect::<serde_json::Map<_, _>>()
                .into();
        answers.insert(version.to_owned(), part);
    }
    insta::assert_json_snapshot!(Value::from(answers));
}

#[tokio::test]
async fn the_input_model_of_old_clients_is_a_list_of_one() {
    let api = Api::start().await;
    let model = api.model().await;
    let request = json!({"name": "legacy", "type": "training", "execution": {"model": model}});
    let id = api.data_at("2.12", "tasks.create", request.clone()).await["id"].clone();
    let old = api.data_at("2.12", "tasks.get_by_id", json!({"task": id})).await;
    assert_eq!(old["task"]["execution"]["model"], json!(model));
    let new = api.task(&id).await;
    assert_eq!(new["models"]["input"][0]["name"], "Input Model");
    assert_eq!(new["models"]["input"][0]["model"], json!(model));
    assert!(new["execution"].get("model").is_none());

    let ignored = api.data_at("2.13", "tasks.create", request).await["id"].clone();
    assert_eq!(api.task(&ignored).await["models"]["input"], json!([]));
}

#[tokio::test]
async fn odd_values_are_stored_or_refused_but_never_break_the_server() {
    let api = Api::start().await;
    let odd_keys = ["0", "\u{0}", "a\u{0}b", "$$", "%", "%%_", "__", "é😀", "a b/c"];
    for key in odd_keys {
        for (field, item) in [
            ("hyperparams", json!({key: {key: {"section": key, "name": key, "value": key}}})),
            ("configuration", json!({key: {"name": key, "value": key}})),
            ("container", json!({key: key})),
            ("runtime", json!({key: {key: [key]}})),
        ] {
            let request = json!({"name": "odd task", "type": "training", field: item});
            let response = api.user.call("tasks.create", request).await;
            let (code, _) = response.code();
            assert!([200, 400].contains(&code), "{field} {key:?}: {code} {}", response.message());
            if code == 200 {
                assert_eq!(api.task(&response.data()["id"]).await[field], item, "{key:?}");
            }
        }
    }
    for value in
        [json!(1), json!([]), json!({}), json!("x"), json!([[1]]), json!({"a": {"b": 1}}), json!(true)]
    {
        for field in [
            "name",
            "tags",
            "system_tags",
            "comment",
            "parent",
            "project",
            "models",
            "container",
            "output_dest",
            "execution",
            "hyperparams",
            "configuration",
            "script",
            "runtime",
        ] {
            for endpoint in ["tasks.create", "tasks.validate"] {
                let request = json!({"name": "odd task", "type": "training", field: value});
                let response = api.user.call(endpoint, request).await;
                let (code, _) = response.code();
                assert!([200, 400].contains(&code), "{field}={value}: {code} {}", response.message());
            }
        }
    }
}
