//! `fileserver.*`, `webserver.*`, `http.*`, `telemetry.*`.

use serde::{Deserialize, Serialize};

use super::{Cors, FileStorage, Listen, Response, Seconds};

/// `fileserver` (spec 06 §1.1)
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct FileServer {
    pub listen: Listen,
    /// Root of the files; null: a folder of the data directory.
    pub upload_folder: Option<String>,
    pub storage: FileStorage,
    pub download: Download,
    pub delete: Delete,
    pub upload: Upload,
    pub cors: Cors,
    pub auth: FileAuth,
    pub response: Response,
}

impl Default for FileServer {
    fn default() -> Self {
        Self {
            listen: Listen { port: 8081, ..Listen::default() },
            upload_folder: None,
            storage: FileStorage::default(),
            download: Download::default(),
            delete: Delete::default(),
            upload: Upload::default(),
            cors: Cors { supports_credentials: false, ..Cors::default() },
            auth: FileAuth::default(),
            response: Response::default(),
        }
    }
}

/// `fileserver.download`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Download {
    pub disable_browser_caching: bool,
    pub cache_timeout_sec: Seconds,
}

impl Default for Download {
    fn default() -> Self {
        Self { disable_browser_caching: false, cache_timeout_sec: Seconds::new(300) }
    }
}

/// `fileserver.delete`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Delete {
    pub allow_batch: bool,
}

impl Default for Delete {
    fn default() -> Self {
        Self { allow_batch: true }
    }
}

/// `fileserver.upload`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Upload {
    /// In units of 1024² bytes; 0: no limit.
    pub max_upload_size_mb: f64,
}

/// `fileserver.auth`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct FileAuth {
    pub enabled: bool,
    /// Cookies that may hold the token, in order.
    pub cookie_names: Vec<String>,
    pub tokens_cache_threshold_sec: Seconds,
}

impl Default for FileAuth {
    fn default() -> Self {
        Self {
            enabled: true,
            cookie_names: vec!["clearml_token_basic".to_owned()],
            tokens_cache_threshold_sec: Seconds::new(43_200),
        }
    }
}

/// `webserver`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct WebServer {
    pub listen: Listen,
    /// A directory with another Web-App; null: the built-in one.
    pub web_root: Option<String>,
}

impl Default for WebServer {
    fn default() -> Self {
        Self { listen: Listen { port: 8080, ..Listen::default() }, web_root: None }
    }
}

/// `http`: what all servers share.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Http {
    /// Compress answers; also `CLEARML_COMPRESS_RESP`.
    pub compress_responses: bool,
    /// How long the server goes on serving after it is told to stop, with `/ready` saying so: the time that a
    /// balancer needs to send new calls elsewhere.
    pub shutdown_delay_sec: Seconds,
    /// How long calls in progress may take to end after that.
    pub drain_timeout_sec: Seconds,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            compress_responses: true,
            shutdown_delay_sec: Seconds::new(0),
            drain_timeout_sec: Seconds::new(25),
        }
    }
}

/// `telemetry`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Telemetry {
    pub log: Log,
    pub metrics: Metrics,
}

/// `telemetry.log`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Log {
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,clearml_apiserver=debug`.
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// `telemetry.metrics`: a page for Prometheus on a port of its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Metrics {
    pub enabled: bool,
    pub listen: Listen,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { enabled: false, listen: Listen { port: 9464, ..Listen::default() } }
    }
}

/// Version and build as `server.info` reports them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildInfo {
    pub version: String,
    pub build: String,
    pub commit: String,
    pub deployment: String,
}

impl Default for BuildInfo {
    fn default() -> Self {
        Self {
            version: "2.3.0".to_owned(),
            build: String::new(),
            commit: String::new(),
            deployment: "manual".to_owned(),
        }
    }
}
