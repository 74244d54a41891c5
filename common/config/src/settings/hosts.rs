//! `hosts.*`: where other servers are.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::Seconds;

/// `hosts`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Hosts {
    /// The API server, for the file server and the web server.
    pub api_server: String,
    /// The file server, for the deletion of files.
    pub fileserver: String,
    pub mongo: Mongo,
    /// By cluster: `events`, `workers`.
    pub elastic: IndexMap<String, Elastic>,
    /// By alias: `apiserver`, `workers`, `fileserver`.
    pub redis: IndexMap<String, Redis>,
}

impl Default for Hosts {
    fn default() -> Self {
        let redis = |db| Redis { db, ..Redis::default() };
        Self {
            api_server: "http://apiserver:8008".to_owned(),
            fileserver: "http://localhost:8081".to_owned(),
            mongo: Mongo::default(),
            elastic: ["events", "workers"].map(|name| (name.to_owned(), Elastic::default())).into(),
            redis: [("apiserver", 0), ("workers", 4), ("fileserver", 8)]
                .map(|(alias, db)| (alias.to_owned(), redis(db)))
                .into(),
        }
    }
}

/// `hosts.mongo`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Mongo {
    pub backend: MongoHost,
    pub auth: MongoHost,
}

impl Default for Mongo {
    fn default() -> Self {
        let host = |database| MongoHost { host: format!("mongodb://127.0.0.1:27017/{database}") };
        Self { backend: host("backend"), auth: host("auth") }
    }
}

/// `hosts.mongo.<alias>`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MongoHost {
    /// A connection URI.
    pub host: String,
}

/// `hosts.elastic.<cluster>`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Elastic {
    pub hosts: Vec<ElasticHost>,
    pub args: ElasticArgs,
    /// Log in with `secure.elastic`.
    pub secure: bool,
}

impl Default for Elastic {
    fn default() -> Self {
        Self { hosts: vec![ElasticHost::default()], args: ElasticArgs::default(), secure: true }
    }
}

/// One element of `hosts.elastic.<cluster>.hosts`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct ElasticHost {
    pub host: String,
    pub port: u16,
    pub scheme: String,
}

impl Default for ElasticHost {
    fn default() -> Self {
        Self { host: "127.0.0.1".to_owned(), port: 9200, scheme: "http".to_owned() }
    }
}

/// `hosts.elastic.<cluster>.args`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct ElasticArgs {
    pub timeout: Seconds,
    pub max_retries: u32,
    pub retry_on_timeout: bool,
}

impl Default for ElasticArgs {
    fn default() -> Self {
        Self { timeout: Seconds::new(60), max_retries: 3, retry_on_timeout: true }
    }
}

/// `hosts.redis.<alias>`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Redis {
    pub host: String,
    pub port: u16,
    pub db: u32,
    /// A Redis Cluster, which has no numbered databases.
    pub cluster: bool,
}

impl Default for Redis {
    fn default() -> Self {
        Self { host: "127.0.0.1".to_owned(), port: 6379, db: 0, cluster: false }
    }
}
