//! Settings -> opened stores: the embedded ones of the data directory, or MongoDB, Elasticsearch and Redis.

mod elastic;
mod mongo;
mod redis;
mod waiting;

use std::{path::Path, sync::Arc, time::Duration};

use clearml_config::{
    Loaded, Settings,
    settings::{StoreChoice, StoreKind},
};
use clearml_documents::{DocumentStore, MongoStore, SqliteStore, StoreError};
use clearml_events::{ElasticEvents, EmbeddedEvents, EventError, EventStore, NameLimits, StatisticsStore};
use clearml_state::{MemoryState, RedisState, SharedState, StateError};

use waiting::Patience;

pub use elastic::elastic_settings;
pub use mongo::mongo_settings;
pub use redis::redis_settings;

/// The stores of a server.
#[derive(Clone)]
pub struct Stores {
    /// Tasks, projects, models, queues, users.
    pub documents: Arc<dyn DocumentStore>,
    /// Revoked tokens, scroll positions, caches, locks: the official Redis database `apiserver`.
    pub state: Arc<dyn SharedState>,
    /// Registered workers and serving containers: the official Redis database `workers`.
    pub worker_state: Arc<dyn SharedState>,
    /// Scalars, logs, plots, images.
    pub events: Arc<dyn EventStore>,
    /// Time series of workers, queues and serving containers.
    pub statistics: Arc<dyn StatisticsStore>,
}

/// A store can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("documents: {0}")]
    Documents(#[from] StoreError),
    #[error("events: {0}")]
    Events(#[from] EventError),
    #[error("state: {0}")]
    State(#[from] StateError),
    /// A setting that a store can't work with.
    #[error("{key}: {reason}")]
    Setting { key: String, reason: String },
    #[error("{0}")]
    Runtime(#[from] tokio::task::JoinError),
}

impl Stores {
    /// Opens the stores that the configuration chooses, and waits for those of the cluster, at most for
    /// `stores.start_timeout_sec`. Makes the indexes and templates that are missing.
    pub async fn open(loaded: &Loaded) -> Result<Self, OpenError> {
        // Once per process, for the clients that use TLS; fails if there is one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (settings, data_dir) = (&loaded.settings, loaded.data_dir.path());
        let documents = async {
            if loaded.stores.documents == StoreKind::Embedded {
                return open_documents(settings, StoreKind::Embedded, data_dir).await;
            }
            let store = open_mongo(settings).await?;
            store.ensure_indexes().await?;
            Ok::<Arc<dyn DocumentStore>, OpenError>(store)
        };
        // The futures of the stores' clients are large.
        let (documents, (state, worker_state), (events, statistics)) = tokio::try_join!(
            Box::pin(documents),
            Box::pin(open_states(settings, loaded.stores)),
            Box::pin(open_events(settings, loaded.stores.events, data_dir)),
        )?;
        Ok(Self { documents, state, worker_state, events, statistics })
    }

    /// The embedded stores in a data directory. Blocks: for tests and tools.
    pub fn embedded(data_dir: &Path, limits: NameLimits) -> Result<Self, OpenError> {
        let events = Arc::new(EmbeddedEvents::open(data_dir, limits)?);
        let state = Arc::new(MemoryState::default());
        Ok(Self {
            documents: Arc::new(SqliteStore::open(data_dir)?),
            state: state.clone(),
            worker_state: state,
            statistics: events.clone(),
            events,
        })
    }
}

/// Opens the document store, and waits for MongoDB.
pub async fn open_documents(
    settings: &Settings,
    kind: StoreKind,
    data_dir: &Path,
) -> Result<Arc<dyn DocumentStore>, OpenError> {
    if kind == StoreKind::Embedded {
        let data_dir = data_dir.to_owned();
        let store = tokio::task::spawn_blocking(move || SqliteStore::open(data_dir)).await??;
        return Ok(Arc::new(store));
    }
    Ok(open_mongo(settings).await?)
}

async fn open_mongo(settings: &Settings) -> Result<Arc<MongoStore>, StoreError> {
    let may_pass = |error: &StoreError| matches!(error, StoreError::Unavailable(_));
    let mongo = mongo_settings(settings);
    let connect = async || {
        let store = MongoStore::connect(mongo.clone()).await?;
        store.ping().await?;
        Ok(store)
    };
    Ok(Arc::new(Patience::of(settings).wait("MongoDB", connect, may_pass).await?))
}

/// Opens the event store and that of the statistics, and waits for Elasticsearch.
pub async fn open_events(
    settings: &Settings,
    kind: StoreKind,
    data_dir: &Path,
) -> Result<(Arc<dyn EventStore>, Arc<dyn StatisticsStore>), OpenError> {
    if kind == StoreKind::Embedded {
        let (data_dir, limits) = (data_dir.to_owned(), name_limits(settings));
        let opened = tokio::task::spawn_blocking(move || EmbeddedEvents::open(&data_dir, limits)).await?;
        let events = Arc::new(opened?);
        return Ok((events.clone(), events));
    }
    let events = Arc::new(ElasticEvents::connect(elastic_settings(settings)?).await?);
    Ok((events.clone(), events))
}

/// Opens the databases `apiserver` and `workers` of the shared state, and waits for Redis.
pub async fn open_states(
    settings: &Settings,
    choice: StoreChoice,
) -> Result<(Arc<dyn SharedState>, Arc<dyn SharedState>), OpenError> {
    if choice.state == StoreKind::Embedded {
        let state = Arc::new(MemoryState::default());
        return Ok((state.clone(), state));
    }
    let (state, worker_state) =
        tokio::try_join!(open_redis(settings, "apiserver"), open_redis(settings, "workers"))?;
    Ok((state, worker_state))
}

/// Opens a database of the shared state in Redis, and waits for it.
pub async fn open_redis(settings: &Settings, alias: &str) -> Result<Arc<dyn SharedState>, OpenError> {
    let redis = redis_settings(settings, alias)?;
    let connect = async || RedisState::connect(redis.clone()).await;
    let may_pass = |error: &StateError| matches!(error, StateError::Unavailable(_));
    let state = Patience::of(settings).wait("Redis", connect, may_pass).await?;
    Ok(Arc::new(state))
}

/// How many metrics and variants listings have.
pub fn name_limits(settings: &Settings) -> NameLimits {
    let retrieval = &settings.services.events.events_retrieval;
    NameLimits {
        dynamic: retrieval.dynamic_metrics_count,
        threshold: retrieval.dynamic_metrics_count_threshold,
        metrics: retrieval.max_metrics_count,
        variants: retrieval.max_variants_count,
    }
}

/// How often a store is tried while a start waits for it.
const PAUSE: Duration = Duration::from_secs(2);
