//! How to reach Elasticsearch and how to use it.

use std::{fmt, time::Duration};

use crate::NameLimits;

/// Settings of [`super::ElasticEvents`]. The defaults are those of the official server (spec 06 §9.3).
#[derive(Debug, Clone, Default)]
pub struct ElasticSettings {
    /// The cluster of the events (`hosts.elastic.events`).
    pub events: ElasticCluster,
    /// The cluster of the statistics (`hosts.elastic.workers`); `None` is that of the events, with which it
    /// then shares connections and limits.
    pub workers: Option<ElasticCluster>,
    /// Put before the name of every index and template, so that several servers can share a cluster. Empty
    /// for the indices of an official server. Lower-case letters, digits, `-`, `_`.
    pub index_prefix: String,
    /// Form of new event indices (`services._elastic.mappings.events`).
    pub event_indices: IndexSettings,
    /// Form of new statistics indices (`services._elastic.mappings.workers`).
    pub statistics_indices: IndexSettings,
    /// How many metrics and variants listings have.
    pub limits: NameLimits,
    /// How long to wait for the clusters at start (`apiserver.elastic.probing`).
    pub probing: ElasticProbing,
    /// How events are written.
    pub bulk: ElasticBulk,
}

/// One cluster.
#[derive(Debug, Clone)]
pub struct ElasticCluster {
    /// Addresses of the nodes, for example `http://127.0.0.1:9200`; a path prefix is allowed. Calls go round;
    /// a node that fails is left alone for a while.
    pub hosts: Vec<String>,
    pub login: ElasticLogin,
    /// Certificate authorities beside the well-known ones, in PEM form.
    pub authorities: Option<Vec<u8>>,
    /// Whether the certificate of an `https` node must be valid.
    pub verify_certificates: bool,
    /// How long one request may take, connecting included.
    pub timeout: Duration,
    /// How often a request is tried again after a failure that may pass: a node out of reach, 429, 502, 503,
    /// 504.
    pub max_retries: u32,
    /// Whether a request that ran into its time-out is tried again too.
    pub retry_on_timeout: bool,
    /// The most requests under way at a time; further ones wait in line.
    pub max_concurrent_requests: usize,
    /// Whether bodies of requests are sent gzipped.
    pub compress: bool,
}

impl Default for ElasticCluster {
    fn default() -> Self {
        Self {
            hosts: vec!["http://127.0.0.1:9200".to_owned()],
            login: ElasticLogin::None,
            authorities: None,
            verify_certificates: true,
            timeout: Duration::from_mins(1),
            max_retries: 3,
            retry_on_timeout: true,
            max_concurrent_requests: 64,
            compress: false,
        }
    }
}

/// How to log in.
#[derive(Clone, Default)]
pub enum ElasticLogin {
    #[default]
    None,
    /// `secure.elastic.user` and `.password`.
    Password { user: String, password: String },
    /// An API key in its encoded form (base64 of `id:key`).
    ApiKey(String),
}

impl fmt::Debug for ElasticLogin {
    /// Without the secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => formatter.write_str("None"),
            Self::Password { user, .. } => write!(formatter, "Password({user})"),
            Self::ApiKey(_) => formatter.write_str("ApiKey"),
        }
    }
}

/// Form of new indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexSettings {
    /// `number_of_shards`
    pub shards: u32,
    /// `number_of_replicas`
    pub replicas: u32,
}

impl Default for IndexSettings {
    fn default() -> Self {
        Self { shards: 1, replicas: 0 }
    }
}

/// How long to wait for a cluster at start.
#[derive(Debug, Clone, Copy)]
pub struct ElasticProbing {
    /// Tries after the first one.
    pub max_retries: u32,
    /// Pause between two tries.
    pub interval: Duration,
}

impl Default for ElasticProbing {
    fn default() -> Self {
        Self { max_retries: 4, interval: Duration::from_secs(30) }
    }
}

/// How events are written.
#[derive(Debug, Clone, Copy)]
pub struct ElasticBulk {
    /// The most bytes of one bulk request, but for a single greater event.
    pub max_bytes: usize,
    /// The most events of one bulk request.
    pub max_events: usize,
    /// The most bulk requests under way at a time; further calls wait in line.
    pub max_concurrent: usize,
    /// How often what the cluster refuses for lack of room in its queues (429, 503) is sent again, after
    /// pauses that grow.
    pub max_retries: u32,
}

impl Default for ElasticBulk {
    fn default() -> Self {
        Self { max_bytes: 8 << 20, max_events: 5000, max_concurrent: 8, max_retries: 6 }
    }
}
