//! The registered workers: records in the shared state that expire (spec 04 §3.1, §3.4).

use std::{collections::HashSet, time::Duration};

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use regex::Regex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    App,
    api::{ApiError, ApiResult, codes},
};

/// Id and name of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Named {
    pub(crate) id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
}

impl Named {
    /// An object with this id and name.
    pub(crate) fn new(id: impl Into<String>, name: Option<&str>) -> Self {
        Self { id: id.into(), name: name.map(str::to_owned) }
    }
}

/// A registered worker, as recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Worker {
    /// Key of the record; old records may lack it.
    #[serde(default)]
    pub(crate) key: String,
    pub(crate) id: String,
    pub(crate) company: Named,
    pub(crate) user: Named,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ip: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) task: Option<Named>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) project: Option<Named>,
    /// Id of the queue that it last took a task from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) queue: Option<String>,
    /// Ids of the queues that it serves.
    #[serde(default)]
    pub(crate) queues: Vec<String>,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    #[serde(default)]
    pub(crate) system_tags: Vec<String>,
    pub(crate) register_time: Moment,
    /// Seconds without a sign of life after which the record goes.
    pub(crate) register_timeout: i64,
    pub(crate) last_activity_time: Moment,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_report_time: Option<Moment>,
}

/// A moment as recorded: ISO text, in UTC with or without zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) bson::DateTime);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = DateTime::<Utc>::from_timestamp_millis(self.0.timestamp_millis()).unwrap_or_default();
        serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Micros, false))
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = DateTime::parse_from_rfc3339(&text)
            .map(|time| time.to_utc())
            .or_else(|_| text.parse::<NaiveDateTime>().map(|time| time.and_utc()))
            .map_err(serde::de::Error::custom)?;
        Ok(Self(bson::DateTime::from_millis(time.timestamp_millis())))
    }
}

/// Key of a worker's record. The same worker of two users is two workers.
pub(crate) fn key(company: &str, user: &str, worker: &str) -> String {
    format!("worker_{company}_{user}_{worker}")
}

/// How long a report may be on its way when its worker signs off.
const STRAGGLING: Duration = Duration::from_secs(10);

fn signed_off_key(key: &str) -> String {
    format!("workers.signed_off_{key}")
}

/// Deletes the record of a worker that signs off; whether there was one. Its places in the sets expire by themselves.
///
/// An agent reports from a thread that goes on until the process ends: such a straggler would register the worker anew,
/// to be listed until it expires.
pub(crate) async fn sign_off(app: &App, key: &str) -> ApiResult<bool> {
    app.worker_state.set(&signed_off_key(key), "", Some(STRAGGLING)).await?;
    Ok(app.worker_state.delete(&[key.to_owned()]).await? > 0)
}

/// Whether the worker has just signed off.
pub(crate) async fn has_signed_off(app: &App, key: &str) -> ApiResult<bool> {
    Ok(app.worker_state.get(&signed_off_key(key)).await?.is_some())
}

/// The record under a key. Errors: 500/100 if it can't be read.
pub(crate) async fn load(app: &App, key: &str) -> ApiResult<Option<Worker>> {
    let Some(record) = app.worker_state.get(key).await? else { return Ok(None) };
    parse(key, &record).map(Some).map_err(|error| {
        ApiError::new(codes::DATA_ERROR).extra("Failed parsing worker entry").with("err", error.to_string())
    })
}

fn parse(key: &str, record: &str) -> serde_json::Result<Worker> {
    let mut worker: Worker = serde_json::from_str(record)?;
    if worker.key.is_empty() {
        key.clone_into(&mut worker.key);
    }
    Ok(worker)
}

/// Records the worker and lets its expiry begin anew.
pub(crate) async fn save(app: &App, worker: &Worker) -> ApiResult<()> {
    let record = serde_json::to_string(worker)
        .map_err(|error| ApiError::new(codes::DATA_ERROR).with("err", error.to_string()))?;
    let timeout = worker.register_timeout.max(1);
    app.worker_state.set(&worker.key, &record, Some(Duration::from_secs(timeout as u64))).await?;
    let expires = now_seconds(app).saturating_add(timeout) as f64;
    let company = worker.company.id.as_str();
    app.worker_state.sorted_add(&all_workers_key(company), &worker.key, expires).await?;
    for (kind, tags) in [(TagKind::Tags, &worker.tags), (TagKind::SystemTags, &worker.system_tags)] {
        for tag in tags {
            app.worker_state.sorted_add(&kind.key(company, tag), &worker.key, expires).await?;
        }
    }
    Ok(())
}

/// All registered workers of a company.
pub(crate) async fn all(app: &App, company: &str) -> ApiResult<Vec<Worker>> {
    let keys = app.worker_state.keys(&format!("worker_{company}_*")).await?;
    load_all(app, &keys).await
}

/// The records under these keys that still exist. Errors: 500/100 if one can't be read.
pub(crate) async fn load_all(app: &App, keys: &[String]) -> ApiResult<Vec<Worker>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let records = app.worker_state.get_many(keys).await?;
    keys.iter()
        .zip(records)
        .filter_map(|(key, record)| Some(parse(key, &record?)))
        .collect::<Result<_, _>>()
        .map_err(|error| {
            ApiError::new(codes::DATA_ERROR)
                .extra("failed loading worker entries")
                .with("err", error.to_string())
        })
}

