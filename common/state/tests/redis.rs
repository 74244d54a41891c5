//! The Redis state passes the common suite: on a server, behind sentinels, in a cluster; it sees what an
//! official server has stored, never hangs and recovers by itself.
#![allow(clippy::unwrap_used, unreachable_pub, reason = "tests fail loudly")]

mod support;

use std::{sync::Arc, time::Duration};

use clearml_state::{
    RedisSettings, RedisState, SharedState, StateError,
    redis::{RedisServers, RedisTls},
    suite,
};
use support::{Program, free_ports, redis_cli, shared_server, wait_until};

/// A part of the shared server for one test; emptied when done.
async fn own_part(name: &str) -> Option<RedisState> {
    let settings = shared_server()?;
    let prefix = format!("test-{}-{name}:", std::process::id());
    Some(RedisState::connect(RedisSettings { prefix, ..settings }).await.unwrap())
}

async fn empty(state: &dyn SharedState) {
    let left = state.keys("*").await.unwrap();
    state.delete(&left).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn passes_the_suite() {
    let Some(state) = own_part("suite").await else { return };
    let state: Arc<dyn SharedState> = Arc::new(state);
    suite::run(Arc::clone(&state), tokio::time::sleep).await;
    assert_eq!(state.keys("*").await.unwrap(), Vec::<String>::new(), "the suite leaves nothing");
}

#[tokio::test]
async fn lifetimes_at_the_ends_of_the_scale() {
    let Some(state) = own_part("lifetimes").await else { return };
    state.set("long", "value", Some(Duration::MAX)).await.unwrap();
    state.set("none", "value", Some(Duration::ZERO)).await.unwrap();
    assert_eq!(state.get("long").await.unwrap().as_deref(), Some("value"));
    assert_eq!(state.get("none").await.unwrap(), None);
    assert!(state.expire("long", Duration::ZERO).await.unwrap());
    assert_eq!(state.keys("*").await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn many_keys_are_found_in_steps() {
    let Some(state) = own_part("many").await else { return };
    for number in 0..5000 {
        state.set(&format!("worker_{number}"), "", Some(Duration::from_mins(5))).await.unwrap();
    }
    assert_eq!(state.keys("worker_*").await.unwrap().len(), 5000);
    assert_eq!(state.keys("worker_499?").await.unwrap().len(), 10);
    empty(&state).await;
}

/// Keys and values that an official server has left, as `redis-cli` would show them.
#[tokio::test]
async fn reads_what_an_official_server_has_stored() {
    let Some(state) = own_part("official").await else { return };
    let worker = r#"{"key": "worker_c_u_host:0", "id": "host:0", "register_timeout": 600}"#;
    let scroll = "<class 'apiserver.bll.event.metric_events_iterator.MetricEventsScrollState'>/8a525f06";
    let prefix = format!("test-{}-official:", std::process::id());
    let key = |key: &str| format!("{prefix}{key}");
    let server = support::shared_address().unwrap();
    redis_cli(&server, &["SETEX", &key("worker_c_u_host:0"), "600", worker]);
    redis_cli(&server, &["ZADD", &key("workers_c"), "1795487480", "worker_c_u_host:0"]);
    redis_cli(&server, &["ZADD", &key("workers.tags_c_gpu"), "1795487480", "worker_c_u_host:0"]);
    redis_cli(&server, &["SET", &key(scroll), r#"{"id":"8a525f06"}"#, "EX", "3600"]);
    redis_cli(&server, &["RPUSH", &key("tags_c_p_Task"), "__dummy__", "baseline"]);
    redis_cli(&server, &["ZADD", &key("revoked_tokens"), "1795487480", "session"]);

    assert_eq!(state.get("worker_c_u_host:0").await.unwrap().as_deref(), Some(worker));
    assert_eq!(state.keys("worker_c_*").await.unwrap(), ["worker_c_u_host:0"]);
    for set in ["workers_c", "workers.tags_c_gpu"] {
        let now = 1_795_487_000.0;
        assert_eq!(state.sorted_range(set, now, f64::INFINITY).await.unwrap(), ["worker_c_u_host:0"]);
    }
    assert_eq!(state.get(scroll).await.unwrap().as_deref(), Some(r#"{"id":"8a525f06"}"#));
    assert_eq!(state.list_all("tags_c_p_Task").await.unwrap(), ["__dummy__", "baseline"]);
    assert_eq!(state.sorted_score("revoked_tokens", "session").await.unwrap(), Some(1_795_487_480.0));

    state.set("worker_c_u_host:1", "{}", Some(Duration::from_mins(10))).await.unwrap();
    let lifetime: u64 = redis_cli(&server, &["TTL", &key("worker_c_u_host:1")]).parse().unwrap();
    assert!((590..=600).contains(&lifetime), "{lifetime}");
    empty(&state).await;
}

#[tokio::test]
async fn databases_are_apart() {
    let Some(settings) = shared_server() else { return };
    let prefix = format!("test-{}-databases:", std::process::id());
    let on = |database| {
        RedisState::connect(RedisSettings { database, prefix: prefix.clone(), ..settings.clone() })
    };
    let (first, second) = (on(0).await.unwrap(), on(4).await.unwrap());
    first.set("key", "zero", None).await.unwrap();
    second.set("key", "four", None).await.unwrap();
    assert_eq!(first.get("key").await.unwrap().as_deref(), Some("zero"));
    assert_eq!(second.get("key").await.unwrap().as_deref(), Some("four"));
    empty(&first).await;
    empty(&second).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fails_while_the_server_is_away_and_recovers() {
    if shared_server().is_none() {
        return;
    }
    let [port] = free_ports();
    let mut server = Program::redis(port, &[]);
    let settings = RedisSettings {
        servers: RedisServers::Single(format!("127.0.0.1:{port}")),
        connect_timeout: Duration::from_millis(500),
        timeout: Duration::from_secs(1),
        ..RedisSettings::default()
    };
    let state = RedisState::connect(settings.clone()).await.unwrap();
    state.set("key", "value", None).await.unwrap();

    // It stands still: calls end in time, all of them.
    server.signal("STOP");
    let calls = futures::future::join_all((0..50).map(|_| state.get("key")));
    let answers = tokio::time::timeout(Duration::from_mins(1), calls).await.unwrap();
    assert!(answers.iter().all(|answer| matches!(answer, Err(StateError::Unavailable(_)))), "{answers:?}");
    server.signal("CONT");
    wait_until(async || state.get("key").await.is_ok()).await;
    assert_eq!(state.get("key").await.unwrap().as_deref(), Some("value"));

    server.stop();
    assert!(matches!(state.ping().await, Err(StateError::Unavailable(_))));
    let refused = RedisState::connect(settings).await.err().unwrap();
    assert!(matches!(refused, StateError::Unavailable(_)), "{refused}");
    let _server = Program::redis(port, &[]);
    wait_until(async || state.ping().await.is_ok()).await;
    state.set("key", "again", None).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_replaced_unnoticed() {
    if shared_server().is_none() {
        return;
    }
    let [port] = free_ports();
    let server = Program::redis(port, &[]);
    let address = format!("127.0.0.1:{port}");
    let settings =
        RedisSettings { servers: RedisServers::Single(address.clone()), ..RedisSettings::default() };
    let state = RedisState::connect(settings).await.unwrap();
    for round in 0..5 {
        redis_cli(&address, &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        state.set("key", &round.to_string(), None).await.unwrap();
    }
    drop(server);
}

#[tokio::test]
async fn a_password_is_needed_where_one_is_set() {
    if shared_server().is_none() {
        return;
    }
    let [port] = free_ports();
    let _server = Program::redis(port, &["--requirepass", "open sesame"]);
    let settings = RedisSettings {
        servers: RedisServers::Single(format!("127.0.0.1:{port}")),
        ..RedisSettings::default()
    };
    let refused = RedisState::connect(settings.clone()).await;
    let refused = match refused {
        Ok(state) => state.ping().await.unwrap_err(),
        Err(error) => error,
    };
    assert!(refused.to_string().contains("NOAUTH"), "{refused}");
    let password = Some("open sesame".to_owned());
    RedisState::connect(RedisSettings { password, ..settings.clone() }).await.unwrap().ping().await.unwrap();
    let wrong = RedisSettings { password: Some("x".to_owned()), ..settings };
    let wrong = RedisState::connect(wrong).await.err().unwrap().to_string();
    assert!(!wrong.contains("sesame"), "{wrong}");
}

#[tokio::test]
async fn speaks_tls_and_checks_the_certificate() {
    if shared_server().is_none() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let Some(certificates) = support::Certificates::make(directory.path()) else { return };
    let [port] = free_ports();
    let Some(_server) = Program::redis_with_tls(port, &certificates) else { return };
    let settings = RedisSettings {
        servers: RedisServers::Single(format!("localhost:{port}")),
        tls: Some(RedisTls {
            ca_file: Some(certificates.authority.clone()),
            client: Some((certificates.certificate.clone(), certificates.key.clone())),
        }),
        ..RedisSettings::default()
    };
    let state = RedisState::connect(settings.clone()).await.unwrap();
    state.set("key", "value", None).await.unwrap();
    let distrusting = RedisSettings { tls: Some(RedisTls::default()), ..settings };
    assert!(RedisState::connect(distrusting).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn passes_the_suite_in_a_cluster() {
    if shared_server().is_none() {
        return;
    }
    let ports: [u16; 3] = free_ports();
    let options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
    let _nodes: Vec<Program> = ports.iter().map(|port| Program::redis(*port, &options)).collect();
    let addresses: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    support::make_cluster(&addresses).await;
    let settings = RedisSettings {
        servers: RedisServers::Cluster(addresses[..2].to_vec()),
        prefix: "clearml:".to_owned(),
        ..RedisSettings::default()
    };
    let state: Arc<dyn SharedState> = Arc::new(RedisState::connect(settings).await.unwrap());
    suite::run(Arc::clone(&state), tokio::time::sleep).await;
    for number in 0..3000 {
        state.set(&format!("worker_{number}"), "", None).await.unwrap();
    }
    let keys = state.keys("worker_*").await.unwrap();
    assert_eq!(keys.len(), 3000, "the keys of all nodes");
    assert_eq!(state.get_many(&keys).await.unwrap().len(), 3000);
    assert_eq!(state.delete(&keys).await.unwrap(), 3000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn passes_the_suite_behind_sentinels_and_follows_a_new_primary() {
    if shared_server().is_none() {
        return;
    }
    let [primary, replica, sentinel] = free_ports();
    let mut first = Program::redis(primary, &[]);
    let _second = Program::redis(replica, &["--replicaof", &format!("127.0.0.1 {primary}")]);
    let _sentinel = Program::sentinel(sentinel, primary);
    let settings = RedisSettings {
        servers: RedisServers::Sentinel {
            sentinels: vec!["127.0.0.1:1".to_owned(), format!("127.0.0.1:{sentinel}")],
            primary: "mymaster".to_owned(),
            username: None,
            password: None,
        },
        connect_timeout: Duration::from_secs(1),
        timeout: Duration::from_secs(3),
        ..RedisSettings::default()
    };
    let state = RedisState::connect(settings).await.unwrap();
    let state: Arc<dyn SharedState> = Arc::new(state);
    suite::run(Arc::clone(&state), tokio::time::sleep).await;
    state.set("key", "value", None).await.unwrap();
    let sentinel = format!("127.0.0.1:{sentinel}");
    let replica = format!("127.0.0.1:{replica}");
    wait_until(async || redis_cli(&replica, &["GET", "key"]) == "value").await;
    wait_until(async || redis_cli(&sentinel, &["SENTINEL", "REPLICAS", "mymaster"]).contains("slave")).await;

    first.stop();
    wait_until(async || state.set("key", "after", None).await.is_ok()).await;
    assert_eq!(redis_cli(&replica, &["GET", "key"]), "after");
}
