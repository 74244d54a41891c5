//! Limits and switches of the event service (spec 05 §2.5).

use std::time::Duration;

/// Settings of the event service, with the official server's defaults.
#[derive(Debug, Clone)]
pub struct EventSettings {
    /// Metrics whose iterations do not raise `last_iteration`: `events.ignore_iteration.metrics`.
    pub ignore_iteration_metrics: Vec<String>,
    /// Life of scroll and viewer states after their last use: `events_retrieval.state_expiration_sec`.
    pub state_expiration: Duration,
    /// Store queries that one call may run at the same time: `events_retrieval.max_metrics_concurrency`.
    pub max_metrics_concurrency: usize,
    /// Divide the bucket limit by the real number of metrics: `events_retrieval.dynamic_metrics_count`.
    pub dynamic_metrics_count: bool,
    /// Percentage of 10 000 buckets that one answer may hold: `events_retrieval.dynamic_metrics_count_threshold`.
    pub dynamic_metrics_count_threshold: usize,
    /// Metrics per answer without dynamic counting: `events_retrieval.max_metrics_count`.
    pub max_metrics_count: usize,
    /// Variants per metric without dynamic counting: `events_retrieval.max_variants_count`.
    pub max_variants_count: usize,
    /// Show images of variants that appeared after the scroll began:
    /// `events_retrieval.debug_images.allow_uninitialized_variants`.
    pub allow_uninitialized_variants: bool,
    /// Scalars per page of raw scalars and task events: `events_retrieval.max_raw_scalars_size`.
    pub max_raw_scalars_size: usize,
    /// Key that signs scroll ids: `events_retrieval.scroll_id_key`.
    pub scroll_id_key: String,
    /// Plots per page of `get_multi_task_plots`: `events_retrieval.multi_plots_batch_size`.
    pub multi_plots_batch_size: usize,
    /// Check that each plot is JSON and store the result: `events.validate_plot_str`.
    pub validate_plot_str: bool,
    /// Code points from which a plot is stored compressed, 0 for never: `events.plot_compression_threshold`.
    pub plot_compression_threshold: usize,
    /// Tasks per call of `multi_task_scalar_metrics_iter_histogram`: `tasks.multi_task_histogram_limit`.
    pub multi_task_histogram_limit: usize,
    /// Metric and variant pairs kept per task, 0 for all: `tasks.max_last_metrics`.
    pub max_last_metrics: usize,
}

impl Default for EventSettings {
    fn default() -> Self {
        Self {
            ignore_iteration_metrics: vec![":monitor:machine".to_owned(), ":monitor:gpu".to_owned()],
            state_expiration: Duration::from_hours(1),
            max_metrics_concurrency: 4,
            dynamic_metrics_count: true,
            dynamic_metrics_count_threshold: 80,
            max_metrics_count: 100,
            max_variants_count: 100,
            allow_uninitialized_variants: true,
            max_raw_scalars_size: 200_000,
            scroll_id_key: "1234567890".to_owned(),
            multi_plots_batch_size: 1000,
            validate_plot_str: false,
            plot_compression_threshold: 100_000,
            multi_task_histogram_limit: 100,
            max_last_metrics: 2000,
        }
    }
}
