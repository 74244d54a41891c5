//! Lists as CSV files (spec 03 §3.4, 09 §4.2).

use bson::{DateTime, doc};
use clearml_documents::Collection;
use http::Request;
use serde_json::{Value, json};

use crate::{
    lifecycle::World,
    support::{Client, Response, TestServer},
};

async fn prepare(user: &Client, request: Value) -> String {
    let response = user.call("organization.prepare_download_for_get_all", request).await;
    assert_eq!(response.code(), (200, 0), "{}", response.message());
    let id = response.data()["prepare_id"].as_str().unwrap().to_owned();
    assert_eq!(response.json["meta"]["id"], json!(id));
    id
}

async fn fetch(user: &Client, id: &str) -> Response {
    user.call("organization.download_for_get_all", json!({"prepare_id": id})).await
}

async fn lines(user: &Client, request: Value) -> Vec<String> {
    let response = fetch(user, &prepare(user, request).await).await;
    assert_eq!(response.status, 200);
    let text = std::str::from_utf8(&response.body).unwrap().to_owned();
    text.split_terminator("\r\n").map(ToOwned::to_owned).collect()
}

#[tokio::test]
async fn tasks_are_written_as_a_table() {
    let world = World::new().await;
    let project =
        world.insert(Collection::Project, doc! {"name": "a/Überblick 1", "basename": "Überblick 1"}).await;
    world
        .task(doc! {
            "name": "=1+1", "project": &project, "tags": ["b", "a"], "user": &world.user.id, "last_iteration": -3,
            "started": DateTime::from_millis(1_704_164_645_000), "type": "training",
            "hyperparams": {"Args": {"a%2Eb": {"section": "Args", "name": "a.b", "value": "say \"x\""}}},
        })
        .await;
    world.task(doc! {"name": "hidden", "project": &project, "system_tags": ["hidden"]}).await;
    world.task(doc! {"name": "elsewhere"}).await;
    let request = json!({
        "entity_type": "task", "project": [project], "order_by": ["name"], "scroll_id": null, "size": 1,
        "only_fields": ["name", "type", "tags", "project.name", "user.name", "started", "last_iteration", "hyperparams.Args.a%2Eb.value", "company"],
        "field_mappings": [
            {"field": "name", "name": "NAME"},
            {"field": "type", "values": [{"key": "training", "value": "Training"}]},
            {"field": "tags"}, {"field": "project.name"}, {"field": "project"}, {"field": "user.name"}, {"field": "started"},
            {"field": "completed"}, {"field": "last_iteration"}, {"field": "hyperparams.Args.a%2Eb.value", "name": "-lr"},
        ],
    });
    let id = prepare(&world.user, request).await;
    let response = fetch(&world.user, &id).await;
    assert_eq!(response.header("content-type"), "text/csv");
    assert_eq!(response.header("cache-control"), "no-store, max-age=0");
    assert_eq!(
        response.header("content-disposition"),
        "attachment; filename=\"clearml-Uberblick 1-tasks.csv\"; filename*=UTF-8''clearml-%C3%9Cberblick%201-tasks.csv"
    );
    let expected = format!(
        "\u{feff}\"NAME\",\"type\",\"tags\",\"project.name\",\"project\",\"user.name\",\"started\",\"completed\",\
         \"last_iteration\",\"-lr\"\r\n\"'=1+1\",\"Training\",\"['a', 'b']\",\"a/Überblick 1\",\"{project}\",\
         \"Jane Doe\",\"2024-01-02 03:04:05\",\"\",\"'-3\",\"say \"\"x\"\"\"\r\n"
    );
    assert_eq!(std::str::from_utf8(&response.body).unwrap(), expected);

    // The same by a plain link; a download can be repeated.
    let link = format!("/organization.download_for_get_all?prepare_id={id}");
    let linked = world.user.send(Request::get(link).body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(linked.body, response.body);
}

#[tokio::test]
async fn filters_and_subprojects_count() {
    let world = World::new().await;
    let project = world.insert(Collection::Project, doc! {"basename": "p"}).await;
    let child =
        world.insert(Collection::Project, doc! {"name": "c", "path": [&project], "parent": &project}).await;
    for (name, place, tag) in [("one", &project, "x"), ("two", &child, "x"), ("three", &child, "y")] {
        world.task(doc! {"name": name, "project": place, "tags": [tag]}).await;
    }
    let request = json!({
        "entity_type": "task", "project": [project], "include_subprojects": true, "order_by": ["name"],
        "filters": {"tags": {"any": {"include": ["x"]}}}, "only_fields": ["name"],
        "field_mappings": [{"field": "name"}],
    });
    assert_eq!(lines(&world.user, request).await, ["\u{feff}\"name\"", "\"one\"", "\"two\""]);
}

#[tokio::test]
async fn models_are_written_too_and_nothing_is_a_header() {
    let world = World::new().await;
    let metadata = doc! {"a%2Eb": {"key": "a.b", "type": "str", "value": "v"}};
    world.insert(Collection::Model, doc! {"name": "m1", "ready": true, "metadata": metadata}).await;
    let request = json!({
        "entity_type": "model", "only_fields": ["name", "ready", "metadata.a%2Eb.value"],
        "field_mappings": [{"field": "name"}, {"field": "ready", "name": "is it, \"ready\""}, {"field": "metadata.a%2Eb.value"}],
    });
    assert_eq!(
        lines(&world.user, request.clone()).await,
        ["\u{feff}\"name\",\"is it, \"\"ready\"\"\",\"metadata.a%2Eb.value\"", "\"m1\",\"True\",\"v\""]
    );
    let mut none = request;
    none["name"] = json!("^no such model$");
    none["project"] = json!([null]);
    let response = fetch(&world.user, &prepare(&world.user, none).await).await;
    assert_eq!(response.header("content-disposition"), "attachment; filename=clearml-root-models.csv");
    let text = std::str::from_utf8(&response.body).unwrap();
    assert_eq!(text, "name,\"is it, \"\"ready\"\"\",metadata.a%2Eb.value\r\n");
}

#[tokio::test]
async fn long_lists_are_read_in_batches_up_to_a_limit() {
    let server = TestServer::with_settings(|settings| {
        settings.organization.download.batch_size = 3;
        settings.organization.download.max_items = 8;
    })
    .await;
    let world = World { user: server.user().await, server };
    for number in 0..10 {
        world.task(doc! {"name": format!("task {number}")}).await;
    }
    let request = json!({
        "entity_type": "task", "only_fields": ["name"], "field_mappings": [{"field": "name"}], "order_by": ["-name"],
    });
    let written = lines(&world.user, request.clone()).await;
    assert_eq!(written.len(), 9);
    assert_eq!((written[1].as_str(), written[8].as_str()), ("\"task 9\"", "\"task 2\""));
    let mut few = request;
    few["name"] = json!("task [0-5]");
    assert_eq!(lines(&world.user, few).await.len(), 7);
}

#[tokio::test]
async fn odd_requests_are_refused() {
    let world = World::new().await;
    let base = json!({"entity_type": "task", "only_fields": ["name"], "field_mappings": [{"field": "name"}]});
    for (field, value, message) in [
        ("entity_type", json!("queue"), "400/12 Validation error (Unsupported entity type: queue)"),
        (
            "entity_type",
            json!(null),
            "400/12 Validation error (error for field 'entity_type'. field is required!)",
        ),
        (
            "only_fields",
            json!([]),
            "400/12 Validation error (error for field 'only_fields': value '[]' length is lower than allowed minimum '1'.)",
        ),
        (
            "field_mappings",
            json!([]),
            "400/12 Validation error (error for field 'field_mappings': value '[]' length is lower than allowed minimum '1'.)",
        ),
        (
            "field_mappings",
            json!([{"field": "a"}, {"field": "b", "name": "a"}]),
            "400/12 Validation error (Field_name appears more than once in field_mappings: a)",
        ),
        (
            "field_mappings",
            json!([{"field": "a", "values": [{"key": "k", "value": 1}, {"key": "k", "value": 2}]}]),
            "400/12 Validation error (Value key appears more than once in field_mappings: k)",
        ),
        (
            "only_fields",
            json!(["nonsense"]),
            "400/14 Fields not defined for object: fields=(nonsense), object=Task",
        ),
    ] {
        let mut request = base.clone();
        request[field] = value.clone();
        if value.is_null() {
            request.as_object_mut().unwrap().remove(field);
        }
        assert_eq!(world.error("organization.prepare_download_for_get_all", request).await, message);
    }
    assert_eq!(
        world.error("organization.download_for_get_all", json!({"prepare_id": "x"})).await,
        "400/10 Invalid object id (prepare ID not found): prepare_id=x"
    );
    world.server.app.state.set("get_all_download_y", "no json", None).await.unwrap();
    assert!(
        world
            .error("organization.download_for_get_all", json!({"prepare_id": "y"}))
            .await
            .starts_with("500/100 ")
    );
}
