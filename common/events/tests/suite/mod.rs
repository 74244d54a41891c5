//! What every event store must do: the same checks for each back end.

pub(crate) mod append;
pub(crate) mod deletion;
pub(crate) mod paging;
pub(crate) mod random;
pub(crate) mod reference;
pub(crate) mod samples;
pub(crate) mod scalars;
pub(crate) mod statistics;
pub(crate) mod windows;

use clearml_events::{Event, EventStore, EventType, MetricFilter, MetricVariants, Number, Source};

/// Time of the first event of most tests, milliseconds.
pub(crate) const T0: i64 = 1_700_000_000_000;

/// A store and a company of its own in it.
pub(crate) struct Setup<'a> {
    pub(crate) store: &'a dyn EventStore,
    pub(crate) company: String,
}

impl Setup<'_> {
    pub(crate) async fn append(&self, events: Vec<Event>) {
        self.store.append(&self.company, events).await.unwrap();
    }

    pub(crate) fn source(&self, task: &str) -> Source {
        Source::new(&self.company, task)
    }
}

pub(crate) fn event(event_type: EventType, task: &str, metric: &str, variant: &str, iter: i64) -> Event {
    let mut event = Event::new(event_type, task, T0 + iter, T0);
    event.worker = Some("worker".to_owned());
    event.metric.push_str(metric);
    event.variant.push_str(variant);
    event.iter = Some(iter);
    event
}

pub(crate) fn scalar(task: &str, metric: &str, variant: &str, iter: i64, value: f64) -> Event {
    let mut event = event(EventType::Scalar, task, metric, variant, iter);
    event.value = Some(Number::Float(value));
    event
}

pub(crate) fn image(task: &str, metric: &str, variant: &str, iter: i64, url: &str) -> Event {
    let mut event = event(EventType::Image, task, metric, variant, iter);
    event.url = Some(url.to_owned());
    event
}

pub(crate) fn plot(task: &str, metric: &str, variant: &str, iter: i64) -> Event {
    let mut event = event(EventType::Plot, task, metric, variant, iter);
    event.fields.insert("plot_str", format!("{metric} {variant} {iter}"));
    event
}

pub(crate) fn log(task: &str, timestamp: i64, message: &str) -> Event {
    let mut event = Event::new(EventType::Log, task, timestamp, T0);
    event.worker = Some("worker".to_owned());
    event.fields.insert("msg", message);
    event.fields.insert("level", "info");
    event
}

/// The messages of log events.
pub(crate) fn messages(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.fields.get_str("msg").unwrap()).collect()
}

/// Metric, variant and iteration of events.
pub(crate) fn places(events: &[Event]) -> Vec<(&str, &str, i64)> {
    events
        .iter()
        .map(|event| (event.metric.as_str(), event.variant.as_str(), event.iter.unwrap_or(-1)))
        .collect()
}

pub(crate) fn only(metric: &str, variants: &[&str]) -> MetricFilter {
    let variants = variants.iter().map(|variant| (*variant).to_owned()).collect();
    MetricFilter::new([MetricVariants { metric: metric.to_owned(), variants }])
}
