//! A valid and an invalid request for each endpoint.

use bson::{DateTime, Document, doc};
use clearml_documents::Collection;
use serde_json::{Value, json};

use crate::{
    lifecycle::World,
    support::{COMPANY, claims, sign},
};

pub enum Body {
    Json(Value),
    Lines(Vec<Value>),
}

pub enum Invalid {
    Request(Value, (u64, u64)),
    /// The endpoint takes anything from anybody.
    Nothing,
}

/// What all reading calls read.
pub struct Shared {
    /// A task with events of all kinds.
    task: String,
    project: String,
}

const SERVING_URL: &str = "http://serving.example/contract";

impl Shared {
    pub async fn make(world: &World) -> Self {
        let project = world
            .insert(Collection::Project, doc! {"name": "contract", "basename": "contract", "path": []})
            .await;
        let task = world.task(full_task(&project)).await;
        let vector = json!({"type": "training_stats_vector", "metric": "v", "variant": "x", "iter": 1, "values": [1, 2]});
        let mut events = vec![
            json!({"type": "log", "msg": "line", "level": "info", "timestamp": 1_700_000_000_000_i64}),
            json!({"type": "training_stats_scalar", "metric": "loss", "variant": "train", "value": 0.5, "iter": 1}),
            json!({"type": "training_stats_scalar", "metric": "loss", "variant": "train", "value": 0.25, "iter": 2}),
            json!({"type": "training_stats_scalar", "metric": "Summary", "variant": "best", "value": 1, "iter": -(1_i64 << 31)}),
            json!({"type": "training_debug_image", "metric": "image", "variant": "x", "iter": 1, "url": "http://files/1", "key": "1"}),
            json!({"type": "plot", "metric": "plot", "variant": "x", "iter": 1, "plot_str": "{}"}),
            vector,
        ];
        for event in &mut events {
            event["task"] = json!(task);
        }
        let response = world.user.lines("events.add_batch", &events).await;
        assert_eq!(response.json["data"]["errors"], json!(0), "{}", response.json);
        let worker = json!({"worker": "w", "timestamp": DateTime::now().timestamp_millis(), "task": task, "machine_stats": {"cpu_usage": [1, 2]}});
        world.ok("workers.status_report", worker).await;
        world
            .insert(Collection::Queue, doc! {"name": "default", "system_tags": ["default"], "entries": []})
            .await;
        let container = json!({
            "container_id": "c", "endpoint_name": "e", "model_name": "m", "endpoint_url": SERVING_URL, "uptime_sec": 5,
            "requests_num": 3, "requests_min": 1.5, "latency_ms": 4, "input_type": "t", "input_size": "1",
            "model_source": "s", "model_version": "1", "preprocess_artifact": "p",
        });
        world.ok("serving.container_status_report", container).await;
        world
            .ok(
                "serving.register_container",
                json!({"container_id": "l", "endpoint_name": "e", "model_name": "m"}),
            )
            .await;
        Self { task, project }
    }
}

/// A task that has every field.
fn full_task(project: &str) -> Document {
    let now = DateTime::from_millis(1_700_000_000_123);
    doc! {
        "name": "a whole task", "type": "training", "status": "created", "comment": "c", "project": project, "created": now,
        "started": now, "completed": now, "status_changed": now, "status_message": "m", "status_reason": "r",
        "last_update": now, "last_change": now, "last_changed_by": "somebody", "last_worker": "w", "last_worker_report": now,
        "active_duration": 5_i64, "tags": ["b", "a"], "system_tags": ["x"], "last_iteration": 7_i64, "parent": "p",
        "hyperparams": {"Args": {"lr": {"section": "Args", "name": "lr", "value": "1", "type": "float"}}},
        "configuration": {"general": {"name": "general", "value": "x", "type": "text"}},
        "script": {"binary": "python", "repository": "r", "entry_point": "e", "requirements": {"pip": "x"}, "diff": "d", "branch": "b"},
        "execution": {
            "queue": "q", "model_labels": {"cat": 1}, "parameters": {},
            "artifacts": {"0cc175b9c0f1b6a831c399e269772661_output": {
                "key": "a", "type": "dict", "mode": "output", "uri": "http://files/a", "content_size": 5_i64, "timestamp": 1_700_000_000_i64,
                "type_data": {"preview": "p", "content_type": "t"},
            }},
        },
        "models": {"input": [], "output": []}, "container": {"image": "i", "arguments": "a"}, "runtime": {"progress": "5"},
        "output": {"destination": "d"},
        "last_metrics": {"81513effdf5790b79549208838404407": {"d41d8cd98f00b204e9800998ecf8427e": {
            "metric": "loss", "variant": "", "value": 1.0, "min_value": 0.5, "max_value": 2.0,
        }}},
    }
}

