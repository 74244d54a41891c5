//! The stores of a server that runs alone: files of its data directory, and memory.

use std::{path::Path, sync::Arc};

use clearml_documents::{SqliteStore, StoreError};
use clearml_events::{EmbeddedEvents, EventError, NameLimits};
use clearml_state::MemoryState;

use crate::{EventSettings, Stores};

/// A store can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{0}")]
    Documents(#[from] StoreError),
    #[error("{0}")]
    Events(#[from] EventError),
}

impl Stores {
    /// Opens the stores in a data directory. Blocks: for the start.
    pub fn embedded(data_dir: &Path, settings: &EventSettings) -> Result<Self, OpenError> {
        let limits = NameLimits {
            dynamic: settings.dynamic_metrics_count,
            threshold: settings.dynamic_metrics_count_threshold,
            metrics: settings.max_metrics_count,
            variants: settings.max_variants_count,
        };
        let documents = SqliteStore::open(data_dir)?;
        let events = Arc::new(EmbeddedEvents::open(data_dir, limits)?);
        let state = Arc::new(MemoryState::default());
        Ok(Self {
            documents: Arc::new(documents),
            state: state.clone(),
            worker_state: state,
            statistics: events.clone(),
            events,
        })
    }
}
