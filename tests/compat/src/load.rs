//! Puts a recording into stores, whichever they are.

use std::path::Path;

use anyhow::Context;
use bson::{Bson, Document};
use clearml_apiserver::Stores;
use clearml_documents::{Collection, Write};
use clearml_events::{Event, NameLimits, QueueSample, ServingSample, WorkerSample};
use clearml_state::SharedState;

use crate::{Dump, Index, StateEntry, StateValue, dump::Indexed};

/// Empty embedded stores in a directory. Blocks shortly.
pub fn embedded_stores(directory: &Path) -> anyhow::Result<Stores> {
    Ok(Stores::embedded(directory, NameLimits::default())?)
}

/// Events appended at once.
const EVENTS: usize = 2_000;

/// Puts the documents, events and statistics of a recording into empty stores.
pub async fn load(dump: &Dump, stores: &Stores) -> anyhow::Result<()> {
    for collection in Collection::ALL {
        let writes = dump.documents(collection)?.into_iter().map(Write::Insert).collect();
        stores.documents.write(collection, writes).await?;
    }
    for (name, index, company) in dump.indices()? {
        load_index(dump, stores, &name, index, &company).await.with_context(|| name.clone())?;
    }
    Ok(())
}

async fn load_index(
    dump: &Dump,
    stores: &Stores,
    name: &str,
    index: Index,
    company: &str,
) -> anyhow::Result<()> {
    let mut documents = dump.indexed(name)?;
    loop {
        let chunk: Vec<Indexed> = documents.by_ref().take(EVENTS).collect::<Result<_, _>>()?;
        if chunk.is_empty() {
            return Ok(());
        }
        let sources = chunk.into_iter().map(|hit| hit.source);
        match index {
            Index::Events(_) => {
                let events = sources.map(Event::try_from).collect::<Result<_, _>>()?;
                stores.events.append(company, events).await?;
            }
            Index::WorkerStats => {
                let samples = sources.map(|source| worker_sample(&source)).collect::<Result<_, _>>()?;
                stores.statistics.add_worker_samples(company, samples).await?;
            }
            Index::QueueMetrics => {
                let samples = sources.map(|source| queue_sample(&source)).collect::<Result<_, _>>()?;
                stores.statistics.add_queue_samples(company, samples).await?;
            }
            Index::ServingStats => {
                let samples = sources.map(|source| serving_sample(&source)).collect::<Result<_, _>>()?;
                stores.statistics.add_serving_samples(company, samples).await?;
            }
        }
    }
}

/// Puts a key into the shared state.
pub async fn load_state(state: &dyn SharedState, entry: StateEntry) -> anyhow::Result<()> {
    let StateEntry { key, value, expires_in } = entry;
    match value {
        StateValue::Text(text) => return Ok(state.set(&key, &text, expires_in).await?),
        StateValue::List(items) => state.list_append(&key, &items).await?,
        StateValue::SortedSet(members) => {
            for (member, score) in members {
                state.sorted_add(&key, &member, score).await?;
            }
        }
    }
    if let Some(expires_in) = expires_in {
        state.expire(&key, expires_in).await?;
    }
    Ok(())
}

fn worker_sample(source: &Document) -> anyhow::Result<WorkerSample> {
    Ok(WorkerSample {
        timestamp: source.get_i64("timestamp")?,
        worker: source.get_str("worker")?.to_owned(),
        task: source.get_str("task").ok().map(str::to_owned),
        category: source.get_str("category")?.to_owned(),
        metric: source.get_str("metric")?.to_owned(),
        variant: source.get_str("variant")?.to_owned(),
        value: number(source, "value").context("no value")?,
    })
}

fn queue_sample(source: &Document) -> anyhow::Result<QueueSample> {
    Ok(QueueSample {
        timestamp: source.get_i64("timestamp")?,
        queue: source.get_str("queue")?.to_owned(),
        average_waiting_time: number(source, "average_waiting_time").context("no average_waiting_time")?,
        queue_length: source.get_i64("queue_length")?,
    })
}

fn serving_sample(source: &Document) -> anyhow::Result<ServingSample> {
    Ok(ServingSample {
        timestamp: source.get_i64("timestamp")?,
        container_id: source.get_str("container_id")?.to_owned(),
        endpoint_url: source.get_str("endpoint_url")?.to_owned(),
        requests_num: number(source, "requests_num"),
        requests_min: number(source, "requests_min"),
        uptime_sec: number(source, "uptime_sec"),
        latency_ms: number(source, "latency_ms"),
        cpu_usage: number(source, "cpu_usage"),
        cpu_num: number(source, "cpu_num"),
        gpu_usage: number(source, "gpu_usage"),
        gpu_num: number(source, "gpu_num"),
        memory_free: number(source, "memory_free"),
        memory_used: number(source, "memory_used"),
        memory_total: number(source, "memory_total"),
        gpu_memory_free: number(source, "gpu_memory_free"),
        gpu_memory_used: number(source, "gpu_memory_used"),
        gpu_memory_total: number(source, "gpu_memory_total"),
        disk_free_home: number(source, "disk_free_home"),
        network_rx: number(source, "network_rx"),
        network_tx: number(source, "network_tx"),
    })
}

fn number(source: &Document, name: &str) -> Option<f64> {
    match source.get(name)? {
        Bson::Double(value) => Some(*value),
        Bson::Int64(value) => Some(*value as f64),
        _ => None,
    }
}
