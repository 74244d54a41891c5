//! What is asked of an event store, and what it answers.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Event, EventType, Number};

/// A task (or model) and the company under which its events are kept (the "index company", spec 05 §1).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Source {
    /// Index company; empty for built-in public examples.
    pub company: String,
    /// Id of the task or model.
    pub task: String,
}

impl Source {
    /// The events of `task` that are kept under `company`.
    pub fn new(company: impl Into<String>, task: impl Into<String>) -> Self {
        Self { company: company.into(), task: task.into() }
    }
}

/// A metric and some or all of its variants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MetricVariants {
    pub metric: String,
    /// In a filter, empty means all variants.
    #[serde(default)]
    pub variants: Vec<String>,
}

/// Which metrics and variants a query is about (spec 05 §4.1). The default lets all events pass.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricFilter {
    /// Variants by metric; an empty list means all variants.
    entries: HashMap<String, Vec<String>>,
}

impl MetricFilter {
    /// A filter that lets all events pass.
    pub fn all() -> Self {
        Self::default()
    }

    /// A filter of these entries: the last entry of a repeated metric wins, no entries let all events pass.
    pub fn new(entries: impl IntoIterator<Item = MetricVariants>) -> Self {
        Self { entries: entries.into_iter().map(|entry| (entry.metric, entry.variants)).collect() }
    }

    /// A filter for these metrics with all their variants; no metrics let all events pass.
    pub fn metrics<M: Into<String>>(metrics: impl IntoIterator<Item = M>) -> Self {
        Self { entries: metrics.into_iter().map(|metric| (metric.into(), Vec::new())).collect() }
    }

    /// Whether the filter lets all events pass.
    pub fn is_all(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether an event of this metric and variant passes.
    pub fn matches(&self, metric: &str, variant: &str) -> bool {
        self.is_all()
            || self.entries.get(metric).is_some_and(|variants| {
                variants.is_empty() || variants.iter().any(|accepted| accepted == variant)
            })
    }

    /// The entries in no order: metric and its variants (empty = all).
    pub fn entries(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.entries.iter().map(|(metric, variants)| (metric.as_str(), variants.as_slice()))
    }
}

/// Some iterations of a task, or of one of its metrics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IterationChoice {
    pub task: String,
    /// `None` is about all metrics of the task.
    pub metric: Option<String>,
    /// Greatest first.
    pub iters: Vec<i64>,
}

/// Which events a count or a scroll is about: all conditions hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    pub sources: Vec<Source>,
    /// `None` is all types.
    pub event_type: Option<EventType>,
    #[serde(default)]
    pub metrics: MetricFilter,
    /// `None` is no limit; otherwise at least one of the choices names the event's task (and metric) and
    /// iteration.
    #[serde(default)]
    pub iterations: Option<Vec<IterationChoice>>,
}

impl Selection {
    /// All events of one type of one task.
    pub fn new(source: Source, event_type: impl Into<Option<EventType>>) -> Self {
        Self::of(vec![source], event_type)
    }

    /// All events of one type of several tasks.
    pub fn of(sources: Vec<Source>, event_type: impl Into<Option<EventType>>) -> Self {
        Self { sources, event_type: event_type.into(), metrics: MetricFilter::all(), iterations: None }
    }

    /// Only these metrics and variants.
    #[must_use]
    pub fn metrics(mut self, metrics: MetricFilter) -> Self {
        self.metrics = metrics;
        self
    }

    /// Only these iterations.
    #[must_use]
    pub fn iterations(mut self, iterations: Vec<IterationChoice>) -> Self {
        self.iterations = Some(iterations);
        self
    }
}

/// The field that orders a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyField {
    Iter,
    Timestamp,
}

/// Direction of a sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    Ascending,
    Descending,
}

/// One page of the key iterator (spec 05 §4.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyQuery {
    pub source: Source,
    /// `None` is all types.
    pub event_type: Option<EventType>,
    pub metrics: MetricFilter,
    pub field: KeyField,
    /// Descending is "earlier", ascending is "later".
    pub order: Order,
    /// Number of events, of any size; the page also gets all others that share the last event's key (at most
    /// 10 000 more).
    pub limit: usize,
    /// Where the last page ended; `None` starts at the first event.
    pub after: Option<KeyPosition>,
}

