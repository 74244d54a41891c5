//! Plots and images by iteration.

use bson::Bson;
use clearml_events::{Event, MetricFilter, MetricState, Order, Window, WindowKind};

use super::{Setup, event, image, only, places, plot};

pub(crate) async fn latest_plots_of_each_variant(setup: &Setup<'_>) {
    let mut events = vec![
        plot("t", "b", "v", 1),
        plot("t", "b", "v", 5),
        plot("t", "b", "v", 3),
        plot("t", "a", "z", 2),
        plot("t", "a", "y", 7),
    ];
    let mut invalid = plot("t", "a", "y", 8);
    invalid.fields.insert("valid_plot", false);
    let mut valid = plot("t", "a", "x", 1);
    valid.fields.insert("valid_plot", true);
    events.extend([invalid, valid]);
    setup.append(events).await;
    let latest = async |filter: MetricFilter, iters| {
        setup.store.latest_plots(&setup.source("t"), &filter, iters).await.unwrap()
    };
    let one = latest(MetricFilter::all(), 1).await;
    assert_eq!(places(&one), [("a", "x", 1), ("a", "y", 7), ("a", "z", 2), ("b", "v", 5)]);
    assert_eq!(one[3].fields.get("plot_str"), Some(&Bson::String("b v 5".to_owned())));
    let two = latest(only("b", &["v"]), 2).await;
    assert_eq!(places(&two), [("b", "v", 5), ("b", "v", 3)]);
}

pub(crate) async fn recycled_urls_are_known(setup: &Setup<'_>) {
    // Three files are used in turn: 0 1 2 0 1
    let mut events: Vec<_> =
        (0..5).map(|iter| image("t", "m", "v", iter, &format!("file{}", iter % 3))).collect();
    events.push(image("t", "m", "once", 2, "other"));
    let mut no_url = event(clearml_events::EventType::Image, "t", "m", "v", 9);
    no_url.timestamp += 1000;
    events.push(no_url);
    setup.append(events).await;
    let states = setup
        .store
        .metric_states(&setup.source("t"), WindowKind::Images, &MetricFilter::all())
        .await
        .unwrap();
    let [MetricState { metric, timestamp, variants }] = states.as_slice() else { panic!("{states:?}") };
    assert_eq!((metric.as_str(), *timestamp), ("m", super::T0 + 4));
    let variants: Vec<_> = variants.iter().map(|v| (v.variant.as_str(), v.last_invalid_iteration)).collect();
    assert_eq!(variants, [("once", None), ("v", Some(1))]);
    let plots = setup.store.metric_states(&setup.source("t"), WindowKind::Plots, &MetricFilter::all()).await;
    assert_eq!(plots.unwrap(), []);
}

pub(crate) async fn windows_go_both_ways(setup: &Setup<'_>) {
    let mut events: Vec<_> = (0..5).map(|iter| image("t", "m", "v", iter * 10, "u")).collect();
    events.push(image("t", "m", "w", 20, "u"));
    events.push(image("t", "hidden", "v", 25, "u"));
    events.push(event(clearml_events::EventType::Image, "t", "m", "v", 99));
    setup.append(events).await;
    let window = async |order, beyond, iters| {
        let query = Window {
            source: setup.source("t"),
            kind: WindowKind::Images,
            metrics: vec!["m".to_owned()],
            order,
            beyond,
            iters,
        };
        setup.store.window(&query).await.unwrap()
    };
    let iters =
        |page: &[clearml_events::IterationEvents]| page.iter().map(|found| found.iter).collect::<Vec<_>>();
    let newest = window(Order::Descending, None, 3).await;
    assert_eq!(iters(&newest), [40, 30, 20]);
    assert_eq!(places(&newest[2].events), [("m", "v", 20), ("m", "w", 20)]);
    assert_eq!(iters(&window(Order::Descending, Some(20), 3).await), [10, 0]);
    assert_eq!(iters(&window(Order::Ascending, Some(10), 2).await), [20, 30]);
    assert_eq!(iters(&window(Order::Ascending, Some(40), 2).await), [0; 0]);
    assert_eq!(iters(&window(Order::Ascending, Some(i64::MAX), 2).await), [0; 0]);
    assert_eq!(iters(&window(Order::Descending, Some(i64::MIN), 2).await), [0; 0]);
}

pub(crate) async fn one_event_per_variant_and_iteration(setup: &Setup<'_>) {
    let keyed = |key: &str, event: Event| Event { key: Some(key.to_owned()), ..event };
    let late = Event { timestamp: super::T0 + 500, ..plot("t", "m", "v", 1) };
    setup
        .append(vec![
            keyed("1", image("t", "m", "v", 1, "b")),
            keyed("2", image("t", "m", "v", 1, "c")),
            keyed("3", image("t", "m", "v", 1, "a")),
            keyed("1", late),
            keyed("2", plot("t", "m", "v", 1)),
        ])
        .await;
    for (kind, key) in [(WindowKind::Images, "2"), (WindowKind::Plots, "1")] {
        let query = Window {
            source: setup.source("t"),
            kind,
            metrics: vec!["m".to_owned()],
            order: Order::Descending,
            beyond: None,
            iters: 1,
        };
        let window = setup.store.window(&query).await.unwrap();
        assert_eq!(window[0].events.len(), 1);
        assert_eq!(window[0].events[0].key.as_deref(), Some(key), "{kind:?}");
    }
}
