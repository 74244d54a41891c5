//! Listing workers (spec 04 §3.3).

use std::{collections::HashMap, sync::Arc};

use bson::{Bson, Document, doc};
use clearml_documents::{Collection, Filter, Find};
use schemars::JsonSchema;
use serde::Deserialize;

use super::registry::{self, Named, Worker};
use crate::{
    App,
    api::{ApiResult, Call, Patch},
    queues::{entries::entries_of, lookup},
};

/// `last_seen` of a list, seconds.
const DEFAULT_LAST_SEEN: i64 = 3600;

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ListRequest {
    /// Seconds; 0: no matter when.
    #[serde(default)]
    last_seen: Patch<i64>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    system_tags: Vec<String>,
    worker_pattern: Option<String>,
}

impl ListRequest {
    async fn keys(&self, app: &App, call: &Call) -> ApiResult<Vec<String>> {
        let pattern = self.worker_pattern.as_deref().filter(|pattern| !pattern.is_empty());
        registry::keys(app, call.company(), pattern, &self.tags, &self.system_tags).await
    }

    fn last_seen(&self, default: i64) -> i64 {
        match self.last_seen {
            Patch::Absent => default,
            Patch::Null => 0,
            Patch::Value(seconds) => seconds,
        }
    }
}

/// Workers under these keys that were seen in the last so many seconds; 0: no matter when.
async fn load_seen(app: &App, keys: &[String], last_seen: i64) -> ApiResult<Vec<Worker>> {
    let mut workers = registry::load_all(app, keys).await?;
    if last_seen != 0 {
        let oldest = app.now().timestamp_millis() - last_seen.max(1).saturating_mul(1000);
        workers.retain(|worker| worker.last_activity_time.0.timestamp_millis() >= oldest);
    }
    Ok(workers)
}

/// `workers.get_count`.
pub(crate) async fn get_count(app: Arc<App>, call: Arc<Call>, request: ListRequest) -> ApiResult {
    let keys = request.keys(&app, &call).await?;
    let count = match request.last_seen(0) {
        0 => keys.len(),
        last_seen => load_seen(&app, &keys, last_seen).await?.len(),
    };
    Ok(doc! { "count": count as i64 }.into())
}

/// `workers.get_all`.
pub(crate) async fn get_all(app: Arc<App>, call: Arc<Call>, request: ListRequest) -> ApiResult {
    let keys = request.keys(&app, &call).await?;
    let workers = load_seen(&app, &keys, request.last_seen(DEFAULT_LAST_SEEN)).await?;
    let related = Related::load(&app, call.company(), &workers).await?;
    let items: Vec<Bson> = workers.iter().map(|worker| related.answer(worker).into()).collect();
    Ok(doc! { "workers": items }.into())
}

/// The queues and tasks of the workers in a list, by id.
struct Related {
    queues: HashMap<String, Document>,
    tasks: HashMap<String, Document>,
}

impl Related {
    async fn load(app: &App, company: &str, workers: &[Worker]) -> ApiResult<Self> {
        let queues = workers.iter().flat_map(|worker| &worker.queues).map(String::as_str);
        let own = lookup::owned_by(company).and(Filter::ids(queues));
        let find = Find::new(own).include(["name", "display_name", "entries"]);
        let queues = by_id(app.documents.find(Collection::Queue, find).await?);

        let running = workers.iter().filter_map(|worker| Some(worker.task.as_ref()?.id.as_str()));
        let next = queues.values().filter_map(|queue| entries_of(queue).next()).map(|(task, _)| task);
        let filter = Filter::ids(running.chain(next)).and(Filter::is_in("company", [company, ""]));
        let find = Find::new(filter).include(["name", "active_duration", "last_iteration"]);
        let tasks = by_id(app.documents.find(Collection::Task, find).await?);
        Ok(Self { queues, tasks })
    }

    fn answer(&self, worker: &Worker) -> Document {
        let mut queues = Vec::<Document>::new();
        for id in &worker.queues {
            if !queues.iter().any(|queue| queue.get_str("id").ok() == Some(id)) {
                queues.push(self.queue(id));
            }
        }
        let queue = worker
            .queue
            .as_deref()
            .and_then(|id| queues.iter().find(|queue| queue.get_str("id").ok() == Some(id)).cloned());
        let mut answer = doc! {
            "key": worker.key.as_str(),
            "id": worker.id.as_str(),
            "user": named(&worker.user),
            "company": named(&worker.company),
        };
        let optional = [
            ("ip", worker.ip.as_deref().map(Bson::from)),
            ("task", worker.task.as_ref().map(|task| self.task(task).into())),
            ("project", worker.project.as_ref().map(|project| named(project).into())),
            ("queue", queue.map(Bson::from)),
        ];
        answer.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        answer.extend(doc! {
            "queues": queues,
            "register_time": worker.register_time.0,
            "register_timeout": worker.register_timeout,
            "last_activity_time": worker.last_activity_time.0,
        });
        if let Some(last_report_time) = worker.last_report_time {
            answer.insert("last_report_time", last_report_time.0);
        }
        answer.insert("tags", worker.tags.as_slice());
        answer.insert("system_tags", worker.system_tags.as_slice());
        answer
    }

    fn queue(&self, id: &str) -> Document {
        let mut answer = doc! { "id": id };
        let Some(queue) = self.queues.get(id) else { return answer };
        for field in ["name", "display_name"] {
            if let Ok(text) = queue.get_str(field) {
                answer.insert(field, text);
            }
        }
        answer.insert("num_tasks", entries_of(queue).count() as i64);
        if let Some((task, _)) = entries_of(queue).next() {
            let mut next_task = doc! { "id": task };
            if let Some(name) = self.tasks.get(task).and_then(|task| task.get_str("name").ok()) {
                next_task.insert("name", name);
            }
            answer.insert("next_task", next_task);
        }
        answer
    }

    fn task(&self, running: &Named) -> Document {
        let mut answer = named(running);
        if let Some(task) = self.tasks.get(&running.id) {
            let seconds = integer(task.get("active_duration"));
            answer.insert("running_time", seconds.saturating_mul(1000));
            answer.insert("last_iteration", integer(task.get("last_iteration")));
        }
        answer
    }
}

fn by_id(documents: Vec<Document>) -> HashMap<String, Document> {
    documents
        .into_iter()
        .filter_map(|document| Some((document.get_str("_id").ok()?.to_owned(), document)))
        .collect()
}

fn named(object: &Named) -> Document {
    let mut answer = doc! { "id": object.id.as_str() };
    if let Some(name) = &object.name {
        answer.insert("name", name.as_str());
    }
    answer
}

fn integer(value: Option<&Bson>) -> i64 {
    match value {
        Some(Bson::Int32(number)) => i64::from(*number),
        Some(Bson::Int64(number)) => *number,
        Some(Bson::Double(number)) => *number as i64,
        _ => 0,
    }
}