/// Where a page of the key iterator ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPosition {
    /// Behind all events with this key. Made by the store, or by anybody who knows a key.
    Key(i64),
    /// Amid the events that lack the key, which come last in both directions. Made by the store.
    Unkeyed(String),
}

/// A page of the key iterator.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyPage {
    /// In the order asked for; equal keys in the order of insertion, in both directions.
    pub events: Vec<Event>,
    /// Where to go on; `None` if the page is empty.
    pub next: Option<KeyPosition>,
}

/// A scroll over events (spec 05 §4.6): exact positions, no completion of equal keys. Serializable, so that
/// the caller can keep it with the position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScrollQuery {
    pub selection: Selection,
    pub field: KeyField,
    pub order: Order,
    /// Greatest number of events of a page.
    pub limit: usize,
}

/// A page of a scroll.
#[derive(Debug, Clone, PartialEq)]
pub struct ScrollPage {
    /// Equal keys in the order of insertion, events without the key last.
    pub events: Vec<Event>,
    /// Position behind the last event, for the next call; `None` if the page is empty. Opaque, stateless.
    pub next: Option<String>,
}

/// How many names a listing of metrics and variants may have (spec 05 §4.3); names are cut from the end of
/// the alphabet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameLimits {
    /// `dynamic_metrics_count`: share the budget by the number of metrics.
    pub dynamic: bool,
    /// `dynamic_metrics_count_threshold`, percent.
    pub threshold: usize,
    /// `max_metrics_count`, where the count is not dynamic.
    pub metrics: usize,
    /// `max_variants_count`, where the count is not dynamic.
    pub variants: usize,
}

impl Default for NameLimits {
    fn default() -> Self {
        Self { dynamic: true, threshold: 80, metrics: 100, variants: 100 }
    }
}

impl NameLimits {
    /// All buckets that a dynamic listing may have.
    pub fn budget(&self) -> usize {
        100 * self.threshold.min(100)
    }

    /// Greatest number of metrics, and of variants for each, when the query touches so many metrics.
    pub fn for_metrics(&self, metrics: usize) -> (usize, usize) {
        if self.dynamic && metrics > 0 {
            (metrics, (self.budget() / metrics).max(1))
        } else {
            (self.metrics, self.variants)
        }
    }

    /// As [`Self::for_metrics`] with half the variants.
    pub fn halved_for_metrics(&self, metrics: usize) -> (usize, usize) {
        let (metrics, variants) = self.for_metrics(metrics);
        (metrics, (variants / 2).max(1))
    }
}

/// A histogram of scalars (spec 05 §7.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScalarSampling {
    pub source: Source,
    pub metrics: MetricFilter,
    pub field: KeyField,
    /// Wanted number of points per series, at least 1.
    pub samples: usize,
}

/// The sampled points of one metric and variant.
#[derive(Debug, Clone, PartialEq)]
pub struct SampledSeries {
    pub metric: String,
    pub variant: String,
    /// Bucket starts, ascending: iterations or milliseconds.
    pub x: Vec<i64>,
    /// Average of the bucket's values, each rounded to 32 bits; `None` if no event of the bucket has a value.
    pub y: Vec<Option<f64>>,
}

/// The latest values of a task's scalars (spec 05 §7.6). Only events with a value above 0 count.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LatestScalars {
    /// By metric and variant, ascending.
    pub values: Vec<LatestScalar>,
    /// Greatest time of writing of those events, milliseconds; `None` if there are none.
    pub last_written: Option<i64>,
}

/// The value of the event with the greatest iteration.
#[derive(Debug, Clone, PartialEq)]
pub struct LatestScalar {
    pub metric: String,
    pub variant: String,
    /// Full precision; the endpoint answers [`Number::rounded`].
    pub value: Number,
}

/// Which events an iteration window shows (spec 05 §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WindowKind {
    /// Debug images that have a url; of several at one iteration, the one with the greatest url.
    Images,
    /// Plots; of several at one iteration, the one with the greatest timestamp.
    Plots,
}

