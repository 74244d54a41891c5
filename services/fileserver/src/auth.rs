//! Who may come in (spec 06 §1.7): the bearer of any valid API token.

use async_trait::async_trait;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};

use crate::FileServer;

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub status: StatusCode,
    pub message: String,
}

impl Refusal {
    fn unauthorized(message: &str) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, message: message.to_owned() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, self.message).into_response()
    }
}

/// Tells valid API tokens from others.
#[async_trait]
pub trait TokenCheck: Send + Sync + 'static {
    /// `Ok` if the token is valid now.
    async fn check(&self, token: &str) -> Result<(), Refusal>;
}

impl FileServer {
    /// Checks the token of a call; `optional`: a call without one may pass.
    pub(crate) async fn authenticate(&self, headers: &HeaderMap, optional: bool) -> Result<(), Refusal> {
        let Some(tokens) = &self.tokens else {
            return Ok(());
        };
        match self.token(headers)? {
            Some(token) => tokens.check(token).await,
            None if optional => Ok(()),
            None => Err(Refusal::unauthorized("Missing token")),
        }
    }

    /// The token in the `Authorization` header, which beats cookies, else in the first cookie that holds one.
    fn token<'h>(&self, headers: &'h HeaderMap) -> Result<Option<&'h str>, Refusal> {
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            let token = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
            return token
                .map(Some)
                .ok_or_else(|| Refusal::unauthorized("Only bearer token authorization is supported"));
        }
        let mut names = self.settings.cookie_names.iter();
        Ok(names.find_map(|name| cookie(headers, name)))
    }
}

fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, value)| *key == name && !value.is_empty())
        .map(|(_, value)| value.trim_matches('"'))
}
