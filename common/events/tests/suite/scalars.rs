//! Histograms, single and latest values.

use clearml_events::{
    Event, KeyField, LatestScalars, MetricFilter, Number, SINGLE_VALUE_ITERATION, SampledSeries,
    ScalarSampling,
};

use super::{Setup, only, scalar};

async fn sample(
    setup: &Setup<'_>,
    metrics: MetricFilter,
    field: KeyField,
    samples: usize,
) -> Vec<SampledSeries> {
    let query = ScalarSampling { source: setup.source("t"), metrics, field, samples };
    setup.store.sample_scalars(query).await.unwrap()
}

fn some(values: &[f64]) -> Vec<Option<f64>> {
    values.iter().copied().map(Some).collect()
}

pub(crate) async fn worked_example(setup: &Setup<'_>) {
    let mut events: Vec<_> = (1..=10).map(|iter| scalar("t", "A", "a", iter, iter as f64)).collect();
    events.extend((1..=3).map(|iter| scalar("t", "A", "b", iter, iter as f64)));
    setup.append(events).await;
    let sampled = sample(setup, MetricFilter::all(), KeyField::Iter, 4).await;
    assert_eq!(sampled.iter().map(|series| series.variant.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!((&sampled[0].x, &sampled[0].y), (&vec![1, 2, 3], &some(&[1.0, 2.0, 3.0])));
    assert_eq!((&sampled[1].x, &sampled[1].y), (&vec![0, 3, 6, 9], &some(&[1.5, 4.0, 7.0, 9.5])));
}

pub(crate) async fn like_intervals_are_sampled_together(setup: &Setup<'_>) {
    let spread = |metric: &str, variant: &str, last: i64| -> Vec<Event> {
        (0..12).map(|n| scalar("t", metric, variant, 1 + n * (last - 1) / 11, 1.0)).collect()
    };
    setup.append([spread("D", "d", 43), spread("C", "c", 40)].concat()).await;
    let sampled = sample(setup, MetricFilter::all(), KeyField::Iter, 4).await;
    assert_eq!(sampled.iter().map(|series| series.metric.as_str()).collect::<Vec<_>>(), ["C", "D"]);
    for series in &sampled {
        assert!(series.x.iter().all(|x| x % 11 == 0), "{:?}", series.x);
    }
    let alone = sample(setup, only("C", &[]), KeyField::Iter, 4).await;
    assert_eq!(alone[0].x, [0, 10, 20, 30, 40]);
}

pub(crate) async fn may_have_one_point_more(setup: &Setup<'_>) {
    setup.append((1..=100).map(|iter| scalar("t", "m", "v", iter, 1.0)).collect()).await;
    let sampled = sample(setup, MetricFilter::all(), KeyField::Iter, 10).await;
    assert_eq!(sampled[0].x, (0..=10).map(|n| n * 10).collect::<Vec<_>>());
}

pub(crate) async fn values_are_rounded_to_32_bits(setup: &Setup<'_>) {
    let valueless = Event { value: None, ..scalar("t", "m", "v", 5, 0.0) };
    let integer = Event { value: Some(Number::Int(3)), ..scalar("t", "m", "v", 7, 0.0) };
    setup
        .append(vec![
            scalar("t", "m", "v", 1, 0.1),
            valueless,
            integer,
            scalar("t", "m", "v", SINGLE_VALUE_ITERATION, 1.0),
            Event { iter: None, ..scalar("t", "m", "v", 0, 1.0) },
            scalar("t", "single", "v", SINGLE_VALUE_ITERATION, 1.0),
        ])
        .await;
    let sampled = sample(setup, MetricFilter::all(), KeyField::Iter, 100).await;
    assert_eq!(sampled.len(), 1);
    assert_eq!(sampled[0].x, [1, 5, 7]);
    assert_eq!(sampled[0].y, [Some(0.100_000_001_490_116_12), None, Some(3.0)]);
    let by_time = sample(setup, MetricFilter::all(), KeyField::Timestamp, 100).await;
    assert_eq!(by_time[0].x, [1, 5, 7].map(|iter| super::T0 + iter));
    let nobody = ScalarSampling {
        source: setup.source("nobody"),
        metrics: MetricFilter::all(),
        field: KeyField::Iter,
        samples: 10,
    };
    assert_eq!(setup.store.sample_scalars(nobody).await.unwrap(), []);
}

pub(crate) async fn long_series_are_sampled_in_parts(setup: &Setup<'_>) {
    // Long enough to be shared by threads; the average of each bucket tells whether a point was lost.
    for first in (0..40_000).step_by(10_000) {
        let events = (first..first + 10_000).map(|iter| scalar("t", "m", "v", iter, (iter % 7) as f64));
        setup.append(events.collect()).await;
    }
    for field in [KeyField::Iter, KeyField::Timestamp] {
        let sampled = sample(setup, MetricFilter::all(), field, 700).await;
        // interval 58: points are the averages of 58 values in a row
        let origin = if field == KeyField::Iter { 0 } else { super::T0 };
        let expected = |x: i64| {
            let values =
                (x.max(origin)..(x + 58).min(origin + 40_000)).map(|key| ((key - origin) % 7) as f64);
            let values: Vec<f64> = values.collect();
            values.iter().sum::<f64>() / values.len() as f64
        };
        assert!(sampled[0].x.is_sorted_by(|a, b| a + 58 == *b));
        for (x, y) in sampled[0].x.iter().zip(&sampled[0].y) {
            assert!((y.unwrap() - expected(*x)).abs() < 1e-9, "{field:?} {x}");
        }
        assert!(sampled[0].x.len() >= 690);
    }
}

pub(crate) async fn single_values(setup: &Setup<'_>) {
    let single = |task: &str, metric: &str, value| scalar(task, metric, "v", SINGLE_VALUE_ITERATION, value);
    setup.append(vec![single("u", "b", 1.0), single("t", "b", 0.1), single("t", "a", 3.0)]).await;
    setup.append(vec![scalar("t", "a", "v", 1, 9.0)]).await;
    let sources = [setup.source("t"), setup.source("u")];
    let values = setup.store.single_values(&sources, &MetricFilter::all()).await.unwrap();
    let found: Vec<_> = values.iter().map(|event| (event.task.as_str(), event.metric.as_str())).collect();
    assert_eq!(found, [("u", "b"), ("t", "b"), ("t", "a")]);
    assert_eq!(values[1].value, Some(Number::Float(0.1)));
    let some = setup.store.single_values(&sources, &only("a", &[])).await.unwrap();
    assert_eq!(some.len(), 1);
}

pub(crate) async fn latest_values_above_zero(setup: &Setup<'_>) {
    let written = |at, event| Event { written: at, ..event };
    setup
        .append(vec![
            written(50, scalar("t", "m", "b", 1, 0.5)),
            written(20, scalar("t", "m", "b", 3, 0.7)),
            written(90, scalar("t", "m", "b", 4, -1.0)),
            written(30, scalar("t", "m", "a", 2, 2.0)),
            written(99, scalar("t", "zero", "a", 2, 0.0)),
        ])
        .await;
    let latest = setup.store.latest_scalars(&setup.source("t")).await.unwrap();
    let values: Vec<_> = latest.values.iter().map(|v| (v.variant.as_str(), v.value.as_f64())).collect();
    assert_eq!(values, [("a", 2.0), ("b", 0.7)]);
    assert_eq!(latest.last_written, Some(50));
    let nothing = setup.store.latest_scalars(&setup.source("nobody")).await.unwrap();
    assert_eq!(nothing, LatestScalars::default());
}
