//! The embedded back end: one SQLite file, one writing thread, a few readers.
//!
//! A *series* is one type, metric and variant of one task. Scalars lie in a table clustered by series and
//! iteration, so that a histogram reads consecutive pages; logs in one clustered by task and time; plots,
//! images and vectors in a third, whose bodies are only read when they are asked for. Names are stored once,
//! rows refer to them by number.

mod append;
mod catalog;
mod counts;
mod deletion;
mod iterations;
mod names;
mod paging;
mod readers;
mod rows;
mod samples;
mod scalars;
mod schema;
mod usage;
mod windows;
mod writer;

use std::{path::Path, sync::Arc};

use async_trait::async_trait;

use self::{readers::Readers, writer::WriterHandle};
use crate::{
    ActivityBucket, BucketRange, CategoryKeys, Event, EventResult, EventStore, EventType, ImageCandidate,
    ImageStep, IterationChoice, IterationEvents, KeyPage, KeyQuery, LatestScalars, LogDeletion, MetricFilter,
    MetricRange, MetricState, MetricVariants, NameLimits, Pace, PlotStep, PlotsAtIteration, QueueBucket,
    QueueSample, SampleKind, SamplePage, SampledSeries, ScalarSampling, ScrollPage, ScrollQuery, Selection,
    ServingBucket, ServingQuery, ServingSample, Source, StatisticsStore, UrlKind, UrlPage, VariantRange,
    Window, WindowKind, WorkerSample, WorkerSeries, WorkerStatsQuery,
};

/// Name of the database file.
const FILE_NAME: &str = "events.db";

/// Events and usage statistics in a file `events.db`. Clones share the store.
///
/// Must be used within a Tokio runtime. Dropping the last clone waits for the writes that were begun.
#[derive(Clone)]
pub struct EmbeddedEvents {
    writer: Arc<WriterHandle>,
    readers: Arc<Readers>,
    limits: NameLimits,
}

impl EmbeddedEvents {
    /// Opens the store in a directory, which must exist; makes or migrates the file. Blocks shortly.
    pub fn open(directory: &Path, limits: NameLimits) -> EventResult<Self> {
        let path = directory.join(FILE_NAME);
        let connection = schema::open_for_writing(&path)?;
        let writer = Arc::new(WriterHandle::start(connection)?);
        let readers = Arc::new(Readers::new(path));
        Ok(Self { writer, readers, limits })
    }
}

#[async_trait]
impl EventStore for EmbeddedEvents {
    async fn append(&self, company: &str, events: Vec<Event>) -> EventResult<()> {
        let batch = append::Batch::encode(company, events)?;
        self.writer.run(batch.len(), move |writer| batch.store(writer)).await
    }

    async fn key_page(&self, query: KeyQuery) -> EventResult<KeyPage> {
        self.readers.run(move |reader| paging::key_page(reader, &query)).await
    }

    async fn scroll(&self, query: &ScrollQuery, after: Option<&str>) -> EventResult<ScrollPage> {
        let (query, after) = (query.clone(), after.map(str::to_owned));
        self.readers.run(move |reader| paging::scroll(reader, &query, after.as_deref())).await
    }

    async fn count(&self, selection: &Selection, cap: Option<u64>) -> EventResult<u64> {
        let selection = selection.clone();
        self.readers.run(move |reader| counts::count(reader, &selection, cap)).await
    }

    async fn metrics_with_iterations(
        &self,
        source: &Source,
        event_type: Option<EventType>,
    ) -> EventResult<Vec<String>> {
        let source = source.clone();
        self.readers.run(move |reader| names::metrics_with_iterations(reader, &source, event_type)).await
    }

    async fn metric_variants(
        &self,
        sources: &[Source],
        event_type: Option<EventType>,
    ) -> EventResult<Vec<MetricVariants>> {
        let (sources, limits) = (sources.to_vec(), self.limits);
        self.readers.run(move |reader| names::metric_variants(reader, &sources, event_type, limits)).await
    }

