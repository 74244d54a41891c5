//! This server on given stores, called as its router is.

use std::sync::Arc;

use anyhow::{Context, ensure};
use axum::{Router, body::Body};
use bson::DateTime;
use clearml_apiserver::{App, Settings, Stores, api, registry, startup::provision};
use clearml_auth::{Claims, Identity, Role, TokenKey};
use clearml_config::{Config, Sources};
use clearml_documents::{Collection, Document, DocumentStoreExt, Filter, Find};
use http::Request;
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::json_value;

const SECRET: &str = "a secret for tests that is long enough";

/// When the calls were recorded: 2026-11-24T02:31:30Z.
const RECORDED: DateTime = DateTime::from_millis(1_795_487_490_000);

/// A server, and a user who calls it.
pub struct Server {
    pub app: Arc<App>,
    router: Router,
    token: String,
}

/// What a call answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub json: Value,
}

impl Server {
    /// A server on the stores of an official one, called by the user whom the credential key belongs to.
    pub async fn start(stores: Stores, key: &str) -> anyhow::Result<Self> {
        let app = App::new(stores, Settings::new(SECRET)).held_at(RECORDED);
        Self::of(app, key).await
    }

    /// A server on empty stores, set up as at its first start, called by the internal user `tests`.
    pub async fn first_start(stores: Stores) -> anyhow::Result<Self> {
        let variables = [
            ("CLEARML__SECURE__AUTH__TOKEN_SECRET", SECRET),
            ("CLEARML__SECURE__CREDENTIALS__TESTS__USER_KEY", "TESTSKEY"),
            ("CLEARML__SECURE__CREDENTIALS__TESTS__USER_SECRET", "tests-secret"),
            ("CLEARML__SECURE__CREDENTIALS__APISERVER__USER_KEY", "APISERVERKEY"),
            ("CLEARML__SECURE__CREDENTIALS__APISERVER__USER_SECRET", "apiserver-secret"),
        ];
        let sources = Sources { directories: Vec::new(), environment: variables.into_iter().collect() };
        let config = Config::load(&sources)?;
        let app = App::new(stores, Settings::from_config(&config)?);
        provision(&app, &config.settings()?, None).await?;
        Self::of(app, "TESTSKEY").await
    }

    async fn of(app: App, key: &str) -> anyhow::Result<Self> {
        let app = Arc::new(app);
        let find = Find::new(Filter::eq("credentials.key", key));
        let user = app.documents.find_one(Collection::AuthUser, find).await?.context("no such user")?;
        let token = TokenKey::new(SECRET).sign(&claims(&user, app.now())?)?;
        let router = api::router(Arc::clone(&app), registry());
        Ok(Self { app, router, token })
    }

    /// One call.
    pub async fn call(&self, version: &str, endpoint: &str, body: &Value) -> anyhow::Result<Answer> {
        self.post(version, endpoint, "application/json", body.to_string()).await
    }

    /// A call that succeeds: its data.
    pub async fn ok(&self, endpoint: &str, body: Value) -> anyhow::Result<Value> {
        let answer = self.call("2.31", endpoint, &body).await?;
        data(endpoint, answer)
    }

    /// `events.add_batch`, which succeeds.
    pub async fn add_events(&self, events: &[Value]) -> anyhow::Result<Value> {
        let lines: Vec<String> = events.iter().map(Value::to_string).collect();
        let answer =
            self.post("2.31", "events.add_batch", "application/json-lines", lines.join("\n")).await?;
        data("events.add_batch", answer)
    }

    async fn post(
        &self,
        version: &str,
        endpoint: &str,
        content_type: &str,
        body: String,
    ) -> anyhow::Result<Answer> {
        let request = Request::post(format!("/v{version}/{endpoint}"))
            .header("content-type", content_type)
            .header("authorization", format!("Bearer {}", self.token))
            .body(Body::from(body))?;
        let response = self.router.clone().oneshot(request).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        Ok(Answer { status, json: json_value(&body)? })
    }
}

fn data(endpoint: &str, mut answer: Answer) -> anyhow::Result<Value> {
    ensure!(answer.status == 200, "{endpoint}: {} {}", answer.status, answer.json["meta"]);
    Ok(answer.json["data"].take())
}

fn claims(user: &Document, now: DateTime) -> anyhow::Result<Claims> {
    let now = now.timestamp_millis() / 1000;
    let text = |name: &str| user.get_str(name).map(str::to_owned);
    Ok(Claims {
        session_id: "compat".into(),
        auth_type: "Bearer".into(),
        env: "<unknown>".into(),
        iat: Some(now),
        exp: Some(now + 3600),
        nbf: None,
        identity: Identity {
            user: text("_id")?,
            company: text("company")?,
            role: Role::from_name(&text("role")?).context("unknown role")?,
            user_name: text("name")?,
            company_name: "clearml".into(),
        },
        api_version: "2.31".into(),
        server_version: "2.0.0".into(),
        server_build: String::new(),
        feature_set: "basic".into(),
    })
}
