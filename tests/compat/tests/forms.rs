//! The other direction: what this server writes has the form of what the official one writes.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use std::{cell::RefCell, collections::BTreeSet};

use clearml_compat::{Cluster, Differences, Dump, Server, Shape, Side, embedded_stores, recording};
use clearml_documents::{Collection, Document, Filter, Find};
use serde_json::{Value, json};

/// The differences that are meant, by `<database>.<collection>`.
const FORMS: &str = include_str!("../forms.txt");

/// The same for the documents and mappings of indices.
const INDICES: &str = include_str!("../indices.txt");

/// The collections that a server writes to in its everyday work.
const COLLECTIONS: [Collection; 9] = [
    Collection::AuthUser,
    Collection::Company,
    Collection::Model,
    Collection::Project,
    Collection::Queue,
    Collection::Settings,
    Collection::Task,
    Collection::User,
    Collection::Versions,
];

#[tokio::test(flavor = "multi_thread")]
async fn documents_have_the_official_form() {
    let Some(folder) = recording() else { return };
    let dump = Dump::open(folder);
    let directory = tempfile::tempdir().unwrap();
    let server = Server::first_start(embedded_stores(directory.path()).unwrap()).await.unwrap();
    let day = Day { server: &server, failures: RefCell::default() };
    work(&day).await;

    let table = Differences::parse(FORMS, Side::Embedded).unwrap();
    let mut report = day.failures.take();
    for collection in COLLECTIONS {
        let name = format!("{}.{}", collection.database(), collection.name());
        let documents = server.app.documents.find(collection, Find::new(Filter::Everything)).await.unwrap();
        let ours = Shape::of(&documents);
        let official = Shape::of(&dump.documents(collection).unwrap());
        report.extend(ours.differences(&official, &name, &table));
    }
    let task = server.ok("tasks.get_all", json!({"name": "^run 0$", "only_fields": ["id"]})).await.unwrap();
    let id = task["tasks"][0]["id"].as_str().unwrap();
    let events = server.ok("events.get_task_events", json!({"task": id})).await.unwrap();
    for kind in ["log", "plot", "training_debug_image", "training_stats_scalar"] {
        let ours =
            documents(&events["events"]).filter(|event| event.get_str("type").is_ok_and(|name| name == kind));
        let ours: Vec<Document> = ours.collect();
        let index = format!("events-{kind}-d1bd92a3b039400cbafc60a7a5b1e52b");
        let official: Vec<Document> = dump.indexed(&index).unwrap().map(|hit| hit.unwrap().source).collect();
        report.extend(Shape::of(&ours).differences(&Shape::of(&official), &format!("events.{kind}"), &table));
    }
    report.extend(table.stale().iter().map(|line| format!("forms.txt:{line} does not occur")));
    assert!(report.is_empty(), "{} findings:\n{}", report.len(), report.join("\n"));
}

/// As [`documents_have_the_official_form`], for what the cluster's Elasticsearch holds.
#[tokio::test(flavor = "multi_thread")]
async fn indices_have_the_official_form() {
    let Some(folder) = recording() else { return };
    let Some(cluster) = Cluster::of_environment("forms").await.unwrap() else { return };
    let report = indices(&cluster, &Dump::open(folder)).await;
    cluster.clean().await.unwrap();
    let report = report.unwrap();
    assert!(report.is_empty(), "{} findings:\n{}", report.len(), report.join("\n"));
}

