//! The Elasticsearch back end: the indices, templates and documents of an official server 2.x, as they are.
//!
//! # Versions
//!
//! Elasticsearch 8.x and 7.17: requests have only forms that both know, no body and no header depends on the
//! version, and no script is used anywhere (neither in updates nor in queries, sorts or aggregations). OpenSearch 2
//! knows all of these forms as well and needs no setting; it is not part of the test run. A login needs, on the
//! indices, the privileges to read, write, create, refresh (`maintenance`) and view them, and on the cluster to
//! manage index templates and to look at tasks (`monitor`).
//!
//! # Writes
//!
//! Events go in bulk requests of bounded size, a bounded number at a time; what a busy cluster refuses (429, 503) is
//! sent again after growing, jittered pauses. The translog is synced before Elasticsearch answers, so what is
//! acknowledged is durable. [`EventStore::append`] also waits until the events are visible (spec 05 §3.5), as
//! `refresh=true` would make them, but calls at the same time share the refreshes: see [`refresh`]. Statistics
//! are written without a refresh and refreshed by their readers: see [`usage`].
//!
//! # Reads
//!
//! Several searches of one call are one request; all answers are bounded, and so are the clauses and buckets that
//! a search needs. Pages go on with `search_after` from a position that the caller keeps: no context is held in
//! the cluster. An index that is not there counts as empty.

mod append;
mod cluster;
mod deletion;
mod documents;
mod errors;
mod filters;
mod indices;
mod iterations;
mod names;
mod nodes;
mod paging;
mod refresh;
mod samples;
mod scalars;
mod search;
mod settings;
mod templates;
mod usage;
mod windows;

use std::sync::Arc;

use async_trait::async_trait;
use elasticsearch::http::Method;
use serde::Deserialize;

pub use self::settings::{
    ElasticBulk, ElasticCluster, ElasticLogin, ElasticProbing, ElasticSettings, IndexSettings,
};
use self::{
    append::Writer,
    cluster::{Cluster, Request},
    errors::ElasticError,
    indices::Indices,
    refresh::Refresher,
    search::Searcher,
    templates::Templates,
    usage::Statistics,
};
use crate::{
    ActivityBucket, BucketRange, CategoryKeys, Event, EventResult, EventStore, EventType, ImageCandidate,
    ImageStep, IterationChoice, IterationEvents, KeyPage, KeyQuery, LatestScalars, LogDeletion, MetricFilter,
    MetricRange, MetricState, MetricVariants, NameLimits, Pace, PlotStep, PlotsAtIteration, QueueBucket,
    QueueSample, SampleKind, SamplePage, SampledSeries, ScalarSampling, ScrollPage, ScrollQuery, Selection,
    ServingBucket, ServingQuery, ServingSample, Source, StatisticsStore, UrlKind, UrlPage, VariantRange,
    Window, WindowKind, WorkerSample, WorkerSeries, WorkerStatsQuery,
};

/// Events and usage statistics in Elasticsearch. Clones share the connections.
#[derive(Clone)]
pub struct ElasticEvents {
    searcher: Searcher,
    writer: Arc<Writer>,
    refresher: Arc<Refresher>,
    statistics: Statistics,
    clusters: Vec<Arc<Cluster>>,
    limits: NameLimits,
    was_empty: bool,
}

/// What a cluster says of itself.
#[derive(Debug, Deserialize)]
struct About {
    version: Version,
}

#[derive(Debug, Deserialize)]
struct Version {
    number: String,
    /// `opensearch`, if it is that.
    #[serde(default)]
    distribution: Option<String>,
}

impl ElasticEvents {
    /// Connects: waits for the clusters as `probing` says and puts the templates (spec 01 §8.1).
    ///
    /// Safe with many replicas at once. Fails with [`crate::EventError::Unavailable`] if a cluster does not
    /// answer, and with [`crate::EventError::Backend`] if an address, a login or a certificate is malformed.
    pub async fn connect(settings: ElasticSettings) -> EventResult<Self> {
        let events = Arc::new(Cluster::new(&settings.events)?);
        let workers = match &settings.workers {
            Some(workers) => Arc::new(Cluster::new(workers)?),
            None => Arc::clone(&events),
        };
        let mut clusters = vec![Arc::clone(&events)];
        if !Arc::ptr_eq(&events, &workers) {
            clusters.push(Arc::clone(&workers));
        }
        for cluster in &clusters {
            probe(cluster, settings.probing).await?;
        }

        let prefix = settings.index_prefix.as_str();
        let indices = Arc::new(Indices::new(prefix, Arc::clone(&events))?);
        let of_events = Templates::new(prefix).with_events(settings.event_indices);
        let was_empty = of_events.are_absent(&events).await?;
        of_events.install(&events).await?;
        Templates::new(prefix).with_statistics(settings.statistics_indices).install(&workers).await?;

        let writer = Arc::new(Writer::new(Arc::clone(&events), settings.bulk));
        let refresher = Arc::new(Refresher::new(Arc::clone(&events)));
        let statistics = if clusters.len() == 1 {
            Statistics::new(workers, Arc::clone(&indices), Arc::clone(&writer), Arc::clone(&refresher))
        } else {
            let writer = Arc::new(Writer::new(Arc::clone(&workers), settings.bulk));
            let refresher = Arc::new(Refresher::new(Arc::clone(&workers)));
            Statistics::new(workers, Arc::clone(&indices), writer, refresher)
        };
        let searcher = Searcher { cluster: events, indices };
        Ok(Self { searcher, writer, refresher, statistics, clusters, limits: settings.limits, was_empty })
    }

