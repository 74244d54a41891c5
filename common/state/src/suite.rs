//! What every implementation of [`SharedState`] has to do: memory and Redis run the same checks.
//!
//! The store is expected to be empty. A failed check panics, as a test does.

use std::{future::Future, sync::Arc, time::Duration};

use crate::{SharedState, StateError, escape_glob};

const SECOND: Duration = Duration::from_secs(1);

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

/// Runs all checks. `wait` lets that much time pass for the store.
pub async fn run<W, F>(state: Arc<dyn SharedState>, wait: W)
where
    W: Fn(Duration) -> F,
    F: Future<Output = ()>,
{
    text_values(&*state).await;
    expiry(&*state, &wait).await;
    locks(&*state, &wait).await;
    keys(&*state, &wait).await;
    sorted_sets(&*state, &wait).await;
    lists(&*state, &wait).await;
    kinds(&*state).await;
    run_concurrently(state).await;
}

/// Runs the checks of what concurrent callers may rely on; on a runtime with several threads they mean most.
pub async fn run_concurrently(state: Arc<dyn SharedState>) {
    one_holder_of_a_lock(&state).await;
    no_lost_additions(&state).await;
}

async fn text_values(state: &dyn SharedState) {
    ok(state.ping().await);
    assert_eq!(ok(state.get("text").await), None);
    ok(state.set("text", "one", None).await);
    ok(state.set("text", "zwei €", None).await);
    assert_eq!(ok(state.get("text").await).as_deref(), Some("zwei €"));
    ok(state.set("empty", "", None).await);
    assert_eq!(
        ok(state.get_many(&texts(&["empty", "missing", "text"])).await),
        [Some(String::new()), None, Some("zwei €".to_owned())]
    );
    assert_eq!(ok(state.get_many(&[]).await), Vec::<Option<String>>::new());
    assert_eq!(ok(state.delete(&texts(&["text", "missing", "empty"])).await), 2);
    assert_eq!(ok(state.delete(&[]).await), 0);
    assert_eq!(ok(state.get("text").await), None);
}

async fn expiry<W, F>(state: &dyn SharedState, wait: &W)
where
    W: Fn(Duration) -> F,
    F: Future<Output = ()>,
{
    ok(state.set("short", "value", Some(SECOND)).await);
    ok(state.set("kept", "value", Some(SECOND)).await);
    ok(state.set("kept", "value", None).await);
    ok(state.set("prolonged", "value", Some(SECOND)).await);
    assert!(ok(state.expire("prolonged", 10 * SECOND).await));
    ok(state.set("cut", "value", None).await);
    assert!(ok(state.expire("cut", SECOND).await));
    assert!(!ok(state.expire("missing", SECOND).await));

    wait(SECOND + Duration::from_millis(50)).await;
    assert_eq!(ok(state.get("short").await), None);
    assert_eq!(ok(state.get("cut").await), None);
    assert_eq!(
        ok(state.get("kept").await).as_deref(),
        Some("value"),
        "set without a time cancels the old one"
    );
    assert_eq!(ok(state.get("prolonged").await).as_deref(), Some("value"));
    assert!(!ok(state.expire("short", SECOND).await), "an expired key does not come back");
    assert_eq!(ok(state.delete(&texts(&["short", "kept", "prolonged"])).await), 2);
}

async fn locks<W, F>(state: &dyn SharedState, wait: &W)
where
    W: Fn(Duration) -> F,
    F: Future<Output = ()>,
{
    assert!(ok(state.set_if_absent("lock", "me", SECOND).await));
    assert!(!ok(state.set_if_absent("lock", "you", SECOND).await));
    assert!(!ok(state.delete_if_equal("lock", "you").await));
    assert_eq!(ok(state.get("lock").await).as_deref(), Some("me"));
    assert!(ok(state.delete_if_equal("lock", "me").await));
    assert!(!ok(state.delete_if_equal("lock", "me").await));
    assert!(ok(state.set_if_absent("lock", "me", SECOND).await));
    wait(SECOND + Duration::from_millis(50)).await;
    assert!(!ok(state.delete_if_equal("lock", "me").await), "the lock has expired");
    assert!(ok(state.set_if_absent("lock", "you", 10 * SECOND).await));
    assert!(!ok(state.delete_if_equal("lock", "me").await), "the lock is another's now");
    assert!(ok(state.delete_if_equal("lock", "you").await));
}

