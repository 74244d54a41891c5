//! Paths, versions, bodies, envelope and headers (spec 01 §1, §2).

use std::sync::Arc;

use axum::body::Body;
use bson::{Document, doc};
use clearml_apiserver::{
    App,
    api::{Access, ApiResult, Call, Registry, Reply, document_endpoint},
};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::support::{Client, Response, TestServer};

/// A server with endpoints that show what a handler gets.
async fn echo_server() -> TestServer {
    echo_server_with(|_| {}).await
}

async fn echo_server_with(change: impl FnOnce(&mut clearml_apiserver::Settings)) -> TestServer {
    async fn echo(_: Arc<App>, call: Arc<Call>, request: Document) -> ApiResult {
        Ok(doc! {
            "request": request,
            "worker": &call.worker,
            "ip": &call.caller_ip,
            "host": &call.host,
            "batch": call.batch.as_ref().map(|batch| String::from_utf8_lossy(batch).into_owned()),
        }
        .into())
    }
    async fn newer(_: Arc<App>, _: Arc<Call>, _: Document) -> ApiResult {
        Ok(doc! {"newer": true}.into())
    }
    async fn panics(_: Arc<App>, _: Arc<Call>, _: Document) -> ApiResult {
        panic!("a bug")
    }
    async fn unserializable(_: Arc<App>, _: Arc<Call>, _: Document) -> ApiResult {
        Ok(doc! {"a": bson::Bson::MinKey}.into())
    }
    async fn values(_: Arc<App>, _: Arc<Call>, _: Document) -> ApiResult {
        let date = bson::DateTime::from_millis(1_704_164_645_147);
        Ok(doc! {"date": date, "float": 1.0, "big": 1e16, "nan": f64::NAN, "text": "é😀", "null": null}
            .into())
    }
    async fn file(_: Arc<App>, call: Arc<Call>, _: Document) -> ApiResult {
        let file_name = call.data.get_str("name").unwrap_or("task.log").to_owned();
        Ok(Reply::Raw { content_type: "text/plain", file_name, body: Body::from("log") })
    }
    async fn long(_: Arc<App>, call: Arc<Call>, _: Document) -> ApiResult {
        let length = call.data.get_i64("length").unwrap_or(10_000) as usize;
        Ok(doc! {"text": "a".repeat(length)}.into())
    }
    async fn json(_: Arc<App>, _: Arc<Call>, _: Document) -> ApiResult {
        Ok(Reply::Json(b"{\"a\":[1,2]}".to_vec()))
    }
    let registry = Registry::new([
        document_endpoint("test.echo", 1, 0, echo).access(Access::Open),
        document_endpoint("test.echo_batch", 1, 0, echo).access(Access::Open).batch(),
        document_endpoint("test.versions", 1, 0, echo).access(Access::Open),
        document_endpoint("test.versions", 2, 9, newer).access(Access::Open),
        document_endpoint("test.late", 2, 13, newer).access(Access::Open),
        document_endpoint("test.required", 1, 0, echo).access(Access::Open).required(&["name", "id"]),
        document_endpoint("test.panics", 1, 0, panics).access(Access::Open),
        document_endpoint("test.unserializable", 1, 0, unserializable).access(Access::Open),
        document_endpoint("test.values", 1, 0, values).access(Access::Open),
        document_endpoint("test.file", 1, 0, file).access(Access::Open),
        document_endpoint("test.long", 1, 0, long).access(Access::Open),
        document_endpoint("test.json", 1, 0, json).access(Access::Open),
        document_endpoint("test.closed", 1, 0, echo),
    ]);
    TestServer::with_endpoints(change, Arc::new(registry)).await
}

async fn get(client: &Client, path: &str) -> Response {
    client.send(Request::get(path).body(Body::empty()).unwrap()).await
}

async fn echoed(client: &Client, request: Request<Body>) -> Value {
    let response = client.send(request).await;
    assert_eq!(response.code(), (200, 0), "{}", response.message());
    response.data()["request"].clone()
}

async fn echoed_body(content_type: &str, body: &str) -> Value {
    let client = echo_server().await.anonymous();
    let request = Request::post("/test.echo").header("content-type", content_type);
    echoed(&client, request.body(Body::from(body.to_owned())).unwrap()).await
}

