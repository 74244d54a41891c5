//! The embedded store: the common suite, and what concerns only a file.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod suite;

use std::collections::HashSet;

use clearml_events::{
    EmbeddedEvents, EventStore, EventType, KeyField, KeyQuery, MetricFilter, NameLimits, Order, Pace,
    ScalarSampling, Selection, Source,
};
use suite::{Setup, log, scalar};
use tempfile::TempDir;

fn open(directory: &TempDir) -> EmbeddedEvents {
    EmbeddedEvents::open(directory.path(), NameLimits::default()).unwrap()
}

/// Makes a test of each function of the suite.
macro_rules! events_suite {
    ($($module:ident { $($name:ident)* })*) => {
        $(mod $module {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let directory = tempfile::tempdir().unwrap();
                let store = super::open(&directory);
                let setup = super::Setup { store: &store, company: "company".to_owned() };
                super::suite::$module::$name(&setup).await;
            })*
        })*
    };
}

events_suite! {
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

#[tokio::test]
async fn statistics() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    suite::statistics::workers(&store).await;
    suite::statistics::queues(&store).await;
    suite::statistics::serving(&store).await;
}

#[tokio::test]
async fn random_events_agree_with_the_reference() {
    for seed in 0..12 {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory);
        let setup = Setup { store: &store, company: "company".to_owned() };
        suite::random::agrees_with_the_reference(&setup, seed).await;
    }
}

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    store.append("c", vec![scalar("t", "m", "v", 1, 1.0), log("t", 5, "a")]).await.unwrap();
    drop(store);
    let store = open(&directory);
    // Known series and the order of insertion go on.
    store.append("c", vec![scalar("t", "m", "v", 2, 2.0), log("t", 5, "b")]).await.unwrap();
    let query = KeyQuery {
        source: Source::new("c", "t"),
        event_type: Some(EventType::Log),
        metrics: MetricFilter::all(),
        field: KeyField::Timestamp,
        order: Order::Descending,
        limit: 10,
        after: None,
    };
    let page = store.key_page(query).await.unwrap();
    assert_eq!(suite::messages(&page.events), ["a", "b"]);
    let query = ScalarSampling {
        source: Source::new("c", "t"),
        metrics: MetricFilter::all(),
        field: KeyField::Iter,
        samples: 10,
    };
    let sampled = store.sample_scalars(query).await.unwrap();
    assert_eq!((sampled.len(), &sampled[0].x), (1, &vec![1, 2]));
    store.ping().await.unwrap();
}

#[tokio::test]
async fn unfinished_deletions_are_finished_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    store.append("c", (0..30_000).map(|iter| scalar("t", "m", "v", iter, 1.0)).collect()).await.unwrap();
    store.append("c", vec![scalar("kept", "m", "v", 1, 1.0)]).await.unwrap();
    drop(store);
    // As if the server had been killed right after the task lost its name.
    let file = rusqlite::Connection::open(directory.path().join("events.db")).unwrap();
    file.execute("UPDATE tasks SET company = NULL WHERE task = 't'", []).unwrap();

    let store = open(&directory);
    let rows = || file.query_row("SELECT count(*) FROM scalars", [], |row| row.get::<_, i64>(0)).unwrap();
    // Each write gives the writer a chance to be idle afterwards; the deletion ends by itself.
    while rows() > 1 {
        tokio::task::yield_now().await;
    }
    let selection = Selection::new(Source::new("c", "kept"), None);
    assert_eq!(store.count(&selection, None).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_and_readers_at_the_same_time() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for call in 0..20 {
                    let events = (0..50).map(|index| log("t", call, &format!("{writer} {call} {index}")));
                    let mut events: Vec<_> = events.collect();
                    events.push(scalar(&format!("own {writer}"), "m", "v", call, 1.0));
                    store.append("c", events).await.unwrap();
                    // What is acknowledged is visible.
                    let selection = Selection::new(Source::new("c", format!("own {writer}")), None);
                    assert_eq!(store.count(&selection, None).await.unwrap(), call as u64 + 1);
                }
            })
        })
        .collect();
    let deleter = {
        let store = store.clone();
        tokio::spawn(async move {
            for _ in 0..10 {
                store.append("c", vec![scalar("gone", "m", "v", 1, 1.0)]).await.unwrap();
                assert_eq!(store.delete("c", &["gone".to_owned()], Pace::Fast).await.unwrap(), 1);
            }
        })
    };
    for writer in writers {
        writer.await.unwrap();
    }
    deleter.await.unwrap();

    let setup = Setup { store: &store, company: "c".to_owned() };
    let query = KeyQuery {
        source: setup.source("t"),
        event_type: Some(EventType::Log),
        metrics: MetricFilter::all(),
        field: KeyField::Timestamp,
        order: Order::Descending,
        limit: 70,
        after: None,
    };
    let events = suite::paging::key_pages(&setup, query).await.concat();
    let distinct: HashSet<_> = suite::messages(&events).into_iter().map(str::to_owned).collect();
    assert_eq!((events.len(), distinct.len()), (8 * 20 * 50, 8 * 20 * 50));
}