async fn keys<W, F>(state: &dyn SharedState, wait: &W)
where
    W: Fn(Duration) -> F,
    F: Future<Output = ()>,
{
    ok(state.set("worker_c_u_gpu:0", "", None).await);
    ok(state.set("worker_c_u_gpu:1", "", Some(SECOND)).await);
    ok(state.set("worker_d_u_gpu:0", "", None).await);
    ok(state.set("worker_c_u_a[0]*", "", None).await);
    ok(state.sorted_add("workers_c", "member", 1.0).await);
    ok(state.list_append("worker_c_list", &texts(&["value"])).await);

    assert_eq!(
        sorted(state.keys("worker_c_*").await),
        ["worker_c_list", "worker_c_u_a[0]*", "worker_c_u_gpu:0", "worker_c_u_gpu:1"]
    );
    assert_eq!(sorted(state.keys("worker_?_u_gpu:0").await), ["worker_c_u_gpu:0", "worker_d_u_gpu:0"]);
    assert_eq!(sorted(state.keys("workers_c").await), ["workers_c"]);
    let exact = format!("worker_*_{}", escape_glob("a[0]*"));
    assert_eq!(sorted(state.keys(&exact).await), ["worker_c_u_a[0]*"]);
    assert_eq!(sorted(state.keys("nothing*").await), Vec::<String>::new());

    wait(SECOND + Duration::from_millis(50)).await;
    assert_eq!(sorted(state.keys("*_gpu:[0-9]").await), ["worker_c_u_gpu:0", "worker_d_u_gpu:0"]);
    let all = ok(state.keys("worker*").await);
    assert_eq!(ok(state.delete(&all).await), all.len() as u64);
}

async fn sorted_sets<W, F>(state: &dyn SharedState, wait: &W)
where
    W: Fn(Duration) -> F,
    F: Future<Output = ()>,
{
    let all = (f64::NEG_INFINITY, f64::INFINITY);
    for (member, score) in [("b", 2.0), ("a", 2.0), ("late", 9.5), ("early", -1.0), ("moved", 1.0)] {
        ok(state.sorted_add("set", member, score).await);
    }
    ok(state.sorted_add("set", "moved", 3.0).await);
    assert_eq!(ok(state.sorted_range("set", all.0, all.1).await), ["early", "a", "b", "moved", "late"]);
    assert_eq!(ok(state.sorted_range("set", 2.0, 3.0).await), ["a", "b", "moved"]);
    assert_eq!(ok(state.sorted_range("set", 3.0, 2.0).await), Vec::<String>::new());
    assert_eq!(ok(state.sorted_score("set", "moved").await), Some(3.0));
    assert_eq!(ok(state.sorted_score("set", "missing").await), None);
    assert_eq!(ok(state.sorted_remove("set", &texts(&["a", "missing", "a"])).await), 1);
    assert_eq!(ok(state.sorted_remove_range("set", 0.0, 3.0).await), 2);
    assert_eq!(ok(state.sorted_range("set", all.0, all.1).await), ["early", "late"]);

    assert!(ok(state.expire("set", SECOND).await));
    ok(state.sorted_add("set", "more", 1.0).await);
    wait(SECOND + Duration::from_millis(50)).await;
    assert_eq!(
        ok(state.sorted_range("set", all.0, all.1).await),
        Vec::<String>::new(),
        "adding keeps the time"
    );

    ok(state.sorted_add("set", "only", 1.0).await);
    assert_eq!(ok(state.sorted_remove("set", &texts(&["only"])).await), 1);
    assert_eq!(ok(state.keys("set").await), Vec::<String>::new(), "an empty set is no key");
    assert_eq!(ok(state.sorted_remove_range("set", all.0, all.1).await), 0);
    assert!(state.sorted_add("set", "member", f64::NAN).await.is_err());
}

