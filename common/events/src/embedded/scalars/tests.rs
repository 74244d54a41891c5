//! Histograms come out the same whether their points are kept or read twice.

use std::sync::Arc;

use super::*;
use crate::{EmbeddedEvents, EventStore};

fn events() -> Vec<Event> {
    let series = [("a", "x", 40_000, 1), ("a", "y", 700, 13), ("b", "x", 3, 1), ("b", "y", 9_000, -7)];
    let mut events = Vec::new();
    for (metric, variant, count, step) in series {
        for index in 0..count {
            // Some times go backwards, some values are missing.
            let timestamp = 1_700_000_000_000 + index * 100 + (index % 7) * 1_000;
            let mut event = Event::new(EventType::Scalar, "task", timestamp, timestamp);
            (event.metric, event.variant) = (metric.to_owned(), variant.to_owned());
            event.iter = Some(index * step);
            event.value = (index % 10 != 3).then_some(Number::Float(index as f64 / 8.0));
            events.push(event);
        }
    }
    events
}

#[tokio::test]
async fn points_that_are_kept_and_points_that_are_read_twice_agree() {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedEvents::open(directory.path(), NameLimits::default()).unwrap();
    store.append("company", events()).await.unwrap();
    for field in [KeyField::Iter, KeyField::Timestamp] {
        for samples in [1, 10, 500, 6000] {
            let query = ScalarSampling {
                source: Source::new("company", "task"),
                metrics: MetricFilter::all(),
                samples,
                field,
            };
            let (readers, limits) = (Arc::clone(&store.readers), NameLimits::default());
            let (kept, twice) = store
                .readers
                .run(move |reader| {
                    let within = |most| sample_within(reader, &readers, &query, limits, most);
                    Ok((within(MAX_POINTS)?, within(0)?))
                })
                .await
                .unwrap();
            assert_eq!(kept.len(), 4);
            assert_eq!(kept, twice, "{field:?}, {samples} samples");
        }
    }
}
