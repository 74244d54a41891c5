//! The described requests against the catalogue of endpoints, found as in [`crate::catalogue`].

use std::path::Path;

use serde_json::{Map, Value};

use super::document;
use crate::{catalogue::CATALOGUE, contract, support::TestServer};

#[tokio::test]
async fn requests_are_described_as_the_catalogue_says() {
    let Some(folder) = std::env::var_os(CATALOGUE) else {
        eprintln!("skipped: {CATALOGUE} names no folder of endpoint catalogues");
        return;
    };
    let document = document(&TestServer::start().await.anonymous()).await;
    let mut problems = Vec::new();
    for endpoint in contract::read(Path::new(&folder)) {
        let content = &document["paths"][format!("/{}", endpoint.name)]["post"]["requestBody"]["content"];
        let described = match content.get("application/json-lines") {
            Some(lines) => &lines["schema"]["items"],
            None => &content["application/json"]["schema"],
        };
        let comparison = Comparison { document: &document, definitions: &endpoint.definitions };
        comparison.compare(&endpoint.newest()["request"], described, &endpoint.name, &mut problems);
    }
    problems.retain(|problem| !IGNORED.iter().any(|field| *problem == format!("{field}: is not described")));
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

/// What the catalogue has and nobody heeds.
const IGNORED: [&str; 17] = [
    "events.get_task_plots.no_scroll",
    "models.publish_many.publish_tasks",
    "reports.archive.comment",
    "reports.create.report",
    "reports.create.report_assets",
    "reports.delete.force",
    "reports.publish.comment",
    "reports.unarchive.comment",
    "tasks.add_or_update_artifacts.force",
    "tasks.delete_artifacts.force",
    "tasks.edit_runtime.force",
    "tasks.reset.status_message",
    "tasks.reset.status_reason",
    "tasks.stop.status_message",
    "tasks.stop_many.status_message",
    "tasks.update.created",
    "users.update.avatar",
];

struct Comparison<'a> {
    document: &'a Value,
    definitions: &'a Value,
}

impl<'a> Comparison<'a> {
    fn compare(&self, expected: &'a Value, described: &'a Value, path: &str, problems: &mut Vec<String>) {
        let (expected, described) = (self.expected(expected), self.described(described));
        let kinds = kinds(described);
        // Without a kind anything is taken.
        if let Some(kind) = expected["type"].as_str()
            && !kinds.is_empty()
            && !kinds.iter().any(|found| *found == kind || (kind == "number" && *found == "integer"))
        {
            problems.push(format!("{path}: {kind} expected, {kinds:?} described"));
            return;
        }
        let nothing = Map::new();
        let known = described["properties"].as_object().unwrap_or(&nothing);
        for (name, schema) in expected["properties"].as_object().unwrap_or(&nothing) {
            let path = format!("{path}.{name}");
            match known.get(name) {
                Some(described) => self.compare(schema, described, &path, problems),
                None if known.is_empty() => {}
                None => problems.push(format!("{path}: is not described")),
            }
        }
        if expected["items"].is_object() && described["items"].is_object() {
            self.compare(&expected["items"], &described["items"], &format!("{path}[]"), problems);
        }
    }

    fn expected(&self, schema: &'a Value) -> &'a Value {
        let Some(reference) = schema["$ref"].as_str() else { return schema };
        &self.definitions[reference.rsplit('/').next().unwrap()]
    }

    /// The schema, or the one that it is beside null.
    fn described(&self, schema: &'a Value) -> &'a Value {
        if let Some(reference) = schema["$ref"].as_str() {
            return self.described(self.document.pointer(reference.trim_start_matches('#')).unwrap());
        }
        let mut alternatives = schema["anyOf"].as_array().into_iter().flatten();
        match alternatives.find(|alternative| alternative["type"] != "null") {
            Some(alternative) if schema["type"].is_null() => self.described(alternative),
            _ => schema,
        }
    }
}

/// The kinds of values that a schema takes.
fn kinds(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        // Choices that have descriptions.
        _ if schema["oneOf"].is_array() => vec!["string"],
        _ => Vec::new(),
    }
}