async fn lists<W, F>(state: &dyn SharedState, wait: &W)
where
    W: Fn(Duration) -> F,
    F: Future<Output = ()>,
{
    assert_eq!(ok(state.list_all("list").await), Vec::<String>::new());
    ok(state.list_append("list", &[]).await);
    assert_eq!(ok(state.keys("list").await), Vec::<String>::new());
    ok(state.list_append("list", &texts(&["a", "b"])).await);
    ok(state.list_append("list", &texts(&["a"])).await);
    assert_eq!(ok(state.list_all("list").await), ["a", "b", "a"]);
    assert!(ok(state.expire("list", SECOND).await));
    wait(SECOND + Duration::from_millis(50)).await;
    ok(state.list_append("list", &texts(&["new"])).await);
    assert_eq!(ok(state.list_all("list").await), ["new"]);
    assert_eq!(ok(state.delete(&texts(&["list"])).await), 1);
}

async fn kinds(state: &dyn SharedState) {
    ok(state.set("kind", "text", None).await);
    assert!(matches!(state.sorted_add("kind", "member", 1.0).await, Err(StateError::WrongKind(_))));
    assert!(matches!(state.sorted_range("kind", 0.0, 1.0).await, Err(StateError::WrongKind(_))));
    assert!(matches!(state.list_append("kind", &texts(&["a"])).await, Err(StateError::WrongKind(_))));
    assert!(matches!(state.list_all("kind").await, Err(StateError::WrongKind(_))));
    ok(state.delete(&texts(&["kind"])).await);
    ok(state.list_append("kind", &texts(&["a"])).await);
    assert!(matches!(state.get("kind").await, Err(StateError::WrongKind(_))));
    assert_eq!(ok(state.get_many(&texts(&["kind"])).await), [None]);
    ok(state.set("kind", "text", None).await);
    assert_eq!(ok(state.get("kind").await).as_deref(), Some("text"), "set replaces a value of any kind");
    ok(state.delete(&texts(&["kind"])).await);
}

async fn one_holder_of_a_lock(state: &Arc<dyn SharedState>) {
    for round in 0..20 {
        let callers: Vec<_> = (0..16)
            .map(|caller| {
                let state = Arc::clone(state);
                let key = format!("race_{round}");
                tokio::spawn(async move { state.set_if_absent(&key, &caller.to_string(), 60 * SECOND).await })
            })
            .collect();
        let mut holders = 0;
        for caller in callers {
            holders += u32::from(ok(ok(caller.await)));
        }
        assert_eq!(holders, 1);
    }
    let keys = ok(state.keys("race_*").await);
    assert_eq!(ok(state.delete(&keys).await), 20);
}

async fn no_lost_additions(state: &Arc<dyn SharedState>) {
    let callers: Vec<_> = (0..16)
        .map(|caller| {
            let state = Arc::clone(state);
            tokio::spawn(async move {
                for item in 0..50 {
                    let member = format!("{caller}-{item}");
                    ok(state.sorted_add("many", &member, f64::from(item)).await);
                    ok(state.list_append("many_list", &[member]).await);
                }
            })
        })
        .collect();
    for caller in callers {
        ok(caller.await);
    }
    assert_eq!(ok(state.sorted_range("many", 0.0, 100.0).await).len(), 800);
    assert_eq!(ok(state.list_all("many_list").await).len(), 800);
    assert_eq!(ok(state.sorted_remove_range("many", 0.0, 24.0).await), 400);
    assert_eq!(ok(state.delete(&texts(&["many", "many_list"])).await), 2);
}

fn sorted(keys: Result<Vec<String>, StateError>) -> Vec<String> {
    let mut keys = ok(keys);
    keys.sort();
    keys
}

#[track_caller]
fn ok<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("the store failed: {error}"),
    }
}
