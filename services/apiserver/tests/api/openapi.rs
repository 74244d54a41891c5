//! The description of the API: complete, true of real answers, in step with the catalogue, and shown by its page.

mod catalogue;

use axum::body::Body;
use clearml_apiserver::registry;
use http::Request;
use serde_json::{Value, json};

use crate::{
    contract::{self, requests, requests::Shared},
    lifecycle::World,
    support::{Client, Response, TestServer},
};

async fn get(client: &Client, path: &str) -> Response {
    client.send(Request::get(path).body(Body::empty()).unwrap()).await
}

/// The document as the server has it.
async fn document(client: &Client) -> Value {
    let response = get(client, "/openapi.json").await;
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), "application/json");
    response.json
}

#[tokio::test]
async fn every_endpoint_is_described() {
    let document = document(&TestServer::start().await.anonymous()).await;
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    let registry = registry();
    assert_eq!(paths.len(), registry.iter().count());
    let tags: Vec<&Value> = document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    for (name, _) in registry.iter() {
        let operation = &paths[&format!("/{name}")]["post"];
        assert_eq!(operation["operationId"], name);
        assert!(operation["summary"].is_string(), "{name} has no line in openapi/services");
        assert!(tags.contains(&&operation["tags"][0]), "{name}");
        let answers = operation["responses"]["200"]["content"].as_object().unwrap();
        let is_enveloped = answers.contains_key("application/json");
        assert!(
            !is_enveloped || data_schema(&document, name) != &json!({"type": "object"}) || is_free(name),
            "{name}"
        );
    }
}

/// Answers that may hold anything.
fn is_free(name: &str) -> bool {
    name.starts_with("server.") || name.starts_with("events.") || name == "debug.ping"
}

fn data_schema<'a>(document: &'a Value, name: &str) -> &'a Value {
    let content = &document["paths"][format!("/{name}")]["post"]["responses"]["200"]["content"];
    &content["application/json"]["schema"]["properties"]["data"]
}

/// The description comes from tables: real answers to the newest form of every endpoint keep it true.
#[tokio::test]
async fn every_answer_is_as_described() {
    let world = World::new().await;
    let shared = Shared::make(&world).await;
    let document = document(&world.user).await;
    let mut problems = Vec::new();
    for (name, _) in registry().iter() {
        let (client, _) = contract::caller(&world, name).await;
        let Some(body) = requests::valid(&world, &shared, name).await else {
            problems.push(format!("{name}: no valid request is known"));
            continue;
        };
        let version = if is_gone(name) { "2.13" } else { "2.34" };
        let response = contract::send(&client.version(version), name, body).await;
        if response.status != 200 {
            problems.push(format!("{name}: {} {}", response.status, response.message()));
            continue;
        }
        let content = &document["paths"][format!("/{name}")]["post"]["responses"]["200"]["content"];
        let Some(described) = content.get(response.header("content-type").split(';').next().unwrap()) else {
            problems.push(format!("{name}: answers {}", response.header("content-type")));
            continue;
        };
        if !response.header("content-type").starts_with("application/json") || is_gone(name) {
            continue;
        }
        problems.extend(check(&document, &described["schema"], &response.json, name));
        problems.extend(not_described(&document, name, response.data()));
    }
    problems.sort();
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

/// Endpoints that only answer older versions.
fn is_gone(name: &str) -> bool {
    matches!(name, "models.get_by_task_id" | "models.update_for_task")
}

/// Where a value departs from a schema of the document.
fn check(document: &Value, schema: &Value, value: &Value, name: &str) -> Vec<String> {
    let whole = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "components": document["components"],
        "allOf": [schema],
    });
    let validator = jsonschema::options().should_validate_formats(true).build(&whole).unwrap();
    validator.iter_errors(value).map(|error| format!("{name} {}: {error}", error.instance_path())).collect()
}

/// Members of an answer that the document does not know.
fn not_described(document: &Value, name: &str, data: &Value) -> Vec<String> {
    let mut schema = data_schema(document, name);
    if let Some(reference) = schema["$ref"].as_str() {
        schema = document.pointer(reference.trim_start_matches('#')).unwrap();
    }
    let Some(described) = schema["properties"].as_object() else { return Vec::new() };
    if schema["additionalProperties"].is_object() || matches!(name, "debug.ping" | "server.config") {
        return Vec::new();
    }
    let members = data.as_object().into_iter().flatten();
    members
        .filter(|(member, _)| !described.contains_key(*member))
        .map(|(member, _)| format!("{name}: {member} is not described"))
        .collect()
}

#[tokio::test]
async fn the_document_is_cached_and_compressed() {
    let server = TestServer::start().await;
    let first = get(&server.anonymous(), "/openapi.json").await;
    let etag = first.header("etag").to_owned();
    assert!(etag.starts_with("W/\""), "{etag}");
    let again = get(&server.anonymous().header("if-none-match", &etag), "/openapi.json").await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    assert_eq!(again.header("etag"), etag);
    let other = get(&server.anonymous().header("if-none-match", "W/\"other\""), "/openapi.json").await;
    assert_eq!(other.body, first.body);
    let compressed = get(&server.anonymous().header("accept-encoding", "gzip"), "/openapi.json").await;
    assert_eq!(compressed.header("content-encoding"), "gzip");
    assert!(compressed.body.len() * 4 < first.body.len());
}

/// What looks like a call is one, except for the document's own address.
#[tokio::test]
async fn calls_are_not_shadowed() {
    let server = TestServer::start().await;
    let user = server.user().await;
    assert_eq!(user.error("openapi.json", json!({})).await.0, 404);
    for path in ["/v2.31/openapi.json", "/openapi.jso"] {
        assert_eq!(get(&user, path).await.code(), (404, 0), "{path}");
    }
    for path in ["/docs/unknown.js", "/doc", "/docsx"] {
        assert_eq!(get(&user, path).await.code(), (400, 0), "{path}");
    }
}

#[tokio::test]
async fn the_prefix_of_a_proxy_is_cut() {
    let server = TestServer::with_settings(|settings| settings.api.strip_prefix = "/api".to_owned()).await;
    for path in ["/api/openapi.json", "/api/docs", "/api/docs/page.js"] {
        assert_eq!(get(&server.anonymous(), path).await.status, 200, "{path}");
    }
}

/// The page works without any other server, and behind a prefix.
#[tokio::test]
async fn the_page_brings_all_its_parts() {
    let server = TestServer::start().await;
    let page = get(&server.anonymous(), "/docs").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    let mut parts = 0;
    for part in text.split(['"']).filter(|part| part.starts_with("docs/")) {
        parts += 1;
        let plain = get(&server.anonymous(), &format!("/{part}")).await;
        assert_eq!(plain.status, 200, "{part}");
        let packed =
            get(&server.anonymous().header("accept-encoding", "br, gzip"), &format!("/{part}")).await;
        assert_eq!(packed.header("content-type"), plain.header("content-type"), "{part}");
        assert!(packed.body.len() <= plain.body.len(), "{part}");
        let etag = plain.header("etag").to_owned();
        let known = get(&server.anonymous().header("if-none-match", &etag), &format!("/{part}")).await;
        assert_eq!(known.status, 304, "{part}");
    }
    assert_eq!(parts, 3);
    let slash = get(&server.anonymous(), "/docs/").await;
    assert_eq!((slash.status.as_u16(), slash.header("location")), (307, "../docs"));
}
