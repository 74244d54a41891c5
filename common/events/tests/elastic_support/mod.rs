//! What the tests of the Elasticsearch back end share: a prefix of their own in the cluster.

mod compat;
pub(crate) mod fake;

use std::panic::AssertUnwindSafe;

use axum::body::Bytes;
use clearml_events::{ElasticCluster, ElasticEvents, ElasticSettings};
use elasticsearch::http::{Method, headers::HeaderMap, transport::Transport};
use futures::FutureExt;
use serde_json::Value;

/// The cluster of the tests; tells that there is none.
pub(crate) fn url() -> Option<String> {
    let url = std::env::var("CLEARML_ELASTIC_URL").ok().filter(|url| !url.is_empty());
    if url.is_none() {
        println!("skipped: CLEARML_ELASTIC_URL is not set");
    }
    url
}

/// A part of the cluster for one test.
pub(crate) struct Sandbox {
    pub(crate) settings: ElasticSettings,
    transport: Transport,
}

impl Sandbox {
    pub(crate) async fn connect(&self) -> ElasticEvents {
        ElasticEvents::connect(self.settings.clone()).await.unwrap()
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.settings.index_prefix
    }

    /// Sends a request as it is; status and answer.
    pub(crate) async fn send(&self, method: Method, path: &str, body: impl Into<Bytes>) -> (u16, Value) {
        let body: Bytes = body.into();
        let sent = self.transport.send(method, path, HeaderMap::new(), None::<&()>, Some(body), None);
        let response = sent.await.unwrap();
        (response.status_code().as_u16(), response.json().await.unwrap_or(Value::Null))
    }

    async fn delete_everything(&self) {
        let prefix = self.prefix();
        let (_, indices) = self.send(Method::Get, &format!("/{prefix}*/_settings"), "").await;
        let names: Vec<&String> =
            indices.as_object().map(|indices| indices.keys().collect()).unwrap_or_default();
        for names in names.chunks(10) {
            let names = names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(",");
            self.send(Method::Delete, &format!("/{names}"), "").await;
        }
        self.send(Method::Delete, &format!("/_index_template/{prefix}*"), "").await;
        self.send(Method::Delete, &format!("/_component_template/{prefix}*"), "").await;
    }
}

/// Runs a test in a sandbox, which is emptied afterwards also if the test fails.
pub(crate) async fn in_sandbox(test: impl AsyncFnOnce(&Sandbox)) {
    let Some(url) = url() else { return };
    let sandbox = Sandbox {
        settings: ElasticSettings {
            events: ElasticCluster { hosts: vec![url.clone()], ..ElasticCluster::default() },
            index_prefix: format!("test-{:016x}-", rand::random::<u64>()),
            ..ElasticSettings::default()
        },
        transport: Transport::single_node(&url).unwrap(),
    };
    let outcome = AssertUnwindSafe(test(&sandbox)).catch_unwind().await;
    sandbox.delete_everything().await;
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}
