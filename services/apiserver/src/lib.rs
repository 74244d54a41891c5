//! The REST API of the server: `api` is the wire protocol, `query` the language of the `get_all*`
//! endpoints, and each other folder one service, named as in the API.

pub mod admin;
pub mod api;
pub mod app;
mod configuration;
pub mod query;
mod settings;
pub mod startup;

mod auth;
mod debug;
mod events;
mod external_files;
mod jobs;
mod login;
mod metadata;
mod models;
mod openapi;
mod organization;
mod pipelines;
mod projects;
mod publicity;
mod python;
mod queues;
mod reports;
mod server;
mod service;
mod serving;
mod storage;
mod tasks;
mod users;
mod workers;

use std::sync::{Arc, LazyLock};

pub use app::App;
pub use clearml_stores::{OpenError, Stores};
pub use events::EventSettings;
pub use external_files::ExternalFileSettings;
pub use jobs::Jobs;
pub use organization::{DownloadSettings, OrganizationSettings, UsageSettings};
pub use queues::QueueSettings;
pub use service::{Service, ServiceError, StartOptions};
pub use serving::ServingSettings;
pub use settings::{ServerSettings, Settings};
pub use storage::StorageSettings;
pub use workers::WorkerSettings;

/// All endpoints of this server.
pub fn registry() -> Arc<api::Registry> {
    static REGISTRY: LazyLock<Arc<api::Registry>> = LazyLock::new(|| {
        let services = [
            auth::endpoints::endpoints(),
            debug::endpoints::endpoints(),
            events::endpoints::endpoints(),
            login::endpoints::endpoints(),
            models::endpoints::endpoints(),
            organization::endpoints::endpoints(),
            pipelines::endpoints::endpoints(),
            projects::endpoints::endpoints(),
            queues::endpoints::endpoints(),
            reports::endpoints::endpoints(),
            server::endpoints::endpoints(),
            serving::endpoints::endpoints(),
            storage::endpoints::endpoints(),
            tasks::endpoints::endpoints(),
            users::endpoints::endpoints(),
            workers::endpoints::endpoints(),
        ];
        Arc::new(api::Registry::new(services.into_iter().flatten()))
    });
    Arc::clone(&REGISTRY)
}
