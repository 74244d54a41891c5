//! The endpoints of `events`: name, first version, access, handler.

use super::{
    deletion::{clear_scroll, delete_for_model, delete_for_task},
    histograms::{multi_task_scalar_metrics_iter_histogram, scalar_metrics_iter_histogram},
    image_samples::{get_debug_image_sample, next_debug_image_sample},
    images::{debug_images_1_0, debug_images_1_8},
    ingest::{add, add_batch},
    log_download::download_task_log,
    logs::{clear_task_log, get_task_log_1_0, get_task_log_1_7, get_task_log_2_9},
    metrics::{get_multi_task_metrics, get_task_metrics},
    plot_samples::{get_plot_sample, next_plot_sample},
    plots::{get_multi_task_plots_1_0, get_multi_task_plots_1_8, get_task_plots_1_0, get_task_plots_1_8},
    raw_scalars::scalar_metrics_iter_raw,
    scalars::{
        get_scalar_metric_data, get_scalar_metrics_and_variants, get_task_latest_scalar_values,
        get_task_single_value_metrics, get_vector_metrics_and_variants, vector_metrics_iter_histogram,
    },
    task_events::get_task_events,
    windows::{debug_images_2_7, plots},
};
use crate::api::{Endpoint, document_endpoint, endpoint};

/// The table of contents of this service.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        // writing
        document_endpoint("events.add", 1, 0, add).batch(),
        document_endpoint("events.add_batch", 1, 0, add_batch).batch(),
        endpoint("events.delete_for_task", 1, 0, delete_for_task),
        endpoint("events.delete_for_model", 1, 0, delete_for_model),
        endpoint("events.clear_task_log", 1, 0, clear_task_log),
        // logs
        endpoint("events.get_task_log", 1, 0, get_task_log_1_0),
        endpoint("events.get_task_log", 1, 7, get_task_log_1_7),
        endpoint("events.get_task_log", 2, 9, get_task_log_2_9),
        endpoint("events.download_task_log", 1, 0, download_task_log),
        // any type
        endpoint("events.get_task_events", 1, 0, get_task_events),
        endpoint("events.get_task_metrics", 1, 0, get_task_metrics),
        endpoint("events.get_multi_task_metrics", 1, 0, get_multi_task_metrics),
        endpoint("events.clear_scroll", 2, 18, clear_scroll),
        // scalars
        endpoint("events.scalar_metrics_iter_histogram", 1, 0, scalar_metrics_iter_histogram),
        endpoint(
            "events.multi_task_scalar_metrics_iter_histogram",
            1,
            0,
            multi_task_scalar_metrics_iter_histogram,
        ),
        endpoint("events.scalar_metrics_iter_raw", 2, 16, scalar_metrics_iter_raw),
        endpoint("events.get_task_single_value_metrics", 1, 0, get_task_single_value_metrics),
        endpoint("events.get_task_latest_scalar_values", 1, 0, get_task_latest_scalar_values),
        endpoint("events.get_scalar_metrics_and_variants", 1, 0, get_scalar_metrics_and_variants),
        endpoint("events.get_scalar_metric_data", 1, 0, get_scalar_metric_data),
        // vectors
        endpoint("events.get_vector_metrics_and_variants", 1, 0, get_vector_metrics_and_variants),
        endpoint("events.vector_metrics_iter_histogram", 1, 0, vector_metrics_iter_histogram),
        // plots and images
        endpoint("events.get_task_plots", 1, 0, get_task_plots_1_0),
        endpoint("events.get_task_plots", 1, 8, get_task_plots_1_8),
        endpoint("events.get_multi_task_plots", 1, 0, get_multi_task_plots_1_0),
        endpoint("events.get_multi_task_plots", 1, 8, get_multi_task_plots_1_8),
        endpoint("events.plots", 1, 0, plots),
        endpoint("events.debug_images", 1, 0, debug_images_1_0),
        endpoint("events.debug_images", 1, 8, debug_images_1_8),
        endpoint("events.debug_images", 2, 7, debug_images_2_7),
        endpoint("events.get_debug_image_sample", 2, 12, get_debug_image_sample),
        endpoint("events.next_debug_image_sample", 2, 12, next_debug_image_sample),
        endpoint("events.get_plot_sample", 1, 0, get_plot_sample),
        endpoint("events.next_plot_sample", 1, 0, next_plot_sample),
    ]
}