async fn indices(cluster: &Cluster, dump: &Dump) -> anyhow::Result<Vec<String>> {
    let server = Server::first_start(cluster.stores().await?).await?;
    let day = Day { server: &server, failures: RefCell::default() };
    work(&day).await;
    let mut report = day.failures.take();

    let table = Differences::parse(INDICES, Side::Cluster)?;
    for (name, _, _) in dump.indices()? {
        if name.starts_with("serving_stats") || name.starts_with("events-training_stats_vector") {
            // The day had no models in service and no vectors.
            continue;
        }
        // Statistics have an index for each month.
        let pattern = if name.starts_with("events") {
            name.clone()
        } else {
            format!("{}*", name.rsplit_once('_').map_or(name.as_str(), |(name, _)| name))
        };
        let kind = name.split("_d1bd92a3").next().unwrap_or_default();
        let kind = kind.split("-d1bd92a3").next().unwrap_or_default();
        let ours = cluster.sources(&pattern).await?;
        let official = dump.indexed(&name)?.map(|hit| Ok(hit?.source));
        let official: Vec<Document> = official.collect::<anyhow::Result<_>>()?;
        report.extend(Shape::of(&ours).differences(&Shape::of(&official), kind, &table));
        let mapping = cluster.elastic(&format!("{}{pattern}/_mapping", cluster.indices)).await?;
        let mapping = mapping.as_object().and_then(|indices| indices.values().next()).cloned();
        let ours = mapping.unwrap_or_default()["mappings"]["properties"].clone();
        let mut theirs = dump.json(&format!("elastic/{name}.index.json"))?["mappings"]["properties"].clone();
        // Fields of events that the recording no longer holds.
        let templated = templated_fields(dump, &name)?;
        if let Some(theirs) = theirs.as_object_mut() {
            theirs.retain(|field, _| ours.get(field).is_some() || templated.contains(field));
        }
        let differences = table.compare(kind, &theirs, &ours);
        report.extend(differences.iter().map(|difference| format!("{kind}: {difference}")));
    }
    report.extend(table.stale().iter().map(|line| format!("indices.txt:{line} does not occur")));
    Ok(report)
}

/// The fields that the recorded templates give an index.
fn templated_fields(dump: &Dump, index: &str) -> anyhow::Result<BTreeSet<String>> {
    let templates = dump.json("elastic/index_templates.json")?;
    let components = dump.json("elastic/component_templates.json")?;
    let mut fields = BTreeSet::new();
    let mut add = |template: &Value| {
        let properties = template["template"]["mappings"]["properties"].as_object();
        fields.extend(properties.into_iter().flat_map(|properties| properties.keys().cloned()));
    };
    for template in templates.as_array().into_iter().flatten().map(|named| &named["index_template"]) {
        let pattern = template["index_patterns"][0].as_str().unwrap_or_default();
        if index.starts_with(pattern.trim_end_matches('*')) {
            add(template);
            for component in components.as_array().into_iter().flatten() {
                let is_part =
                    template["composed_of"].as_array().is_some_and(|of| of.contains(&component["name"]));
                if is_part {
                    add(&component["component_template"]);
                }
            }
        }
    }
    Ok(fields)
}

#[test]
fn indexes_are_the_official_ones() {
    let Some(folder) = recording() else { return };
    let recorded = Dump::open(folder).json("mongo/indexes.json").unwrap();
    let mut report = Vec::new();
    for collection in Collection::ALL {
        let name = format!("{}.{}", collection.database(), collection.name());
        let Some(indexes) = recorded[&name].as_array() else { continue };
        let official: BTreeSet<String> =
            indexes.iter().filter(|index| index["name"] != "_id_").map(recorded_index).collect();
        let ours = collection.spec().indexes.iter().map(|index| {
            let fields: Vec<String> = index
                .fields
                .iter()
                .map(|field| {
                    field.strip_prefix('-').map_or(format!("{field} 1"), |field| format!("{field} -1"))
                })
                .collect();
            index_text(&fields, index.unique, index.sparse, index.numeric_collation)
        });
        let ours: BTreeSet<String> = ours.collect();
        report.extend(official.difference(&ours).map(|index| format!("{name} lacks {index}")));
        report.extend(ours.difference(&official).map(|index| format!("{name} has beyond {index}")));
    }
    assert!(report.is_empty(), "{}", report.join("\n"));
}

fn recorded_index(index: &Value) -> String {
    let fields: Vec<String> =
        index["key"].as_object().unwrap().iter().map(|(field, order)| format!("{field} {order}")).collect();
    let numeric_collation = index["collation"]["numericOrdering"] == true;
    index_text(&fields, index["unique"] == true, index["sparse"] == true, numeric_collation)
}

