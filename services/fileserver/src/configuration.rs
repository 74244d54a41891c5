//! The configuration's keys -> this service's settings and stores.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clearml_auth::{Revocations, TokenKey};
use clearml_config::Settings;
use clearml_files::{FileResult, LocalFiles};

use crate::{FileServer, FileServerSettings, LocalTokens, TokenCheck};

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
    /// A file server on a local directory: the configured one, else `files` in the data directory.
    pub fn local(settings: &Settings, data_dir: &Path, revocations: Option<Revocations>) -> FileResult<Self> {
        let configured = settings.fileserver.upload_folder.as_deref().map(PathBuf::from);
        let files = LocalFiles::open(&configured.unwrap_or_else(|| data_dir.join("files")))?;
        let key = TokenKey::new(settings.secure.auth.token_secret.reveal());
        let tokens: Option<Arc<dyn TokenCheck>> = if settings.fileserver.auth.enabled {
            Some(Arc::new(LocalTokens::new(key, revocations)))
        } else {
            None
        };
        Ok(Self { settings: FileServerSettings::from_config(settings), files: Arc::new(files), tokens })
    }
}
