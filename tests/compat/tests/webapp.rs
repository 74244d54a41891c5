//! Every call that the official Web-App makes gets an answer with the members that it reads.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use clearml_compat::{Dump, Server, embedded_stores, load, recording};
use serde_json::{Value, json};

/// A person of the recorded stores.
const KEY: &str = "SUITEROOTKEY000000000000000000";

// Objects of the recorded stores.
const USER: &str = "Test1";
const PROJECT: &str = "35ac009ffde94545909347c5331f9404";
const TASKS: [&str; 3] = [
    "97b3bcccb9744378aa9e52942d2af08e",
    "6f1f273f1b50435091d7397c0688eb96",
    "c00a531868794ceaaa61b926cbea6701",
];
const MODEL: &str = "2b61459737b7439981bfb5b7d3fc5d5f";
const QUEUE: &str = "f9189f4d67f9494dbff4d139a7a127b4";
const OTHER_QUEUE: &str = "0d93e193ef7249f3b5df6721ac8aea18";
const REPORT: &str = "65eb58353a114f3ab5425264b1aa2a6c";
const PIPELINE: &str = "027c482689c54855b60c870a8f62eb41";

#[tokio::test(flavor = "multi_thread")]
async fn each_call_of_the_web_app_is_answered() {
    let Some(folder) = recording() else { return };
    let calls = folder.parent().unwrap().join("webapp-2.5-calls.json");
    let calls: Value = serde_json::from_slice(&std::fs::read(calls).unwrap()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let stores = embedded_stores(directory.path()).unwrap();
    load(&Dump::open(&folder), &stores).await.unwrap();
    let tour = Tour { server: Server::start(stores, KEY).await.unwrap() };

    let mut report = Vec::new();
    let mut calls: Vec<&Value> = calls["calls"].as_array().unwrap().iter().collect();
    // After it the caller's token is no longer good.
    calls.sort_by_key(|call| call["endpoint"] == "login.logout");
    for call in calls {
        let endpoint = call["endpoint"].as_str().unwrap();
        let body = match tour.body(endpoint, &call["example"]).await {
            Ok(body) => body,
            Err(error) => {
                report.push(format!("{endpoint} can't be prepared: {error}"));
                continue;
            }
        };
        let answer = tour.server.call("999.0", endpoint, &body).await.unwrap();
        let data = answer.json["data"].as_object();
        let expected = call["response_keys"].as_array().into_iter().flatten();
        let missing: Vec<&Value> = expected
            .filter(|key| !data.is_some_and(|data| data.contains_key(key.as_str().unwrap())))
            .collect();
        if answer.status != 200 || !missing.is_empty() {
            let meta = &answer.json["meta"]["result_msg"];
            report.push(format!("{endpoint} {body}: {} {meta}, without {missing:?}", answer.status));
        }
    }
    assert!(report.is_empty(), "{} findings:\n{}", report.len(), report.join("\n"));
}

/// A run through the Web-App on the recorded stores.
struct Tour {
    server: Server,
}

/// The objects that a call is about.
#[derive(Default)]
struct Subjects {
    task: Option<String>,
    project: Option<String>,
    model: Option<String>,
    queue: Option<String>,
    other: Option<String>,
}

impl Tour {
    /// The body of a recorded call, about objects of the stores here. What a call changes is made for it.
    async fn body(&self, endpoint: &str, example: &Value) -> anyhow::Result<Value> {
        let subjects = self.subjects(endpoint, example).await?;
        let mut body = if example.is_null() { json!({}) } else { example.clone() };
        let service = endpoint.split_once('.').unwrap().0;
        let Some(members) = body.as_object_mut() else { return Ok(body) };
        for (key, value) in members {
            replace(service, key, value, &subjects);
        }
        Ok(body)
    }

    async fn subjects(&self, endpoint: &str, example: &Value) -> anyhow::Result<Subjects> {
        let task = |id: String| Subjects { task: Some(id), ..Subjects::default() };
        let model = |id: String| Subjects { model: Some(id), ..Subjects::default() };
        let project = |id: String| Subjects { project: Some(id), ..Subjects::default() };
        let other =
            |text: &Value| Subjects { other: text.as_str().map(str::to_owned), ..Subjects::default() };
        Ok(match endpoint {
            "auth.edit_credentials" | "auth.revoke_credentials" => {
                other(&self.make("auth.create_credentials", json!({})).await?["credentials"]["access_key"])
            }
            "events.next_debug_image_sample" => {
                let first = json!({
                    "task": TASKS[0], "metric": "samples", "variant": "prediction", "iteration": 100,
                    "navigate_current_metric": true,
                });
                other(&self.make("events.get_debug_image_sample", first).await?["scroll_id"])
            }
            "events.get_multi_task_plots" if example.get("scroll_id").is_some() => {
                other(&self.make(endpoint, json!({"tasks": TASKS, "iters": 1})).await?["scroll_id"])
            }
            "models.archive_many"
            | "models.edit"
            | "models.publish_many"
            | "models.unarchive_many"
            | "models.update"
            | "models.update_tags" => {
                let new =
                    json!({"name": "made by tour", "uri": "file:///x", "project": PROJECT, "labels": {}});
                model(self.id("models.create", new).await?)
            }
            "pipelines.start_pipeline" => task(PIPELINE.to_owned()),
            "projects.delete" | "projects.move" | "projects.update" | "projects.validate_delete" => {
                let new = json!({"name": self.name(), "description": ""});
                project(self.id("projects.create", new).await?)
            }
            "queues.delete" | "queues.update" => {
                let queue = Some(self.id("queues.create", json!({"name": self.name()})).await?);
                Subjects { queue, ..other(&self.name().into()) }
            }
            "queues.get_by_task_id"
            | "queues.move_task_to_back"
            | "queues.move_task_to_front"
            | "queues.move_task_to_queue"
            | "queues.remove_task"
            | "tasks.dequeue_many" => {
                let id = self.draft().await?;
                self.make("tasks.enqueue", json!({"task": id, "queue": QUEUE})).await?;
                task(id)
            }
            "reports.archive" | "reports.delete" | "reports.publish" | "reports.update" => {
                task(self.id("reports.create", json!({"name": self.name(), "project": PROJECT})).await?)
            }
            "reports.get_all_ex" => task(REPORT.to_owned()),
            "serving.get_endpoint_details" => {
                let report = json!({
                    "container_id": "container", "endpoint_name": "webtour", "model_name": "a model",
                    "endpoint_url": example["endpoint_url"],
                });
                self.make("serving.container_status_report", report).await?;
                Subjects::default()
            }
            "tasks.publish_many" | "tasks.reset_many" => {
                let id = self.draft().await?;
                self.make("tasks.started", json!({"task": id})).await?;
                self.make("tasks.stopped", json!({"task": id})).await?;
                task(id)
            }
            "tasks.stop_many" => {
                let id = self.draft().await?;
                self.make("tasks.started", json!({"task": id})).await?;
                task(id)
            }
            "tasks.archive_many"
            | "tasks.delete_many"
            | "tasks.edit"
            | "tasks.edit_configuration"
            | "tasks.edit_hyper_params"
            | "tasks.enqueue_many"
            | "tasks.move"
            | "tasks.unarchive_many"
            | "tasks.update"
            | "tasks.update_tags" => task(self.draft().await?),
            // The call names its event's model as a task.
            _ if example["model_events"] == true => task(MODEL.to_owned()),
            _ => Subjects::default(),
        })
    }

    fn name(&self) -> String {
        format!("tour-{}", self.server.app.new_id())
    }

    async fn draft(&self) -> anyhow::Result<String> {
        let script =
            json!({"entry_point": "main.py", "working_dir": ".", "repository": "", "binary": "python"});
        let new = json!({"name": "made by tour", "type": "training", "project": PROJECT, "script": script});
        self.id("tasks.create", new).await
    }

    async fn id(&self, endpoint: &str, body: Value) -> anyhow::Result<String> {
        Ok(self.make(endpoint, body).await?["id"].as_str().unwrap().to_owned())
    }

    async fn make(&self, endpoint: &str, body: Value) -> anyhow::Result<Value> {
        self.server.ok(endpoint, body).await
    }
}

/// Puts ids of the stores here in place of those of the recording.
fn replace(service: &str, key: &str, value: &mut Value, subjects: &Subjects) {
    let or = |subject: &Option<String>, usual: &str| subject.clone().unwrap_or_else(|| usual.to_owned());
    match value {
        Value::String(text) if text.is_empty() => {}
        Value::String(text) => {
            let kind = match (key, service) {
                ("id" | "ids", service) => service.trim_end_matches('s'),
                (key, _) => key.trim_end_matches('s'),
            };
            match kind {
                "task" | "report" => *text = or(&subjects.task, TASKS[0]),
                "project" | "parent" | "new_task_project" => *text = or(&subjects.project, PROJECT),
                "model" | "models.input.model" => *text = or(&subjects.model, MODEL),
                "queue" | "queue_id" => *text = or(&subjects.queue, QUEUE),
                "target_queue" => OTHER_QUEUE.clone_into(text),
                "user" | "active_user" => USER.clone_into(text),
                "access_key" | "scroll_id" => *text = or(&subjects.other, text),
                "name" if service == "queues" => *text = or(&subjects.other, text),
                _ => {}
            }
        }
        Value::Array(items) if matches!(key, "tasks" | "id") && items.len() > 1 => {
            for (item, id) in items.iter_mut().zip(TASKS) {
                *item = id.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace(service, key, item, subjects)),
        Value::Object(members) if matches!(key, "metrics") => {
            for (key, value) in members.iter_mut().filter(|(key, _)| *key == "task") {
                replace(service, key, value, subjects);
            }
        }
        _ => {}
    }
}