async fn refused_body(content_type: &str, body: impl Into<Body>) -> (u64, u64, String) {
    let client = echo_server().await.anonymous();
    let response = client.post("test.echo", content_type, body).await;
    let (code, subcode) = response.code();
    (code, subcode, response.message().to_owned())
}

#[tokio::test]
async fn a_success_has_the_whole_envelope() {
    let client = echo_server().await.anonymous();
    let response = get(&client, "/v2.23/test.echo").await;
    let meta = &response.json["meta"];
    let id = meta["id"].as_str().unwrap();
    assert_eq!(id.len(), 32);
    assert!(id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)));
    assert_eq!(
        *meta,
        json!({
            "id": id, "trx": id,
            "endpoint": {"name": "test.echo", "requested_version": "2.23", "actual_version": "1.0"},
            "result_code": 200, "result_subcode": 0, "result_msg": "OK", "error_stack": null, "error_data": {},
        })
    );
    assert_eq!(response.header("content-type"), "application/json");
    assert_eq!(response.header("server"), "clearml");
    assert_eq!(response.header("vary"), "Accept-Encoding");
    let other = get(&client, "/v2.23/test.echo").await;
    assert_ne!(other.json["meta"]["id"], response.json["meta"]["id"]);
}

#[tokio::test]
async fn an_error_has_null_stack_and_empty_data() {
    let response = get(&echo_server().await.anonymous(), "/test.closed").await;
    assert_eq!(response.status, StatusCode::UNAUTHORIZED);
    let meta = &response.json["meta"];
    assert_eq!(meta["result_code"], 401);
    assert_eq!(meta["result_subcode"], 20);
    assert_eq!(meta["result_msg"], "Unauthorized (missing credentials)");
    assert_eq!(meta["error_stack"], Value::Null);
    assert_eq!(meta["error_data"], json!({}));
    assert_eq!(
        meta["endpoint"],
        json!({"name": "test.closed", "requested_version": "2.34", "actual_version": "1.0"})
    );
    assert_eq!(response.json["data"], json!({}));
}

#[tokio::test]
async fn invalid_paths_are_400_0() {
    let client = echo_server().await.anonymous();
    for path in ["/", "/api/test.echo", "/v2/test.echo", "/v2.1.3/test.echo", "/test", "/V2.1/test.echo"] {
        let response = get(&client, path).await;
        assert_eq!(response.code(), (400, 0), "{path}");
        assert_eq!(response.message(), format!("Invalid request path {path}"));
        assert_eq!(
            response.json["meta"]["endpoint"],
            json!({"name": "", "requested_version": 1.0, "actual_version": null})
        );
    }
    let response = get(&client, "/v2.01/test.echo").await;
    assert_eq!(response.code(), (400, 2));
    assert!(response.message().starts_with("Request path has invalid version: version=2.01, reason="));
    assert_eq!(response.json["meta"]["endpoint"]["name"], "");
}

#[tokio::test]
async fn unknown_endpoints_are_404_0() {
    let client = echo_server().await.anonymous();
    for (path, name, version) in [
        ("/test.nothing", "test.nothing", "2.34"),
        ("/v2.5/users.get_vaults", "users.get_vaults", "2.5"),
        ("/v2.12/test.late", "test.late", "2.12"),
        ("/v0.9/test.echo", "test.echo", "0.9"),
        ("/Test.echo", "Test.echo", "2.34"),
    ] {
        let response = get(&client, path).await;
        assert_eq!(response.code(), (404, 0), "{path}");
        let message = format!("Unable to find endpoint for name {name} and version {version}");
        assert_eq!(response.message(), message);
        assert_eq!(response.json["meta"]["endpoint"]["name"], name);
        assert_eq!(response.json["meta"]["endpoint"]["actual_version"], Value::Null);
        assert_eq!(response.json["data"], json!({}));
    }
}

