//! Hostile and broken requests: documented refusals, and a server that goes on.

use std::net::SocketAddr;

use axum::body::Body;
use clearml_auth::Role;
use clearml_documents::{Collection, Write};
use http::Request;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::TestServer;

/// Sends bytes over a connection of its own and reads until the server closes it or has answered a call.
async fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may refuse and close before it has read everything.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while !answer.windows(4).any(|window| window == b"\r\n\r\n") || !is_complete(&answer) {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(length) => answer.extend_from_slice(&buffer[..length]),
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Whether the body is there that `Content-Length` announces.
fn is_complete(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).to_lowercase();
    let Some((head, _)) = text.split_once("\r\n\r\n") else { return false };
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
    length.is_some_and(|length| answer.len() >= head.len() + 4 + length)
}

async fn alive(address: SocketAddr) {
    let answer = exchange(address, b"GET /debug.ping HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[tokio::test]
async fn broken_chunks_are_400_at_once() {
    let server = TestServer::start().await;
    let address = server.listen().await;
    for size_line in ["zz", "-1", "FFFFFFFFFFFFFFFFF", "99999999999999999999999999", "\u{0}", "5 5", ""] {
        let request = format!(
            "POST /debug.ping HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n{size_line}\r\n{{}}\r\n"
        );
        let answer = exchange(address, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{size_line:?}: {answer}");
        alive(address).await;
    }
}

#[tokio::test]
async fn whole_chunks_are_read() {
    let server = TestServer::start().await;
    let address = server.listen().await;
    let request = b"GET /debug.ping HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n2\r\n1}\r\n0\r\n\r\n";
    let answer = exchange(address, request).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("\"a\":1"), "{answer}");
}

#[tokio::test]
async fn oversized_headers_are_refused() {
    let server = TestServer::start().await;
    let address = server.listen().await;
    let long = format!("GET /debug.ping HTTP/1.1\r\nhost: h\r\nx-long: {}\r\n\r\n", "a".repeat(1 << 20));
    let many = format!("GET /debug.ping HTTP/1.1\r\nhost: h\r\n{}\r\n", "a: b\r\n".repeat(10_000));
    for request in [long, many] {
        let answer = exchange(address, request.as_bytes()).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        alive(address).await;
    }
}

#[tokio::test]
async fn garbage_is_no_http() {
    let server = TestServer::start().await;
    let address = server.listen().await;
    for request in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"GET\r\n\r\n",
        b"\xff\xff\xff\xff\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{answer:?}");
        alive(address).await;
    }
}

#[tokio::test]
async fn bodies_that_break_off_are_forgotten() {
    let server = TestServer::start().await;
    let address = server.listen().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"POST /debug.ping HTTP/1.1\r\nhost: h\r\ncontent-length: 100\r\n\r\n{\"a\":")
        .await
        .unwrap();
    drop(stream);
    alive(address).await;
}

#[tokio::test]
async fn bodies_that_never_come_are_400() {
    let server = TestServer::with_settings(|settings| {
        settings.api.body_timeout = std::time::Duration::from_millis(20);
    })
    .await;
    let stalled = Body::from_stream(futures::stream::pending::<Result<axum::body::Bytes, std::io::Error>>());
    let response = server.anonymous().post("debug.ping", "application/json", stalled).await;
    assert_eq!(response.code(), (400, 0));
}

#[tokio::test]
async fn large_bodies_are_413() {
    let server = TestServer::with_settings(|settings| settings.api.max_body = 2 << 20).await;
    let user = server.user().await;
    let long = json!({"name": "a".repeat(3 << 20)}).to_string();
    assert_eq!(user.post("users.get_all", "application/json", long.clone()).await.code(), (413, 0));
    // Without a declared length the bound holds as well.
    let chunks = futures::stream::iter([Ok::<_, std::io::Error>(axum::body::Bytes::from(long))]);
    assert_eq!(
        user.post("users.get_all", "application/json", Body::from_stream(chunks)).await.code(),
        (413, 0)
    );
    // Strangers get less.
    let megabyte = json!({"name": "a".repeat(1 << 20)}).to_string();
    assert_eq!(
        server.anonymous().post("debug.ping", "application/json", megabyte.clone()).await.code(),
        (413, 0)
    );
    user.post("users.get_all", "application/json", megabyte).await.code();
}

