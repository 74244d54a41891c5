//! Settings of workers, with the official server's defaults.

use std::time::Duration;

/// `apiserver.workers.*` and `services.workers.*`.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// `apiserver.workers.auto_register`: a report of an unknown worker registers it.
    pub auto_register: bool,
    /// `apiserver.workers.auto_unregister`: unregistering an unknown worker is no error.
    pub auto_unregister: bool,
    /// `apiserver.workers.default_timeout`: life of a record that is registered with a timeout of 0.
    pub default_timeout: Duration,
    /// `services.workers.default_worker_timeout_sec`: life of a record that is registered without timeout.
    pub default_worker_timeout: Duration,
    /// `apiserver.workers.task_update_timeout`: how long after its last update a task counts as run by its
    /// worker.
    pub task_update_timeout: Duration,
    /// `services.workers.min_chart_interval_sec`: shortest interval of a chart.
    pub min_chart_interval: Duration,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            auto_register: true,
            auto_unregister: true,
            default_timeout: Duration::from_mins(10),
            default_worker_timeout: Duration::from_mins(10),
            task_update_timeout: Duration::from_mins(10),
            min_chart_interval: Duration::from_secs(40),
        }
    }
}
