//! What every handler works with: settings, stores, clock and ids.

use std::sync::Arc;

use bson::DateTime;
use clearml_auth::{Revocations, TokenKey};
use clearml_documents::DocumentStore;
use clearml_events::{EventStore, StatisticsStore};
use clearml_state::SharedState;
use clearml_stores::Stores;
use tokio::sync::Semaphore;

use crate::{
    Settings,
    api::{LastUsed, RequestMemory},
    server::ResourceMonitor,
};

/// Hashed passwords checked at the same time.
const PASSWORD_CHECKS: usize = 2;

/// The wired-up server, shared by all calls and background jobs.
pub struct App {
    pub documents: Arc<dyn DocumentStore>,
    /// Revoked tokens, scroll positions, caches, locks: the official Redis database `apiserver`.
    pub state: Arc<dyn SharedState>,
    /// Registered workers and serving containers: the official Redis database `workers`.
    pub worker_state: Arc<dyn SharedState>,
    pub events: Arc<dyn EventStore>,
    /// Time series of workers, queues and serving containers.
    pub statistics: Arc<dyn StatisticsStore>,
    pub settings: Settings,
    pub(crate) token_key: TokenKey,
    pub(crate) revocations: Revocations,
    pub(crate) last_used: Arc<LastUsed>,
    /// Turns for checking hashed passwords.
    pub(crate) password_checks: Semaphore,
    pub(crate) resources: ResourceMonitor,
    /// Tells this process from others on the same stores.
    pub(crate) instance: String,
    /// What requests may take of the memory.
    pub(crate) request_memory: RequestMemory,
    /// The present moment, if it is held.
    held_at: Option<DateTime>,
}

impl App {
    /// A server on these stores.
    pub fn new(stores: Stores, settings: Settings) -> Self {
        let Stores { documents, state, worker_state, events, statistics } = stores;
        Self {
            token_key: TokenKey::new(&settings.auth.token_secret),
            revocations: Revocations::new(Arc::clone(&state)),
            last_used: Arc::default(),
            password_checks: Semaphore::new(PASSWORD_CHECKS),
            resources: ResourceMonitor::default(),
            instance: uuid::Uuid::new_v4().simple().to_string(),
            request_memory: RequestMemory::new(&settings.api),
            held_at: None,
            documents,
            state,
            worker_state,
            events,
            statistics,
            settings,
        }
    }

    /// The same server, for which it is always this moment: for tests.
    #[must_use]
    pub fn held_at(mut self, moment: DateTime) -> Self {
        self.held_at = Some(moment);
        self
    }

    /// The present moment.
    pub fn now(&self) -> DateTime {
        self.held_at.unwrap_or_else(DateTime::now)
    }

    /// A new object id: a version 4 UUID as 32 lower-case hex characters.
    pub fn new_id(&self) -> String {
        uuid::Uuid::new_v4().simple().to_string()
    }
}
