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

suite::all!(events_suite);

#[tokio::test]
async fn statistics() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    suite::statistics::workers(&store).await;
    suite::statistics::queues(&store).await;
    suite::statistics::serving(&store).await;
    suite::statistics::copies(&store).await;
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
async fn whatever_a_document_holds_is_stored() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    // An index would refuse a list of several kinds, and take these names for the same when it joins them.
    let mut mixed = scalar("t", "a-b", "c", 1, 1.0);
    mixed.fields.insert("list", vec![bson::Bson::Int64(1), "text".into()]);
    let events = vec![mixed, scalar("t", "a", "b-c", 1, 2.0)];
    store.append("c", events.clone()).await.unwrap();
    let query = KeyQuery {
        source: Source::new("c", "t"),
        event_type: None,
        metrics: MetricFilter::all(),
        field: KeyField::Iter,
        order: Order::Ascending,
        limit: 10,
        after: None,
    };
    assert_eq!(store.key_page(query).await.unwrap().events, events);
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
