//! `secure.*`: secrets. There are no default secrets: what is not configured is generated.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::Secret;

/// `secure`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Secure {
    pub auth: SecureAuth,
    /// Credentials of internal users, by name.
    pub credentials: IndexMap<String, InternalUser>,
    pub elastic: Login,
    pub redis: IndexMap<String, RedisLogin>,
}

impl Default for Secure {
    fn default() -> Self {
        let user = |role: &str, display_name: Option<&str>, revoke_in_fixed_mode| InternalUser {
            role: role.to_owned(),
            display_name: display_name.map(str::to_owned),
            revoke_in_fixed_mode,
            ..InternalUser::default()
        };
        Self {
            auth: SecureAuth::default(),
            credentials: [
                ("apiserver", user("system", None, false)),
                ("fileserver", user("system", None, false)),
                ("webserver", user("system", None, true)),
                ("services_agent", user("admin", None, false)),
                ("tests", user("user", Some("Default User"), true)),
            ]
            .map(|(name, user)| (name.to_owned(), user))
            .into(),
            elastic: Login::default(),
            redis: IndexMap::new(),
        }
    }
}

/// `secure.auth`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SecureAuth {
    /// Key of the tokens' signatures.
    pub token_secret: Secret,
}

/// `secure.credentials.<name>`: an internal user `__<name>__`; without a key it has no credentials.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct InternalUser {
    pub role: String,
    pub user_key: Secret,
    pub user_secret: Secret,
    pub display_name: Option<String>,
    /// In fixed users mode the credentials don't work.
    pub revoke_in_fixed_mode: bool,
}

impl Default for InternalUser {
    fn default() -> Self {
        Self {
            role: "user".to_owned(),
            user_key: Secret::default(),
            user_secret: Secret::default(),
            display_name: None,
            revoke_in_fixed_mode: false,
        }
    }
}

/// `secure.elastic`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Login {
    pub user: Option<String>,
    pub password: Option<Secret>,
}

/// `secure.redis.<alias>`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RedisLogin {
    pub username: Option<String>,
    pub password: Option<Secret>,
}
