//! Every field of every request with every kind of value: whatever is wrong with it is a 4xx.

use anyhow::bail;
use clearml_driver::{CallError, Report};
use serde_json::{Map, Value, json};

use super::Subject;

const ENDPOINTS: &str = "
auth.create_credentials auth.edit_user auth.get_credentials auth.login auth.revoke_credentials debug.ping
events.add events.add_batch events.clear_scroll events.clear_task_log events.debug_images
events.delete_for_task events.get_debug_image_sample events.get_multi_task_metrics
events.get_multi_task_plots events.get_plot_sample events.get_scalar_metric_data
events.get_scalar_metrics_and_variants events.get_task_events events.get_task_latest_scalar_values
events.get_task_log events.get_task_metrics events.get_task_plots events.get_task_single_value_metrics
events.get_vector_metrics_and_variants events.multi_task_scalar_metrics_iter_histogram
events.next_debug_image_sample events.next_plot_sample events.plots events.scalar_metrics_iter_histogram
events.scalar_metrics_iter_raw events.vector_metrics_iter_histogram
login.supported_modes
models.add_or_update_metadata models.archive_many models.create models.delete models.delete_many
models.delete_metadata models.edit models.get_all models.get_all_ex models.get_by_id models.get_by_id_ex
models.get_by_task_id models.get_frameworks models.make_private models.make_public models.move
models.publish_many models.set_ready models.unarchive_many models.update models.update_for_task
models.update_tags
organization.get_tags
projects.create projects.delete projects.get_all projects.get_all_ex projects.get_by_id
projects.get_hyper_parameters projects.get_hyperparam_values projects.get_model_tags
projects.get_task_parents projects.get_task_tags projects.get_unique_metric_variants projects.make_private
projects.make_public projects.merge projects.move projects.update projects.validate_delete
queues.add_or_update_metadata queues.add_task queues.clear_queue queues.create queues.delete
queues.delete_metadata queues.get_all queues.get_all_ex queues.get_by_id queues.get_default
queues.get_next_task queues.get_num_entries queues.get_queue_metrics queues.move_task_backward
queues.move_task_forward queues.move_task_to_back queues.move_task_to_front queues.peek_task
queues.remove_task queues.update
server.config server.endpoints server.get_stats server.info server.report_stats_option
tasks.add_or_update_artifacts tasks.add_or_update_model tasks.archive tasks.archive_many tasks.clone
tasks.close tasks.completed tasks.create tasks.delete tasks.delete_artifacts tasks.delete_configuration
tasks.delete_hyper_params tasks.delete_many tasks.delete_models tasks.dequeue tasks.dequeue_many tasks.edit
tasks.edit_configuration tasks.edit_hyper_params tasks.enqueue tasks.enqueue_many tasks.failed tasks.get_all
tasks.get_all_ex tasks.get_by_id tasks.get_by_id_ex tasks.get_configuration_names tasks.get_configurations
tasks.get_hyper_params tasks.get_types tasks.make_private tasks.make_public tasks.move tasks.ping
tasks.publish tasks.publish_many tasks.reset tasks.reset_many tasks.set_requirements tasks.started
tasks.stop tasks.stop_many tasks.stopped tasks.unarchive_many tasks.update tasks.update_batch
tasks.update_tags tasks.validate
users.create users.delete users.get_all users.get_all_ex users.get_by_id users.get_current_user
users.get_preferences users.set_preferences users.update
workers.get_activity_report workers.get_all workers.get_count workers.get_metric_keys
workers.get_runtime_properties workers.get_stats workers.register workers.status_report workers.unregister";

const FIELDS: &str = "
task tasks id ids name project projects queue queue_name queue_ids model models user company parent tags
system_tags type comment page page_size order_by only_fields projection scroll_id size filters search_text
include_subprojects iters samples key metric metrics variants batch_size navigate_earlier from_timestamp
event_type order force worker timestamp machine_stats from_date to_date interval items worker_ids
last_seen execution script hyperparams configuration container runtime metadata labels uri framework ready
design output_dest artifacts keys status status_reason created last_update values allow_locked iteration
count position add_tags remove_tags new_task_name preferences msg value timeout from to section names";

pub(super) async fn run(subject: &Subject, only: &str, report: &mut Report) {
    let values = values();
    for endpoint in ENDPOINTS.split_whitespace() {
        for (name, value) in &values {
            let name = format!("types: {endpoint} with {name}");
            if name.contains(only) {
                report.note(&format!("input, {name}"), attempts(subject, endpoint, value).await);
            }
        }
    }
}

/// The first wrong field ends most calls, so in the second some fields are right.
async fn attempts(subject: &Subject, endpoint: &str, value: &Value) -> anyhow::Result<()> {
    let mut request: Map<_, _> =
        FIELDS.split_whitespace().map(|field| (field.to_owned(), value.clone())).collect();
    attempt(subject, endpoint, &Value::Object(request.clone())).await?;
    for field in ["task", "id", "name", "type"] {
        request.insert(field.to_owned(), json!(subject.task));
    }
    request.insert("tasks".to_owned(), json!([subject.task]));
    attempt(subject, endpoint, &Value::Object(request)).await
}

async fn attempt(subject: &Subject, endpoint: &str, request: &Value) -> anyhow::Result<()> {
    match subject.api.call(endpoint, request).await {
        Ok(_) => Ok(()),
        Err(CallError::Refused { status, .. }) if !status.is_server_error() => Ok(()),
        Err(CallError::Refused { status, body }) => {
            let answer: Value = serde_json::from_str(&body).unwrap_or_default();
            bail!("{status} {}", answer["meta"]["result_msg"])
        }
        // A refusal before the body was read may get lost with the rest of the body.
        Err(CallError::Lost(_)) => subject.ping().await,
        Err(error) => Err(error.into()),
    }
}

fn values() -> Vec<(&'static str, Value)> {
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let objects = json!([{"task": 1, "metric": [], "name": {}, "key": null, "section": 1, "value": []}]);
    vec![
        ("null", json!(null)),
        ("true", json!(true)),
        ("-1", json!(-1)),
        ("0", json!(0)),
        ("1.5", json!(1.5)),
        ("1e308", json!(1e308)),
        ("2^64 - 1", json!(u64::MAX)),
        ("-2^63", json!(i64::MIN)),
        ("empty text", json!("")),
        ("text", json!("abc")),
        ("NUL", json!("\0")),
        ("odd text", json!("$a.b%__'\"\\\u{202e}/../*?[(")),
        ("long text", json!("x".repeat(10_000))),
        ("empty list", json!([])),
        ("null in a list", json!([null])),
        ("list in a list", json!([[]])),
        ("numbers in a list", json!([1, -1, 1e300])),
        ("odd texts in a list", json!(["-", "$", "", "__$and", "-__$or", "a", "a", "1"])),
        ("empty object in a list", json!([{}])),
        ("object in a list", objects),
        ("empty object", json!({})),
        ("object", json!({"": {"": ""}, "$a": 1, "a.b": null})),
        ("query", json!({"$where": "1", "any": {"exclude": [null]}, "op": 1})),
        ("deep list", deep),
    ]
}