async fn task(world: &World) -> String {
    world.task(full_task("")).await
}

async fn task_with(world: &World, fields: Document) -> String {
    let mut task = full_task("");
    task.extend(fields);
    world.task(task).await
}

async fn model(world: &World, fields: Document) -> String {
    let mut model = doc! {
        "name": "a model", "uri": "http://files/m", "ready": false, "framework": "f", "labels": {"cat": 1},
        "created": DateTime::now(), "last_update": DateTime::now(), "tags": ["t"], "user": "somebody",
        "metadata": {"k": {"key": "k", "type": "str", "value": "v"}}, "comment": "c", "design": {},
    };
    model.extend(fields);
    world.insert(Collection::Model, model).await
}

async fn project(world: &World) -> String {
    let name = world.server.app.new_id();
    world.ok("projects.create", json!({"name": name, "description": "d", "tags": ["t"]})).await["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn queue(world: &World) -> String {
    let name = world.server.app.new_id();
    world.queue(&name).await
}

/// A queue with two tasks, the second of which is answered.
async fn queued(world: &World) -> (String, String) {
    let queue = queue(world).await;
    world.queued_task(&queue).await;
    let task = world.queued_task(&queue).await;
    (queue, task)
}

async fn report(world: &World) -> String {
    let created = world.ok("reports.create", json!({"name": "a report", "comment": "c"})).await;
    created["id"].as_str().unwrap().to_owned()
}

/// The last day, in seconds.
fn range() -> Value {
    let now = DateTime::now().timestamp_millis() / 1000;
    json!({"from_date": now - 86_400, "to_date": now + 3_600, "interval": 3_600})
}

fn with(mut request: Value, more: &Value) -> Value {
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

/// A request that the endpoint answers with success, on objects of its own where it writes.
pub async fn valid(world: &World, shared: &Shared, endpoint: &str) -> Option<Body> {
    let (service, action) = endpoint.split_once('.').unwrap();
    let request = match service {
        "tasks" => return tasks(world, shared, action).await,
        "models" => models(world, shared, action).await?,
        "projects" => projects(world, shared, action).await?,
        "queues" => queues(world, action).await?,
        "workers" => workers(shared, action)?,
        "events" => return events(world, shared, action).await,
        "users" | "auth" => users(world, action).await?,
        "organization" => organization(world, shared, action).await?,
        "pipelines" => pipelines(world, action).await?,
        "reports" => reports(world, shared, action).await?,
        "serving" => serving(action)?,
        "storage" => storage(action)?,
        "server" | "login" | "debug" => json!({}),
        _ => return None,
    };
    Some(Body::Json(request))
}

async fn tasks(world: &World, shared: &Shared, action: &str) -> Option<Body> {
    let request = match action {
        "get_by_id" | "ping" => json!({"task": shared.task}),
        "get_by_id_ex" => json!({"id": [shared.task], "only_fields": ["*", "project.name"]}),
        "get_all" => json!({"id": [shared.task], "scroll_id": null, "size": 5}),
        "get_all_ex" => {
            json!({"id": [shared.task], "only_fields": ["*", "project.name"], "scroll_id": null, "size": 5})
        }
        "get_types" => json!({}),
        "clone" => json!({"task": task(world).await, "new_project_name": "clones"}),
        "create" | "validate" => json!({"name": "a task", "type": "training"}),
        "update" | "edit" => json!({"task": task(world).await, "comment": "c"}),
        "update_batch" => return Some(Body::Lines(vec![json!({"task": task(world).await, "comment": "c"})])),
        "edit_runtime" => json!({"task": task(world).await, "add_or_update": {"k": 1}}),
        "add_or_update_model" => {
            json!({"task": task(world).await, "name": "m", "model": model(world, doc! {}).await, "type": "input"})
        }
        "delete_models" => json!({"task": task(world).await, "models": [{"name": "m", "type": "input"}]}),
        "reset" | "delete" => json!({"task": task(world).await, "force": true, "return_file_urls": true}),
        "reset_many" | "delete_many" => {
            json!({"ids": [task(world).await, "x"], "force": true, "return_file_urls": true})
        }
        "archive" => json!({"tasks": [task(world).await]}),
        "archive_many" | "unarchive_many" => json!({"ids": [task(world).await, "x"]}),
        "started" => json!({"task": task(world).await}),
        "stop" | "stopped" | "failed" | "completed" => {
            json!({"task": task_with(world, doc! {"status": "in_progress"}).await})
        }
        "stop_many" => json!({"ids": [task_with(world, doc! {"status": "in_progress"}).await, "x"]}),
        "close" | "publish" => json!({"task": task_with(world, doc! {"status": "stopped"}).await}),
        "publish_many" => json!({"ids": [task_with(world, doc! {"status": "stopped"}).await, "x"]}),
        "enqueue" => {
            json!({"task": task(world).await, "queue": queue(world).await, "verify_watched_queue": true})
        }
        "enqueue_many" => {
            json!({"ids": [task(world).await, "x"], "queue": queue(world).await, "verify_watched_queue": true})
        }
        "dequeue" => json!({"task": queued(world).await.1}),
        "dequeue_many" => json!({"ids": [queued(world).await.1, "x"]}),
        "set_requirements" => json!({"task": task(world).await, "requirements": {"pip": "x"}}),
        "add_or_update_artifacts" => {
            json!({"task": task(world).await, "artifacts": [{"key": "k", "type": "t", "uri": "http://files/k"}]})
        }
        "delete_artifacts" => json!({"task": task(world).await, "artifacts": [{"key": "a"}]}),
        "make_public" => json!({"ids": [task(world).await]}),
        "make_private" => {
            json!({"ids": [task_with(world, doc! {"company": "", "company_origin": COMPANY}).await]})
        }
        "get_hyper_params" | "get_configurations" | "get_configuration_names" => {
            json!({"tasks": [shared.task]})
        }
        "edit_hyper_params" => {
            json!({"task": task(world).await, "hyperparams": [{"section": "s", "name": "n", "value": "v"}]})
        }
        "delete_hyper_params" => {
            json!({"task": task(world).await, "hyperparams": [{"section": "Args", "name": "lr"}]})
        }
        "edit_configuration" => {
            json!({"task": task(world).await, "configuration": [{"name": "n", "value": "v"}]})
        }
        "delete_configuration" => json!({"task": task(world).await, "configuration": ["general"]}),
        "move" => json!({"ids": [task(world).await], "project": shared.project}),
        "update_tags" => json!({"ids": [task(world).await], "add_tags": ["t"]}),
        _ => return None,
    };
    Some(Body::Json(request))
}

async fn models(world: &World, shared: &Shared, action: &str) -> Option<Value> {
    let draft = || model(world, doc! {});
    Some(match action {
        "get_by_id" => json!({"model": draft().await}),
        "get_by_id_ex" => json!({"id": [draft().await], "only_fields": ["*"]}),
        "get_all" | "get_all_ex" => {
            json!({"id": [draft().await], "scroll_id": null, "size": 5, "include_stats": true})
        }
        "get_by_task_id" => {
            let output = doc! {"output": [{"name": "m", "model": draft().await}], "input": []};
            json!({"task": task_with(world, doc! {"models": output}).await})
        }
        "update_for_task" => {
            json!({"task": task_with(world, doc! {"status": "in_progress"}).await, "uri": "http://files/u"})
        }
        "get_frameworks" => json!({}),
        "create" => json!({"uri": format!("http://files/{}", world.server.app.new_id()), "name": "a model"}),
        "edit" | "update" => json!({"model": draft().await, "comment": "new"}),
        "set_ready" => json!({"model": draft().await, "publish_task": false}),
        "publish_many" => json!({"ids": [draft().await, "x"], "publish_tasks": false}),
        "archive_many" | "unarchive_many" | "delete_many" => json!({"ids": [draft().await, "x"]}),
        "delete" => json!({"model": draft().await, "force": true}),
        "make_public" => json!({"ids": [draft().await]}),
        "make_private" => {
            json!({"ids": [model(world, doc! {"company": "", "company_origin": COMPANY}).await]})
        }
        "move" => json!({"ids": [draft().await], "project": shared.project}),
        "add_or_update_metadata" => {
            json!({"model": draft().await, "metadata": [{"key": "k", "type": "t", "value": "v"}]})
        }
        "delete_metadata" => json!({"model": draft().await, "keys": ["k"]}),
        "update_tags" => json!({"ids": [draft().await], "add_tags": ["new"]}),
        _ => return None,
    })
}

async fn projects(world: &World, shared: &Shared, action: &str) -> Option<Value> {
    Some(match action {
        "create" => json!({"name": world.server.app.new_id()}),
        "get_by_id" => json!({"project": shared.project}),
        "get_all" => json!({"scroll_id": null, "size": 5}),
        "get_all_ex" => json!({
            "id": [shared.project], "include_stats": true, "check_own_contents": true, "include_dataset_stats": true,
            "scroll_id": null, "size": 5,
        }),
        "update" => json!({"project": project(world).await, "description": "new"}),
        "move" => json!({"project": project(world).await, "new_location": "elsewhere"}),
        "merge" => json!({"project": project(world).await, "destination_project": project(world).await}),
        "validate_delete" => json!({"project": project(world).await}),
        "delete" => json!({"project": project(world).await, "delete_contents": true}),
        "get_unique_metric_variants" | "get_hyper_parameters" | "get_model_metadata_keys" => {
            json!({"project": shared.project})
        }
        "get_hyperparam_values" => json!({"projects": [shared.project], "section": "Args", "name": "lr"}),
        "get_model_metadata_values" => json!({"projects": [shared.project], "key": "k"}),
        "get_project_tags" | "get_task_tags" | "get_model_tags" => json!({"include_system": true}),
        "get_task_parents" | "get_user_names" => json!({"projects": [shared.project]}),
        "make_public" => json!({"ids": [project(world).await]}),
        "make_private" => {
            let id = project(world).await;
            world.ok("projects.make_public", json!({"ids": [id]})).await;
            json!({"ids": [id]})
        }
        _ => return None,
    })
}

async fn queues(world: &World, action: &str) -> Option<Value> {
    Some(match action {
        "get_by_id" | "delete" => json!({"queue": queued(world).await.0, "force": true}),
        "get_all" | "get_all_ex" => json!({"id": [queued(world).await.0], "scroll_id": null, "size": 5}),
        "get_default" => json!({}),
        "create" => json!({"name": world.server.app.new_id()}),
        "update" => json!({"queue": queue(world).await, "tags": ["t"]}),
        "add_task" => json!({"queue": queue(world).await, "task": task(world).await}),
        "get_next_task" => json!({"queue": queued(world).await.0, "get_task_info": true}),
        "clear_queue" | "peek_task" | "get_num_entries" => json!({"queue": queued(world).await.0}),
        "remove_task" | "move_task_forward" | "move_task_backward" | "move_task_to_front"
        | "move_task_to_back" => {
            let (queue, task) = queued(world).await;
            json!({"queue": queue, "task": task})
        }
        "get_by_task_id" => json!({"task": queued(world).await.1}),
        "move_task_to_queue" => {
            let (queue, task) = queued(world).await;
            json!({"queue": queue, "task": task, "target_queue": self::queue(world).await})
        }
        "get_queue_metrics" => with(range(), &json!({"queue_ids": [queued(world).await.0]})),
        "add_or_update_metadata" => {
            json!({"queue": queue(world).await, "metadata": [{"key": "k", "type": "t", "value": "v"}]})
        }
        "delete_metadata" => json!({"queue": queue(world).await, "keys": ["k"]}),
        _ => return None,
    })
}

fn workers(shared: &Shared, action: &str) -> Option<Value> {
    Some(match action {
        "get_all" | "get_count" | "get_metric_keys" => json!({}),
        "register" | "unregister" => json!({"worker": "another"}),
        "status_report" => {
            json!({"worker": "w", "timestamp": DateTime::now().timestamp_millis(), "task": shared.task})
        }
        "get_activity_report" => range(),
        "get_stats" => with(range(), &json!({"items": [{"key": "cpu_usage", "aggregation": "max"}]})),
        _ => return None,
    })
}

async fn events(world: &World, shared: &Shared, action: &str) -> Option<Body> {
    let task = &shared.task;
    let scalar = |task: &str| json!({"type": "training_stats_scalar", "task": task, "metric": "loss", "variant": "x", "value": 1, "iter": 1});
    let request = match action {
        "add" => scalar(&self::task(world).await),
        "add_batch" => return Some(Body::Lines(vec![scalar(&self::task(world).await), scalar("unknown")])),
        "delete_for_task" | "clear_task_log" => json!({"task": self::task(world).await}),
        "delete_for_model" => json!({"model": model(world, doc! {}).await}),
        "debug_images" => json!({"task": task, "metrics": [{"task": task, "metric": "image"}]}),
        "plots" => json!({"metrics": [{"task": task, "metric": "plot"}]}),
        "get_debug_image_sample" => json!({"task": task, "metric": "image", "variant": "x"}),
        "get_plot_sample" => json!({"task": task, "metric": "plot"}),
        "next_debug_image_sample" | "next_plot_sample" => {
            let (first, request) = if action == "next_plot_sample" {
                ("events.get_plot_sample", json!({"task": task, "metric": "plot"}))
            } else {
                ("events.get_debug_image_sample", json!({"task": task, "metric": "image", "variant": "x"}))
            };
            let scroll = world.ok(first, request).await["scroll_id"].clone();
            json!({"task": task, "scroll_id": scroll})
        }
        "get_task_metrics" | "get_multi_task_metrics" => {
            json!({"tasks": [task], "event_type": "training_stats_scalar"})
        }
        "get_task_log"
        | "get_task_events"
        | "download_task_log"
        | "get_task_plots"
        | "get_vector_metrics_and_variants"
        | "scalar_metrics_iter_histogram"
        | "get_task_latest_scalar_values"
        | "get_scalar_metrics_and_variants" => json!({"task": task}),
        "get_multi_task_plots"
        | "multi_task_scalar_metrics_iter_histogram"
        | "get_task_single_value_metrics" => {
            json!({"tasks": [task]})
        }
        "vector_metrics_iter_histogram" => json!({"task": task, "metric": "v", "variant": "x"}),
        "get_scalar_metric_data" => json!({"task": task, "metric": "loss"}),
        "scalar_metrics_iter_raw" => json!({"task": task, "metric": {"metric": "loss"}, "count_total": true}),
        "clear_scroll" => json!({"scroll_id": "x"}),
        _ => return None,
    };
    Some(Body::Json(request))
}

async fn users(world: &World, action: &str) -> Option<Value> {
    let pair = || async {
        let created = world.ok("auth.create_credentials", json!({"label": "l"})).await;
        created["credentials"]["access_key"].clone()
    };
    Some(match action {
        "get_by_id" => json!({"user": world.user.id}),
        "update" => json!({"user": world.user.id, "given_name": "J"}),
        "set_preferences" => json!({"preferences": {"a": 1}}),
        "get_all" | "get_all_ex" | "get_current_user" | "get_preferences" | "login" | "logout"
        | "get_credentials" | "fixed_users_mode" => json!({}),
        "create" => json!({"id": world.server.app.new_id(), "company": COMPANY, "name": "N"}),
        "delete" => json!({"user": world.server.user().await.id}),
        "get_token_for_user" => json!({"user": world.user.id, "company": COMPANY}),
        "validate_token" => {
            json!({"token": sign(&claims(&world.user.id, COMPANY, clearml_auth::Role::User))})
        }
        "create_user" => {
            json!({"name": "N", "company": COMPANY, "email": format!("{}@example.com", world.server.app.new_id())})
        }
        "edit_user" => json!({"user": world.user.id, "role": "user"}),
        "create_credentials" => json!({"label": "l"}),
        "edit_credentials" => json!({"access_key": pair().await, "label": "new"}),
        "revoke_credentials" => json!({"access_key": pair().await}),
        _ => return None,
    })
}

async fn organization(world: &World, shared: &Shared, action: &str) -> Option<Value> {
    let download =
        json!({"entity_type": "task", "only_fields": ["name"], "field_mappings": [{"field": "name"}]});
    Some(match action {
        "get_tags" => json!({"include_system": true}),
        "get_user_companies" => json!({}),
        "get_entities_count" => json!({
            "projects": {}, "tasks": {}, "models": {}, "pipelines": {}, "pipeline_runs": {}, "datasets": {},
            "dataset_versions": {}, "reports": {},
        }),
        "prepare_download_for_get_all" => download,
        "download_for_get_all" => world.ok("organization.prepare_download_for_get_all", download).await,
        "get_project_usages" | "get_project_workloads" => {
            json!({"projects": [shared.project], "from_date": "2023-11-14", "to_date": "2023-11-15", "include_development": true})
        }
        _ => return None,
    })
}

async fn pipelines(world: &World, action: &str) -> Option<Value> {
    let project = project(world).await;
    let controller =
        doc! {"type": "controller", "project": &project, "system_tags": ["pipeline"], "execution": {}};
    let first = task_with(world, controller.clone()).await;
    Some(match action {
        "check_new_run" => json!({"task": first, "new_project_name": ""}),
        "start_pipeline" => json!({"task": first, "queue": queue(world).await, "verify_watched_queue": true}),
        "delete_runs" => {
            task_with(world, controller).await;
            json!({"project": project, "ids": [first]})
        }
        _ => return None,
    })
}

async fn reports(world: &World, shared: &Shared, action: &str) -> Option<Value> {
    Some(match action {
        "create" => json!({"name": "a report"}),
        "update" => json!({"task": report(world).await, "report": "text"}),
        "move" => json!({"task": report(world).await, "project": shared.project}),
        "publish" | "archive" | "unarchive" | "delete" => json!({"task": report(world).await}),
        "get_all_ex" => {
            json!({"id": [report(world).await], "only_fields": ["*", "project.name"], "scroll_id": null, "size": 5})
        }
        "get_tags" => json!({}),
        "get_task_data" => json!({
            "id": [shared.task], "debug_images": {}, "plots": {}, "single_value_metrics": {},
            "scalar_metrics_iter_histogram": {},
        }),
        _ => return None,
    })
}

fn serving(action: &str) -> Option<Value> {
    Some(match action {
        "register_container" => json!({"container_id": "r", "endpoint_name": "e", "model_name": "m"}),
        "unregister_container" => json!({"container_id": "r"}),
        "container_status_report" => {
            json!({"container_id": "c", "endpoint_name": "e", "model_name": "m", "endpoint_url": SERVING_URL})
        }
        "get_endpoints" | "get_loading_instances" => json!({}),
        "get_endpoint_details" => json!({"endpoint_url": SERVING_URL}),
        "get_endpoint_metrics_history" => with(range(), &json!({"endpoint_url": SERVING_URL})),
        _ => return None,
    })
}

fn storage(action: &str) -> Option<Value> {
    Some(match action {
        "get_settings" => json!({}),
        "set_settings" => json!({"aws": {"key": "k", "secret": "s"}}),
        "reset_settings" => json!({"keys": ["aws"]}),
        _ => return None,
    })
}

/// A request that the endpoint refuses, and how. `None`: one without what is required, else one without
/// credentials.
pub fn invalid(endpoint: &str) -> Option<Invalid> {
    let (service, action) = endpoint.split_once('.').unwrap();
    let refused = |request: Value, subcode: u64| Some(Invalid::Request(request, (400, subcode)));
    match (service, action) {
        ("tasks" | "models" | "projects" | "queues" | "users" | "reports", "get_all" | "get_all_ex") => {
            refused(json!({"page": -1}), 12)
        }
        ("tasks" | "models", "get_by_id_ex") | ("projects", "create") => refused(json!({}), 11),
        (_, "make_public" | "make_private" | "update_tags") => refused(json!({"ids": []}), 12),
        ("events", "add_batch") => refused(json!({}), 17),
        ("tasks", "update_batch") => refused(json!({"task": "unknown", "comment": "c"}), 101),
        ("events", "add") => refused(json!({"type": "nonsense"}), 131),
        ("events", "get_scalar_metric_data" | "debug_images" | "plots") | ("auth", "edit_user") => {
            refused(json!({}), 12)
        }
        ("tasks", "get_types") | ("models", "get_frameworks") => refused(json!({"projects": 5}), 12),
        ("reports", "get_task_data") => refused(json!({"plots": {"iters": 0}}), 12),
        ("organization", "get_tags") => refused(json!({"filter": {"tags": [null]}}), 12),
        ("organization", "get_entities_count") => refused(json!({"tasks": 5}), 12),
        ("models", "get_by_task_id" | "update_for_task") => {
            Some(Invalid::Request(json!({"task": "x"}), (301, 1)))
        }
        ("projects", "get_hyper_parameters" | "get_model_metadata_keys") => {
            refused(json!({"project": 5}), 12)
        }
        ("debug", _) | ("events", "clear_scroll") => Some(Invalid::Nothing),
        _ => None,
    }
}

/// Fields of answers that come only sometimes.
pub fn is_optional(path: &str) -> bool {
    path.starts_with("storage.get_settings.")
        || path.starts_with("server.report_stats_option.enabled_")
        || matches!(
            path,
            "events.scalar_metrics_iter_histogram.images"
                | "events.vector_metrics_iter_histogram.images"
                | "models.set_ready.published_task"
                | "models.update_for_task.fields"
                | "models.update_for_task.updated"
                | "organization.get_entities_count.errors"
                | "server.info.uid"
                | "tasks.delete.events"
                | "tasks.get_by_id_ex.scroll_id"
        )
}