#[tokio::test]
async fn values_and_sizes_of_json_are_bounded() {
    let server = TestServer::with_settings(|settings| {
        settings.api.json.values = 1000;
        settings.api.max_json = 100_000;
    })
    .await;
    let user = server.user().await;
    let list = |length: usize| json!({"id": vec![1; length]}).to_string();
    let post = async |kind: &str, body: String| user.post("events.add_batch", kind, body).await.code();
    assert_eq!(post("application/json", list(990)).await, (400, 131));
    assert_eq!(post("application/json", list(1000)).await, (413, 0));
    assert_eq!(post("application/json", json!({"a": "x".repeat(100_000)}).to_string()).await, (413, 0));
    // The bounds hold for each line of a batch.
    let lines = |line: &str, count: usize| format!("{line}\n").repeat(count);
    let event = r#"{"type": "log", "task": "unknown"}"#;
    assert_eq!(post("application/json-lines", lines(event, 10_000)).await, (400, 131));
    assert_eq!(post("application/json-lines", lines(event, 10) + &list(1000)).await, (413, 0));
    let long = json!({"a": "x".repeat(100_000)}).to_string();
    assert_eq!(post("application/json-lines", lines(event, 10) + &long).await, (413, 0));
    let fields: String = (0..2000).map(|number| format!("k{number}=v&")).collect();
    assert_eq!(post("application/x-www-form-urlencoded", fields).await, (413, 0));
    // What becomes documents is bounded as a whole.
    let update = lines(r#"{"task": "unknown", "name": "some name"}"#, 400);
    let response = user.post("tasks.update_batch", "application/json-lines", update).await;
    assert_eq!(response.code(), (413, 0));
}

#[tokio::test]
async fn strangers_wait_for_strangers_only() {
    let server = TestServer::with_settings(|settings| {
        settings.api.max_memory = 24 << 20;
        settings.api.memory_wait = std::time::Duration::from_millis(20);
    })
    .await;
    let (begun, stalls) = tokio::sync::oneshot::channel::<()>();
    let first = futures::stream::once(async {
        Ok::<_, std::io::Error>(axum::body::Bytes::from(vec![b' '; 1_000_000]))
    });
    let rest = futures::stream::once(async move {
        let _ = begun.send(());
        std::future::pending().await
    });
    let stranger = server.anonymous();
    let stalled = tokio::spawn(async move {
        stranger
            .post("debug.ping", "application/json", Body::from_stream(futures::StreamExt::chain(first, rest)))
            .await
    });
    stalls.await.unwrap();

    let megabyte = json!({"name": "a".repeat(500_000)}).to_string();
    let busy = server.anonymous().post("debug.ping", "application/json", megabyte.clone()).await;
    assert_eq!(busy.code(), (503, 0));
    assert_eq!(busy.header("retry-after"), "1");
    // Small requests and known callers go on.
    server.anonymous().ok("debug.ping", json!({"a": 1})).await;
    let user = server.user().await;
    assert_eq!(user.post("users.get_current_user", "application/json", megabyte).await.code(), (200, 0));
    stalled.abort();
}

#[tokio::test]
async fn patterns_that_take_too_long_are_400_21() {
    if crate::support::left_out_on_cluster("MongoDB has limits of its own for patterns") {
        return;
    }
    let server = TestServer::start().await;
    let user = server.user().await;
    let tasks = (0..200).map(|number| {
        Write::Insert(bson::doc! {
            "_id": format!("t{number}"), "company": crate::support::COMPANY, "name": format!("{}{number}", "a".repeat(60)),
        })
    });
    server.app.documents.write(Collection::Task, tasks.collect()).await.unwrap();
    for pattern in
        [r"^(a|aa)+\1c$", r"(a|aa)+\1(?<!a)c$", "((a{1000}){1000}){1000}", "(", &"a".repeat(20_000)]
    {
        let response = user.call("tasks.get_all", json!({"name": pattern, "only_fields": ["id"]})).await;
        assert_eq!(response.code(), (400, 21), "{pattern:.20}");
    }
    let found = user.ok("tasks.get_all", json!({"name": r"^a+7$", "only_fields": ["id"]})).await;
    assert_eq!(found["tasks"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn ten_megabytes_of_text_are_fine() {
    let server = TestServer::start().await;
    let user = server.user().await;
    let text = "x".repeat(10 << 20);
    let answer =
        user.ok("users.set_preferences", json!({"preferences": {"a": text}, "return_updated": false})).await;
    assert_eq!(answer["updated"], 1);
    let stored = user.ok("users.get_preferences", json!({})).await;
    assert_eq!(stored["preferences"]["a"].as_str().unwrap().len(), 10 << 20);
}

#[tokio::test]
async fn deep_nesting_is_400() {
    let server = TestServer::start().await;
    let user = server.user().await;
    for body in [
        "[".repeat(1_000_000),
        "{\"a\":".repeat(200_000),
        format!("{{\"a\":{}{}}}", "[".repeat(5000), "]".repeat(5000)),
    ] {
        assert_eq!(user.post("users.get_all", "application/json", body).await.code(), (400, 0));
    }
    let deep_argument = format!("/users.get_all?{}=1", vec!["a"; 5000].join("."));
    let request = Request::get(deep_argument).body(Body::empty()).unwrap();
    assert_eq!(user.send(request).await.code(), (400, 0));
}

#[tokio::test]
async fn too_many_values_are_413() {
    let server = TestServer::start().await;
    let user = server.user().await;
    let body = format!("{{\"a\":[{}0]}}", "0,".repeat(2_000_001));
    assert_eq!(user.post("users.get_all", "application/json", body).await.code(), (413, 0));
    let body = format!("{{\"a\":[{}0]}}", "0,".repeat(60_000));
    assert_eq!(user.post("users.get_all", "application/json", body.clone()).await.code(), (200, 0));
    assert_eq!(server.anonymous().post("debug.ping", "application/json", body).await.code(), (413, 0));
}

#[tokio::test]
async fn lone_surrogates_and_python_literals_do_not_fail() {
    let server = TestServer::start().await;
    let user = server.user().await;
    let body = r#"{"preferences": {"log": "a\udc80b", "loss": NaN, "max": Infinity}, "method": "get"}"#;
    assert_eq!(user.post("users.set_preferences", "application/json", body).await.code(), (200, 0));
    let response = user.call("users.get_preferences", json!({})).await;
    let text = String::from_utf8_lossy(&response.body).into_owned();
    assert!(text.contains(r#"{"log":"a\ufffdb","loss":NaN,"max":Infinity}"#), "{text}");
}

#[tokio::test]
async fn huge_numbers_do_not_fail() {
    let server = TestServer::start().await;
    let user = server.user().await;
    let huge = format!(
        "{{\"preferences\": {{\"a\": {}, \"b\": 1e999, \"c\": -{}}}}}",
        "9".repeat(400),
        "9".repeat(30)
    );
    assert_eq!(user.post("users.set_preferences", "application/json", huge).await.code(), (200, 0));
    user.call("users.get_preferences", json!({})).await.code();
    for number in ["1e300", "99999999999999999999", "-1e300", "NaN", "Infinity"] {
        let body = format!("{{\"expiration_sec\": {number}}}");
        assert_eq!(user.post("auth.login", "application/json", body).await.code(), (400, 12), "{number}");
    }
}

#[tokio::test]
async fn wrong_types_are_4xx_everywhere() {
    let server = TestServer::start().await;
    let user = server.user().await;
    let wrong = [
        json!(5),
        json!(1.5),
        json!("x"),
        json!(true),
        json!([1, [2]]),
        json!({"a": {"$b": 1}}),
        json!(null),
    ];
    for (endpoint, field) in [
        ("auth.create_credentials", "label"),
        ("auth.edit_credentials", "access_key"),
        ("auth.revoke_credentials", "access_key"),
        ("users.get_by_id", "user"),
        ("users.update", "user"),
        ("users.set_preferences", "preferences"),
        ("users.get_all_ex", "active_in_projects"),
        ("users.get_all_ex", "id"),
        ("users.get_all", "name"),
        ("users.get_all", "only_fields"),
        ("users.get_all", "order_by"),
        ("server.report_stats_option", "enabled"),
    ] {
        for value in &wrong {
            let response = user.call(endpoint, json!({ field: value })).await;
            let (code, _) = response.code();
            assert!(code < 500, "{endpoint} {field}={value}: {}", response.message());
        }
    }
}

#[tokio::test]
async fn no_endpoint_fails_on_odd_values() {
    let server = TestServer::start().await;
    let user = server.user_with_role(Role::Root).await;
    let listed = user.ok("server.endpoints", json!({})).await;
    let fields = [
        "task",
        "tasks",
        "project",
        "model",
        "queue",
        "worker",
        "id",
        "ids",
        "name",
        "type",
        "tags",
        "page",
        "size",
        "order_by",
        "metrics",
        "timeout",
        "interval",
        "iters",
        "key",
        "scroll_id",
        "search_text",
    ];
    let odd =
        [json!(i64::MAX), json!(-1), json!("\u{0}"), json!([null, {"$x": [{}]}]), json!({"": {"a.b": null}})];
    for endpoint in listed["endpoints"].as_object().unwrap().keys() {
        for value in &odd {
            let mut request: serde_json::Map<String, Value> =
                fields.iter().map(|field| ((*field).to_owned(), value.clone())).collect();
            let response = user.call(endpoint, Value::Object(request.clone())).await;
            assert!(response.code().0 < 500, "{endpoint} {value}: {}", response.message());
            // The same values beside fields that are right reach further.
            for field in ["task", "project", "model", "queue", "worker", "id", "name", "type"] {
                request.insert(field.to_owned(), json!("training"));
            }
            request.insert("tasks".to_owned(), json!(["training"]));
            request.insert("ids".to_owned(), json!(["training"]));
            let response = user.call(endpoint, Value::Object(request)).await;
            assert!(response.code().0 < 500, "{endpoint} {value}: {}", response.message());
        }
    }
}

#[tokio::test]
async fn patterns_and_searches_that_cannot_be_answered_are_400() {
    if crate::support::left_out_on_cluster("the stand-in for MongoDB has no text indexes") {
        return;
    }
    let server = TestServer::start().await;
    let user = server.user().await;
    for (endpoint, request, code) in [
        ("projects.get_all", json!({"name": "x".repeat(100_000)}), (400, 21)),
        ("projects.get_all", json!({"name": "("}), (400, 21)),
        ("queues.get_all", json!({"search_text": "x"}), (400, 12)),
    ] {
        assert_eq!(user.call(endpoint, request).await.code(), code, "{endpoint}");
    }
}

#[tokio::test]
async fn unknown_fields_are_ignored() {
    let server = TestServer::start().await;
    let user = server.user().await;
    let request = json!({"method": "get", "unknown": {"$set": 1, "": [null]}, "_x": Value::Null});
    for endpoint in
        ["users.get_current_user", "auth.login", "auth.get_credentials", "users.get_all", "debug.ping"]
    {
        user.ok(endpoint, request.clone()).await;
    }
}

#[tokio::test]
async fn keys_that_look_like_bson_types_are_keys() {
    let server = TestServer::start().await;
    let user = server.user().await;
    for endpoint in ["projects.get_all", "projects.get_all_ex", "tasks.get_all"] {
        user.ok(endpoint, json!({"$oid": "x", "$minKey": 1})).await;
    }
}

#[tokio::test]
async fn odd_paths_are_400() {
    let client = TestServer::start().await.anonymous();
    for path in [
        "/../debug.ping",
        "/%2e%2e/debug.ping",
        "/debug.ping%00",
        "/%FF.%FE",
        "/debug.ping;x",
        "//debug.ping",
        "/v2.31/../debug.ping",
        "/debug.ping%0d%0aX:%20y",
    ] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = client.send(request).await;
        assert_eq!(response.code(), (400, 0), "{path}");
    }
    let long = format!("/{}.ping", "a".repeat(60_000));
    assert_eq!(client.send(Request::get(long).body(Body::empty()).unwrap()).await.code(), (404, 0));
}