/// Whether a registered worker of the company serves the queue.
pub(crate) async fn is_watched(app: &App, company: &str, queue: &str) -> ApiResult<bool> {
    let workers = all(app, company).await?;
    Ok(workers.iter().any(|worker| worker.queues.iter().any(|listed| listed == queue)))
}

#[derive(Debug, Clone, Copy)]
enum TagKind {
    Tags,
    SystemTags,
}

impl TagKind {
    fn key(self, company: &str, tag: &str) -> String {
        match self {
            Self::Tags => format!("workers.tags_{company}_{tag}"),
            Self::SystemTags => format!("workers.systemtags_{company}_{tag}"),
        }
    }
}

fn all_workers_key(company: &str) -> String {
    format!("workers_{company}")
}

fn now_seconds(app: &App) -> i64 {
    app.now().timestamp_millis().div_euclid(1000)
}

/// Keys of a company's workers by id pattern (`*`, `?`) and tags (`-tag` excludes), spec 04 §3.3.
pub(crate) async fn keys(
    app: &App,
    company: &str,
    pattern: Option<&str>,
    tags: &[String],
    system_tags: &[String],
) -> ApiResult<Vec<String>> {
    if tags.is_empty() && system_tags.is_empty() {
        let glob = format!("worker_{company}_*_{}", pattern.unwrap_or("*"));
        return Ok(app.worker_state.keys(&glob).await?);
    }
    let pattern = pattern.map(key_pattern).transpose()?;
    let matches = |key: &String| pattern.as_ref().is_none_or(|pattern| pattern.is_match(key));
    let mut selected: Option<HashSet<String>> = None;
    for (kind, tags) in [(TagKind::Tags, tags), (TagKind::SystemTags, system_tags)] {
        let mut included: Option<HashSet<String>> = None;
        for tag in tags.iter().filter(|tag| !tag.starts_with('-')) {
            let tagged = members(app, &kind.key(company, tag)).await?;
            included.get_or_insert_default().extend(tagged.into_iter().filter(matches));
        }
        if let Some(included) = included {
            selected = Some(match selected {
                Some(so_far) => so_far.intersection(&included).cloned().collect(),
                None => included,
            });
        }
        for tag in tags.iter().filter_map(|tag| tag.strip_prefix('-')) {
            let so_far = match &mut selected {
                Some(so_far) => so_far,
                none => {
                    let everybody = members(app, &all_workers_key(company)).await?;
                    none.insert(everybody.into_iter().filter(matches).collect())
                }
            };
            for tagged in members(app, &kind.key(company, tag)).await? {
                so_far.remove(&tagged);
            }
        }
    }
    Ok(selected.unwrap_or_default().into_iter().collect())
}

/// Members of a set that have not expired; those that have are removed.
async fn members(app: &App, set: &str) -> ApiResult<Vec<String>> {
    app.worker_state.sorted_remove_range(set, f64::NEG_INFINITY, now_seconds(app) as f64).await?;
    Ok(app.worker_state.sorted_range(set, f64::NEG_INFINITY, f64::INFINITY).await?)
}

/// The glob as the regular expression that the official server makes of it, searched anywhere in the key.
fn key_pattern(glob: &str) -> ApiResult<Regex> {
    let pattern = glob.replace('*', ".*").replace('?', ".?");
    Regex::new(&format!("{pattern}$")).map_err(|error| {
        ApiError::new(codes::INVALID_REGEX_ERROR)
            .with("err", error.to_string())
            .with("extra_info", bson::Bson::Null)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"{"company": {"id": "c", "name": "Company"}, "id": "host:0", "ip": "10.0.0.1",
        "last_activity_time": "2024-01-01T10:00:00.123456", "register_time": "2024-01-01T09:00:00+00:00",
        "register_timeout": 600, "queues": ["q"], "user": {"id": "u", "name": "User"}}"#;

    #[test]
    fn old_and_new_records_are_read() {
        let worker = parse("worker_c_u_host:0", RECORD).unwrap();
        assert_eq!(worker.key, "worker_c_u_host:0");
        assert_eq!(worker.last_activity_time.0.timestamp_millis(), 1_704_103_200_123);
        assert_eq!(worker.register_time.0.timestamp_millis(), 1_704_099_600_000);
        assert_eq!(worker.task, None);
        let again = parse("", &serde_json::to_string(&worker).unwrap()).unwrap();
        assert_eq!(again, worker);
    }

    #[test]
    fn absent_members_are_not_recorded() {
        let text = serde_json::to_string(&parse("k", RECORD).unwrap()).unwrap();
        assert!(!text.contains("null") && !text.contains("last_report_time"), "{text}");
    }

    #[test]
    fn patterns_search_the_end_of_the_key() {
        let pattern = key_pattern("host:gpu*").unwrap();
        assert!(pattern.is_match("worker_c_u_host:gpu0,1"));
        assert!(!pattern.is_match("worker_c_u_host:cpu"));
        assert!(key_pattern("(").is_err());
    }
}
