//! The file server through its HTTP interface (spec 06 §1), on the store that `crate::backend` opens.

use std::sync::Arc;

use async_trait::async_trait;
use axum::{Router, body::Body};
use clearml_files::{Entry, FileError, FilePath, FileStore, suite};
use clearml_fileserver::{FileServer, FileServerSettings, Refusal, TokenCheck, router};
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::backend;

struct OneToken;

#[async_trait]
impl TokenCheck for OneToken {
    async fn check(&self, token: &str) -> Result<(), Refusal> {
        if token == "good" {
            return Ok(());
        }
        Err(Refusal { status: StatusCode::UNAUTHORIZED, message: "Signature has expired".to_owned() })
    }
}

struct Server {
    files: Arc<dyn FileStore>,
    router: Router,
    _guard: Box<dyn std::any::Any>,
}

/// `None`: there is no such store here.
async fn server_with(settings: FileServerSettings, auth: bool) -> Option<Server> {
    let (files, guard) = backend::open().await?;
    let tokens = auth.then(|| Arc::new(OneToken) as Arc<dyn TokenCheck>);
    let router = router(Arc::new(FileServer { settings, files: Arc::clone(&files), tokens }));
    Some(Server { files, router, _guard: Box::new(guard) })
}

async fn server() -> Option<Server> {
    server_with(FileServerSettings::default(), false).await
}

impl Server {
    async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn call(
        &self,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    async fn upload(&self, parts: &[(&str, &str)]) -> Response<Body> {
        self.call("POST", "/", &[("content-type", "multipart/form-data; boundary=B")], form(parts)).await
    }

    async fn put(&self, path: &str, content: &[u8]) {
        suite::store(&*self.files, path, content).await.unwrap();
    }

    async fn content(&self, path: &str) -> Option<Vec<u8>> {
        let size = match self.files.entry(&FilePath::parse(path).unwrap()).await {
            Ok(Entry::File { size, .. }) => size,
            Ok(Entry::Folder) | Err(FileError::NotFound | FileError::NotAFile) => return None,
            Err(error) => panic!("{path}: {error}"),
        };
        Some(suite::load(&*self.files, path, 0..size).await.unwrap())
    }
}

fn form(parts: &[(&str, &str)]) -> String {
    let mut body = String::new();
    for (disposition, content) in parts {
        body += &format!("--B\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{content}\r\n");
    }
    body + "--B--\r\n"
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

async fn json_of(response: Response<Body>) -> Value {
    serde_json::from_str(&text(response).await).unwrap()
}

fn head<'r>(response: &'r Response<Body>, name: &str) -> &'r str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn the_root_answers_ok() {
    let Some(server) = server().await else { return };
    for method in ["GET", "HEAD"] {
        let response = server.call(method, "/", &[], "").await;
        assert_eq!((response.status(), head(&response, "server")), (StatusCode::OK, "clearml"));
    }
    assert_eq!(text(server.call("GET", "/", &[], "").await).await, "OK");
}

