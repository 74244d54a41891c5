//! Tokens checked in this process, with the key that signs them: as good as asking the API server
//! (spec 06 §1.7), and nothing to wait for.

use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use clearml_auth::{Revocations, TokenKey};
use http::StatusCode;

use crate::{Refusal, TokenCheck};

/// Accepts every valid API token.
pub struct LocalTokens {
    key: TokenKey,
    revocations: Option<Revocations>,
}

impl LocalTokens {
    /// Tokens signed with this key. `revocations`: the API server's list, where this process can reach it.
    pub fn new(key: TokenKey, revocations: Option<Revocations>) -> Self {
        Self { key, revocations }
    }
}

#[async_trait]
impl TokenCheck for LocalTokens {
    async fn check(&self, token: &str) -> Result<(), Refusal> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as i64;
        let refusal = |status, message: String| Refusal { status, message };
        let claims = self
            .key
            .verify(token, now)
            .map_err(|error| refusal(StatusCode::UNAUTHORIZED, error.to_string()))?;
        let Some(revocations) = &self.revocations else { return Ok(()) };
        match revocations.contains(&claims).await {
            Ok(false) => Ok(()),
            Ok(true) => Err(refusal(StatusCode::UNAUTHORIZED, "revoked token".to_owned())),
            Err(error) => {
                tracing::error!(%error, "failed to look for a revoked token");
                Err(refusal(StatusCode::INTERNAL_SERVER_ERROR, "Internal error".to_owned()))
            }
        }
    }
}
