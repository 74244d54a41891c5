//! The web server through its HTTP interface (spec 06 §2).

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use std::sync::Arc;

use axum::{Router, body::Body, extract::Request};
use clearml_webserver::{Backend, WebServer, WebServerSettings, router};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

/// A backend that tells what it was asked.
fn echo(name: &'static str) -> Router {
    Router::new().fallback(move |request: Request| async move {
        let (request, body) = request.into_parts();
        let header = |name: &str| request.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let asked = json!({
            "backend": name,
            "method": request.method.as_str(),
            "target": request.uri.path_and_query().unwrap().as_str(),
            "host": header("host"),
            "connection": header("connection"),
        });
        let body = body.collect().await.unwrap().to_bytes();
        format!("{asked}\n{}", String::from_utf8_lossy(&body))
    })
}

fn web_app() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let put = |path: &str, content: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    put("index.html", "<base href=\"/\"><title>app</title>");
    put("assets/app-1234.js", "plain");
    put("assets/app-1234.js.br", "brotli");
    put("assets/app-1234.js.gz", "gzip");
    put("favicon.svg", "<svg/>");
    put("widgets/index.html", "widgets");
    folder
}

fn server(settings: WebServerSettings) -> (tempfile::TempDir, Router) {
    let folder = web_app();
    let settings = WebServerSettings { web_root: Some(folder.path().to_owned()), ..settings };
    let server = WebServer::new(settings, Backend::InProcess(echo("api")), Backend::InProcess(echo("files")));
    (folder, router(Arc::new(server)))
}

async fn get(router: &Router, uri: &str, headers: &[(&str, &str)]) -> Response<Body> {
    let mut request = Request::builder().uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

fn head<'r>(response: &'r Response<Body>, name: &str) -> &'r str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn the_app_is_answered_for_its_own_addresses() {
    let (_folder, router) = server(WebServerSettings::default());
    for path in [
        "/",
        "/index.html",
        "/projects/x/tasks/y",
        "/missing.json",
        "/a/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
    ] {
        let response = get(&router, path, &[]).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(head(&response, "cache-control"), "no-cache");
        assert_eq!(head(&response, "content-security-policy"), "frame-ancestors 'self'");
        assert_eq!(head(&response, "x-content-type-options"), "nosniff");
        assert!(text(response).await.contains("<title>app"), "{path}");
    }
}

#[tokio::test]
async fn files_come_compressed_beforehand_and_cached() {
    let (_folder, router) = server(WebServerSettings::default());
    for (accept, content, encoding) in [
        ("gzip, br", "brotli", "br"),
        ("gzip, br;q=0", "gzip", "gzip"),
        ("identity", "plain", ""),
        ("", "plain", ""),
    ] {
        let response = get(&router, "/assets/app-1234.js", &[("accept-encoding", accept)]).await;
        assert_eq!(head(&response, "content-encoding"), encoding, "{accept}");
        assert_eq!(head(&response, "content-type"), "text/javascript; charset=utf-8");
        assert_eq!(head(&response, "cache-control"), "public, max-age=31536000, immutable");
        let tag = head(&response, "etag").to_owned();
        assert_eq!(text(response).await, content);
        let again =
            get(&router, "/assets/app-1234.js", &[("accept-encoding", accept), ("if-none-match", &tag)])
                .await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    }
    let icon = get(&router, "/favicon.svg", &[]).await;
    assert_eq!((head(&icon, "content-type"), head(&icon, "cache-control")), ("image/svg+xml", "no-cache"));
}

#[tokio::test]
async fn pages_are_only_read() {
    let (_folder, router) = server(WebServerSettings::default());
    for method in ["POST", "PUT", "DELETE", "CONNECT", "BREW"] {
        let request = Request::builder().method(method).uri("/projects").body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(head(&response, "allow"), "GET, HEAD");
    }
}

