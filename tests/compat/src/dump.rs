//! The recording's files.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use bson::{Bson, Document};
use clearml_apiserver::api::json::{Limits, read};
use clearml_documents::Collection;
use clearml_events::EventType;
use flate2::read::GzDecoder;
use serde_json::Value;

use crate::json_value;

/// A folder with the stores of an official server and its answers.
#[derive(Debug, Clone)]
pub struct Dump {
    folder: PathBuf,
}

/// What an Elasticsearch index holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Index {
    Events(EventType),
    WorkerStats,
    QueueMetrics,
    ServingStats,
}

/// A document of an index.
#[derive(Debug, Clone)]
pub struct Indexed {
    pub id: String,
    pub source: Document,
}

/// A key of the shared state.
#[derive(Debug, Clone, PartialEq)]
pub struct StateEntry {
    pub key: String,
    pub value: StateValue,
    /// `None`: it does not expire.
    pub expires_in: Option<Duration>,
}

/// What a key holds.
#[derive(Debug, Clone, PartialEq)]
pub enum StateValue {
    Text(String),
    List(Vec<String>),
    /// Members with their scores.
    SortedSet(Vec<(String, f64)>),
}

/// A recorded call.
#[derive(Debug, Clone)]
pub struct Call {
    pub endpoint: String,
    pub version: String,
    pub body: Value,
    pub status: u16,
    pub answer: Value,
}

impl Dump {
    /// The recording in a folder.
    pub fn open(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The documents of a collection, by `_id`; none if the official server has no such collection.
    pub fn documents(&self, collection: Collection) -> anyhow::Result<Vec<Document>> {
        let name = format!("mongo/{}.{}.ndjson.gz", collection.database(), collection.name());
        let path = self.folder.join(name);
        if !path.exists() {
            return Ok(Vec::new());
        }
        lines(&path)?.map(|line| Ok(serde_json::from_str(&line?)?)).collect()
    }

    /// The names of the indices, what they hold, and the company that they belong to.
    pub fn indices(&self) -> anyhow::Result<Vec<(String, Index, String)>> {
        let mut indices = Vec::new();
        for entry in self.folder.join("elastic").read_dir()? {
            let file = entry?
                .file_name()
                .into_string()
                .map_err(|name| anyhow!("unreadable name {}", name.display()))?;
            let Some(name) = file.strip_suffix(".ndjson.gz") else { continue };
            let (index, company) = kind_of(name).with_context(|| format!("unknown index {name}"))?;
            indices.push((name.to_owned(), index, company.to_owned()));
        }
        indices.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(indices)
    }

    /// The documents of an index, in the order of the index.
    pub fn indexed(
        &self,
        name: &str,
    ) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Indexed>> + use<>> {
        let lines = lines(&self.folder.join(format!("elastic/{name}.ndjson.gz")))?;
        Ok(lines.map(|line| {
            let line = line?;
            let Bson::Document(mut hit) = Bson::from(read(line.as_bytes(), Limits::default())?) else {
                bail!("no document: {line}");
            };
            let Some(Bson::Document(source)) = hit.remove("_source") else { bail!("no source: {line}") };
            Ok(Indexed { id: hit.get_str("_id")?.to_owned(), source })
        }))
    }

    /// A JSON file of the recording, for example `elastic/index_templates.json`.
    pub fn json(&self, file: &str) -> anyhow::Result<Value> {
        let path = self.folder.join(file);
        json_value(&std::fs::read(&path).with_context(|| path.display().to_string())?)
    }

    /// The keys of database 0 of the shared state.
    pub fn state(&self) -> anyhow::Result<Vec<StateEntry>> {
        let databases = self.json("redis.json")?;
        let keys = databases["0"].as_object().context("no database 0")?;
        keys.iter().map(|(key, entry)| state_entry(key, entry)).collect()
    }

    /// The recorded calls, in their order.
    pub fn calls(&self) -> anyhow::Result<Vec<Call>> {
        let text = |value: &Value| value.as_str().map(str::to_owned).context("no text");
        lines(&self.folder.join("answers.ndjson.gz"))?
            .map(|line| {
                let mut call = json_value(line?.as_bytes())?;
                Ok(Call {
                    endpoint: text(&call["endpoint"])?,
                    version: text(&call["version"])?,
                    status: call["status"].as_u64().context("no status")?.try_into()?,
                    body: call["body"].take(),
                    answer: call["answer"].take(),
                })
            })
            .collect()
    }
}

fn lines(path: &Path) -> anyhow::Result<impl Iterator<Item = std::io::Result<String>> + use<>> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    Ok(BufReader::new(GzDecoder::new(file)).lines())
}

fn kind_of(index: &str) -> Option<(Index, &str)> {
    if let Some(rest) = index.strip_prefix("events-") {
        let (kind, company) = rest.split_once('-')?;
        return Some((Index::Events(kind.parse().ok()?), company));
    }
    // Usage statistics have an index for each month.
    let kinds = [
        ("worker_stats_", Index::WorkerStats),
        ("queue_metrics_", Index::QueueMetrics),
        ("serving_stats_", Index::ServingStats),
    ];
    let (rest, kind) = kinds.iter().find_map(|(prefix, kind)| Some((index.strip_prefix(prefix)?, *kind)))?;
    Some((kind, rest.rsplit_once('_')?.0))
}

fn state_entry(key: &str, entry: &Value) -> anyhow::Result<StateEntry> {
    let text = |value: &Value| value.as_str().map(str::to_owned).with_context(|| format!("{key}: no text"));
    let value = match entry["type"].as_str() {
        Some("string") => StateValue::Text(text(&entry["value"])?),
        Some("list") => {
            let items = entry["value"].as_array().with_context(|| format!("{key}: no list"))?;
            StateValue::List(items.iter().map(text).collect::<Result<_, _>>()?)
        }
        Some("zset") => {
            let members = entry["value"].as_array().with_context(|| format!("{key}: no list"))?;
            let member = |pair: &Value| {
                Ok((text(&pair[0])?, pair[1].as_f64().with_context(|| format!("{key}: no score"))?))
            };
            StateValue::SortedSet(members.iter().map(member).collect::<anyhow::Result<_>>()?)
        }
        other => bail!("{key}: unknown type {other:?}"),
    };
    let expires_in = entry["ttl_s"].as_i64().filter(|seconds| *seconds >= 0);
    let expires_in = expires_in.map(|seconds| Duration::from_secs(seconds as u64));
    Ok(StateEntry { key: key.to_owned(), value, expires_in })
}
