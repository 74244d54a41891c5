//! The memory state passes the common suite, and frees what has expired.

use std::{sync::Arc, time::Duration};

use clearml_state::{MemoryState, SharedState, suite};

#[tokio::test(start_paused = true)]
async fn passes_the_suite() {
    suite::run(Arc::new(MemoryState::default()), tokio::time::advance).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn is_correct_on_several_threads() {
    suite::run_concurrently(Arc::new(MemoryState::default())).await;
}

#[tokio::test(start_paused = true)]
async fn frees_expired_keys_without_reading_them() {
    let state = MemoryState::default();
    for number in 0..10_000 {
        state.set(&format!("scroll/{number}"), "{}", Some(Duration::from_mins(10))).await.unwrap();
    }
    assert_eq!(state.stored_keys(), 10_000);
    tokio::time::advance(Duration::from_secs(601)).await;
    assert_eq!(state.keys("scroll/*").await.unwrap(), Vec::<String>::new());
    for _ in 0..100 {
        state.ping().await.unwrap();
    }
    assert_eq!(state.stored_keys(), 0);
}

#[tokio::test(start_paused = true)]
async fn stays_bounded_under_a_steady_stream_of_short_lived_keys() {
    let state = MemoryState::default();
    for number in 0..50_000 {
        state.set(&format!("scroll/{number}"), "{}", Some(Duration::from_secs(10))).await.unwrap();
        tokio::time::advance(Duration::from_millis(10)).await;
        assert!(state.stored_keys() <= 1_002);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_beyond_the_clock_never_ends_and_one_of_zero_never_starts() {
    let state = MemoryState::default();
    state.set("long", "value", Some(Duration::MAX)).await.unwrap();
    state.set("none", "value", Some(Duration::ZERO)).await.unwrap();
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(state.get("long").await.unwrap().as_deref(), Some("value"));
    assert_eq!(state.get("none").await.unwrap(), None);
    assert!(state.expire("long", Duration::ZERO).await.unwrap());
    assert_eq!(state.stored_keys(), 0);
}