#[tokio::test]
async fn widgets_may_be_embedded_anywhere() {
    let (_folder, router) = server(WebServerSettings::default());
    let response = get(&router, "/widgets/?type=plot", &[]).await;
    assert_eq!(head(&response, "content-security-policy"), "frame-ancestors *");
    assert_eq!(text(response).await, "widgets");
}

#[tokio::test]
async fn the_proxies_cut_their_prefix() {
    let (_folder, router) = server(WebServerSettings::default());
    for (path, backend, target) in [
        ("/api/v2.30/tasks.get_all?x=1", "api", "/v2.30/tasks.get_all?x=1"),
        ("/api", "api", "/"),
        ("/files", "files", "/"),
        ("/files//reports/%C3%A9%20x?download=", "files", "/reports/%C3%A9%20x?download="),
    ] {
        let headers = [("host", "app.example:8080"), ("connection", "close")];
        let answer = text(get(&router, path, &headers).await).await;
        let asked: Value = serde_json::from_str(answer.lines().next().unwrap()).unwrap();
        let expected = json!({"backend": backend, "method": "GET", "target": target, "host": "app.example", "connection": null});
        assert_eq!(asked, expected, "{path}");
    }
    assert!(text(get(&router, "/apix", &[]).await).await.contains("<title>app"));
}

#[tokio::test]
async fn backends_over_http_stream_and_fail_with_502() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/base/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, echo("api")).await });
    let server = WebServer::new(
        WebServerSettings { web_root: Some(web_app().path().to_owned()), ..Default::default() },
        Backend::http(&address).unwrap(),
        Backend::http("http://127.0.0.1:1").unwrap(),
    );
    let router = router(Arc::new(server));
    let request =
        Request::builder().method("POST").uri("/api/v2.5/debug.ping").body(Body::from("hello")).unwrap();
    let answer = text(router.clone().oneshot(request).await.unwrap()).await;
    assert!(answer.contains("/base/v2.5/debug.ping") && answer.ends_with("hello"), "{answer}");
    assert_eq!(get(&router, "/files/x", &[]).await.status(), StatusCode::BAD_GATEWAY);
    assert!(Backend::http("https://x").is_err() && Backend::http("nonsense").is_err());
}

#[tokio::test]
async fn settings_are_answered_as_files() {
    let settings = WebServerSettings {
        configuration: json!({"apiBaseUrl": "/api"}).as_object().unwrap().clone(),
        version: "2.0.0".to_owned(),
        ..Default::default()
    };
    let (_folder, router) = server(settings);
    for (path, expected) in [
        ("/configuration.json", r#"{"apiBaseUrl":"/api"}"#),
        ("/version.json", r#"{"version":"2.0.0"}"#),
        ("/env.js", "window.__env = { subPath: \"\" };\n"),
    ] {
        let response = get(&router, path, &[]).await;
        assert_eq!(head(&response, "cache-control"), "no-cache");
        assert_eq!(text(response).await, expected);
    }
    assert_eq!(get(&router, "/credentials.json", &[]).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn everything_works_below_a_sub_path() {
    let (_folder, router) = server(WebServerSettings { sub_path: "lab".to_owned(), ..Default::default() });
    let redirect = get(&router, "/lab", &[]).await;
    assert_eq!((redirect.status(), head(&redirect, "location")), (StatusCode::PERMANENT_REDIRECT, "/lab/"));
    for path in ["/lab/", "/lab/projects", "/"] {
        assert!(text(get(&router, path, &[]).await).await.contains("<base href=\"/lab/\""), "{path}");
    }
    assert!(
        text(get(&router, "/lab/api/debug.ping", &[]).await).await.contains("\"target\":\"/debug.ping\"")
    );
    assert_eq!(text(get(&router, "/lab/env.js", &[]).await).await, "window.__env = { subPath: \"/lab\" };\n");
    assert!(text(get(&router, "/laboratory", &[]).await).await.contains("<title>app"));
}
