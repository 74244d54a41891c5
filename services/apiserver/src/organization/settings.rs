//! What can be set of this service.

use std::time::Duration;

/// `services.organization.*`.
#[derive(Debug, Clone)]
pub struct OrganizationSettings {
    /// `max_entities_count_concurrency`: counts made at the same time; 0: one after the other.
    pub max_entities_count_concurrency: usize,
    pub download: DownloadSettings,
    pub usages: UsageSettings,
}

impl Default for OrganizationSettings {
    fn default() -> Self {
        Self {
            max_entities_count_concurrency: 4,
            download: DownloadSettings::default(),
            usages: UsageSettings::default(),
        }
    }
}

/// `services.organization.download.*`.
#[derive(Debug, Clone)]
pub struct DownloadSettings {
    /// `redis_timeout_sec`: how long a prepared download can be fetched.
    pub time_to_live: Duration,
    /// `batch_size`: rows read at once.
    pub batch_size: u64,
    /// `max_download_items`: most rows of a file.
    pub max_items: u64,
    /// `max_project_name_length`: characters of the project's name in the file's.
    pub max_project_name_length: usize,
}

impl Default for DownloadSettings {
    fn default() -> Self {
        Self {
            time_to_live: Duration::from_mins(5),
            batch_size: 500,
            max_items: 50_000,
            max_project_name_length: 60,
        }
    }
}

/// `services.organization.project_usages.*` and `services.queues.resource_usages.*`.
#[derive(Debug, Clone)]
pub struct UsageSettings {
    /// Tasks with one of these system tags do not count.
    pub excluded_task_tags: Vec<String>,
    /// Tasks of these types do not count.
    pub excluded_task_types: Vec<String>,
    /// Tasks that run an application do not count.
    pub exclude_app_parent_tasks: bool,
    /// Without development tasks, those that were never enqueued do not count either.
    pub exclude_tasks_without_queue: bool,
    /// `services.queues.resource_usages.cpu`: weight of a queue that says nothing of it.
    pub default_cpu_usage: f64,
    /// `services.queues.resource_usages.gpu`.
    pub default_gpu_usage: f64,
}

impl Default for UsageSettings {
    fn default() -> Self {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Self {
            excluded_task_tags: texts(&["dataset", "reports", "hidden"]),
            excluded_task_types: texts(&[
                "dataset_import",
                "annotation",
                "annotation_manual",
                "report",
                "controller",
            ]),
            exclude_app_parent_tasks: true,
            exclude_tasks_without_queue: true,
            default_cpu_usage: 1.0,
            default_gpu_usage: 1.0,
        }
    }
}
