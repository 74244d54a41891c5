//! The stores of a test server: embedded ones, or with `CLEARML_TEST_STORES=cluster` databases, indices and keys
//! of its own in MongoDB, Elasticsearch and Redis.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use clearml_apiserver::Stores;
use clearml_documents::{MongoSettings, MongoStore};
use clearml_events::{ElasticCluster, ElasticEvents, ElasticSettings, NameLimits};
use clearml_state::{RedisSettings, RedisState, SharedState};
use tempfile::TempDir;

/// Whether the test servers use the stores of the cluster.
pub fn on_cluster() -> bool {
    std::env::var("CLEARML_TEST_STORES").is_ok_and(|stores| stores == "cluster")
}

/// Says why a test is left out on the stores of the cluster; whether it is.
pub fn left_out_on_cluster(reason: &str) -> bool {
    if on_cluster() {
        println!("left out on the cluster's stores: {reason}");
    }
    on_cluster()
}

/// Keeps the stores of a server; they are removed when it is dropped.
#[allow(dead_code, reason = "kept for their drop")]
pub enum Keeper {
    Embedded(TempDir),
    Cluster(Databases, Indices),
}

/// New stores.
pub async fn open() -> (Stores, Keeper) {
    if on_cluster() {
        return Box::pin(open_cluster()).await;
    }
    let directory = tempfile::tempdir().unwrap();
    let stores = Stores::embedded(directory.path(), NameLimits::default()).unwrap();
    (stores, Keeper::Embedded(directory))
}

async fn open_cluster() -> (Stores, Keeper) {
    let databases = Databases::new();
    let indices = Indices { prefix: format!("{}-", databases.name.replace('_', "-")) };
    let documents = async {
        let store = MongoStore::connect(databases.mongo()).await.unwrap();
        store.ensure_indexes().await.unwrap();
        Arc::new(store)
    };
    let state = |database| async move { Arc::new(RedisState::connect(database).await.unwrap()) };
    let events = async { Arc::new(ElasticEvents::connect(indices.settings()).await.unwrap()) };
    let (documents, state, worker_state, events) =
        tokio::join!(documents, state(databases.redis(0)), state(databases.redis(4)), events);
    let stores = Stores { documents, state, worker_state, statistics: events.clone(), events };
    (stores, Keeper::Cluster(databases, indices))
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("CLEARML_TEST_STORES=cluster needs {name}"))
}

/// Databases and keys of one server.
pub struct Databases {
    name: String,
}

impl Databases {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self { name: format!("test_{}_{number}", std::process::id()) }
    }

    fn mongo(&self) -> MongoSettings {
        MongoSettings {
            backend_uri: variable("CLEARML_MONGODB_URL"),
            auth_uri: variable("CLEARML_MONGODB_URL"),
            backend_database: format!("{}_backend", self.name),
            auth_database: format!("{}_auth", self.name),
            ..MongoSettings::default()
        }
    }

    fn redis(&self, database: u32) -> RedisSettings {
        let settings = RedisSettings::from_url(&variable("CLEARML_REDIS_URL")).unwrap();
        RedisSettings { database, prefix: format!("{}:", self.name), ..settings }
    }
}

impl Drop for Databases {
    fn drop(&mut self) {
        let (mongo, redis) = (self.mongo(), [self.redis(0), self.redis(4)]);
        blocking(async move {
            let client = mongodb::Client::with_uri_str(&mongo.backend_uri).await.unwrap();
            for name in [&mongo.backend_database, &mongo.auth_database] {
                client.database(name).drop().await.unwrap();
            }
            for database in redis {
                let state = RedisState::connect(database).await.unwrap();
                let keys = state.keys("*").await.unwrap();
                state.delete(&keys).await.unwrap();
            }
        });
    }
}

/// Indices of one server: many tests give their tasks and workers the same ids.
pub struct Indices {
    prefix: String,
}

impl Indices {
    fn settings(&self) -> ElasticSettings {
        ElasticSettings {
            events: ElasticCluster {
                hosts: vec![variable("CLEARML_ELASTIC_URL")],
                ..ElasticCluster::default()
            },
            index_prefix: self.prefix.clone(),
            ..ElasticSettings::default()
        }
    }
}

impl Drop for Indices {
    fn drop(&mut self) {
        let (url, prefix) = (variable("CLEARML_ELASTIC_URL"), self.prefix.clone());
        blocking(async move {
            let _ = rustls::crypto::ring::default_provider().install_default();
            let client = reqwest::Client::new();
            let list = client.get(format!("{url}/_cat/indices/{prefix}*?h=index")).send().await.unwrap();
            for index in list.text().await.unwrap().lines().map(str::trim).filter(|index| !index.is_empty()) {
                client.delete(format!("{url}/{index}")).send().await.unwrap();
            }
            for kind in ["_index_template", "_component_template"] {
                let known = client.get(format!("{url}/{kind}/{prefix}*")).send().await.unwrap();
                let known: serde_json::Value = known.json().await.unwrap_or_default();
                let key = format!("{}s", &kind[1..]);
                for template in known[key].as_array().into_iter().flatten() {
                    let name = template["name"].as_str().unwrap_or_default();
                    client.delete(format!("{url}/{kind}/{name}")).send().await.unwrap();
                }
            }
        });
    }
}

/// Cleaning up happens where nothing can be awaited.
fn blocking(work: impl Future<Output = ()> + Send + 'static) {
    let cleaning = std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
    });
    if cleaning.join().is_err() {
        eprintln!("a test has left something in the stores");
    }
}
