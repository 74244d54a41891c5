//! The API server's list of revoked tokens, for a file server that is a process of its own.

use std::sync::Arc;

use clearml_auth::Revocations;
use clearml_config::{Loaded, settings::StoreKind};
use clearml_state::SharedState;
use clearml_stores::{OpenError, open_redis};
use clearml_telemetry::Health;

/// The shared state that holds the list; `None` where it is in the memory of another process.
pub async fn shared_state(loaded: &Loaded) -> Result<Option<Arc<dyn SharedState>>, OpenError> {
    match loaded.stores.state {
        StoreKind::Embedded => Ok(None),
        StoreKind::Cluster => open_redis(&loaded.settings, "apiserver").await.map(Some),
    }
}

/// The list, and the check that it can be read.
pub fn shared_revocations(state: Arc<dyn SharedState>, health: Health) -> (Revocations, Health) {
    let pinged = Arc::clone(&state);
    let health = health.check("state", move || {
        let state = Arc::clone(&pinged);
        async move { state.ping().await.map_err(|error| error.to_string()) }
    });
    (Revocations::new(state), health)
}
