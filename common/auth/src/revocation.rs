//! Revoked tokens, shared by all replicas.

use std::sync::Arc;

use clearml_state::{SharedState, StateResult};

use crate::Claims;

const KEY: &str = "revoked_tokens";
/// How long a token without `exp` stays on the list, in seconds: 30 days.
const KEEP_WITHOUT_EXPIRY: i64 = 30 * 24 * 3600;

/// The list of revoked tokens: sorted set `revoked_tokens`, session ids scored by expiry (spec 01 §3.3).
#[derive(Clone)]
pub struct Revocations {
    state: Arc<dyn SharedState>,
}

impl Revocations {
    /// The list in this state.
    pub fn new(state: Arc<dyn SharedState>) -> Self {
        Self { state }
    }

    /// Revokes a token, and forgets the ones that have expired meanwhile. `now`: seconds since 1970.
    pub async fn revoke(&self, claims: &Claims, now: i64) -> StateResult<()> {
        self.state.sorted_remove_range(KEY, 0.0, now as f64).await?;
        let until = claims.exp.unwrap_or(now + KEEP_WITHOUT_EXPIRY);
        self.state.sorted_add(KEY, &claims.session_id, until as f64).await
    }

    /// Whether the token was revoked.
    pub async fn contains(&self, claims: &Claims) -> StateResult<bool> {
        Ok(self.state.sorted_score(KEY, &claims.session_id).await?.is_some())
    }
}
