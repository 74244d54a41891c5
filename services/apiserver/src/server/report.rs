//! Usage statistics of a company (spec 01 §8.2 "Report").

use std::{collections::BTreeMap, sync::Arc};

use bson::{Bson, Document, doc};
use clearml_documents::{Accumulator, Collection, Filter, GroupBy, GroupKey};
use clearml_events::{BucketRange, WorkerBucket, WorkerStatsQuery};

use super::about::server_uid;
use crate::{
    App,
    api::{ApiError, ApiResult, Call},
};

const HOUR: i64 = 3_600_000;
/// Hours over which an agent's resources are reported.
const RESOURCE_HOURS: i64 = 24;
/// Days after which a silent agent is left out.
const AGENT_DAYS: i64 = 30;
/// Metrics of agents, with their names in the report.
const AGENT_METRICS: [(&str, &str); 3] =
    [("cpu_usage", "cpu_usage"), ("memory_used", "mem_used_gb"), ("memory_free", "mem_free_gb")];

/// `server.get_stats`: the report of the caller's company. Begins a new interval of resource figures.
pub(super) async fn get_stats(app: Arc<App>, call: Arc<Call>, _: Document) -> ApiResult {
    Ok(report(&app, call.company()).await?.into())
}

/// The report of a company. Begins a new interval of resource figures.
pub(crate) async fn report(app: &Arc<App>, company: &str) -> ApiResult<Document> {
    let own = Filter::eq("company", company);
    let (queues, users, uuid, experiments, agents) = tokio::try_join!(
        count(app, Collection::Queue, own.clone()),
        count(app, Collection::User, own.clone()),
        server_uid(app),
        experiments(app, company),
        agents(app, company),
    )?;
    let monitor = Arc::clone(app);
    let resources = tokio::task::spawn_blocking(move || monitor.resources.take_report())
        .await
        .map_err(|error| ApiError::unexpected(error.to_string()))?;
    let server = &app.settings.server;
    Ok(doc! {
        "time": app.now(),
        "company_id": company,
        "server": {
            "version": &server.version,
            "deployment": &server.deployment,
            "uuid": uuid,
            "queues": {"count": queues},
            "users": {"count": users},
            "resources": resources,
            "experiments": experiments,
        },
        "agents": agents,
    })
}

async fn count(app: &App, collection: Collection, filter: Filter) -> Result<i64, ApiError> {
    Ok(app.documents.count(collection, filter, false).await? as i64)
}

/// Tasks of the company that ran.
fn ran(company: &str) -> Filter {
    Filter::eq("company", company)
        .and(Filter::ne("started", Bson::Null))
        .and(Filter::ne("last_update", Bson::Null))
        .and(Filter::not_in("status", ["created", "queued"]))
}

fn figures() -> Vec<(String, Accumulator)> {
    let seconds = Accumulator::SumSeconds { from: "started".to_owned(), to: "last_update".to_owned() };
    vec![
        ("count".to_owned(), Accumulator::Count),
        ("seconds".to_owned(), seconds),
        ("iterations".to_owned(), Accumulator::Sum("last_iteration".to_owned())),
    ]
}

fn averages(group: &Document) -> Document {
    let number = |key: &str| match group.get(key) {
        Some(Bson::Int32(number)) => i64::from(*number),
        Some(Bson::Int64(number)) => *number,
        Some(Bson::Double(number)) => *number as i64,
        _ => 0,
    };
    let count = number("count");
    let average = |key: &str| number(key) / count.max(1);
    doc! {
        "count": count,
        "avg_run_time_sec": average("seconds"),
        "avg_iterations": average("iterations"),
    }
}

async fn experiments(app: &App, company: &str) -> Result<Document, ApiError> {
    let group = GroupBy { filter: ran(company), keys: Vec::new(), values: figures() };
    let groups = app.documents.group(Collection::Task, group).await?;
    let averages = groups.first().map(averages).unwrap_or_default();
    Ok(if averages.get_i64("count").unwrap_or(0) == 0 { Document::new() } else { averages })
}

/// Agents that reported of late, with their resources and tasks.
async fn agents(app: &App, company: &str) -> Result<Vec<Document>, ApiError> {
    let now = app.now().timestamp_millis();
    let query = WorkerStatsQuery {
        range: BucketRange { from: now - AGENT_DAYS * 24 * HOUR, to: now, interval: HOUR },
        metrics: AGENT_METRICS.map(|(metric, _)| metric.to_owned()).to_vec(),
        workers: Vec::new(),
        split_by_variant: false,
    };
    let series = app
        .statistics
        .worker_series(company, &query)
        .await
        .map_err(|error| ApiError::unexpected(error.to_string()))?;
    let mut agents: BTreeMap<String, Agent> = BTreeMap::new();
    for one in series {
        let agent = agents.entry(one.worker).or_default();
        let last = one.buckets.last().map_or(0, |bucket| bucket.start + HOUR);
        agent.last_activity = agent.last_activity.max(last.min(now));
        agent.add_resource(&one.metric, &one.buckets, now - RESOURCE_HOURS * HOUR);
    }
    if agents.is_empty() {
        return Ok(Vec::new());
    }
    let group = GroupBy {
        filter: ran(company).and(Filter::is_in("last_worker", agents.keys().map(String::as_str))),
        keys: vec![("worker".to_owned(), GroupKey::Field("last_worker".to_owned()))],
        values: figures(),
    };
    for group in app.documents.group(Collection::Task, group).await? {
        if let Some(agent) = group.get_str("worker").ok().and_then(|worker| agents.get_mut(worker)) {
            agent.tasks = averages(&group);
        }
    }
    Ok(agents.into_iter().map(|(worker, agent)| agent.document(&worker)).collect())
}

#[derive(Default)]
struct Agent {
    /// Milliseconds.
    last_activity: i64,
    resources: Document,
    tasks: Document,
}

impl Agent {
    fn add_resource(&mut self, metric: &str, buckets: &[WorkerBucket], since: i64) {
        let Some((_, name)) = AGENT_METRICS.iter().find(|(stored, _)| *stored == metric) else { return };
        let recent: Vec<&WorkerBucket> = buckets.iter().filter(|bucket| bucket.start >= since).collect();
        if recent.is_empty() {
            return;
        }
        let minimum = recent.iter().map(|bucket| bucket.minimum).fold(f64::INFINITY, f64::min);
        let maximum = recent.iter().map(|bucket| bucket.maximum).fold(f64::NEG_INFINITY, f64::max);
        let mean = recent.iter().map(|bucket| bucket.average).sum::<f64>() / recent.len() as f64;
        self.resources.insert(*name, doc! {"min": minimum, "max": maximum, "avg": mean});
    }

    fn document(self, worker: &str) -> Document {
        let mut resources = doc! {"interval_sec": RESOURCE_HOURS * HOUR / 1000};
        resources.extend(self.resources);
        let mut experiments = doc! {"last_activity_time": self.last_activity};
        experiments.extend(self.tasks);
        doc! {"uuid": worker, "resources": resources, "experiments": experiments}
    }
}
