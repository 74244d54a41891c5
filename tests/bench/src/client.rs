//! A light HTTP client of the API.

use anyhow::{Context, bail};
use base64::Engine;
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;

/// A request body of any kind.
pub(crate) type Body = BoxBody<Bytes, std::io::Error>;

/// A body that is in memory.
pub(crate) fn full(content: impl Into<Bytes>) -> Body {
    Full::new(content.into()).map_err(|never| match never {}).boxed()
}

/// Calls with keep-alive connections; clones share them.
#[derive(Clone)]
pub(crate) struct Http(Client<HttpConnector, Body>);

impl Http {
    pub(crate) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self(Client::builder(TokioExecutor::new()).build(connector))
    }

    /// Sends a request and reads the answer whole.
    pub(crate) async fn send(&self, request: Request<Body>) -> anyhow::Result<Bytes> {
        let response = self.0.request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            bail!("{status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(body)
    }

    /// Sends a request and counts the bytes of the answer without keeping them.
    pub(crate) async fn drain(&self, request: Request<Body>) -> anyhow::Result<u64> {
        let mut body = self.0.request(request).await?.into_body();
        let mut size = 0;
        while let Some(frame) = body.frame().await {
            size += frame?.data_ref().map_or(0, |data| data.len() as u64);
        }
        Ok(size)
    }
}

/// An API client with a token.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) http: Http,
    url: String,
    pub(crate) authorization: String,
}

impl Api {
    pub(crate) async fn login(url: &str, key: &str, secret: &str) -> anyhow::Result<Self> {
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("{key}:{secret}"));
        let mut api =
            Self { http: Http::new(), url: url.to_owned(), authorization: format!("Basic {basic}") };
        let token = api.call("auth.login", &Value::Null).await?;
        api.authorization = format!("Bearer {}", token["token"].as_str().context("no token")?);
        Ok(api)
    }

    /// Calls an endpoint with a JSON request; its `data`.
    pub(crate) async fn call(&self, endpoint: &str, request: &Value) -> anyhow::Result<Value> {
        let answer = self.post(endpoint, "application/json", request.to_string()).await?;
        let mut answer: Value = serde_json::from_slice(&answer)?;
        Ok(answer["data"].take())
    }

    /// Calls an endpoint with any body; the whole answer.
    pub(crate) async fn post(
        &self,
        endpoint: &str,
        kind: &str,
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Bytes> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}/v2.31/{endpoint}", self.url))
            .header(header::AUTHORIZATION, &self.authorization)
            .header(header::CONTENT_TYPE, kind)
            .body(full(body))?;
        self.http.send(request).await
    }
}