    async fn last_iterations(
        &self,
        sources: &[Source],
        event_type: Option<EventType>,
        metrics: &MetricFilter,
        iters: usize,
    ) -> EventResult<Vec<IterationChoice>> {
        let (sources, metrics) = (sources.to_vec(), metrics.clone());
        let work = move |reader: &_| iterations::last(reader, &sources, event_type, &metrics, iters);
        self.readers.run(work).await
    }

    async fn last_iterations_per_metric(
        &self,
        sources: &[Source],
        event_type: Option<EventType>,
        metrics: &MetricFilter,
        iters: usize,
    ) -> EventResult<Vec<IterationChoice>> {
        let (sources, metrics) = (sources.to_vec(), metrics.clone());
        let work =
            move |reader: &_| iterations::last_per_metric(reader, &sources, event_type, &metrics, iters);
        self.readers.run(work).await
    }

    async fn sample_scalars(&self, query: ScalarSampling) -> EventResult<Vec<SampledSeries>> {
        let (readers, limits) = (Arc::clone(&self.readers), self.limits);
        self.readers.run(move |reader| scalars::sample(reader, &readers, &query, limits)).await
    }

    async fn single_values(&self, sources: &[Source], metrics: &MetricFilter) -> EventResult<Vec<Event>> {
        let (sources, metrics) = (sources.to_vec(), metrics.clone());
        self.readers.run(move |reader| scalars::single_values(reader, &sources, &metrics)).await
    }

    async fn latest_scalars(&self, source: &Source) -> EventResult<LatestScalars> {
        let (source, limits) = (source.clone(), self.limits);
        self.readers.run(move |reader| scalars::latest(reader, &source, limits)).await
    }

    async fn latest_plots(
        &self,
        source: &Source,
        metrics: &MetricFilter,
        iters: usize,
    ) -> EventResult<Vec<Event>> {
        let (source, metrics, limits) = (source.clone(), metrics.clone(), self.limits);
        self.readers.run(move |reader| windows::latest_plots(reader, &source, &metrics, iters, limits)).await
    }

    async fn metric_states(
        &self,
        source: &Source,
        kind: WindowKind,
        metrics: &MetricFilter,
    ) -> EventResult<Vec<MetricState>> {
        let (source, metrics, limits) = (source.clone(), metrics.clone(), self.limits);
        self.readers.run(move |reader| windows::metric_states(reader, &source, kind, &metrics, limits)).await
    }

    async fn window(&self, query: &Window) -> EventResult<Vec<IterationEvents>> {
        let (query, limits) = (query.clone(), self.limits);
        self.readers.run(move |reader| windows::window(reader, &query, limits)).await
    }

    async fn image_ranges(&self, source: &Source, metric: Option<&str>) -> EventResult<Vec<VariantRange>> {
        let (source, metric, limits) = (source.clone(), metric.map(str::to_owned), self.limits);
        let work = move |reader: &_| samples::image_ranges(reader, &source, metric.as_deref(), limits);
        self.readers.run(work).await
    }

    async fn image_sample(
        &self,
        source: &Source,
        candidate: &ImageCandidate,
        at_most: Option<i64>,
    ) -> EventResult<Option<Event>> {
        let (source, candidate) = (source.clone(), candidate.clone());
        self.readers.run(move |reader| samples::image(reader, &source, &candidate, at_most)).await
    }

    async fn next_image_sample(
        &self,
        source: &Source,
        candidates: &[ImageCandidate],
        step: ImageStep,
    ) -> EventResult<Option<Event>> {
        let (source, candidates) = (source.clone(), candidates.to_vec());
        self.readers.run(move |reader| samples::next_image(reader, &source, &candidates, step)).await
    }

    async fn plot_ranges(&self, source: &Source, metric: Option<&str>) -> EventResult<Vec<MetricRange>> {
        let (source, metric) = (source.clone(), metric.map(str::to_owned));
        self.readers.run(move |reader| samples::plot_ranges(reader, &source, metric.as_deref())).await
    }

    async fn plot_sample(
        &self,
        source: &Source,
        metric: &str,
        at_most: Option<i64>,
    ) -> EventResult<Option<PlotsAtIteration>> {
        let (source, metric) = (source.clone(), metric.to_owned());
        self.readers.run(move |reader| samples::plots(reader, &source, &metric, at_most)).await
    }

