//! What every handler works with: settings, stores, clock and ids.

use std::sync::Arc;

use bson::DateTime;
use clearml_documents::DocumentStore;
use clearml_events::{EventStore, StatisticsStore};
use clearml_state::SharedState;

use crate::EventSettings;

/// The wired-up server, shared by all calls and background jobs.
pub struct App {
    pub documents: Arc<dyn DocumentStore>,
    pub state: Arc<dyn SharedState>,
    pub events: Arc<dyn EventStore>,
    /// Time series of workers, queues and serving containers.
    pub statistics: Arc<dyn StatisticsStore>,
    pub event_settings: EventSettings,
}

impl App {
    /// The present moment.
    #[expect(clippy::unused_self, reason = "tests will fix the clock per App")]
    pub fn now(&self) -> DateTime {
        DateTime::now()
    }

    /// A new object id: a version 4 UUID as 32 lower-case hex characters.
    #[expect(clippy::unused_self, reason = "tests will fix ids per App")]
    pub fn new_id(&self) -> String {
        uuid::Uuid::new_v4().simple().to_string()
    }
}
