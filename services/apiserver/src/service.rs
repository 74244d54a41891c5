//! The whole service: stores opened, set up, with its jobs running.

use std::{sync::Arc, time::Duration};

use axum::Router;
use clearml_auth::Revocations;
use clearml_config::{
    ConfigError, Loaded,
    settings::{StoreChoice, StoreKind},
};
use clearml_telemetry::{Health, Shutdown, with_probes};

use crate::{
    App, Jobs, OpenError, Settings, Stores, api, registry,
    startup::{self, FirstUser, StartupError},
};

/// The service can't start.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error("{0}")]
    Config(#[from] ConfigError),
    #[error("failed to open the stores: {0}")]
    Open(#[from] OpenError),
    #[error("failed to set the server up: {0}")]
    Startup(#[from] StartupError),
    #[error("{0}")]
    Runtime(#[from] tokio::task::JoinError),
}

/// What a start depends on beyond the configuration.
#[derive(Debug, Clone, Default)]
pub struct StartOptions {
    /// The name of the person to create if there is none yet; `None`: nobody is created.
    pub first_user: Option<String>,
    /// Where the file server is, if not at `hosts.fileserver`.
    pub files_url: Option<String>,
}

/// A running API server, without its port.
pub struct Service {
    app: Arc<App>,
    jobs: Jobs,
    pub health: Health,
    /// The person that this start has created.
    pub first_user: Option<FirstUser>,
}

impl Service {
    /// Opens the stores, sets the server up and starts the background jobs. Secrets that nobody has configured
    /// become those that all replicas on the same documents share, in `loaded` too.
    pub async fn start(
        loaded: &mut Loaded,
        options: StartOptions,
        shutdown: &Shutdown,
    ) -> Result<Self, ServiceError> {
        note_unused_hosts(loaded);
        let stores = Stores::open(loaded).await?;
        if loaded.stores.documents == StoreKind::Cluster {
            startup::share_secrets(stores.documents.as_ref(), loaded).await?;
        }
        let mut settings = Settings::from_config(&loaded.config)?;
        if let Some(files_url) = options.files_url {
            settings.external_files.fileserver_host = files_url;
        }
        let health = health(&stores, shutdown);
        let app = Arc::new(App::new(stores, settings));
        let first_user = startup::provision(&app, &loaded.settings, options.first_user.as_deref()).await?;
        let jobs = Jobs::start(&app, &loaded.settings, shutdown);
        Ok(Self { app, jobs, health, first_user })
    }

    /// The HTTP interface.
    pub fn router(&self) -> Router {
        api::router(Arc::clone(&self.app), registry())
    }

    /// The HTTP interface, with `/health` and `/ready`: no API path, since those have a point in them.
    pub fn router_with_probes(&self) -> Router {
        with_probes(self.router(), self.health.clone(), |_| true)
    }

    /// The list of revoked tokens.
    pub fn revocations(&self) -> Revocations {
        self.app.revocations.clone()
    }

    /// Ends what runs in the background, after the last call.
    pub async fn stop(self, patience: Duration) {
        self.jobs.stop(patience).await;
        self.app.last_used.flush(self.app.documents.as_ref()).await;
    }
}

/// Ready means that every store in use answers.
fn health(stores: &Stores, shutdown: &Shutdown) -> Health {
    let Stores { documents, state, worker_state, events, .. } = stores.clone();
    let mut health = Health::new(shutdown.clone()).check("documents", move || {
        let documents = Arc::clone(&documents);
        async move { documents.ping().await.map_err(|error| error.to_string()) }
    });
    for (name, state) in [("state", state), ("worker state", worker_state)] {
        health = health.check(name, move || {
            let state = Arc::clone(&state);
            async move { state.ping().await.map_err(|error| error.to_string()) }
        });
    }
    health.check("events", move || {
        let events = Arc::clone(&events);
        async move { events.ping().await.map_err(|error| error.to_string()) }
    })
}

/// Addresses of stores that are configured and not used are often a mistake.
fn note_unused_hosts(loaded: &Loaded) {
    let StoreChoice { documents, events, state } = loaded.stores;
    tracing::info!(?documents, ?events, ?state, "stores");
    let is_chosen = loaded.settings.stores.kind.is_some();
    let all_embedded = loaded.stores == StoreChoice::all(StoreKind::Embedded);
    if all_embedded && !is_chosen && loaded.config.hosts_are_configured() {
        tracing::warn!(
            "addresses of MongoDB, Elasticsearch or Redis are configured, but the embedded stores are in use; \
             hint: set stores.kind to cluster to use them, or to embedded to be rid of this line"
        );
    }
}
