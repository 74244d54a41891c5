//! Listeners that drain, probes, and the page for Prometheus, over real connections.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, routing::get};
use clearml_telemetry::{
    Health, HealthcheckError, HealthcheckOptions, Metrics, Shutdown, bind, health_routes, serve, with_probes,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    task::JoinHandle,
};

async fn start(router: Router, drain: Duration) -> (SocketAddr, Shutdown, JoinHandle<()>) {
    let listening = bind("127.0.0.1:0".parse().unwrap(), "test server").await.unwrap();
    let address = listening.address;
    let shutdown = Shutdown::default();
    let task = tokio::spawn(serve(listening, router, shutdown.clone(), drain));
    (address, shutdown, task)
}

async fn send(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn answer(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

async fn call(address: SocketAddr, path: &str) -> String {
    answer(send(address, path).await).await
}

#[tokio::test]
async fn an_announced_stop_serves_on_and_sends_callers_away() {
    let shutdown = Shutdown::default();
    let router = health_routes(Health::new(shutdown.clone())).route("/", get(|| async { "served" }));
    let listening = bind("127.0.0.1:0".parse().unwrap(), "test server").await.unwrap();
    let address = listening.address;
    let task = tokio::spawn(serve(listening, router, shutdown.clone(), Duration::from_mins(1)));
    assert!(call(address, "/ready").await.starts_with("HTTP/1.1 200"));

    shutdown.announce();
    assert!(call(address, "/ready").await.starts_with("HTTP/1.1 503"));
    let mut kept = TcpStream::connect(address).await.unwrap();
    kept.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let answered = answer(kept).await;
    assert!(answered.starts_with("HTTP/1.1 200") && answered.contains("connection: close"), "{answered}");
    assert!(!task.is_finished());

    shutdown.begin();
    task.await.unwrap();
}

#[tokio::test]
async fn calls_in_progress_end_and_new_ones_are_refused() {
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (entered, leave) = (Arc::clone(&entered), Arc::clone(&leave));
        get(move || async move {
            entered.notify_one();
            leave.notified().await;
            "done"
        })
    };
    let (address, shutdown, task) = start(Router::new().route("/", slow), Duration::from_mins(1)).await;
    let in_progress = send(address, "/").await;
    let idle = TcpStream::connect(address).await.unwrap();
    entered.notified().await;
    shutdown.begin();
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!task.is_finished());
    leave.notify_one();
    assert!(answer(in_progress).await.ends_with("done"));
    task.await.unwrap();
    drop(idle);
}

#[tokio::test]
async fn calls_that_do_not_end_are_cut_off_after_the_time_out() {
    let entered = Arc::new(Notify::new());
    let noted = Arc::clone(&entered);
    let hangs = get(move || async move {
        noted.notify_one();
        std::future::pending::<()>().await;
    });
    let (address, shutdown, task) = start(Router::new().route("/", hangs), Duration::from_millis(10)).await;
    let _in_progress = send(address, "/").await;
    entered.notified().await;
    shutdown.begin();
    task.await.unwrap();
}

#[tokio::test]
async fn panics_are_answered_and_harm_nobody_else() {
    async fn fails() -> &'static str {
        panic!("for the test")
    }
    let router = Router::new().route("/panic", get(fails)).route("/", get(|| async { "fine" }));
    let (address, _shutdown, _task) = start(router, Duration::ZERO).await;
    assert!(call(address, "/panic").await.starts_with("HTTP/1.1 500"));
    assert!(call(address, "/").await.ends_with("fine"));
}

#[tokio::test]
async fn the_sdk_gets_a_connection_of_its_own_for_each_call() {
    let router = Router::new().route("/", get(|| async { "fine" }));
    let (address, _shutdown, _task) = start(router, Duration::ZERO).await;
    for (agent, closed) in [("python-requests/2.32.5", true), ("Mozilla/5.0", false)] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET / HTTP/1.1\r\nhost: x\r\nuser-agent: {agent}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 1000];
        let length = stream.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]).to_ascii_lowercase();
        assert_eq!(answer.contains("connection: close"), closed, "{agent}: {answer}");
    }
}