impl WindowKind {
    /// The type of its events.
    pub(crate) const fn event_type(self) -> EventType {
        match self {
            Self::Images => EventType::Image,
            Self::Plots => EventType::Plot,
        }
    }
}

/// What an iteration window knows of a metric at its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricState {
    pub metric: String,
    /// Greatest event timestamp, milliseconds.
    pub timestamp: i64,
    /// Ascending.
    pub variants: Vec<VariantState>,
}

/// What an iteration window knows of a variant at its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariantState {
    pub variant: String,
    /// Second-greatest iteration of the newest image's url: images up to it were overwritten. `None` for
    /// plots, and for urls that were not used again.
    pub last_invalid_iteration: Option<i64>,
}

/// One step of an iteration window (spec 05 §9, fetch, point 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    pub source: Source,
    pub kind: WindowKind,
    /// The metrics of the state; none means none.
    pub metrics: Vec<String>,
    /// Descending goes to earlier iterations, ascending to later ones.
    pub order: Order,
    /// Only iterations strictly beyond this one, in the direction of `order`.
    pub beyond: Option<i64>,
    /// Number of distinct iterations.
    pub iters: usize,
}

/// All events of one iteration, by metric and variant ascending.
#[derive(Debug, Clone, PartialEq)]
pub struct IterationEvents {
    pub iter: i64,
    pub events: Vec<Event>,
}

/// The iterations in which a variant's images can be shown (spec 05 §10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariantRange {
    pub metric: String,
    pub variant: String,
    /// Oldest image that is still there: the least of the greatest iterations of all urls.
    pub min_iteration: i64,
    pub max_iteration: i64,
}

/// The iterations of a metric's plots (spec 05 §10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricRange {
    pub metric: String,
    pub min_iteration: i64,
    pub max_iteration: i64,
}

/// A variant whose images may be shown next, from an iteration on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageCandidate {
    pub metric: String,
    pub variant: String,
    /// Earlier images are gone.
    pub min_iteration: i64,
}

/// Where to look for the next image (spec 05 §10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageStep {
    /// At this iteration; the first by metric, variant in the given order, then url descending.
    SameIteration(i64, Order),
    /// Before this iteration: the first by iteration, metric, variant descending, then url descending.
    Before(i64),
    /// After this iteration: the first by iteration, metric, variant ascending, then url descending.
    After(i64),
}

/// Where to look for the next plots (spec 05 §10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlotStep {
    /// The present iteration.
    pub iteration: i64,
    /// The present metric.
    pub metric: String,
    /// Descending is earlier.
    pub order: Order,
    /// Stay in the present metric (`navigate_current_metric`).
    pub same_metric: bool,
    /// Leave the present iteration (`next_iteration`, or implied by `same_metric`).
    pub next_iteration: bool,
}

/// The plots of one metric at one iteration.
#[derive(Debug, Clone, PartialEq)]
pub struct PlotsAtIteration {
    pub metric: String,
    pub iteration: i64,
    /// By variant ascending, at most 100.
    pub events: Vec<Event>,
}

/// How fast a deletion may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As fast as possible.
    Fast,
    /// About so many events per second, in the interest of other work.
    EventsPerSecond(u64),
}

/// Which log events to delete (spec 05 §5 `clear_task_log`): all conditions hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogDeletion {
    /// Only events with a lesser timestamp, milliseconds.
    pub before: Option<i64>,
    /// If not empty: only events of these metrics. Events without metric have the metric `""`.
    pub include_metrics: Vec<String>,
    /// Not events of these metrics.
    pub exclude_metrics: Vec<String>,
}

/// Which urls to collect (spec 05 §12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlKind {
    /// `url` of debug images.
    Images,
    /// `source_urls` of plots.
    Plots,
}

/// A page of urls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UrlPage {
    /// Distinct within the page; image urls also across pages.
    pub urls: Vec<String>,
    /// Where to go on; `None` at the end. Opaque.
    pub next: Option<String>,
}
