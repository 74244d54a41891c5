//! The interface of an event store.

use async_trait::async_trait;

use crate::{
    Event, EventType, ImageCandidate, ImageStep, IterationChoice, IterationEvents, KeyPage, KeyQuery,
    LatestScalars, LogDeletion, MetricFilter, MetricRange, MetricState, MetricVariants, Pace, PlotStep,
    PlotsAtIteration, SampledSeries, ScalarSampling, ScrollPage, ScrollQuery, Selection, Source, UrlKind,
    UrlPage, VariantRange, Window, WindowKind,
};

/// Result of a store call.
pub type EventResult<T> = Result<T, EventError>;

/// Why a store call failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EventError {
    /// No room, or the store became read-only for lack of room (API error `low_disk_space`).
    #[error("{0}")]
    DiskFull(String),
    /// A position that was not made by this store, or not for this query.
    #[error("invalid position")]
    InvalidPosition,
    /// Some events of an append can't be stored for what is in them, for example a value that contradicts the
    /// type that a field has in an index. All others are stored and visible.
    #[error("{} document(s) failed to index., extra_info={}", .0.len(), first_reason(.0))]
    Rejected(Vec<RejectedEvent>),
    /// The store can't be reached, or is too busy: worth another try.
    #[error("{0}")]
    Unavailable(String),
    /// Anything else.
    #[error("{0}")]
    Backend(String),
}

/// An event that can't be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedEvent {
    /// Its place in the appended list.
    pub place: usize,
    pub reason: String,
}

fn first_reason(rejected: &[RejectedEvent]) -> &str {
    rejected.first().map_or("", |event| event.reason.as_str())
}

