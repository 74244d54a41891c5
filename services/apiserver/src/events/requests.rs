//! Requests of the event endpoints.

use clearml_events::{EventType, KeyField, MetricVariants};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::Patch;

/// Direction of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    Asc,
    Desc,
}

/// Where a log is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum LogEnd {
    Head,
    Tail,
}

/// What the points of a scalar are drawn over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ScalarKey {
    #[default]
    Iter,
    Timestamp,
    IsoTime,
}

impl ScalarKey {
    /// The name in requests and answers.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Iter => "iter",
            Self::Timestamp => "timestamp",
            Self::IsoTime => "iso_time",
        }
    }

    /// The field that orders the points.
    pub(super) const fn field(self) -> KeyField {
        match self {
            Self::Iter => KeyField::Iter,
            Self::Timestamp | Self::IsoTime => KeyField::Timestamp,
        }
    }
}

/// One type of events, or all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub(super) enum TypeChoice {
    #[serde(rename = "training_stats_scalar")]
    Scalar,
    #[serde(rename = "training_stats_vector")]
    Vector,
    #[serde(rename = "training_debug_image")]
    Image,
    #[serde(rename = "plot")]
    Plot,
    #[serde(rename = "log")]
    Log,
    #[default]
    #[serde(rename = "*")]
    All,
}

