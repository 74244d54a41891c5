//! Events (scalars, logs, plots, debug images, vectors) and usage statistics behind two traits.
//!
//! [`EventStore`] speaks the domain of spec 05: append events, sample scalars, page through a log, plots and
//! images by iteration, delete by task. [`StatisticsStore`] keeps the time series of workers, queues and
//! serving containers (spec 04). Nothing above this crate knows which back end runs.
//!
//! [`EmbeddedEvents`] keeps them in a file, [`ElasticEvents`] in Elasticsearch, in the indices of an official
//! server.
//!
//! Names and urls are compared bytewise. Among events of one type with equal sort keys, the order is that of
//! insertion; between types it is open.

mod elastic;
mod embedded;
mod event;
mod query;
pub mod sampling;
mod statistics;
mod store;

pub use elastic::{
    ElasticBulk, ElasticCluster, ElasticEvents, ElasticLogin, ElasticProbing, ElasticSettings, IndexSettings,
};
pub use embedded::EmbeddedEvents;
pub use event::{Event, EventType, InvalidEvent, Number, SINGLE_VALUE_ITERATION};
pub use query::{
    ImageCandidate, ImageStep, IterationChoice, IterationEvents, KeyField, KeyPage, KeyPosition, KeyQuery,
    LatestScalar, LatestScalars, LogDeletion, MetricFilter, MetricRange, MetricState, MetricVariants,
    NameLimits, Order, Pace, PlotStep, PlotsAtIteration, SampledSeries, ScalarSampling, ScrollPage,
    ScrollQuery, Selection, Source, UrlKind, UrlPage, VariantRange, VariantState, Window, WindowKind,
};
pub use statistics::{
    ActivityBucket, BucketRange, CategoryKeys, QueueBucket, QueuePoint, QueueSample, SampleKind, SamplePage,
    Samples, ServingAggregate, ServingBucket, ServingField, ServingQuery, ServingSample, StatisticsStore,
    WorkerBucket, WorkerSample, WorkerSeries, WorkerStatsQuery,
};
pub use store::{EventError, EventResult, EventStore, RejectedEvent};
