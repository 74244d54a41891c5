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

/// Gives all tests of events, by module, to a macro.
macro_rules! all {
    ($tests:ident) => {
        $tests! {
            append {
                events_come_back_as_sent same_identity_replaces key_and_missing_iteration_are_part_of_the_identity
                logs_are_never_replaced companies_and_tasks_are_apart counts_are_exact_or_capped
                names_and_last_iterations
            }
            paging {
                equal_keys_complete_the_page position_is_a_key_and_zero_is_a_real_one logs_are_filtered_by_metric
                all_types_merge_by_iteration raw_scalars_by_either_field scrolls_are_exact
                scrolls_over_chosen_iterations_of_many_tasks vectors_by_iteration
            }
            scalars {
                worked_example like_intervals_are_sampled_together may_have_one_point_more
                values_are_rounded_to_32_bits long_series_are_sampled_in_parts single_values latest_values_above_zero
            }
            windows {
                latest_plots_of_each_variant recycled_urls_are_known windows_go_both_ways
                one_event_per_variant_and_iteration
            }
            samples { image_ranges_know_the_oldest_file image_up_to_an_iteration next_images plot_samples }
            deletion { deletes_everything_of_the_tasks deletes_at_a_pace clears_logs collects_urls }
        }
    };
}
pub(crate) use all;

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