    /// Whether the events cluster had no templates when this store connected: it never served a ClearML server
    /// (spec 01 §8.1).
    pub fn was_empty(&self) -> bool {
        self.was_empty
    }
}

/// Waits until a cluster answers.
async fn probe(cluster: &Cluster, probing: ElasticProbing) -> Result<(), ElasticError> {
    let mut tries = 0;
    loop {
        match cluster.call::<About>(&Request::new(Method::Get, "/")).await {
            Ok(About { version: Version { number, distribution } }) => {
                let distribution = distribution.as_deref().unwrap_or("elasticsearch");
                tracing::info!(version = number, distribution, "connected to the event store");
                return Ok(());
            }
            Err(ElasticError::Unreachable(reason)) if tries < probing.max_retries => {
                tries += 1;
                tracing::warn!(tries, reason, "waiting for Elasticsearch");
                tokio::time::sleep(probing.interval).await;
            }
            Err(ElasticError::Refused(refusal)) if refusal.may_pass() && tries < probing.max_retries => {
                tries += 1;
                tracing::warn!(tries, reason = %refusal, "waiting for Elasticsearch");
                tokio::time::sleep(probing.interval).await;
            }
            Err(error) => return Err(error),
        }
    }
}

#[async_trait]
impl EventStore for ElasticEvents {
    async fn append(&self, company: &str, events: Vec<Event>) -> EventResult<()> {
        if events.is_empty() {
            return Ok(());
        }
        append::append(&self.writer, &self.searcher.indices, &self.refresher, company, events).await
    }

    async fn key_page(&self, query: KeyQuery) -> EventResult<KeyPage> {
        paging::key_page(&self.searcher, &query).await
    }

    async fn scroll(&self, query: &ScrollQuery, after: Option<&str>) -> EventResult<ScrollPage> {
        paging::scroll(&self.searcher, query, after).await
    }

    async fn count(&self, selection: &Selection, cap: Option<u64>) -> EventResult<u64> {
        paging::count(&self.searcher, selection, cap).await
    }

    async fn metrics_with_iterations(
        &self,
        source: &Source,
        event_type: Option<EventType>,
    ) -> EventResult<Vec<String>> {
        names::metrics_with_iterations(&self.searcher, source, event_type).await
    }

    async fn metric_variants(
        &self,
        sources: &[Source],
        event_type: Option<EventType>,
    ) -> EventResult<Vec<MetricVariants>> {
        names::metric_variants(&self.searcher, sources, event_type, self.limits).await
    }

    async fn last_iterations(
        &self,
        sources: &[Source],
        event_type: Option<EventType>,
        metrics: &MetricFilter,
        iters: usize,
    ) -> EventResult<Vec<IterationChoice>> {
        iterations::last(&self.searcher, sources, event_type, metrics, iters).await
    }

    async fn last_iterations_per_metric(
        &self,
        sources: &[Source],
        event_type: Option<EventType>,
        metrics: &MetricFilter,
        iters: usize,
    ) -> EventResult<Vec<IterationChoice>> {
        iterations::last_per_metric(&self.searcher, sources, event_type, metrics, iters).await
    }

    async fn sample_scalars(&self, query: ScalarSampling) -> EventResult<Vec<SampledSeries>> {
        scalars::sample(&self.searcher, &query, self.limits).await
    }

    async fn single_values(&self, sources: &[Source], metrics: &MetricFilter) -> EventResult<Vec<Event>> {
        scalars::single_values(&self.searcher, sources, metrics).await
    }

    async fn latest_scalars(&self, source: &Source) -> EventResult<LatestScalars> {
        scalars::latest(&self.searcher, source, self.limits).await
    }

