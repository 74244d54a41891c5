//! Probes: is the process alive, can it serve.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::future::{BoxFuture, join_all};
use tower::ServiceExt;

use crate::Shutdown;

/// A store that does not answer within this time counts as unreachable.
const CHECK_TIMEOUT: Duration = Duration::from_secs(3);

type Check = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// What a service depends on.
#[derive(Clone)]
pub struct Health {
    shutdown: Shutdown,
    checks: Vec<(&'static str, Check)>,
}

impl Health {
    /// A service that is ready until it shuts down.
    pub fn new(shutdown: Shutdown) -> Self {
        Self { shutdown, checks: Vec::new() }
    }

    /// Adds something that must work for the service to be ready; `Err`: why it does not.
    #[must_use]
    pub fn check<F, R>(mut self, name: &'static str, check: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.checks.push((name, Arc::new(move || Box::pin(check()))));
        self
    }

    /// What does not work now; empty: ready.
    pub async fn failures(&self) -> BTreeMap<&'static str, String> {
        if self.shutdown.is_announced() {
            return BTreeMap::from([("shutdown", "the server is stopping".to_owned())]);
        }
        let results = join_all(self.checks.iter().map(|(name, check)| async move {
            let result = match tokio::time::timeout(CHECK_TIMEOUT, check()).await {
                Ok(result) => result,
                Err(_) => Err(format!("no answer within {} s", CHECK_TIMEOUT.as_secs())),
            };
            (*name, result)
        }))
        .await;
        results.into_iter().filter_map(|(name, result)| Some((name, result.err()?))).collect()
    }
}

/// `GET /health`: 200 while the process lives. `GET /ready`: 200 while it can serve, else 503 and why not.
pub fn health_routes(health: Health) -> Router {
    Router::new()
        .route("/health", get(|| async { json(StatusCode::OK, &serde_json::json!({"status": "ok"})) }))
        .route("/ready", get(ready))
        .with_state(health)
}

/// Puts the probes before a service's own routes. `is_probe` tells from a request's headers whether a call of
/// these paths is meant as one: where they may be names of content, a caller with a token wants the content.
pub fn with_probes(router: Router, health: Health, is_probe: fn(&HeaderMap) -> bool) -> Router {
    let probes = health_routes(health);
    router.layer(from_fn(move |request: Request, next: Next| {
        let probes = probes.clone();
        async move {
            let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
            let is_path = matches!(request.uri().path(), "/health" | "/ready");
            if is_read && is_path && is_probe(request.headers()) {
                return probes.oneshot(request).await.into_response();
            }
            next.run(request).await
        }
    }))
}

async fn ready(State(health): State<Health>) -> Response {
    let failures = health.failures().await;
    if failures.is_empty() {
        return json(StatusCode::OK, &serde_json::json!({"status": "ready"}));
    }
    tracing::warn!(?failures, "not ready");
    // Details are for the log: anybody may ask.
    let names: Vec<&str> = failures.into_keys().collect();
    let answer = serde_json::json!({"status": "not ready", "failed": names});
    json(StatusCode::SERVICE_UNAVAILABLE, &answer)
}

fn json(status: StatusCode, content: &serde_json::Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], content.to_string()).into_response()
}
