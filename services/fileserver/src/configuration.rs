//! The configuration's keys -> this service's settings and stores.

use std::sync::Arc;

use clearml_auth::{Revocations, TokenKey};
use clearml_config::{Loaded, Settings};
use clearml_telemetry::Health;

use crate::{FileServer, FileServerSettings, LocalTokens, StorageError, TokenCheck, storage};

/// The file server can't start.
#[derive(Debug, thiserror::Error)]
#[error("failed to open the storage of the files")]
pub struct StartError(#[from] StorageError);

impl FileServerSettings {
    /// The settings that a configuration asks for.
    pub fn from_config(settings: &Settings) -> Self {
        let files = &settings.fileserver;
        Self {
            disable_browser_caching: files.download.disable_browser_caching,
            cache_timeout_sec: files.download.cache_timeout_sec.seconds(),
            allow_batch_delete: files.delete.allow_batch,
            max_upload_size: (files.upload.max_upload_size_mb.max(0.0) * 1024.0 * 1024.0) as u64,
            cors_origins: files.cors.origins.clone(),
            cookie_names: files.auth.cookie_names.clone(),
            server_header: files.response.headers.server.clone(),
        }
    }
}

impl FileServer {
    /// A file server on the configured storage; without one, on `files` in the data directory.
    pub async fn open(loaded: &Loaded, revocations: Option<Revocations>) -> Result<Self, StartError> {
        let settings = &loaded.settings;
        let files = storage::open(&settings.fileserver, &loaded.environment, loaded.data_dir.path()).await?;
        let key = TokenKey::new(settings.secure.auth.token_secret.reveal());
        let tokens: Option<Arc<dyn TokenCheck>> = if settings.fileserver.auth.enabled {
            Some(Arc::new(LocalTokens::new(key, revocations)))
        } else {
            None
        };
        Ok(Self { settings: FileServerSettings::from_config(settings), files, tokens })
    }

    /// Adds what this server needs to be ready.
    #[must_use]
    pub fn add_checks(&self, health: Health) -> Health {
        let files = Arc::clone(&self.files);
        health.check("files", move || {
            let files = Arc::clone(&files);
            async move { files.check().await.map_err(|error| error.to_string()) }
        })
    }
}
