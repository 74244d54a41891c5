//! The sample viewers.

use clearml_events::{Event, ImageCandidate, ImageStep, Order, PlotStep};

use super::{Setup, image, plot};

fn candidate(metric: &str, variant: &str, min_iteration: i64) -> ImageCandidate {
    ImageCandidate { metric: metric.to_owned(), variant: variant.to_owned(), min_iteration }
}

pub(crate) async fn image_ranges_know_the_oldest_file(setup: &Setup<'_>) {
    let mut events: Vec<_> =
        (0..5).map(|iter| image("t", "m", "v", iter, &format!("file{}", iter % 3))).collect();
    events.extend([image("t", "a", "x", 3, "u"), image("t", "a", "x", 8, "u2")]);
    setup.append(events).await;
    let ranges = async |metric| setup.store.image_ranges(&setup.source("t"), metric).await.unwrap();
    let all = ranges(None).await;
    let all: Vec<_> =
        all.iter().map(|range| (range.metric.as_str(), range.min_iteration, range.max_iteration)).collect();
    assert_eq!(all, [("a", 3, 8), ("m", 2, 4)]);
    assert_eq!(ranges(Some("m")).await.len(), 1);
    assert_eq!(ranges(Some("none")).await, []);
}

pub(crate) async fn image_up_to_an_iteration(setup: &Setup<'_>) {
    let keyed = Event { key: Some("k".to_owned()), ..image("t", "m", "v", 5, "z") };
    setup.append(vec![image("t", "m", "v", 1, "a"), image("t", "m", "v", 5, "b"), keyed]).await;
    let at = async |min, at_most| {
        let found = setup.store.image_sample(&setup.source("t"), &candidate("m", "v", min), at_most).await;
        found.unwrap().map(|event| (event.iter.unwrap(), event.url.unwrap()))
    };
    assert_eq!(at(0, None).await, Some((5, "z".to_owned())));
    assert_eq!(at(0, Some(4)).await, Some((1, "a".to_owned())));
    assert_eq!(at(2, Some(4)).await, None);
}

pub(crate) async fn next_images(setup: &Setup<'_>) {
    setup
        .append(vec![
            image("t", "a", "x", 5, "1"),
            image("t", "a", "y", 5, "2"),
            image("t", "b", "x", 5, "3"),
            image("t", "a", "x", 4, "4"),
            image("t", "b", "x", 4, "5"),
            image("t", "a", "y", 7, "6"),
            image("t", "b", "x", 7, "7"),
        ])
        .await;
    let next = async |candidates: &[ImageCandidate], step| {
        let found = setup.store.next_image_sample(&setup.source("t"), candidates, step).await.unwrap();
        found.map(|event| event.url.unwrap())
    };
    let all = [candidate("a", "x", 0), candidate("a", "y", 0), candidate("b", "x", 0)];
    let same = |order| ImageStep::SameIteration(5, order);
    assert_eq!(next(&all[1..], same(Order::Ascending)).await.as_deref(), Some("2"));
    assert_eq!(next(&all[..2], same(Order::Descending)).await.as_deref(), Some("2"));
    assert_eq!(next(&all, ImageStep::Before(5)).await.as_deref(), Some("5"));
    assert_eq!(next(&all, ImageStep::After(5)).await.as_deref(), Some("6"));
    assert_eq!(next(&all, ImageStep::After(7)).await, None);
    let limited = [candidate("a", "x", 0), candidate("b", "x", 5)];
    assert_eq!(next(&limited, ImageStep::Before(5)).await.as_deref(), Some("4"));
    assert_eq!(next(&[], ImageStep::Before(5)).await, None);
}

pub(crate) async fn plot_samples(setup: &Setup<'_>) {
    setup
        .append(vec![
            plot("t", "a", "y", 5),
            plot("t", "a", "x", 5),
            plot("t", "b", "x", 5),
            plot("t", "c", "x", 5),
            plot("t", "a", "x", 2),
            plot("t", "b", "x", 2),
            plot("t", "a", "x", 9),
            plot("t", "c", "x", 9),
        ])
        .await;
    let source = setup.source("t");
    let ranges = setup.store.plot_ranges(&source, None).await.unwrap();
    let ranges: Vec<_> = ranges
        .iter()
        .map(|range| (range.metric.as_str(), range.min_iteration, range.max_iteration))
        .collect();
    assert_eq!(ranges, [("a", 2, 9), ("b", 2, 5), ("c", 5, 9)]);
    assert_eq!(setup.store.plot_ranges(&source, Some("b")).await.unwrap().len(), 1);

    let found = setup.store.plot_sample(&source, "a", Some(8)).await.unwrap().unwrap();
    let variants: Vec<_> = found.events.iter().map(|event| event.variant.as_str()).collect();
    assert_eq!((found.iteration, variants), (5, vec!["x", "y"]));
    assert_eq!(setup.store.plot_sample(&source, "a", Some(1)).await.unwrap(), None);

    let step = async |order, same_metric, next_iteration| {
        let step = PlotStep { iteration: 5, metric: "b".to_owned(), order, same_metric, next_iteration };
        let found = setup.store.next_plot_sample(&source, &step).await.unwrap();
        found.map(|found| (found.metric, found.iteration))
    };
    let at = |metric: &str, iteration| Some((metric.to_owned(), iteration));
    assert_eq!(step(Order::Ascending, false, false).await, at("c", 5));
    assert_eq!(step(Order::Descending, false, false).await, at("a", 5));
    assert_eq!(step(Order::Ascending, false, true).await, at("a", 9));
    assert_eq!(step(Order::Descending, false, true).await, at("b", 2));
    assert_eq!(step(Order::Ascending, true, false).await, None);
    assert_eq!(step(Order::Descending, true, false).await, at("b", 2));
}