fn index_text(fields: &[String], unique: bool, sparse: bool, numeric_collation: bool) -> String {
    let mut text = fields.join(", ");
    for (name, is_set) in [("unique", unique), ("sparse", sparse), ("numeric", numeric_collation)] {
        if is_set {
            text.push(' ');
            text.push_str(name);
        }
    }
    text
}

fn documents(list: &Value) -> impl Iterator<Item = Document> {
    list.as_array().unwrap().iter().map(|item| serde_json::from_value(item.clone()).unwrap())
}

/// A server at work. Calls that fail are noted, and answer null.
struct Day<'a> {
    server: &'a Server,
    failures: RefCell<Vec<String>>,
}

impl Day<'_> {
    async fn ok(&self, endpoint: &str, body: Value) -> Value {
        self.noted(self.server.ok(endpoint, body).await)
    }

    async fn add_events(&self, events: &[Value]) {
        self.noted(self.server.add_events(events).await);
    }

    fn noted(&self, outcome: anyhow::Result<Value>) -> Value {
        outcome.unwrap_or_else(|error| {
            self.failures.borrow_mut().push(error.to_string());
            Value::Null
        })
    }
}

/// What SDK, agent and Web-App do in a day, call by call.
async fn work(day: &Day<'_>) {
    let project = day
        .ok(
            "projects.create",
            json!({"name": "lab/vision/classification", "description": "", "system_tags": []}),
        )
        .await["id"]
        .clone();
    let task = experiment(day, "run 0", &project).await;
    let model = day
        .ok(
            "models.create",
            json!({
                "name": "model 0", "uri": "http://127.0.0.1:8081/model.pt", "task": task, "project": project,
                "framework": "PyTorch", "ready": false, "tags": ["candidate"],
                "labels": {"cat": 1, "dog": 2}, "design": {"design": "layer"}, "comment": "a snapshot",
            }),
        )
        .await["id"]
        .clone();
    let bare = json!({
        "name": "model 1", "uri": "http://127.0.0.1:8081/other.pt", "task": task, "project": project,
        "framework": "Custom", "tags": ["production"], "design": {"design": ""}, "comment": "",
    });
    day.ok("models.create", bare).await;
    let hidden = json!({"name": "lab/pipes/.pipelines", "description": "", "system_tags": ["hidden"]});
    day.ok("projects.create", hidden).await;
    let add_model =
        json!({"task": task, "name": "model 0", "model": model, "type": "output", "iteration": 3});
    day.ok("tasks.add_or_update_model", add_model).await;
    let metadata = json!({"key": "score", "type": "float", "value": "0.6"});
    day.ok("models.add_or_update_metadata", json!({"model": model, "metadata": [metadata]})).await;
    day.add_events(&[json!({
        "type": "training_stats_scalar", "model": model, "model_event": true, "metric": "loss",
        "variant": "val", "value": 0.5, "iter": 1, "timestamp": 1_795_486_056_440_i64,
    })])
    .await;
    day.ok("tasks.completed", json!({"task": task, "status_reason": "done"})).await;
    day.ok("tasks.publish", json!({"task": task, "publish_model": true})).await;

    let queue = day.ok("queues.create", json!({"name": "lab-gpu"})).await["id"].clone();
    day.ok("queues.update", json!({"queue": queue, "display_name": "GPU"})).await;
    for _ in 0..2 {
        let clone = json!({"task": task, "new_task_name": "run 1", "new_task_tags": ["sweep"]});
        let queued = day.ok("tasks.clone", clone).await["id"].clone();
        day.ok("tasks.enqueue", json!({"task": queued, "queue": queue})).await;
    }
    let worker = json!({"worker": "host:gpu0", "queues": [queue], "timeout": 600});
    day.ok("workers.register", worker).await;
    let next = day.ok("queues.get_next_task", json!({"queue": queue})).await["entry"]["task"].clone();
    day.ok("tasks.started", json!({"task": next})).await;
    let report = json!({
        "worker": "host:gpu0", "task": next, "queue": queue, "queues": [queue],
        "timestamp": 1_795_486_299_038_i64, "machine_stats": {"cpu_usage": [20, 30], "memory_used": 1000},
    });
    day.ok("workers.status_report", report).await;
    let shared = json!({"name": "lab/shared", "description": ""});
    let shared = day.ok("projects.create", shared).await["id"].clone();
    day.ok("projects.make_public", json!({"ids": [shared]})).await;
    day.ok("projects.make_private", json!({"ids": [shared]})).await;
    day.ok("projects.make_public", json!({"ids": [shared]})).await;
    let report = json!({"name": "week 1", "project": project, "comment": "made by hand"});
    let report = day.ok("reports.create", report).await["id"].clone();
    day.ok("reports.update", json!({"task": report, "report": "# Week 1"})).await;
    day.ok("users.set_preferences", json!({"preferences": {"version": "1"}})).await;
}