#[tokio::test]
async fn field_names_are_paths_and_come_back_in_order() {
    let Some(server) = server().await else { return };
    let response = server
        .upload(&[
            (r#"name="/P/t é#.1/a%20b.txt"; filename="x""#, "one"),
            (r#"name="note""#, "not a file"),
            (r#"name="q%22\"\\.txt"; filename="""#, "two"),
            (r#"name="q%22\"\\.txt"; filename="""#, "ignored"),
            (r#"name="/"; filename="""#, "skipped"),
        ])
        .await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(json_of(response).await, json!(["P/t é#.1/a%20b.txt", "q\"\"\\.txt"]));
    assert_eq!(server.content("P/t é#.1/a%20b.txt").await.unwrap(), b"one");
    assert_eq!(server.content("q\"\"\\.txt").await.unwrap(), b"two");
}

#[tokio::test]
async fn an_upload_that_is_no_form_stores_nothing() {
    let Some(server) = server().await else { return };
    for (content_type, body) in
        [("text/plain", "x"), ("multipart/form-data", "x"), ("multipart/form-data; boundary=B", "garbage")]
    {
        let response = server.call("POST", "/", &[("content-type", content_type)], body).await;
        assert_eq!(response.status(), StatusCode::OK, "{content_type}");
        assert_eq!(json_of(response).await, json!([]));
    }
}

#[tokio::test]
async fn paths_out_of_the_root_are_refused_and_earlier_parts_stay() {
    let Some(server) = server().await else { return };
    let response =
        server.upload(&[(r#"name="a"; filename="""#, "1"), (r#"name="../../evil"; filename="""#, "2")]).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(server.content("a").await.unwrap(), b"1");
    for path in ["/../x", "/%2e%2e/x", "/a/..%2f..%2fx", "/a%00b", "/.", "/.clearml-uploads/x"] {
        assert_eq!(server.call("GET", path, &[], "").await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_truncated_upload_leaves_nothing() {
    let Some(server) = server().await else { return };
    let body = form(&[(r#"name="cut"; filename="""#, "0123456789")]);
    let cut = body[..body.len() - 12].to_owned();
    let response =
        server.call("POST", "/", &[("content-type", "multipart/form-data; boundary=B")], cut).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(server.content("cut").await, None);
}

#[tokio::test]
async fn a_folder_is_no_target() {
    let Some(server) = server().await else { return };
    server.put("d/f", b"1").await;
    for name in ["d", "d/f/g"] {
        let response = server.upload(&[(&format!(r#"name="{name}"; filename="""#), "2")]).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR, "{name}");
    }
    assert_eq!(server.content("d/f").await.unwrap(), b"1");
}

#[tokio::test]
async fn uploads_over_the_limit_are_refused() {
    let Some(server) =
        server_with(FileServerSettings { max_upload_size: 300, ..Default::default() }, false).await
    else {
        return;
    };
    let big = "x".repeat(400);
    let response = server.upload(&[(r#"name="big"; filename="""#, &big)]).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(server.content("big").await, None);
    assert_eq!(server.upload(&[(r#"name="small"; filename="""#, "x")]).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn downloads_carry_name_type_and_validators() {
    let Some(server) = server().await else { return };
    server.put("a/é b.csv.gz", b"0123456789").await;
    let response = server.call("GET", "/a//%C3%A9%20b.csv.gz/?tenant=1", &[], "").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(head(&response, "content-type"), "application/octet-stream");
    assert_eq!(head(&response, "content-encoding"), "");
    assert_eq!(head(&response, "content-length"), "10");
    assert_eq!(head(&response, "accept-ranges"), "bytes");
    assert_eq!(head(&response, "cache-control"), "public, max-age=300");
    assert_eq!(
        head(&response, "content-disposition"),
        "inline; filename=\" b.csv.gz\"; filename*=UTF-8''%C3%A9%20b.csv.gz"
    );
    let (tag, date) = (head(&response, "etag").to_owned(), head(&response, "last-modified").to_owned());
    assert_eq!(text(response).await, "0123456789");

    let path = "/a/%C3%A9%20b.csv.gz";
    for condition in [("if-none-match", tag.as_str()), ("if-modified-since", date.as_str())] {
        let response = server.call("GET", path, &[condition], "").await;
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(text(response).await, "");
    }
    let head_only = server.call("HEAD", path, &[], "").await;
    assert_eq!((head(&head_only, "content-length"), head_only.status()), ("10", StatusCode::OK));
    let attachment = server.call("GET", "/a/%C3%A9%20b.csv.gz?download=", &[], "").await;
    assert!(head(&attachment, "content-disposition").starts_with("attachment;"));
    for missing in ["/a", "/nothing", "/a/%C3%A9%20b.csv.gz/x"] {
        assert_eq!(server.call("GET", missing, &[], "").await.status(), StatusCode::NOT_FOUND, "{missing}");
    }
}

#[tokio::test]
async fn one_range_is_answered_others_are_not() {
    let Some(server) = server().await else { return };
    server.put("r", b"0123456789").await;
    for (range, expected, content_range) in [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=8-99", "89", "bytes 8-9/10"),
    ] {
        let response = server.call("GET", "/r", &[("range", range)], "").await;
        assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!(head(&response, "content-range"), content_range);
        assert_eq!(text(response).await, expected);
    }
    for range in ["bytes=10-", "bytes=5-2", "bytes=0-1,3-4", "bytes=x-y", "bytes=-0"] {
        let response = server.call("GET", "/r", &[("range", range)], "").await;
        assert_eq!(response.status(), StatusCode::RANGE_NOT_SATISFIABLE, "{range}");
        assert_eq!(head(&response, "content-range"), "bytes */10");
    }
    let stale = [("range", "bytes=0-1"), ("if-range", "\"other\"")];
    assert_eq!(text(server.call("GET", "/r", &stale, "").await).await, "0123456789");
}

#[tokio::test]
async fn browsers_are_told_not_to_cache_if_wanted() {
    let Some(server) =
        server_with(FileServerSettings { disable_browser_caching: true, ..Default::default() }, false).await
    else {
        return;
    };
    server.put("r", b"0").await;
    let response = server.call("GET", "/r", &[], "").await;
    assert_eq!((head(&response, "cache-control"), head(&response, "expires")), ("no-cache", "0"));
}

#[tokio::test]
async fn one_file_is_deleted() {
    let Some(server) = server().await else { return };
    server.put("d/é", b"0").await;
    let response = server.call("DELETE", "/d/%C3%A9", &[], "").await;
    assert_eq!(json_of(response).await, json!("d/é"));
    assert_eq!(server.content("d/é").await, None);
    for path in ["/d/%C3%A9", "/d", "/../x"] {
        assert_eq!(server.call("DELETE", path, &[], "").await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn many_are_deleted_with_a_reason_for_each_that_is_not() {
    let Some(server) = server().await else { return };
    for path in ["a b", "c+d", "folder/x/y", "keep"] {
        server.put(path, b"0").await;
    }
    let files = ["a+b", "c+d", "folder", "", "/", ".", "keep/..", "../x", "/keep", "gone", "x%2Fy"];
    let body = json!({ "files": files }).to_string();
    let response = server.call("POST", "/delete_many", &[], body).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(
        json_of(response).await,
        json!({
            "deleted": {"a+b": "a b", "c+d": "c+d", "folder": "folder"},
            "errors": {
                "Empty path not allowed": ["", "/"],
                "Not found": [".", "keep/..", "../x", "/keep", "gone", "x%2Fy"],
            },
        })
    );
    assert_eq!(server.content("keep").await.unwrap(), b"0");
    for body in
        ["", "nonsense", "null", "{}", "[]", r#"{"files": []}"#, r#"{"files": "x"}"#, r#"{"files": [1]}"#]
    {
        let response = server.call("POST", "/delete_many", &[], body).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{body}");
    }
    let Some(without) =
        server_with(FileServerSettings { allow_batch_delete: false, ..Default::default() }, false).await
    else {
        return;
    };
    let response = without.call("POST", "/delete_many", &[], "{}").await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn only_bearers_of_valid_tokens_come_in() {
    let Some(server) = server_with(FileServerSettings::default(), true).await else { return };
    server.put("f", b"0").await;
    let status = async |method: &str, path: &str, headers: &[(&str, &str)]| {
        server.call(method, path, headers, "").await.status()
    };
    assert_eq!(status("GET", "/f", &[]).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status("GET", "/f", &[("authorization", "Bearer good")]).await, StatusCode::OK);
    assert_eq!(status("GET", "/f", &[("cookie", "x=1; clearml_token_basic=good")]).await, StatusCode::OK);
    assert_eq!(status("GET", "/f", &[("authorization", "Basic good")]).await, StatusCode::UNAUTHORIZED);
    let both = [("authorization", "Bearer bad"), ("cookie", "clearml_token_basic=good")];
    let response = server.call("GET", "/f", &both, "").await;
    assert_eq!(text(response).await, "Signature has expired");
    assert_eq!(status("GET", "/", &[]).await, StatusCode::OK);
    assert_eq!(status("GET", "/", &[("authorization", "Bearer bad")]).await, StatusCode::UNAUTHORIZED);
    for (method, path) in [("POST", "/"), ("DELETE", "/f"), ("POST", "/delete_many"), ("HEAD", "/f")] {
        assert_eq!(status(method, path, &[]).await, StatusCode::UNAUTHORIZED, "{method} {path}");
    }
    assert_eq!(status("OPTIONS", "/f", &[]).await, StatusCode::OK);
}

#[tokio::test]
async fn other_methods_are_refused_and_options_lists_the_right_ones() {
    let Some(server) = server().await else { return };
    for (method, path) in [("PUT", "/x"), ("PATCH", "/x"), ("POST", "/x"), ("DELETE", "/")] {
        let response = server.call(method, path, &[], "").await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        assert_ne!(head(&response, "allow"), "");
    }
    let response = server.call("OPTIONS", "/x", &[], "").await;
    assert_eq!((response.status(), head(&response, "allow")), (StatusCode::OK, "DELETE, GET, HEAD, OPTIONS"));
    let encoded = server.call("POST", "/", &[("content-encoding", "gzip")], "").await;
    assert_eq!(encoded.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn browsers_of_allowed_origins_may_call() {
    let Some(server) = server().await else { return };
    let preflight = [
        ("origin", "http://a"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "x-y"),
    ];
    let response = server.call("OPTIONS", "/", &preflight, "").await;
    assert_eq!(head(&response, "access-control-allow-origin"), "*");
    assert_eq!(
        head(&response, "access-control-allow-methods"),
        "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
    );
    assert_eq!(head(&response, "access-control-allow-headers"), "x-y");

    let settings = FileServerSettings { cors_origins: vec!["http://a".to_owned()], ..Default::default() };
    let Some(strict) = server_with(settings, false).await else { return };
    let allowed = strict.call("GET", "/nothing", &[("origin", "http://a")], "").await;
    assert_eq!(
        (head(&allowed, "access-control-allow-origin"), head(&allowed, "vary")),
        ("http://a", "Origin")
    );
    let other = strict.call("GET", "/nothing", &[("origin", "http://b")], "").await;
    assert!(!other.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
}