#[tokio::test]
async fn the_newest_implementation_that_is_not_newer_answers() {
    let client = echo_server().await.anonymous();
    for (path, actual, is_newer) in [
        ("/test.versions", "2.9", true),
        ("/v999.0/test.versions", "2.9", true),
        ("/v2.10/test.versions", "2.9", true),
        ("/v2.9/test.versions", "2.9", true),
        ("/v2.8/test.versions", "1.0", false),
        ("/v12/test.versions", "2.9", true),
    ] {
        let response = get(&client, path).await;
        assert_eq!(response.code(), (200, 0), "{path}");
        assert_eq!(response.json["meta"]["endpoint"]["actual_version"], actual, "{path}");
        assert_eq!(response.data()["newer"] == true, is_newer, "{path}");
    }
}

#[tokio::test]
async fn versions_below_2_1_are_numbers() {
    let response = get(&echo_server().await.anonymous(), "/v1.7/test.echo").await;
    assert_eq!(
        response.json["meta"]["endpoint"],
        json!({"name": "test.echo", "requested_version": 1.7, "actual_version": 1.0})
    );
    let response = get(&echo_server().await.anonymous(), "/v2.1/test.echo").await;
    assert_eq!(response.json["meta"]["endpoint"]["requested_version"], "2.1");
}

#[tokio::test]
async fn versions_can_be_required_and_capped() {
    let server = echo_server_with(|settings| {
        settings.api.version_required = true;
        settings.api.check_max_version = true;
    })
    .await;
    let client = server.anonymous();
    assert_eq!(get(&client, "/test.echo").await.code(), (400, 0));
    assert_eq!(get(&client, "/v2.31/test.echo").await.code(), (200, 0));
    let response = get(&client, "/v2.35/test.echo").await;
    assert_eq!(response.code(), (400, 0));
    assert_eq!(response.message(), "Invalid API version (max. supported version is 2.34)");
}

#[tokio::test]
async fn a_prefix_can_be_stripped() {
    let server = echo_server_with(|settings| settings.api.strip_prefix = "/api".into()).await;
    assert_eq!(get(&server.anonymous(), "/api/v2.31/test.echo").await.code(), (200, 0));
    assert_eq!(get(&server.anonymous(), "/test.echo").await.code(), (200, 0));
}

#[tokio::test]
async fn every_method_takes_a_body() {
    let client = echo_server().await.anonymous();
    for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let request = Request::builder().method(method.clone()).uri("/test.echo");
        let request = request.body(Body::from("{\"a\":1}")).unwrap();
        assert_eq!(echoed(&client, request).await, json!({"a": 1}), "{method}");
    }
    let request =
        Request::builder().method("PURGE").uri("/test.echo/").body(Body::from("{\"a\":1}")).unwrap();
    assert_eq!(echoed(&client, request).await, json!({"a": 1}));
}

#[tokio::test]
async fn head_has_no_body() {
    let server = echo_server().await;
    let request = Request::head("/test.echo").body(Body::empty()).unwrap();
    let response = server.anonymous().send(request).await;
    assert_eq!(response.status, StatusCode::OK);
    assert!(response.body.is_empty());
}

