//! Settings of queues, with the official server's defaults.

use std::time::Duration;

/// `services.queues.*`.
#[derive(Debug, Clone)]
pub struct QueueSettings {
    /// `hidden_tags`: queues with one of these system tags are listed on request only.
    pub hidden_tags: Vec<String>,
    /// `metrics_before_from_date`: how far a history looks back for values to begin with.
    pub metrics_before_from_date: Duration,
    /// `metrics_refresh_interval_sec`: age of a queue's last metrics point that has it refreshed; zero: never.
    pub metrics_refresh_interval: Duration,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self {
            hidden_tags: vec!["k8s-glue".to_owned()],
            metrics_before_from_date: Duration::from_hours(1),
            metrics_refresh_interval: Duration::from_mins(5),
        }
    }
}
