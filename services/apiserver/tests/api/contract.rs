//! The contract: every endpoint of the catalogue, in each of its versions, answers a valid call as the catalogue
//! describes it, and an invalid one with its error.
//!
//! The catalogue is found as in [`crate::catalogue`]; without it this test does nothing.

pub mod requests;
mod schema;

use std::{collections::BTreeSet, fs, path::Path};

use clearml_apiserver::{api::Access, registry};
use clearml_auth::Role;
use serde_json::{Map, Value, json};

use crate::{
    catalogue::CATALOGUE,
    lifecycle::World,
    support::{Client, Response},
};
use requests::{Body, Invalid, Shared};
use schema::Schema;

pub struct Endpoint {
    pub name: String,
    /// Of all versions, oldest first.
    versions: Vec<(String, Value)>,
    pub definitions: Value,
}

impl Endpoint {
    pub fn newest(&self) -> &Value {
        &self.versions.last().unwrap().1
    }

    fn requires_something(&self) -> bool {
        self.newest()["request"]["required"].as_array().is_some_and(|required| !required.is_empty())
    }
}

/// All endpoints of the catalogue, by name.
pub fn read(folder: &Path) -> Vec<Endpoint> {
    let mut endpoints = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let service: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        for (name, endpoint) in service["endpoints"].as_object().unwrap() {
            let versions = endpoint["versions"].as_object().unwrap();
            let mut versions: Vec<(String, Value)> =
                versions.iter().map(|(version, form)| (version.clone(), form.clone())).collect();
            versions.sort_by_key(|(version, _)| {
                let (major, minor) = version.split_once('.').unwrap();
                (major.parse::<u32>().unwrap(), minor.parse::<u32>().unwrap())
            });
            endpoints.push(Endpoint {
                name: format!("{}.{name}", service["service"].as_str().unwrap()),
                versions,
                definitions: service["definitions"].clone(),
            });
        }
    }
    endpoints.sort_by(|one, other| one.name.cmp(&other.name));
    endpoints
}

/// Somebody who may call the endpoint.
pub async fn caller(world: &World, endpoint: &str) -> (Client, Access) {
    let registry = registry();
    let access = registry.iter().find(|(name, _)| *name == endpoint).map(|(_, forms)| forms[0].access);
    match access {
        // Whoever logs out is done.
        Some(access) if endpoint.ends_with(".logout") => (world.server.user().await, access),
        Some(Access::Roles(roles)) if !roles.contains(&Role::User) => {
            (world.server.user_with_role(roles[0]).await, access.unwrap())
        }
        Some(access) => (world.user.clone(), access),
        None => (world.user.clone(), Access::Authenticated),
    }
}

pub async fn send(client: &Client, endpoint: &str, body: Body) -> Response {
    match body {
        Body::Json(request) => client.call(endpoint, request).await,
        Body::Lines(lines) => client.lines(endpoint, &lines).await,
    }
}

#[tokio::test]
async fn every_endpoint_answers_as_the_catalogue_says() {
    let Some(folder) = std::env::var_os(CATALOGUE) else {
        eprintln!("skipped: {CATALOGUE} names no folder of endpoint catalogues");
        return;
    };
    let world = World::new().await;
    let shared = Shared::make(&world).await;
    let mut problems = Vec::new();
    let mut forms = 0;
    for endpoint in read(Path::new(&folder)) {
        let name = endpoint.name.as_str();
        let (client, access) = caller(&world, name).await;
        for (version, form) in &endpoint.versions {
            forms += 1;
            let Some(body) = requests::valid(&world, &shared, name).await else {
                problems.push(format!("{name}: no valid request is known"));
                break;
            };
            let response = send(&client.clone().version(version), name, body).await;
            if response.status != 200 {
                problems.push(format!("{name} {version}: {} {}", response.status, response.message()));
                continue;
            }
            if form["response"]["type"] == json!("string") {
                continue;
            }
            let schema = Schema { definitions: &endpoint.definitions, joins: joins(name) };
            for problem in schema.problems(response.data(), &form["response"]) {
                if !is_documented(&format!("{name} {}", problem.path)) {
                    problems.push(format!("{name} {version}: {problem}"));
                }
            }
            if version == &endpoint.versions.last().unwrap().0 {
                problems.extend(missing(name, response.data(), &form["response"]));
            }
        }
        problems.extend(refuses(&world, &endpoint, &client, access).await);
    }
    let problems: BTreeSet<String> = problems.into_iter().collect();
    assert!(forms > 300, "only {forms} forms in the catalogue");
    let problems: Vec<String> = problems.into_iter().collect();
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

/// Whether references to other objects are answered as objects.
fn joins(name: &str) -> bool {
    name.ends_with("_ex") || name == "reports.get_task_data"
}

/// Where answers depart from the schema as the official server's do; clients are used to it.
fn is_documented(path: &str) -> bool {
    // Versions up to 2.16 answer metadata as an empty list.
    path.ends_with(".metadata")
        || matches!(
            path,
            "events.delete_for_model data.deleted"
                | "events.delete_for_task data.deleted"
                | "events.get_vector_metrics_and_variants data.metrics"
                | "projects.get_all_ex data.projects.stats.active.last_task_run"
                | "tasks.get_configuration_names data.configurations"
                | "users.get_current_user data.settings.max_download_items"
        )
}

/// What the schema describes and the answer lacks.
fn missing(name: &str, answer: &Value, schema: &Value) -> Vec<String> {
    let nothing = Map::new();
    let described = schema["properties"].as_object().unwrap_or(&nothing);
    described
        .keys()
        .filter(|field| answer.get(field.as_str()).is_none())
        .map(|field| format!("{name}.{field}"))
        .filter(|path| !requests::is_optional(path))
        .map(|path| format!("{path} is not answered"))
        .collect()
}

/// Calls the endpoint in a wrong way.
async fn refuses(world: &World, endpoint: &Endpoint, client: &Client, access: Access) -> Vec<String> {
    let name = endpoint.name.as_str();
    let (client, body, expected) = match requests::invalid(name) {
        Some(Invalid::Nothing) => return Vec::new(),
        Some(Invalid::Request(request, code)) => (client.clone(), Body::Json(request), code),
        None if endpoint.requires_something() => (client.clone(), Body::Json(json!({})), (400, 12)),
        None if matches!(access, Access::Open | Access::Optional) => return Vec::new(),
        None => (world.server.anonymous(), Body::Json(json!({})), (401, 20)),
    };
    let response = send(&client, name, body).await;
    if response.code() == expected {
        return Vec::new();
    }
    vec![format!(
        "{name}: {expected:?} expected for an invalid call, {:?} {}",
        response.code(),
        response.message()
    )]
}
