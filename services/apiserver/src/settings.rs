//! The settings of this service, filled in by the configuration.

use bson::Document;

use crate::{
    EventSettings, ExternalFileSettings, OrganizationSettings, QueueSettings, ServingSettings,
    StorageSettings, WorkerSettings,
    api::{ApiSettings, AuthSettings},
};

/// Everything that can be set, with the official server's defaults.
#[derive(Debug, Clone)]
pub struct Settings {
    pub api: ApiSettings,
    pub auth: AuthSettings,
    pub server: ServerSettings,
    pub events: EventSettings,
    pub external_files: ExternalFileSettings,
    pub organization: OrganizationSettings,
    pub queues: QueueSettings,
    pub serving: ServingSettings,
    pub storage: StorageSettings,
    pub workers: WorkerSettings,
}

impl Settings {
    /// The defaults with this token secret.
    pub fn new(token_secret: impl Into<String>) -> Self {
        Self {
            api: ApiSettings::default(),
            auth: AuthSettings::new(token_secret),
            server: ServerSettings::default(),
            events: EventSettings::default(),
            external_files: ExternalFileSettings::default(),
            organization: OrganizationSettings::default(),
            queues: QueueSettings::default(),
            serving: ServingSettings::default(),
            storage: StorageSettings::default(),
            workers: WorkerSettings::default(),
        }
    }
}

/// What the server says about itself.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Only digits and points: clients split and compare it.
    pub version: String,
    pub build: String,
    pub commit: String,
    /// How it was installed: `manual`, `docker`, …
    pub deployment: String,
    /// `apiserver.statistics.supported`.
    pub statistics_supported: bool,
    /// `apiserver.getting_started_info`.
    pub getting_started: Option<Document>,
    /// `services.organization.download.max_download_items`.
    pub max_download_items: i64,
    /// The effective configuration without its secrets, for `server.config`.
    pub configuration: Document,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            version: "2.3.0".to_owned(),
            build: String::new(),
            commit: String::new(),
            deployment: "manual".to_owned(),
            statistics_supported: true,
            getting_started: Some(bson::doc! {
                "agentName": "clearml",
                "configure": "clearml-init",
                "install": "pip install clearml",
                "packageName": "clearml",
            }),
            max_download_items: 50_000,
            configuration: Document::new(),
        }
    }
}