#[tokio::test]
async fn oversized_heads_are_refused() {
    let (address, _shutdown, _task) = start(Router::new(), Duration::ZERO).await;
    let answer = call(address, &format!("/{}", "x".repeat(300_000))).await;
    assert!(answer.starts_with("HTTP/1.1 414") || answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn a_taken_port_is_explained() {
    let first = bind("127.0.0.1:0".parse().unwrap(), "API server").await.unwrap();
    let error = bind(first.address, "API server").await.unwrap_err().to_string();
    assert!(error.contains("API server") && error.contains("hint:"), "{error}");
}

#[tokio::test]
async fn readiness_follows_the_stores_and_the_shutdown() {
    let broken = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let state = Arc::clone(&broken);
    let told = Shutdown::default();
    let health = Health::new(told.clone()).check("documents", move || {
        let broken = state.load(std::sync::atomic::Ordering::SeqCst);
        async move { if broken { Err("disk on fire".to_owned()) } else { Ok(()) } }
    });
    let (address, _shutdown, _task) = start(health_routes(health), Duration::ZERO).await;
    assert!(call(address, "/ready").await.starts_with("HTTP/1.1 200"));
    broken.store(true, std::sync::atomic::Ordering::SeqCst);
    let answer = call(address, "/ready").await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("documents"), "{answer}");
    assert!(!answer.contains("fire"), "details are for the log: {answer}");
    broken.store(false, std::sync::atomic::Ordering::SeqCst);
    told.begin();
    assert!(call(address, "/ready").await.starts_with("HTTP/1.1 503"));
    assert!(call(address, "/health").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn the_metrics_page_has_counters_and_the_process() {
    let metrics = Metrics::start().unwrap();
    metrics::counter!("test_calls_total", "endpoint" => "x.y").increment(3);
    metrics::histogram!("test_call_seconds").record(0.004);
    let (address, _shutdown, _task) = start(metrics.routes(), Duration::ZERO).await;
    let page = call(address, "/metrics").await;
    for line in [
        "test_calls_total{endpoint=\"x.y\"} 3",
        "test_call_seconds_bucket{le=\"0.005\"} 1",
        "process_resident_memory_bytes ",
        "process_open_fds ",
        "process_cpu_seconds_total ",
    ] {
        assert!(page.contains(line), "{line} is missing in {page}");
    }
}

#[tokio::test]
async fn probes_leave_content_of_their_name_to_callers_with_a_token() {
    let content = Router::new().fallback(|| async { "content" });
    let health = Health::new(Shutdown::default());
    let router = with_probes(content, health, |headers| !headers.contains_key("authorization"));
    let (address, _shutdown, _task) = start(router, Duration::ZERO).await;
    assert!(call(address, "/health").await.ends_with("{\"status\":\"ok\"}"));
    assert!(call(address, "/health/more").await.ends_with("content"));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = "GET /health HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(answer(stream).await.ends_with("content"));
}

#[tokio::test]
async fn the_healthcheck_believes_only_200() {
    let broken = get(|| async { axum::http::StatusCode::SERVICE_UNAVAILABLE });
    let mute = get(|| async { std::future::pending::<()>().await });
    let router = Router::new().route("/health", get(|| async { "ok" })).route("/ready", broken);
    let (address, shutdown, task) = start(router.route("/mute", mute), Duration::ZERO).await;
    let check = move |path| {
        let options = HealthcheckOptions { ready: false, timeout: 1 };
        tokio::task::spawn_blocking(move || options.check(address, path))
    };
    check("/health").await.unwrap().unwrap();
    let unwell = check("/ready").await.unwrap().unwrap_err().to_string();
    assert!(unwell.ends_with("/ready answers \"HTTP/1.1 503 Service Unavailable\""), "{unwell}");
    let error = check("/mute").await.unwrap().unwrap_err();
    assert!(matches!(error, HealthcheckError::Unreachable { .. }), "{error}");
    shutdown.begin();
    task.await.unwrap();
    check("/health").await.unwrap().unwrap_err();
}
