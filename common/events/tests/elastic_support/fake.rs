//! A node that answers what a test wants.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::State,
    http::{Method, StatusCode, Uri},
    response::IntoResponse,
};
use clearml_events::{ElasticCluster, ElasticSettings};
use serde_json::{Value, json};

/// A request that a fake node got: method, path, body.
pub(crate) type Asked = (String, String, String);

/// A node that answers bulk requests and searches from a list, and lets everything else pass.
#[derive(Clone, Default)]
pub(crate) struct FakeNode {
    answers: Arc<Mutex<VecDeque<(u16, Value)>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl FakeNode {
    /// Starts it; its address.
    pub(crate) async fn start(answers: impl IntoIterator<Item = (u16, Value)>) -> (Self, String) {
        let node = Self::default();
        node.answers.lock().unwrap().extend(answers);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(node.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (node, address)
    }

    /// The bulk requests and searches so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(State(node): State<FakeNode>, method: Method, uri: Uri, body: String) -> impl IntoResponse {
    let path = uri.path();
    let (status, answer) = match path {
        "/" => (200, json!({"version": {"number": "8.19.0"}})),
        "/_bulk" | "/_msearch" => {
            node.asked.lock().unwrap().push((method.to_string(), path.to_owned(), body));
            let next = node.answers.lock().unwrap().pop_front();
            // A node without an answer keeps the caller waiting.
            match next {
                Some(next) => next,
                None => std::future::pending().await,
            }
        }
        _ => (200, json!({})),
    };
    (StatusCode::from_u16(status).unwrap(), axum::Json(answer))
}

/// Settings for fake nodes.
pub(crate) fn settings_of(hosts: &[&str]) -> ElasticSettings {
    let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
    ElasticSettings {
        events: ElasticCluster { hosts, ..ElasticCluster::default() },
        ..ElasticSettings::default()
    }
}
