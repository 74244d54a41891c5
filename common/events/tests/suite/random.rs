//! Random events, compared with the reference.

use std::cmp::Reverse;

use clearml_events::{
    Event, EventType, KeyField, KeyQuery, MetricFilter, MetricVariants, Number, Order, ScalarSampling,
    ScrollQuery, Selection, Window, WindowKind,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{
    Setup, T0,
    paging::{key_pages, scroll_pages},
    reference::{Reference, key, key_pages_of},
};

const METRICS: [&str; 3] = ["loss", "acc", "Ünicode"];
const VARIANTS: [&str; 3] = ["train", "test", ""];

fn random_event(random: &mut StdRng, stretch: i64) -> Event {
    let event_type = EventType::ALL[random.random_range(0..5)];
    let iter = random.random_range(-20..60) * stretch;
    let mut event = Event::new(
        event_type,
        "t",
        T0 + random.random_range(0..40) * stretch,
        T0 + random.random_range(0..9),
    );
    event.worker = random.random_bool(0.8).then(|| format!("worker {}", random.random_range(0..3)));
    event.iter = Some(iter);
    event.metric.push_str(METRICS[random.random_range(0..3)]);
    event.variant.push_str(VARIANTS[random.random_range(0..3)]);
    if event_type == EventType::Scalar {
        event.value = match random.random_range(0..5) {
            0 => None,
            1 => Some(Number::Int(random.random_range(-5..5))),
            _ => Some(Number::Float(random.random_range(-1.0..1.0))),
        };
    }
    if random.random_bool(0.1) {
        event.key = Some(format!("key {}", random.random_range(0..2)));
    }
    if random.random_bool(0.7) && event_type == EventType::Image {
        event.url = Some(format!("url {}", random.random_range(0..12)));
    }
    if random.random_bool(0.3) {
        event.fields.insert("extra", random.random_range(0..1000_i64));
    }
    event
}

fn random_filter(random: &mut StdRng) -> MetricFilter {
    if random.random_bool(0.5) {
        return MetricFilter::all();
    }
    let entry = |random: &mut StdRng| MetricVariants {
        metric: METRICS[random.random_range(0..3)].to_owned(),
        variants: (0..random.random_range(0..3))
            .map(|_| VARIANTS[random.random_range(0..3)].to_owned())
            .collect(),
    };
    MetricFilter::new((0..random.random_range(1..3)).map(|_| entry(random)).collect::<Vec<_>>())
}

fn pick<T: Copy>(random: &mut StdRng, choices: &[T]) -> T {
    choices[random.random_range(0..choices.len())]
}

pub(crate) async fn agrees_with_the_reference(setup: &Setup<'_>, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut reference = Reference::default();
    let stretch = pick(&mut random, &[1, 3, 1000]);
    for _ in 0..random.random_range(1..8) {
        let events: Vec<_> =
            (0..random.random_range(1..150)).map(|_| random_event(&mut random, stretch)).collect();
        reference.append(&events);
        setup.append(events).await;
    }
    for _ in 0..25 {
        histogram(setup, &reference, &mut random).await;
        pages(setup, &reference, &mut random).await;
        window(setup, &reference, &mut random, stretch).await;
    }
}

async fn histogram(setup: &Setup<'_>, reference: &Reference, random: &mut StdRng) {
    let field = pick(random, &[KeyField::Iter, KeyField::Timestamp]);
    let samples = random.random_range(1..60);
    let metrics = random_filter(random);
    let query = ScalarSampling { source: setup.source("t"), metrics: metrics.clone(), field, samples };
    let found = setup.store.sample_scalars(query).await.unwrap();
    let expected = reference.histogram("t", &metrics, field, samples);
    let shape = |series: &[clearml_events::SampledSeries]| {
        let shape = series.iter().map(|s| (s.metric.clone(), s.variant.clone(), s.x.clone()));
        shape.collect::<Vec<_>>()
    };
    assert_eq!(shape(&found), shape(&expected));
    for (found, expected) in found.iter().zip(&expected) {
        for (found, expected) in found.y.iter().zip(&expected.y) {
            // The order of summation is free.
            let close = match (found, expected) {
                (Some(found), Some(expected)) => (found - expected).abs() < 1e-9,
                (found, expected) => found == expected,
            };
            assert!(close, "{found:?} instead of {expected:?}");
        }
    }
}

async fn pages(setup: &Setup<'_>, reference: &Reference, random: &mut StdRng) {
    let field = pick(random, &[KeyField::Iter, KeyField::Timestamp]);
    let order = pick(random, &[Order::Ascending, Order::Descending]);
    let event_type = if random.random_bool(0.2) { None } else { Some(pick(random, &EventType::ALL)) };
    let metrics = random_filter(random);
    let limit = random.random_range(1..80);
    let ordered = reference.ordered("t", event_type, &metrics, field, order);

    let query = KeyQuery {
        source: setup.source("t"),
        event_type,
        metrics: metrics.clone(),
        field,
        order,
        limit,
        after: None,
    };
    // Between types, the order of equal keys is open.
    let settle = |mut events: Vec<Event>| {
        if event_type.is_none() {
            let place = |event: &Event| (key(event, field), event.event_type);
            match order {
                Order::Ascending => events.sort_by_key(place),
                Order::Descending => events.sort_by_key(|event| Reverse(place(event))),
            }
        }
        events
    };
    let expected: Vec<_> = key_pages_of(&ordered, field, limit).into_iter().map(settle).collect();
    let found = key_pages(setup, query.clone()).await.into_iter().map(settle);
    assert_eq!(found.collect::<Vec<_>>(), expected, "{query:?}");

    let selection = Selection::new(setup.source("t"), event_type).metrics(metrics);
    let count = setup.store.count(&selection, None).await.unwrap();
    assert_eq!(count, ordered.len() as u64);
    let query = ScrollQuery { selection, field, order, limit };
    let found = scroll_pages(setup, &query).await;
    assert!(found.iter().rev().skip(1).all(|page| page.len() == limit), "{query:?}");
    assert_eq!(settle(found.concat()), settle(ordered), "{query:?}");
}

async fn window(setup: &Setup<'_>, reference: &Reference, random: &mut StdRng, stretch: i64) {
    let kind = pick(random, &[WindowKind::Images, WindowKind::Plots]);
    let order = pick(random, &[Order::Ascending, Order::Descending]);
    let beyond = random.random_bool(0.7).then(|| random.random_range(-20..60) * stretch);
    let iters = random.random_range(1..6);
    let metrics: Vec<String> =
        METRICS[..random.random_range(1..=3)].iter().map(|metric| (*metric).to_owned()).collect();
    let query = Window { source: setup.source("t"), kind, metrics: metrics.clone(), order, beyond, iters };
    let found = setup.store.window(&query).await.unwrap();
    assert_eq!(found, reference.window("t", kind, &metrics, order, beyond, iters), "{query:?}");
}
