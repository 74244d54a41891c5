//! Registering workers and their reports (spec 04 §3.1, §3.2; 09 §5).

use std::{collections::HashSet, sync::Arc};

use bson::{Bson, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find, Returned};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    machine_stats::MachineStats,
    registry::{self, Moment, Named, Worker},
};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, Patch, codes},
    queues::lookup,
    tasks::{access::invalid_task_id, touch},
};

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct RegisterRequest {
    worker: String,
    /// Seconds.
    #[serde(default)]
    timeout: Patch<i64>,
    #[serde(default)]
    queues: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    system_tags: Vec<String>,
    resources: Option<Resources>,
}

/// What one task of a worker uses.
#[derive(Debug, Deserialize, JsonSchema)]
struct Resources {
    cpu_usage: Option<f64>,
    gpu_usage: Option<f64>,
}

/// `workers.register`: a new record, or anew.
pub(crate) async fn register(app: Arc<App>, call: Arc<Call>, request: RegisterRequest) -> ApiResult {
    let settings = &app.settings.workers;
    let timeout = match request.timeout {
        Patch::Absent => settings.default_worker_timeout.as_secs() as i64,
        Patch::Null | Patch::Value(0) => settings.default_timeout.as_secs() as i64,
        Patch::Value(timeout) => timeout,
    };
    let mut worker = new_worker(&app, &call, &request.worker, timeout).await?;
    check_queues(&app, call.company(), &request.queues).await?;
    worker.ip = Some(call.caller_ip.clone());
    worker.queues = request.queues;
    worker.tags = request.tags;
    worker.system_tags = request.system_tags;
    registry::save(&app, &worker).await?;
    if let Some(resources) = request.resources {
        set_resources(&app, call.company(), &worker.queues, &resources).await?;
    }
    Ok(doc! {}.into())
}

/// A worker of the caller. Errors: 400/1002 negative timeout, 400/301 unknown user, 400/10 unknown company.
async fn new_worker(app: &App, call: &Call, id: &str, timeout: i64) -> ApiResult<Worker> {
    if timeout < 0 {
        return Err(ApiError::new(codes::WORKER_REGISTRATION_FAILED)
            .extra("invalid timeout")
            .with("timeout", timeout)
            .with("worker", id));
    }
    let (company, user) = (call.company(), call.user());
    let its_user = Filter::id(user).and(Filter::eq("company", company));
    let user_document = find_name(app, Collection::User, its_user)
        .await?
        .ok_or_else(|| ApiError::new(codes::INVALID_USER_ID).with("id", user).with("company", company))?;
    let company_document = find_name(app, Collection::Company, Filter::id(company))
        .await?
        .ok_or_else(|| ApiError::new(codes::INVALID_ID).extra("invalid company").with("company", company))?;
    let now = Moment(app.now());
    Ok(Worker {
        key: registry::key(company, user, id),
        id: id.to_owned(),
        company: Named::new(company, company_document.get_str("name").ok()),
        user: Named::new(user, user_document.get_str("name").ok()),
        ip: None,
        task: None,
        project: None,
        queue: None,
        queues: Vec::new(),
        tags: Vec::new(),
        system_tags: Vec::new(),
        register_time: now,
        register_timeout: timeout,
        last_activity_time: now,
        last_report_time: None,
    })
}

async fn find_name(app: &App, collection: Collection, filter: Filter) -> ApiResult<Option<Document>> {
    Ok(app.documents.find_one(collection, Find::new(filter).include(["name"])).await?)
}

/// 400/701 with those of the queues that are not the company's; also for repeated ids, then with none.
async fn check_queues(app: &App, company: &str, queues: &[String]) -> ApiResult<()> {
    if queues.is_empty() {
        return Ok(());
    }
    let own = lookup::owned_by(company).and(Filter::ids(queues.iter().map(String::as_str)));
    let found = app.documents.find(Collection::Queue, Find::new(own).include(["_id"])).await?;
    if found.len() >= queues.len() {
        return Ok(());
    }
    let found: HashSet<&str> = found.iter().filter_map(|queue| queue.get_str("_id").ok()).collect();
    let missing: Vec<Bson> = queues
        .iter()
        .filter(|queue| !found.contains(queue.as_str()))
        .map(|queue| Bson::from(queue.as_str()))
        .collect();
    Err(ApiError::new(codes::INVALID_QUEUE_ID).with("ids", missing))
}