/// A task with everything that an experiment has.
async fn experiment(day: &Day<'_>, name: &str, project: &Value) -> Value {
    let task = json!({
        "name": name, "type": "training", "project": project, "system_tags": ["development"],
        "tags": ["baseline"], "comment": "Auto-generated", "input": {"view": {}},
    });
    let task = day.ok("tasks.create", task).await["id"].clone();
    day.ok("tasks.started", json!({"task": task})).await;
    let edit = json!({
        "task": task, "force": true,
        "script": {
            "binary": "python3.11", "repository": "", "branch": "main", "version_num": "b21799b",
            "entry_point": "train.py", "working_dir": ".", "diff": "diff",
            "requirements": {"pip": "clearml == 2.1.12\n", "conda": ""},
        },
        "hyperparams": {"Args": {"lr": {
            "section": "Args", "name": "lr", "value": "0.1", "type": "float", "description": "rate",
        }}},
        "configuration": {"General": {
            "name": "General", "value": "a = 1", "type": "dictionary", "description": "all",
        }},
        "container": {"image": "python:3.11", "arguments": "", "setup_shell_script": ""},
        "runtime": {"progress": "100", "gpus": 2, "load": 0.5},
        "output_dest": "http://127.0.0.1:8081",
    });
    day.ok("tasks.edit", edit).await;
    let parameter =
        json!({"section": "General", "name": "seed", "value": "1", "type": "int", "description": ""});
    day.ok("tasks.edit_hyper_params", json!({"task": task, "hyperparams": [parameter], "force": true})).await;
    let artifact = json!({
        "key": "table", "type": "pandas", "mode": "output", "uri": "http://127.0.0.1:8081/table.csv",
        "hash": "00", "content_size": 100, "timestamp": 1_795_486_056,
        "type_data": {"preview": "a b", "content_type": "text/csv"}, "display_data": [["rows", "2"]],
    });
    day.ok("tasks.add_or_update_artifacts", json!({"task": task, "artifacts": [artifact]})).await;
    let timestamp = 1_795_486_056_440_i64;
    let event = |kind: &str, metric: &str, variant: &str, iter: i64, more: Value| {
        let mut event = json!({
            "type": kind, "task": task, "timestamp": timestamp + iter, "metric": metric, "variant": variant,
            "iter": iter, "worker": "vm", "model_event": false, "method": "get",
        });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let log = json!({
        "type": "log", "task": task, "timestamp": timestamp, "level": "info", "worker": "vm", "msg": "hello",
        "model_event": false, "method": "get",
    });
    day.add_events(&[
        event("training_stats_scalar", "loss", "train", 0, json!({"value": 2.5})),
        event("training_stats_scalar", "loss", "train", 1, json!({"value": 1.5})),
        event("training_stats_scalar", "Summary", "best", -(1 << 31), json!({"value": 0.5})),
        event("plot", "confusion", "val", 1, json!({"plot_str": "{\"data\": []}"})),
        event(
            "training_debug_image",
            "samples",
            "target",
            1,
            json!({"key": "a.jpeg", "url": "http://127.0.0.1:8081/a.jpeg"}),
        ),
        log,
    ])
    .await;
    task
}
