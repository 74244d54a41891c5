//! The configuration and the environment -> the settings of the web server (spec 06 §2.1, §2.4).

use std::path::PathBuf;

use clearml_config::{Environment, Settings};

use crate::{ConfigurationError, WebServerSettings, configuration_from, credentials_from};

/// Where containers mount a `configuration.json` for the Web-App.
const MOUNTED_CONFIGURATION: &str = "/mnt/external_files/configs/configuration.json";

/// The settings can't be read.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("{0}")]
    Configuration(#[from] ConfigurationError),
    #[error("{path}: {reason}")]
    Unreadable { path: &'static str, reason: std::io::Error },
}

impl WebServerSettings {
    /// The settings that the configuration and the `WEBSERVER__…` variables ask for.
    pub fn from_config(settings: &Settings, environment: &Environment) -> Result<Self, SettingsError> {
        let base = match std::fs::read_to_string(MOUNTED_CONFIGURATION) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(reason) => return Err(SettingsError::Unreadable { path: MOUNTED_CONFIGURATION, reason }),
        };
        let variables = environment.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        // As shipped in images, a text that starts with `${` stands for nothing.
        let sub_path = environment.get("CLEARML_SERVER_SUB_PATH").filter(|path| !path.starts_with("${"));
        Ok(Self {
            sub_path: sub_path.unwrap_or_default().trim_matches('/').to_owned(),
            configuration: configuration_from(base.as_deref(), variables)?,
            credentials: credentials_from(|name| environment.get(name).map(str::to_owned)),
            web_root: settings.webserver.web_root.as_deref().map(PathBuf::from),
            version: settings.build.version.clone(),
        })
    }
}
