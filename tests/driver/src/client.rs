//! A light HTTP client of the API.

use anyhow::Context;
use base64::Engine;
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;

/// A request body of any kind.
pub type Body = BoxBody<Bytes, std::io::Error>;

/// A body that is in memory.
pub fn full(content: impl Into<Bytes>) -> Body {
    Full::new(content.into()).map_err(|never| match never {}).boxed()
}

/// Why a call brought no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No answer, or only a part of one: whether the call took effect is unknown.
    #[error("no answer: {0}")]
    Lost(Box<dyn std::error::Error + Send + Sync>),
    /// The server answered an error.
    #[error("{status}: {body}")]
    Refused { status: StatusCode, body: String },
    /// The server answered something that is none.
    #[error("not the JSON of an answer: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// Calls with keep-alive connections; clones share them.
#[derive(Clone)]
pub struct Http(Client<HttpConnector, Body>);

impl Http {
    #[expect(clippy::new_without_default, reason = "opens connections")]
    pub fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self(Client::builder(TokioExecutor::new()).build(connector))
    }

    /// Sends a request and reads the answer whole.
    pub async fn send(&self, request: Request<Body>) -> Result<Bytes, CallError> {
        let lost = |error| CallError::Lost(Box::new(error));
        let response = self.0.request(request).await.map_err(lost)?;
        let status = response.status();
        let body = response.into_body().collect().await;
        let body = body.map_err(|error| CallError::Lost(Box::new(error)))?.to_bytes();
        if !status.is_success() {
            return Err(CallError::Refused { status, body: String::from_utf8_lossy(&body).into_owned() });
        }
        Ok(body)
    }

    /// Sends a request and counts the bytes of the answer without keeping them.
    pub async fn drain(&self, request: Request<Body>) -> anyhow::Result<u64> {
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
pub struct Api {
    pub http: Http,
    url: String,
    /// The value of the `Authorization` header.
    pub authorization: String,
}

impl Api {
    /// Signs in with a key pair.
    pub async fn login(url: &str, key: &str, secret: &str) -> anyhow::Result<Self> {
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("{key}:{secret}"));
        let mut api = Self::with_authorization(url, format!("Basic {basic}"));
        let token = api.call("auth.login", &Value::Null).await?;
        api.authorization = format!("Bearer {}", token["token"].as_str().context("no token")?);
        Ok(api)
    }

    /// A client that uses an `Authorization` of earlier.
    pub fn with_authorization(url: &str, authorization: String) -> Self {
        Self { http: Http::new(), url: url.to_owned(), authorization }
    }

    /// Calls an endpoint with a JSON request; its `data`.
    pub async fn call(&self, endpoint: &str, request: &Value) -> Result<Value, CallError> {
        let answer = self.post(endpoint, "application/json", request.to_string()).await?;
        let mut answer: Value = serde_json::from_slice(&answer)?;
        Ok(answer["data"].take())
    }

    /// Calls an endpoint with any body; the whole answer.
    pub async fn post(&self, endpoint: &str, kind: &str, body: impl Into<Bytes>) -> Result<Bytes, CallError> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}/v2.31/{endpoint}", self.url))
            .header(header::AUTHORIZATION, &self.authorization)
            .header(header::CONTENT_TYPE, kind)
            .body(full(body));
        self.http.send(request.map_err(|error| CallError::Lost(Box::new(error)))?).await
    }
}
