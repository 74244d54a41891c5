//! What can be set of serving containers.

use std::time::Duration;

/// `services.serving.*`.
#[derive(Debug, Clone)]
pub struct ServingSettings {
    /// `default_container_timeout_sec`: life of a record that is registered without timeout.
    pub default_container_timeout: Duration,
    /// `container_auto_register`: a report of an unknown container registers it.
    pub container_auto_register: bool,
    /// `container_auto_unregister`: unregistering an unknown container is no error.
    pub container_auto_unregister: bool,
    /// `min_chart_interval_sec`: shortest interval of a chart.
    pub min_chart_interval: Duration,
}

impl Default for ServingSettings {
    fn default() -> Self {
        Self {
            default_container_timeout: Duration::from_mins(10),
            container_auto_register: true,
            container_auto_unregister: true,
            min_chart_interval: Duration::from_secs(40),
        }
    }
}