async fn set_resources(app: &App, company: &str, queues: &[String], resources: &Resources) -> ApiResult<()> {
    if queues.is_empty() {
        return Ok(());
    }
    let mut stored = Document::new();
    for (name, usage) in [("cpu_usage", resources.cpu_usage), ("gpu_usage", resources.gpu_usage)] {
        if let Some(usage) = usage {
            stored.insert(name, usage);
        }
    }
    let listed = lookup::owned_by(company).and(Filter::ids(queues.iter().map(String::as_str)));
    app.documents.update_many(Collection::Queue, listed, vec![Change::set("resources", stored)]).await?;
    Ok(())
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct UnregisterRequest {
    worker: String,
}

/// `workers.unregister`.
pub(crate) async fn unregister(app: Arc<App>, call: Arc<Call>, request: UnregisterRequest) -> ApiResult {
    let key = registry::key(call.company(), call.user(), &request.worker);
    let was_registered = registry::sign_off(&app, &key).await?;
    if !was_registered && !app.settings.workers.auto_unregister {
        return Err(ApiError::new(codes::WORKER_NOT_REGISTERED).with("worker", request.worker));
    }
    Ok(doc! {}.into())
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct StatusReport {
    worker: String,
    /// Of the machine statistics, milliseconds since the epoch.
    timestamp: i64,
    task: Option<String>,
    queue: Option<String>,
    #[serde(default)]
    queues: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    system_tags: Vec<String>,
    machine_stats: Option<MachineStats>,
}

/// `workers.status_report`: a worker's sign of life. It counts even if something else in it is wrong.
pub(crate) async fn status_report(app: Arc<App>, call: Arc<Call>, report: StatusReport) -> ApiResult {
    let Some(mut worker) = load_or_register(&app, &call, &report.worker).await? else {
        return Ok(doc! {}.into());
    };
    let outcome = take_report(&app, &call, &mut worker, report).await;
    registry::save(&app, &worker).await?;
    outcome?;
    Ok(doc! {}.into())
}

/// `None`: the worker has just signed off.
async fn load_or_register(app: &App, call: &Call, id: &str) -> ApiResult<Option<Worker>> {
    let key = registry::key(call.company(), call.user(), id);
    if let Some(worker) = registry::load(app, &key).await? {
        return Ok(Some(worker));
    }
    let settings = &app.settings.workers;
    let invalid = || ApiError::new(codes::INVALID_WORKER_ID).with("worker", id);
    if !settings.auto_register {
        return Err(invalid());
    }
    if registry::has_signed_off(app, &key).await? {
        return Ok(None);
    }
    let timeout = settings.default_timeout.as_secs() as i64;
    new_worker(app, call, id, timeout).await.map(Some).map_err(|error| {
        tracing::warn!(worker = id, error = error.message(), "failed to register a reporting worker");
        invalid()
    })
}

/// Fits the record to the report, as far as it gets.
async fn take_report(app: &App, call: &Call, worker: &mut Worker, report: StatusReport) -> ApiResult<()> {
    worker.ip = Some(call.caller_ip.clone());
    worker.tags = report.tags;
    worker.system_tags = report.system_tags;
    let task = report.task.filter(|task| !task.is_empty());
    if let Some(stats) = report.machine_stats {
        let samples = stats.samples(report.timestamp, &worker.id, task.as_deref());
        if !samples.is_empty() {
            app.statistics.add_worker_samples(call.company(), samples).await?;
        }
    }
    worker.last_activity_time = Moment(app.now());
    worker.queue = report.queue.filter(|queue| !queue.is_empty());
    if !report.queues.is_empty() {
        worker.queues = report.queues;
    }
    match task {
        None => (worker.task, worker.project) = (None, None),
        Some(task) => run_task(app, call, worker, &task).await?,
    }
    worker.last_report_time = Some(Moment(app.now()));
    Ok(())
}

/// Notes in the task who runs it, and in the record what is run. Errors: 400/101.
async fn run_task(app: &App, call: &Call, worker: &mut Worker, id: &str) -> ApiResult<()> {
    let now = app.now();
    let mut update =
        vec![Change::set("last_worker", worker.id.as_str()), Change::set("last_worker_report", now)];
    update.extend(touch::last_update(now, call.user()));
    let own = Filter::id(id).and(Filter::eq("company", call.company()));
    let task = app
        .documents
        .find_and_update(Collection::Task, own, update, Returned::Before)
        .await?
        .ok_or_else(|| invalid_task_id(id, call.company()))?;
    worker.task = Some(Named::new(id, task.get_str("name").ok()));
    worker.project = match task.get_str("project") {
        Ok(project) => find_name(app, Collection::Project, Filter::id(project))
            .await?
            .map(|document| Named::new(project, document.get_str("name").ok())),
        Err(_) => None,
    };
    Ok(())
}