impl TypeChoice {
    /// `None` for all.
    pub(super) const fn event_type(self) -> Option<EventType> {
        match self {
            Self::Scalar => Some(EventType::Scalar),
            Self::Vector => Some(EventType::Vector),
            Self::Image => Some(EventType::Image),
            Self::Plot => Some(EventType::Plot),
            Self::Log => Some(EventType::Log),
            Self::All => None,
        }
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct LegacyLogRequest {
    pub(super) task: String,
    pub(super) order: Option<Order>,
    pub(super) from: Option<LogEnd>,
    pub(super) scroll_id: Option<String>,
    pub(super) batch_size: Option<i64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct LogRequest {
    pub(super) task: String,
    pub(super) batch_size: Option<i64>,
    pub(super) navigate_earlier: Option<bool>,
    /// Milliseconds, exclusive; 0 is absent.
    pub(super) from_timestamp: Option<i64>,
    pub(super) order: Option<Order>,
    #[serde(default)]
    pub(super) metrics: Vec<MetricVariants>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct DownloadLogRequest {
    pub(super) task: String,
    pub(super) line_type: Option<String>,
    pub(super) line_format: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ClearLogRequest {
    pub(super) task: String,
    #[serde(default)]
    pub(super) allow_locked: bool,
    pub(super) threshold_sec: Option<i64>,
    #[serde(default)]
    pub(super) include_metrics: Vec<String>,
    #[serde(default)]
    pub(super) exclude_metrics: Vec<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct TaskEventsRequest {
    pub(super) task: String,
    pub(super) event_type: Option<TypeChoice>,
    pub(super) order: Option<Order>,
    pub(super) batch_size: Option<i64>,
    #[serde(default)]
    pub(super) metrics: Vec<MetricVariants>,
    pub(super) count_total: Option<bool>,
    pub(super) scroll_id: Option<String>,
    #[serde(default)]
    pub(super) model_events: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct HistogramRequest {
    pub(super) task: String,
    #[serde(default)]
    pub(super) samples: Patch<i64>,
    #[serde(default)]
    pub(super) key: Patch<ScalarKey>,
    #[serde(default)]
    pub(super) metrics: Vec<MetricVariants>,
    #[serde(default)]
    pub(super) model_events: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct MultiHistogramRequest {
    pub(super) tasks: Vec<String>,
    #[serde(default)]
    pub(super) samples: Patch<i64>,
    #[serde(default)]
    pub(super) key: Patch<ScalarKey>,
    #[serde(default)]
    pub(super) metrics: Vec<MetricVariants>,
    #[serde(default)]
    pub(super) model_events: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct RawScalarsRequest {
    pub(super) task: String,
    pub(super) metric: MetricVariants,
    pub(super) key: Option<ScalarKey>,
    pub(super) batch_size: Option<i64>,
    pub(super) count_total: Option<bool>,
    pub(super) scroll_id: Option<String>,
    #[serde(default)]
    pub(super) model_events: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct SingleValuesRequest {
    pub(super) tasks: Vec<String>,
    #[serde(default)]
    pub(super) metrics: Vec<MetricVariants>,
    #[serde(default)]
    pub(super) model_events: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct MetricDataRequest {
    pub(super) task: String,
    pub(super) metric: String,
    pub(super) scroll_id: Option<String>,
    #[serde(default)]
    pub(super) no_scroll: bool,
    #[serde(default)]
    pub(super) model_events: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct TaskRequest {
    pub(super) task: String,
    #[serde(default)]
    pub(super) model_events: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct VectorRequest {
    pub(super) task: String,
    pub(super) metric: String,
    pub(super) variant: String,
    #[serde(default)]
    pub(super) model_events: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct PlotsRequest {
    pub(super) task: String,
    #[serde(default)]
    pub(super) iters: Patch<i64>,
    #[serde(default)]
    pub(super) metrics: Vec<MetricVariants>,
    #[serde(default)]
    pub(super) model_events: bool,
    pub(super) scroll_id: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct MultiPlotsRequest {
    pub(super) tasks: Vec<String>,
    #[serde(default)]
    pub(super) iters: Patch<i64>,
    pub(super) last_iters_per_task_metric: Option<bool>,
    #[serde(default)]
    pub(super) metrics: Vec<MetricVariants>,
    #[serde(default)]
    pub(super) no_scroll: bool,
    #[serde(default)]
    pub(super) model_events: bool,
    pub(super) scroll_id: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct LegacyImagesRequest {
    pub(super) task: String,
    #[serde(default)]
    pub(super) iters: Patch<i64>,
    pub(super) scroll_id: Option<String>,
    #[serde(default)]
    pub(super) model_events: bool,
}

/// One task with a metric and variants to show.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct TaskMetricVariants {
    pub(super) task: String,
    pub(super) metric: Option<String>,
    #[serde(default)]
    pub(super) variants: Vec<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct WindowRequest {
    pub(super) metrics: Vec<TaskMetricVariants>,
    #[serde(default)]
    pub(super) iters: Patch<i64>,
    pub(super) navigate_earlier: Option<bool>,
    #[serde(default)]
    pub(super) refresh: bool,
    pub(super) scroll_id: Option<String>,
    #[serde(default)]
    pub(super) model_events: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ImageSampleRequest {
    pub(super) task: String,
    pub(super) metric: String,
    pub(super) variant: String,
    pub(super) iteration: Option<i64>,
    #[serde(default)]
    pub(super) refresh: bool,
    pub(super) scroll_id: Option<String>,
    pub(super) navigate_current_metric: Option<bool>,
    #[serde(default)]
    pub(super) model_events: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct PlotSampleRequest {
    pub(super) task: String,
    pub(super) metric: String,
    pub(super) iteration: Option<i64>,
    #[serde(default)]
    pub(super) refresh: bool,
    pub(super) scroll_id: Option<String>,
    pub(super) navigate_current_metric: Option<bool>,
    #[serde(default)]
    pub(super) model_events: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct NextSampleRequest {
    pub(super) task: String,
    pub(super) scroll_id: String,
    pub(super) navigate_earlier: Option<bool>,
    #[serde(default)]
    pub(super) next_iteration: bool,
    #[serde(default)]
    pub(super) model_events: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct TaskMetricsRequest {
    pub(super) tasks: Vec<String>,
    pub(super) event_type: TypeChoice,
    #[serde(default)]
    pub(super) model_events: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct MultiTaskMetricsRequest {
    pub(super) tasks: Vec<String>,
    pub(super) event_type: Option<TypeChoice>,
    #[serde(default)]
    pub(super) model_events: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct DeleteForTaskRequest {
    pub(super) task: String,
    #[serde(default)]
    pub(super) allow_locked: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct DeleteForModelRequest {
    pub(super) model: String,
    #[serde(default)]
    pub(super) allow_locked: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ClearScrollRequest {
    pub(super) scroll_id: Option<String>,
}
