//! `stores.*`: which stores a program uses, and how.

use serde::{Deserialize, Serialize};

use super::Seconds;

/// `stores`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Stores {
    /// All stores; null: see [`Stores::choice`].
    pub kind: Option<StoreKind>,
    /// Tasks, projects, models, queues, users; null: as `kind`.
    pub documents: Option<StoreKind>,
    /// Events and statistics; null: as `kind`.
    pub events: Option<StoreKind>,
    /// Workers, scroll positions, caches, locks, revoked tokens; null: as `kind`.
    pub state: Option<StoreKind>,
    /// How long a start waits for the cluster stores.
    pub start_timeout_sec: Seconds,
    pub mongo: MongoClient,
    pub elastic: ElasticClient,
}

impl Default for Stores {
    fn default() -> Self {
        Self {
            kind: None,
            documents: None,
            events: None,
            state: None,
            start_timeout_sec: Seconds::new(120),
            mongo: MongoClient::default(),
            elastic: ElasticClient::default(),
        }
    }
}

/// Where a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// In this process: files of the data directory, and memory.
    Embedded,
    /// MongoDB, Elasticsearch, Redis.
    Cluster,
}

/// The stores that a program uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreChoice {
    pub documents: StoreKind,
    pub events: StoreKind,
    pub state: StoreKind,
}

impl StoreChoice {
    /// All of one kind.
    pub const fn all(kind: StoreKind) -> Self {
        Self { documents: kind, events: kind, state: kind }
    }

    /// Whether files of the data directory are stores, which only one process can use.
    pub fn uses_data_dir(&self) -> bool {
        self.documents == StoreKind::Embedded || self.events == StoreKind::Embedded
    }
}

/// What decides where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// `clearml-server`: everything in one process.
    AllInOne,
    /// `clearml-apiserver`, `clearml-fileserver`: in place of the official server's processes.
    Single,
}

impl Stores {
    /// The one rule which stores a program uses: what `stores.documents` and so on say; else what
    /// `stores.kind` says; else embedded ones. But a program that takes the place of an official one uses the
    /// cluster where anybody has configured the address of one of its stores, by `hosts.mongo`,
    /// `hosts.elastic`, `hosts.redis` or their variables: then all three, since the official server knows no
    /// other, and a task's events on a container's disk would be lost.
    pub fn choice(&self, program: Program, hosts_are_configured: bool) -> StoreChoice {
        let automatic = match program {
            Program::Single if hosts_are_configured => StoreKind::Cluster,
            _ => StoreKind::Embedded,
        };
        let all = self.kind.unwrap_or(automatic);
        StoreChoice {
            documents: self.documents.unwrap_or(all),
            events: self.events.unwrap_or(all),
            state: self.state.unwrap_or(all),
        }
    }
}

/// `stores.mongo`: connections to MongoDB.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct MongoClient {
    /// Most connections to one server.
    pub max_pool_size: u32,
    /// Connections that are kept in idle times.
    pub min_pool_size: u32,
    pub max_idle_time_sec: Seconds,
    pub connect_timeout_sec: Seconds,
    /// Longest wait for a server that can do the operation.
    pub server_selection_timeout_sec: Seconds,
    /// Longest time of an operation, retries included.
    pub operation_timeout_sec: Seconds,
    /// Compress what goes over the network.
    pub compression: bool,
}

impl Default for MongoClient {
    fn default() -> Self {
        Self {
            max_pool_size: 100,
            min_pool_size: 0,
            max_idle_time_sec: Seconds::new(600),
            connect_timeout_sec: Seconds::new(10),
            server_selection_timeout_sec: Seconds::new(15),
            operation_timeout_sec: Seconds::new(60),
            compression: true,
        }
    }
}

/// `stores.elastic`: calls to Elasticsearch.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct ElasticClient {
    /// Put before the name of every index and template; other than empty, official servers don't find them.
    pub index_prefix: String,
    /// Most requests under way at a time; further ones wait in line.
    pub max_concurrent_requests: usize,
    /// Most events of one bulk request.
    pub bulk_max_events: usize,
    /// Most bytes of one bulk request, but for a single greater event.
    pub bulk_max_bytes: usize,
    /// Most bulk requests under way at a time.
    pub bulk_max_concurrent: usize,
    /// How often what the cluster has no room for is sent again.
    pub bulk_max_retries: u32,
}

impl Default for ElasticClient {
    fn default() -> Self {
        Self {
            index_prefix: String::new(),
            max_concurrent_requests: 64,
            bulk_max_events: 5000,
            bulk_max_bytes: 8 << 20,
            bulk_max_concurrent: 8,
            bulk_max_retries: 6,
        }
    }
}