    async fn latest_plots(
        &self,
        source: &Source,
        metrics: &MetricFilter,
        iters: usize,
    ) -> EventResult<Vec<Event>> {
        windows::latest_plots(&self.searcher, source, metrics, iters, self.limits).await
    }

    async fn metric_states(
        &self,
        source: &Source,
        kind: WindowKind,
        metrics: &MetricFilter,
    ) -> EventResult<Vec<MetricState>> {
        windows::metric_states(&self.searcher, source, kind, metrics, self.limits).await
    }

    async fn window(&self, query: &Window) -> EventResult<Vec<IterationEvents>> {
        windows::window(&self.searcher, query, self.limits).await
    }

    async fn image_ranges(&self, source: &Source, metric: Option<&str>) -> EventResult<Vec<VariantRange>> {
        samples::image_ranges(&self.searcher, source, metric, self.limits).await
    }

    async fn image_sample(
        &self,
        source: &Source,
        candidate: &ImageCandidate,
        at_most: Option<i64>,
    ) -> EventResult<Option<Event>> {
        samples::image(&self.searcher, source, candidate, at_most).await
    }

    async fn next_image_sample(
        &self,
        source: &Source,
        candidates: &[ImageCandidate],
        step: ImageStep,
    ) -> EventResult<Option<Event>> {
        samples::next_image(&self.searcher, source, candidates, step).await
    }

    async fn plot_ranges(&self, source: &Source, metric: Option<&str>) -> EventResult<Vec<MetricRange>> {
        samples::plot_ranges(&self.searcher, source, metric).await
    }

    async fn plot_sample(
        &self,
        source: &Source,
        metric: &str,
        at_most: Option<i64>,
    ) -> EventResult<Option<PlotsAtIteration>> {
        samples::plots(&self.searcher, source, metric, at_most).await
    }

    async fn next_plot_sample(
        &self,
        source: &Source,
        step: &PlotStep,
    ) -> EventResult<Option<PlotsAtIteration>> {
        samples::next_plots(&self.searcher, source, step).await
    }

    async fn delete(&self, company: &str, tasks: &[String], pace: Pace) -> EventResult<u64> {
        deletion::delete(&self.searcher, company, tasks, pace).await
    }

    async fn clear_log(&self, source: &Source, which: &LogDeletion) -> EventResult<u64> {
        deletion::clear_log(&self.searcher, source, which).await
    }

    async fn urls(
        &self,
        company: &str,
        tasks: &[String],
        kind: UrlKind,
        after: Option<&str>,
        limit: usize,
    ) -> EventResult<UrlPage> {
        deletion::urls(&self.searcher, company, tasks, kind, after, limit).await
    }

    async fn ping(&self) -> EventResult<()> {
        for cluster in &self.clusters {
            cluster.send(&Request::new(Method::Get, "/").impatient()).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl StatisticsStore for ElasticEvents {
    async fn add_worker_samples(&self, company: &str, samples: Vec<WorkerSample>) -> EventResult<()> {
        self.statistics.add_workers(company, samples).await
    }

    async fn worker_metric_keys(&self, company: &str, workers: &[String]) -> EventResult<Vec<CategoryKeys>> {
        self.statistics.worker_keys(company, workers).await
    }

    async fn worker_series(&self, company: &str, query: &WorkerStatsQuery) -> EventResult<Vec<WorkerSeries>> {
        self.statistics.worker_series(company, query).await
    }

    async fn worker_activity(
        &self,
        company: &str,
        range: BucketRange,
    ) -> EventResult<Option<Vec<ActivityBucket>>> {
        self.statistics.worker_activity(company, range).await
    }

    async fn add_queue_samples(&self, company: &str, samples: Vec<QueueSample>) -> EventResult<()> {
        self.statistics.add_queues(company, samples).await
    }

    async fn queue_buckets(
        &self,
        company: &str,
        range: BucketRange,
        queues: &[String],
    ) -> EventResult<Option<Vec<QueueBucket>>> {
        self.statistics.queue_buckets(company, range, queues).await
    }

    async fn add_serving_samples(&self, company: &str, samples: Vec<ServingSample>) -> EventResult<()> {
        self.statistics.add_serving(company, samples).await
    }

    async fn serving_buckets(&self, company: &str, query: &ServingQuery) -> EventResult<Vec<ServingBucket>> {
        self.statistics.serving_buckets(company, query).await
    }

    async fn samples(
        &self,
        company: &str,
        kind: SampleKind,
        after: Option<&str>,
        limit: usize,
    ) -> EventResult<SamplePage> {
        self.statistics.samples(company, kind, after, limit).await
    }
}
