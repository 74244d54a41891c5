//! Issues tokens.

use clearml_auth::{Claims, Identity, Role};

use crate::{
    App,
    api::{ApiError, ApiVersion, seconds},
};

/// A signed token for this identity. `expiration`: seconds; `None` and 0 mean the default, which for the
/// system role is a token that never expires. Errors: 400/12 if it is longer than allowed.
pub(crate) fn issue(app: &App, identity: Identity, expiration: Option<i64>) -> Result<String, ApiError> {
    let settings = &app.settings.auth;
    let expiration = expiration.filter(|expiration| *expiration != 0);
    if expiration.is_some_and(|expiration| expiration > settings.max_expiration) {
        return Err(ApiError::validation(format!(
            "expiration_sec must not exceed {} seconds",
            settings.max_expiration
        )));
    }
    let now = seconds(app.now());
    let lifetime = match expiration {
        None if identity.role == Role::System => None,
        None => Some(settings.default_expiration),
        given => given,
    };
    let claims = Claims {
        session_id: app.new_id(),
        auth_type: "Bearer".to_owned(),
        env: settings.env.clone(),
        iat: Some(now),
        exp: lifetime.map(|lifetime| now.saturating_add(lifetime)),
        nbf: None,
        identity,
        api_version: ApiVersion::CURRENT.to_string(),
        server_version: app.settings.server.version.clone(),
        server_build: app.settings.server.build.clone(),
        feature_set: "basic".to_owned(),
    };
    app.token_key.sign(&claims).map_err(|error| ApiError::unexpected(error.to_string()))
}
