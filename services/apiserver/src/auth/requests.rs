//! Requests of `auth`.

use clearml_auth::Role;
use schemars::JsonSchema;
use serde::Deserialize;

/// `auth.login`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct LoginRequest {
    /// Life of the token in seconds; absent or 0: the default.
    pub(super) expiration_sec: Option<i64>,
}

/// `auth.get_token_for_user`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetTokenForUserRequest {
    pub(super) user: String,
    pub(super) company: Option<String>,
    pub(super) expiration_sec: Option<i64>,
}

/// `auth.validate_token`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ValidateTokenRequest {
    pub(super) token: String,
}

/// `auth.create_user`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct CreateUserRequest {
    pub(super) name: String,
    pub(super) company: String,
    pub(super) email: String,
    pub(super) role: Option<Role>,
    pub(super) given_name: Option<String>,
    pub(super) family_name: Option<String>,
    pub(super) avatar: Option<String>,
}

/// `auth.edit_user`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct EditUserRequest {
    #[serde(default)]
    pub(super) user: String,
    pub(super) role: Option<Role>,
}

/// `auth.create_credentials`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct CreateCredentialsRequest {
    pub(super) label: Option<String>,
}

/// `auth.edit_credentials`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct EditCredentialsRequest {
    pub(super) access_key: String,
    /// Absent: the label is removed.
    pub(super) label: Option<String>,
}

/// `auth.revoke_credentials`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct RevokeCredentialsRequest {
    pub(super) access_key: String,
}