#[tokio::test]
async fn options_is_empty_on_any_path() {
    let client = echo_server().await.anonymous();
    for path in ["/test.echo", "/", "/what/ever"] {
        let request = Request::builder().method("OPTIONS").uri(path).body(Body::empty()).unwrap();
        let response = client.send(request).await;
        assert_eq!(response.status, StatusCode::OK);
        assert!(response.body.is_empty());
        assert_eq!(response.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(response.header("access-control-allow-origin"), "");
    }
}

#[tokio::test]
async fn encoded_bodies_are_415() {
    let client = echo_server().await.anonymous();
    let request =
        Request::post("/test.echo").header("content-encoding", "gzip").body(Body::from("x")).unwrap();
    let response = client.send(request).await;
    assert_eq!(response.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(response.body, "Content encoding is not supported (gzip)");
}

#[tokio::test]
async fn static_paths_are_no_calls() {
    let response = get(&echo_server().await.anonymous(), "/static/test.echo").await;
    assert_eq!(response.status, StatusCode::NOT_FOUND);
    assert!(response.header("content-type").starts_with("text/html"));
    assert_eq!(response.json, Value::Null);
}

#[tokio::test]
async fn bodies_are_json_whatever_their_content_type() {
    for content_type in ["application/json", "text/plain", "", "application/json-lines; charset=utf-8", "x"] {
        assert_eq!(
            echoed_body(content_type, "{\"a\": {\"b\": [1, null]}}").await,
            json!({"a": {"b": [1, null]}})
        );
    }
}

#[tokio::test]
async fn falsy_bodies_are_empty_objects() {
    for body in ["", "null", "{}", "[]", "0", "\"\"", "false", "0.0"] {
        assert_eq!(echoed_body("application/json", body).await, json!({}), "{body:?}");
    }
}

#[tokio::test]
async fn malformed_bodies_are_400_0() {
    let text = "The browser (or proxy) sent a request that this server could not understand.";
    for body in ["{", "{\"a\":}", "nope", " ", "{\"a\":1}}"] {
        assert_eq!(refused_body("application/json", body).await, (400, 0, text.to_owned()), "{body:?}");
    }
    assert_eq!(
        refused_body("application/json", b"{\"a\":\"\xff\"}".to_vec()).await,
        (400, 0, text.to_owned())
    );
}

#[tokio::test]
async fn other_values_are_400_0() {
    for body in ["[1]", "1", "\"a\"", "true", "NaN"] {
        assert_eq!(
            refused_body("application/json", body).await,
            (400, 0, "Data should be a dict".to_owned()),
            "{body}"
        );
    }
}

#[tokio::test]
async fn python_literals_are_read_and_written() {
    let client = echo_server().await.anonymous();
    let response = client
        .post("test.echo", "application/json", "{\"a\":[NaN,Infinity,-Infinity],\"b\":\"\\udc80\"}")
        .await;
    let text = String::from_utf8(response.body.to_vec()).unwrap();
    assert!(text.contains(r#""request":{"a":[NaN,Infinity,-Infinity],"b":"\ufffd"}"#), "{text}");
}

#[tokio::test]
async fn values_are_written_as_python_writes_them() {
    let response = get(&echo_server().await.anonymous(), "/test.values").await;
    let text = String::from_utf8(response.body.to_vec()).unwrap();
    let data = concat!(
        r#""data":{"date":"2024-01-02T03:04:05.147000+00:00","float":1.0,"big":1e+16,"nan":NaN,"#,
        r#""text":"\u00e9\ud83d\ude00","null":null}}"#
    );
    assert!(text.ends_with(data), "{text}");
}

#[tokio::test]
async fn query_arguments_win_over_the_body() {
    let client = echo_server().await.anonymous();
    let uri = "/test.echo?a=5&b.c=x&l=1&l=2&m%5B%5D=true&f=1.5&s=-3&e=1e5";
    let request = Request::get(uri).body(Body::from("{\"a\":1,\"b\":{\"d\":2},\"z\":0}")).unwrap();
    assert_eq!(
        echoed(&client, request).await,
        json!({"a": 5, "b": {"d": 2, "c": "x"}, "z": 0, "l": [1, 2], "m": [true], "f": 1.5, "s": "-3", "e": "1e5"})
    );
}

#[tokio::test]
async fn forms_are_read() {
    let url_encoded = "application/x-www-form-urlencoded";
    assert_eq!(echoed_body(url_encoded, "a=1&b.c=x+y").await, json!({"a": 1, "b": {"c": "x y"}}));
    let with_charset = "application/x-www-form-urlencoded; charset=utf-8";
    assert_eq!(echoed_body(with_charset, "a=True").await, json!({"a": true}));
    let multipart = concat!(
        "--xx\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n1\r\n",
        "--xx\r\ncontent-disposition: form-data; name=\"f\"; filename=\"f.txt\"\r\n\r\nfile\r\n--xx--\r\n"
    );
    assert_eq!(echoed_body("multipart/form-data; boundary=xx", multipart).await, json!({"a": 1}));
    assert_eq!(refused_body("multipart/form-data", "x").await.0, 400);
    assert_eq!(refused_body("multipart/form-data; boundary=xx", "--xx\r\nbroken").await.0, 400);
    let client = echo_server().await.anonymous();
    let request = Request::post("/test.echo?a=1&b=2").header("content-type", url_encoded);
    assert_eq!(echoed(&client, request.body(Body::from("a=3")).unwrap()).await, json!({"a": [1, 3], "b": 2}));
}

#[tokio::test]
async fn batches_go_to_endpoints_that_take_them() {
    let client = echo_server().await.anonymous();
    let response = client.lines("test.echo_batch?a=1", &[json!({"a": 1}), json!({"b": 2})]).await;
    assert_eq!(response.data()["batch"], "{\"a\":1}\n{\"b\":2}");
    assert_eq!(response.data()["request"], json!({}));
    let response = client.post("test.echo_batch", "application/json-lines", "").await;
    assert_eq!(response.data()["batch"], Value::Null);
    assert_eq!(client.lines("test.echo", &[json!({})]).await.code(), (400, 0));
}

#[tokio::test]
async fn missing_required_keys_are_400_11() {
    let client = echo_server().await.anonymous();
    assert_eq!(
        client.error("test.required", json!({"id": 1})).await,
        (400, 11, "Missing required fields: missing=(name)".into())
    );
    assert_eq!(
        client.error("test.required", json!({})).await.2,
        "Missing required fields: missing=(name, id)"
    );
    client.ok("test.required", json!({"id": null, "name": null})).await;
}

#[tokio::test]
async fn panics_are_500_0_and_harm_nobody() {
    let client = echo_server().await.anonymous();
    let response = client.call("test.panics", json!({})).await;
    assert_eq!(response.code(), (500, 0));
    assert!(!response.message().contains("a bug"));
    client.ok("test.echo", json!({})).await;
}

#[tokio::test]
async fn stacks_are_returned_only_if_asked_for() {
    let server = echo_server_with(|settings| settings.api.return_stack = true).await;
    let response = server.anonymous().call("test.panics", json!({})).await;
    assert!(response.json["meta"]["error_stack"].is_string());
    let response = server.anonymous().call("test.closed", json!({})).await;
    assert_eq!(response.json["meta"]["error_stack"], Value::Null);
    let response = server.anonymous().call("test.echo", json!({})).await;
    assert_eq!(response.json["meta"]["error_stack"], "");
}

#[tokio::test]
async fn unserializable_results_are_500_0() {
    let response = echo_server().await.anonymous().call("test.unserializable", json!({})).await;
    assert_eq!(response.code(), (500, 0));
    assert!(response.message().starts_with("Error serializing response data: "), "{}", response.message());
    assert_eq!(*response.data(), json!({}));
}

#[tokio::test]
async fn ready_json_is_passed_on() {
    let client = echo_server().await.anonymous();
    assert_eq!(client.ok("test.json", json!({})).await, json!({"a": [1, 2]}));
}

#[tokio::test]
async fn raw_answers_are_attachments() {
    let client = echo_server().await.anonymous();
    let response = client.call("test.file", json!({"name": "my log.txt"})).await;
    assert_eq!(response.body, "log");
    assert_eq!(response.header("content-type"), "text/plain");
    assert_eq!(response.header("content-disposition"), "attachment; filename=\"my log.txt\"");
    assert_eq!(response.header("cache-control"), "no-store, max-age=0");
}

#[tokio::test]
async fn clearml_headers_win_over_trains_headers() {
    let client = echo_server().await.anonymous();
    let response = client.call("test.echo", json!({})).await;
    assert_eq!(response.data()["worker"], "<unknown>");
    let trains = client.clone().header("x-trains-worker", "old").header("x-trains-trx", "t1");
    let response = trains.call("test.echo", json!({})).await;
    assert_eq!(response.data()["worker"], "old");
    assert_eq!(response.json["meta"]["trx"], "t1");
    let both = trains.header("x-clearml-worker", "new").header("x-clearml-trx", "t2");
    let response = both.header("x-clearml-async", "1").call("test.echo", json!({})).await;
    assert_eq!(response.data()["worker"], "new");
    assert_eq!(response.json["meta"]["trx"], "t2");
    assert_eq!(response.status, StatusCode::OK);
}

#[tokio::test]
async fn the_callers_address_is_found() {
    let client = echo_server().await.anonymous();
    assert_eq!(client.call("test.echo", json!({})).await.data()["ip"], "untrackable");
    let real = client.header("x-real-ip", "10.0.0.2");
    assert_eq!(real.call("test.echo", json!({})).await.data()["ip"], "10.0.0.2");
    let forwarded = real.header("x-forwarded-for", "10.0.0.1, 10.0.0.9");
    assert_eq!(forwarded.call("test.echo", json!({})).await.data()["ip"], "10.0.0.1, 10.0.0.9");
}

#[tokio::test]
async fn the_host_is_told_without_its_port() {
    let client = echo_server().await.anonymous();
    for (header, host) in
        [("example.com:8008", "example.com"), ("example.com", "example.com"), ("[::1]:80", "[::1]")]
    {
        let response = client.clone().header("host", header).call("test.echo", json!({})).await;
        assert_eq!(response.data()["host"], host);
    }
}

#[tokio::test]
async fn long_answers_are_compressed_on_request() {
    let client = echo_server().await.anonymous();
    for (accepted, encoding) in [
        ("gzip, deflate", "gzip"),
        ("deflate", "deflate"),
        ("gzip, deflate, br", "br"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1.0, br;q=0.5", "gzip"),
        ("identity", ""),
        ("", ""),
    ] {
        let response = client.clone().header("accept-encoding", accepted).call("test.long", json!({})).await;
        assert_eq!(response.status, StatusCode::OK);
        assert_eq!(response.header("content-encoding"), encoding, "{accepted}");
        assert_eq!(response.headers.get_all("vary").iter().count(), 1);
        assert_eq!(response.body.len() < 1000, !encoding.is_empty());
    }
    let short =
        client.clone().header("accept-encoding", "gzip").call("test.long", json!({"length": 10})).await;
    assert_eq!(short.header("content-encoding"), "");
    let failed =
        client.header("accept-encoding", "gzip").call(&format!("test.{}", "a".repeat(1000)), json!({})).await;
    assert_eq!(failed.status, StatusCode::NOT_FOUND);
    assert_eq!(failed.header("content-encoding"), "");
}

#[tokio::test]
async fn compression_can_be_switched_off() {
    let server = echo_server_with(|settings| settings.api.compress = false).await;
    let client = server.anonymous().header("accept-encoding", "gzip");
    assert_eq!(client.call("test.long", json!({})).await.header("content-encoding"), "");
}

#[tokio::test]
async fn other_origins_may_call() {
    let client = echo_server().await.anonymous().header("origin", "https://app.example.com");
    let response = client.call("test.echo", json!({})).await;
    assert_eq!(response.header("access-control-allow-origin"), "https://app.example.com");
    assert_eq!(response.header("access-control-allow-credentials"), "true");
    assert!(response.headers.get_all("vary").iter().any(|value| value == "Origin"));
    assert_eq!(response.header("access-control-allow-methods"), "");
    // Errors too, or the page could not read them.
    let response = client.call("test.closed", json!({})).await;
    assert_eq!(response.header("access-control-allow-origin"), "https://app.example.com");
}

#[tokio::test]
async fn preflights_name_methods_and_headers() {
    let client = echo_server().await.anonymous();
    let request = Request::builder()
        .method("OPTIONS")
        .uri("/test.closed")
        .header("origin", "https://app.example.com")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "x-clearml-client, authorization,content-type")
        .body(Body::empty())
        .unwrap();
    let response = client.send(request).await;
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(response.header("access-control-allow-origin"), "https://app.example.com");
    assert_eq!(
        response.header("access-control-allow-methods"),
        "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
    );
    assert_eq!(
        response.header("access-control-allow-headers"),
        "authorization, content-type, x-clearml-client"
    );
    assert_eq!(response.header("access-control-max-age"), "");
}

#[tokio::test]
async fn origins_can_be_restricted() {
    let server = echo_server_with(|settings| {
        settings.api.cors.origins = vec!["https://good.example.com".into()];
        settings.api.cors.supports_credentials = false;
        settings.api.server_header = "other".into();
    })
    .await;
    let allowed = |origin: &str| {
        let client = server.anonymous().header("origin", origin);
        async move { client.call("test.echo", json!({})).await }
    };
    let response = allowed("https://good.example.com").await;
    assert_eq!(response.header("access-control-allow-origin"), "https://good.example.com");
    assert_eq!(response.header("access-control-allow-credentials"), "");
    assert_eq!(response.header("server"), "other");
    assert_eq!(allowed("https://bad.example.com").await.header("access-control-allow-origin"), "");
}