/// A store of events. What a task never had, or a company that never had events, is an empty answer, never
/// an error. Queries are about `task` = id only; the stored `model_event` flag is not looked at.
#[async_trait]
pub trait EventStore: Send + Sync + 'static {
    // ---- writing ----

    /// Appends events of one company; durable and visible to every later call when it returns.
    ///
    /// An event with the type, task, iteration, metric, variant and key of a stored one replaces it and
    /// counts as new in the order of insertion; so do repetitions within the list. Log events are never
    /// replaced. After an error none or a part of the list is stored; after [`EventError::Rejected`] all but the
    /// events that it names.
    ///
    /// In Elasticsearch, what identifies an event is joined with dashes (spec 05 §2.2), so that metric `a-b` with
    /// variant `c` and metric `a` with variant `b-c` are the same.
    async fn append(&self, company: &str, events: Vec<Event>) -> EventResult<()>;

    // ---- pages and counts ----

    /// A page of the key iterator: log, all events by iteration, raw scalars (spec 05 §4.5, §5, §6, §7.3).
    async fn key_page(&self, query: KeyQuery) -> EventResult<KeyPage>;

    /// A page of a scroll (spec 05 §4.6), beginning behind `after`, which the last page of the same query
    /// gave as `next`. Serves the legacy logs, images and plots, multi-task plots, the log download, scalars
    /// of one metric and vectors (iteration ascending).
    ///
    /// A position is neither secret nor signed: what the caller hands to clients must be protected there.
    async fn scroll(&self, query: &ScrollQuery, after: Option<&str>) -> EventResult<ScrollPage>;

    /// Number of events; with `cap`, counting stops there (10 000 for the capped totals of spec 05 §4.4).
    async fn count(&self, selection: &Selection, cap: Option<u64>) -> EventResult<u64>;

    // ---- names and iterations ----

    /// Metrics of a task with an event of this type (`None` = any) after the single-value iteration,
    /// ascending, at most 8 000 (spec 05 §11 `get_task_metrics`).
    async fn metrics_with_iterations(
        &self,
        source: &Source,
        event_type: Option<EventType>,
    ) -> EventResult<Vec<String>>;

    /// Metrics and variants of all these tasks together, at any iteration, both ascending (spec 05 §7.7,
    /// §11 `get_multi_task_metrics`).
    async fn metric_variants(
        &self,
        sources: &[Source],
        event_type: Option<EventType>,
    ) -> EventResult<Vec<MetricVariants>>;

    /// For each task its `iters` greatest distinct iterations, greatest first; tasks without are left out
    /// (spec 05 §4.7). `event_type` `None` looks at all types.
    async fn last_iterations(
        &self,
        sources: &[Source],
        event_type: Option<EventType>,
        metrics: &MetricFilter,
        iters: usize,
    ) -> EventResult<Vec<IterationChoice>>;

    /// As [`Self::last_iterations`], for each metric of each task.
    async fn last_iterations_per_metric(
        &self,
        sources: &[Source],
        event_type: Option<EventType>,
        metrics: &MetricFilter,
        iters: usize,
    ) -> EventResult<Vec<IterationChoice>>;

    // ---- scalars ----

    /// Scalars in buckets (spec 05 §7.1), in the order of the answer: groups of like intervals, within a group
    /// by metric and variant. Events without iteration and single values are left out.
    async fn sample_scalars(&self, query: ScalarSampling) -> EventResult<Vec<SampledSeries>>;

    /// The single values of tasks (spec 05 §7.4), at most 10 000 per company, in the order of insertion.
    async fn single_values(&self, sources: &[Source], metrics: &MetricFilter) -> EventResult<Vec<Event>>;

    /// The latest values above 0 (spec 05 §7.6).
    async fn latest_scalars(&self, source: &Source) -> EventResult<LatestScalars>;

    // ---- plots and images ----

    /// The `iters` plots with the greatest iteration of each variant: by metric and variant ascending, then
    /// iteration descending; without invalid plots (spec 05 §8 `get_task_plots`).
    async fn latest_plots(
        &self,
        source: &Source,
        metrics: &MetricFilter,
        iters: usize,
    ) -> EventResult<Vec<Event>>;

    /// What an iteration window needs to know at its start (spec 05 §9), by metric ascending.
    async fn metric_states(
        &self,
        source: &Source,
        kind: WindowKind,
        metrics: &MetricFilter,
    ) -> EventResult<Vec<MetricState>>;

    /// The next iterations of a window (spec 05 §9) in the order of the query, each with one event per metric
    /// and variant. The caller drops overwritten images.
    async fn window(&self, query: &Window) -> EventResult<Vec<IterationEvents>>;

    /// The iterations of each variant's images (spec 05 §10) of one metric, or of all; by metric and variant
    /// ascending. Images without url don't count.
    async fn image_ranges(&self, source: &Source, metric: Option<&str>) -> EventResult<Vec<VariantRange>>;

    /// The newest image with a url of this variant from `candidate.min_iteration` up to `at_most`; of several
    /// at its iteration, the one with the greatest url.
    async fn image_sample(
        &self,
        source: &Source,
        candidate: &ImageCandidate,
        at_most: Option<i64>,
    ) -> EventResult<Option<Event>>;

    /// The next image among these variants, each from its `min_iteration` on (spec 05 §10).
    async fn next_image_sample(
        &self,
        source: &Source,
        candidates: &[ImageCandidate],
        step: ImageStep,
    ) -> EventResult<Option<Event>>;

    /// The iterations of each metric's plots (spec 05 §10), or of one metric's; ascending, at most 5 000.
    async fn plot_ranges(&self, source: &Source, metric: Option<&str>) -> EventResult<Vec<MetricRange>>;

    /// The plots at the metric's greatest iteration up to `at_most` (spec 05 §10).
    async fn plot_sample(
        &self,
        source: &Source,
        metric: &str,
        at_most: Option<i64>,
    ) -> EventResult<Option<PlotsAtIteration>>;

    /// The next plots before or after the present ones (spec 05 §10).
    async fn next_plot_sample(
        &self,
        source: &Source,
        step: &PlotStep,
    ) -> EventResult<Option<PlotsAtIteration>>;

    // ---- deletion ----

    /// Deletes all events of tasks or models of one company; how many (spec 05 §12), at the given pace and
    /// without holding up other writers. When the call returns, all are gone; if its future is dropped, they
    /// are after a while. A store that can do so hides them from readers at the start.
    async fn delete(&self, company: &str, tasks: &[String], pace: Pace) -> EventResult<u64>;

    /// Deletes log events of a task; how many (spec 05 §5).
    async fn clear_log(&self, source: &Source, which: &LogDeletion) -> EventResult<u64>;

    /// A page of the urls of tasks or models of one company (spec 05 §12): at most `limit` images or plots are
    /// looked at, going on behind `after`.
    async fn urls(
        &self,
        company: &str,
        tasks: &[String],
        kind: UrlKind,
        after: Option<&str>,
        limit: usize,
    ) -> EventResult<UrlPage>;

    /// Whether the store answers: a cheap round trip for probes.
    async fn ping(&self) -> EventResult<()>;
}