    async fn next_plot_sample(
        &self,
        source: &Source,
        step: &PlotStep,
    ) -> EventResult<Option<PlotsAtIteration>> {
        let (source, step) = (source.clone(), step.clone());
        self.readers.run(move |reader| samples::next_plots(reader, &source, &step)).await
    }

    async fn delete(&self, company: &str, tasks: &[String], pace: Pace) -> EventResult<u64> {
        deletion::delete(&self.writer, company, tasks, pace).await
    }

    async fn clear_log(&self, source: &Source, which: &LogDeletion) -> EventResult<u64> {
        deletion::clear_log(&self.writer, source, which).await
    }

    async fn urls(
        &self,
        company: &str,
        tasks: &[String],
        kind: UrlKind,
        after: Option<&str>,
        limit: usize,
    ) -> EventResult<UrlPage> {
        let sources: Vec<_> = tasks.iter().map(|task| Source::new(company, task)).collect();
        let after = after.map(str::to_owned);
        let work = move |reader: &_| deletion::urls(reader, &sources, kind, after.as_deref(), limit);
        self.readers.run(work).await
    }

    async fn ping(&self) -> EventResult<()> {
        self.readers.run(readers::Reader::ping).await
    }
}

#[async_trait]
impl StatisticsStore for EmbeddedEvents {
    async fn add_worker_samples(&self, company: &str, samples: Vec<WorkerSample>) -> EventResult<()> {
        let company = company.to_owned();
        let work = move |writer: &mut _| usage::workers::add(writer, &company, &samples);
        self.writer.run(1, work).await
    }

    async fn worker_metric_keys(&self, company: &str, workers: &[String]) -> EventResult<Vec<CategoryKeys>> {
        let (company, workers) = (company.to_owned(), workers.to_vec());
        self.readers.run(move |reader| usage::workers::metric_keys(reader, &company, &workers)).await
    }

    async fn worker_series(&self, company: &str, query: &WorkerStatsQuery) -> EventResult<Vec<WorkerSeries>> {
        let (company, query) = (company.to_owned(), query.clone());
        self.readers.run(move |reader| usage::workers::series(reader, &company, &query)).await
    }

    async fn worker_activity(
        &self,
        company: &str,
        range: BucketRange,
    ) -> EventResult<Option<Vec<ActivityBucket>>> {
        let company = company.to_owned();
        self.readers.run(move |reader| usage::workers::activity(reader, &company, range)).await
    }

    async fn add_queue_samples(&self, company: &str, samples: Vec<QueueSample>) -> EventResult<()> {
        let company = company.to_owned();
        let work = move |writer: &mut _| usage::queues::add(writer, &company, &samples);
        self.writer.run(1, work).await
    }

    async fn queue_buckets(
        &self,
        company: &str,
        range: BucketRange,
        queues: &[String],
    ) -> EventResult<Option<Vec<QueueBucket>>> {
        let (company, queues) = (company.to_owned(), queues.to_vec());
        self.readers.run(move |reader| usage::queues::buckets(reader, &company, range, &queues)).await
    }

    async fn add_serving_samples(&self, company: &str, samples: Vec<ServingSample>) -> EventResult<()> {
        let company = company.to_owned();
        let work = move |writer: &mut _| usage::serving::add(writer, &company, &samples);
        self.writer.run(1, work).await
    }

    async fn serving_buckets(&self, company: &str, query: &ServingQuery) -> EventResult<Vec<ServingBucket>> {
        let (company, query) = (company.to_owned(), query.clone());
        self.readers.run(move |reader| usage::serving::buckets(reader, &company, &query)).await
    }

    async fn samples(
        &self,
        company: &str,
        kind: SampleKind,
        after: Option<&str>,
        limit: usize,
    ) -> EventResult<SamplePage> {
        let (company, after) = (company.to_owned(), after.map(str::to_owned));
        let work = move |reader: &_| usage::raw::page(reader, &company, kind, after.as_deref(), limit);
        self.readers.run(work).await
    }
}
