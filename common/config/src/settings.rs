//! Typed settings with the official server's defaults (spec 01 §7.3, 06 §1.1, §9.3). The structs mirror the
//! configuration keys: `settings.apiserver.listen.port` is the key `apiserver.listen.port`.

mod apiserver;
mod file_storage;
mod hosts;
mod secure;
mod servers;
mod services;
mod stores;
mod types;

use serde::{Deserialize, Serialize};

pub use apiserver::*;
pub use file_storage::*;
pub use hosts::*;
pub use secure::*;
pub use servers::*;
pub use services::*;
pub use stores::*;
pub use types::{OneOrMany, Seconds, Secret};

/// All settings.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Name of the installation; a claim of its tokens.
    pub env: Option<String>,
    pub apiserver: ApiServer,
    pub fileserver: FileServer,
    pub webserver: WebServer,
    pub hosts: Hosts,
    pub secure: Secure,
    pub services: Services,
    pub stores: Stores,
    pub http: Http,
    pub telemetry: Telemetry,
    /// Version and build, from the environment.
    #[serde(skip)]
    pub build: BuildInfo,
}
