//! Requests to one cluster: which node gets them, how long they may take, when they are tried again.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use elasticsearch::http::{
    Method,
    headers::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use super::{
    ElasticCluster,
    errors::{ElasticError, Refusal},
    nodes::{Node, Nodes},
};
use crate::EventResult;

/// Answers greater than this are decoded outside of the runtime's own threads.
const LARGE_ANSWER: usize = 128 << 10;

/// First pause before another try.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Longest pause before another try.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// One cluster.
pub(super) struct Cluster {
    nodes: Nodes,
    slots: Semaphore,
    timeout: Duration,
    max_retries: u32,
    retry_on_timeout: bool,
}

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Request {
    method: Method,
    path: Cow<'static, str>,
    query: Vec<(&'static str, Cow<'static, str>)>,
    body: Option<Bytes>,
    lines: bool,
    /// Whether a refusal that may pass is tried again.
    patient: bool,
}

impl Request {
    /// A request without body.
    pub(super) fn new(method: Method, path: impl Into<Cow<'static, str>>) -> Self {
        Self { method, path: path.into(), query: Vec::new(), body: None, lines: false, patient: true }
    }

    /// With a parameter in the query.
    pub(super) fn query(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// With a JSON body.
    pub(super) fn json(mut self, body: &Value) -> Self {
        self.body = Some(Bytes::from(body.to_string()));
        self
    }

    /// With a body of JSON lines.
    pub(super) fn lines(mut self, body: Bytes) -> Self {
        self.body = Some(body);
        self.lines = true;
        self
    }

    /// The caller deals with a busy cluster itself.
    pub(super) fn impatient(mut self) -> Self {
        self.patient = false;
        self
    }
}

impl Cluster {
    /// Prepares connections; none is made yet.
    pub(super) fn new(settings: &ElasticCluster) -> EventResult<Self> {
        Ok(Self {
            nodes: Nodes::new(settings)?,
            slots: Semaphore::new(settings.max_concurrent_requests.clamp(1, Semaphore::MAX_PERMITS)),
            timeout: settings.timeout,
            max_retries: settings.max_retries,
            retry_on_timeout: settings.retry_on_timeout,
        })
    }

    /// How long one try may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sends a request and decodes its answer.
    pub(super) async fn call<T>(&self, request: &Request) -> Result<T, ElasticError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let body = self.send(request).await?;
        if body.len() < LARGE_ANSWER {
            return decode(&body);
        }
        let decoded = tokio::task::spawn_blocking(move || decode(&body)).await;
        decoded.unwrap_or_else(|error| Err(ElasticError::Unexpected(error.to_string())))
    }

    /// Sends a request; the body of the answer. Tries again as the settings say.
    pub(super) async fn send(&self, request: &Request) -> Result<Bytes, ElasticError> {
        let _slot = self.slot().await?;
        let mut tries = 0;
        loop {
            let node = self.nodes.next();
            let (error, again) = match self.send_to(node, request).await {
                Ok((status, body)) => {
                    Nodes::answered(node);
                    if status < 400 {
                        return Ok(body);
                    }
                    let refusal = refusal(status, &body);
                    let again = request.patient && refusal.may_pass();
                    (ElasticError::Refused(refusal), again)
                }
                Err(error) => {
                    self.nodes.failed(node);
                    tracing::warn!(node = node.address, %error, "an Elasticsearch node failed");
                    // A slow request is not made twice by the same node.
                    let again = !error.is_timeout() || (self.retry_on_timeout && self.nodes.len() > 1);
                    (ElasticError::Unreachable(describe(node, &error)), again)
                }
            };
            if !again || tries >= self.max_retries {
                return Err(error);
            }
            tries += 1;
            let other_node = matches!(error, ElasticError::Unreachable(_)) && self.nodes.any_awake();
            if !other_node {
                pause(tries).await;
            }
        }
    }

    async fn slot(&self) -> Result<SemaphorePermit<'_>, ElasticError> {
        permit(&self.slots, self.timeout).await
    }

    async fn send_to(&self, node: &Node, request: &Request) -> Result<(u16, Bytes), elasticsearch::Error> {
        let mut headers = HeaderMap::new();
        if request.lines {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        }
        let query = (!request.query.is_empty()).then_some(&request.query);
        let (method, body) = (request.method, request.body.clone());
        let sent = node.transport.send(method, &request.path, headers, query, body, Some(self.timeout));
        let response = sent.await?;
        let status = response.status_code().as_u16();
        Ok((status, response.bytes().await?))
    }
}

/// A permit, unless others keep all of them for too long.
pub(super) async fn permit(
    permits: &Semaphore,
    patience: Duration,
) -> Result<SemaphorePermit<'_>, ElasticError> {
    let busy = |_| ElasticError::Unreachable("too many requests to Elasticsearch are under way".to_owned());
    let acquired = timeout(patience, permits.acquire()).await.map_err(busy)?;
    acquired.map_err(|error| ElasticError::Unexpected(error.to_string()))
}

/// Waits before another try: longer each time, and not as long as others.
pub(super) async fn pause(tries: u32) {
    let longest = (FIRST_PAUSE * (1 << tries.saturating_sub(1).min(10))).min(LONGEST_PAUSE);
    tokio::time::sleep(longest.mul_f64(rand::random_range(0.5..1.0))).await;
}

fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, ElasticError> {
    serde_json::from_slice(body)
        .map_err(|error| ElasticError::Unexpected(format!("unexpected answer of Elasticsearch: {error}")))
}

fn refusal(status: u16, body: &[u8]) -> Refusal {
    match serde_json::from_slice::<Value>(body) {
        Ok(answer) => Refusal::new(status, answer.get("error").unwrap_or(&Value::Null)),
        // For example the page of a proxy.
        Err(_) => Refusal::new(status, &Value::Null),
    }
}

fn describe(node: &Node, error: &elasticsearch::Error) -> String {
    if error.is_timeout() {
        return format!("Elasticsearch at {} did not answer in time", node.address);
    }
    let mut innermost: &dyn std::error::Error = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    format!("Elasticsearch at {} can't be reached: {innermost}", node.address)
}
