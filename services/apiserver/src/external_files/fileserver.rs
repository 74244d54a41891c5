//! The file server, asked to delete files (spec 02 §12.3).

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use axum::body::Body;
use clearml_auth::{Identity, Role};
use http::{Method, Request, header};
use http_body_util::{BodyExt, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::Deserialize;

use crate::{App, api::ApiResult, auth};

/// The user in whose name the server itself acts.
const SERVER_USER: &str = "__apiserver__";

/// Greatest answer of the file server, in bytes.
const MAX_ANSWER: usize = 64 << 20;

/// A connection to the file server.
pub(super) struct FileServerClient {
    client: Client<HttpConnector, Body>,
    address: String,
    token: String,
    timeout: Duration,
}

/// What the file server answers to a deletion.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Deletion {
    /// Sent paths with the names of the deleted files.
    #[serde(default)]
    deleted: HashMap<String, serde_json::Value>,
    /// Reasons with the paths that were not deleted.
    #[serde(default)]
    errors: HashMap<String, Vec<String>>,
}

/// The reason of a file that is not there (any more).
const GONE: &str = "Not found";

impl Deletion {
    /// The paths that are gone now, also those that were gone before.
    pub(super) fn gone(&self) -> HashSet<&str> {
        let missing = self.errors.get(GONE).into_iter().flatten();
        self.deleted.keys().chain(missing).map(String::as_str).collect()
    }

    /// Why a path was not deleted.
    pub(super) fn reason(&self, path: &str) -> Option<&str> {
        self.errors
            .iter()
            .find(|(_, paths)| paths.iter().any(|failed| failed == path))
            .map(|(reason, _)| reason.as_str())
    }
}

impl FileServerClient {
    /// A client with a fresh token. Errors: if the token can't be signed.
    pub(super) fn new(app: &App) -> ApiResult<Self> {
        let settings = &app.settings.external_files;
        let identity = Identity {
            user: SERVER_USER.to_owned(),
            company: app.settings.auth.default_company.clone(),
            role: Role::System,
            user_name: SERVER_USER.to_owned(),
            company_name: String::new(),
        };
        let lifetime = settings.fileserver_token_expiration.as_secs() as i64;
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(Duration::from_secs(10)));
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            address: settings.fileserver_host.trim_end_matches('/').to_owned(),
            token: auth::token::issue(app, identity, Some(lifetime))?,
            timeout: settings.fileserver_timeout,
        })
    }

    /// Whether the file server is there. Errors: why not, in words.
    pub(super) async fn check(&self) -> Result<(), String> {
        self.call(Method::GET, "/", Body::empty()).await.map(drop)
    }

    /// Deletes files by their paths. Errors: why nothing was deleted, in words.
    pub(super) async fn delete(&self, paths: &[&str]) -> Result<Deletion, String> {
        let request = serde_json::json!({ "files": paths }).to_string();
        let answer = self.call(Method::POST, "/delete_many", Body::from(request)).await?;
        serde_json::from_slice(&answer).map_err(|error| format!("unexpected answer: {error}"))
    }

    async fn call(&self, method: Method, path: &str, body: Body) -> Result<bytes::Bytes, String> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.address))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(|error| error.to_string())?;
        let exchange = async {
            let response = self.client.request(request).await.map_err(|error| error_chain(&error))?;
            let status = response.status();
            if !status.is_success() {
                return Err(format!("file server answered {status}"));
            }
            let body = Limited::new(response.into_body(), MAX_ANSWER);
            Ok(body.collect().await.map_err(|error| error.to_string())?.to_bytes())
        };
        tokio::time::timeout(self.timeout, exchange)
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} s", self.timeout.as_secs())))
    }
}

fn error_chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", error_chain(source)),
        None => error.to_string(),
    }
}
