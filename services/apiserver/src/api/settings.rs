//! Settings of the protocol, with the official server's defaults (spec 01 §7.3). The configuration fills
//! them in.

use std::{collections::HashMap, time::Duration};

use clearml_auth::{Password, fixed_user_id};

use super::{CookieSettings, json::Limits};

/// How requests are read and answered (`apiserver.*`).
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// `request.strip_prefix`: cut from every path.
    pub strip_prefix: String,
    /// `version.required`: paths without a version are refused.
    pub version_required: bool,
    /// `version.check_max_version`: versions above the newest are refused.
    pub check_max_version: bool,
    /// `return_stack`: 500/0 answers carry the error's text in `error_stack`.
    pub return_stack: bool,
    /// `response.headers.server`.
    pub server_header: String,
    /// `CLEARML_COMPRESS_RESP`.
    pub compress: bool,
    pub cors: CorsSettings,
    /// Largest request body of an authenticated caller, in bytes. Clients split at 15 728 640.
    pub max_body: usize,
    /// Largest request body of anybody else.
    pub max_open_body: usize,
    /// Largest JSON object or form, and longest line of a batch, in bytes: above what MongoDB can store.
    pub max_json: usize,
    /// Longest pause within a request body.
    pub body_timeout: Duration,
    /// Bounds of a JSON object, and of each line of a batch.
    pub json: Limits,
    /// What all requests together may take of the memory, in bytes, from their first byte to their answer.
    pub max_memory: usize,
    /// How long a request waits for its share of it before 503/0.
    pub memory_wait: Duration,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            strip_prefix: String::new(),
            version_required: false,
            check_max_version: false,
            return_stack: false,
            server_header: "clearml".to_owned(),
            compress: true,
            cors: CorsSettings::default(),
            max_body: 64 << 20,
            max_open_body: 1 << 20,
            max_json: 20 << 20,
            body_timeout: Duration::from_mins(1),
            json: Limits::default(),
            max_memory: 192 << 20,
            memory_wait: Duration::from_secs(30),
        }
    }
}

/// Which web pages of other origins may call (`apiserver.cors`).
#[derive(Debug, Clone)]
pub struct CorsSettings {
    /// `origins`; `*` is any.
    pub origins: Vec<String>,
    /// `supports_credentials`.
    pub supports_credentials: bool,
}

impl Default for CorsSettings {
    fn default() -> Self {
        Self { origins: vec!["*".to_owned()], supports_credentials: true }
    }
}

/// Who may call (`apiserver.auth.*`, `secure.auth.*`, `services.auth.*`).
#[derive(Debug, Clone)]
pub struct AuthSettings {
    /// `secure.auth.token_secret`. There is no default: it is generated at the first start.
    pub token_secret: String,
    /// `env`: a claim of tokens.
    pub env: String,
    /// `apiserver.default_company`.
    pub default_company: String,
    /// `default_expiration_sec`.
    pub default_expiration: i64,
    /// `max_expiration_sec`.
    pub max_expiration: i64,
    /// `session_auth_cookie_name`.
    pub cookie_name: String,
    pub cookies: CookieSettings,
    /// `cookies_domain_override`: by company.
    pub cookie_domains: HashMap<String, Option<super::CookieDomain>>,
    /// `custom_cookies`, enabled ones: by cookie name.
    pub custom_cookies: HashMap<String, CookieSettings>,
    pub fixed_users: FixedUsers,
    /// Names under `secure.credentials`: their users' credentials cannot be changed.
    pub protected: Vec<String>,
}

impl AuthSettings {
    /// The official defaults with this token secret.
    pub fn new(token_secret: impl Into<String>) -> Self {
        Self {
            token_secret: token_secret.into(),
            env: "<unknown>".to_owned(),
            default_company: "d1bd92a3b039400cbafc60a7a5b1e52b".to_owned(),
            default_expiration: 2_592_000,
            max_expiration: 31_536_000,
            cookie_name: "clearml_token_basic".to_owned(),
            cookies: CookieSettings::default(),
            cookie_domains: HashMap::new(),
            custom_cookies: HashMap::new(),
            fixed_users: FixedUsers::default(),
            protected: ["apiserver", "fileserver", "webserver", "services_agent", "tests"]
                .map(str::to_owned)
                .to_vec(),
        }
    }
}

/// Users that the configuration names (spec 01 §3.5).
#[derive(Debug, Clone, Default)]
pub struct FixedUsers {
    pub enabled: bool,
    pub users: Vec<FixedUser>,
    pub guest: GuestSettings,
}

impl FixedUsers {
    /// The guest, if there is one.
    pub fn active_guest(&self) -> Option<&GuestSettings> {
        (self.enabled && self.guest.enabled).then_some(&self.guest)
    }
}

/// One fixed user.
#[derive(Debug, Clone)]
pub struct FixedUser {
    pub username: String,
    pub password: Password,
    /// Display name.
    pub name: String,
    /// Company id.
    pub company: String,
    pub is_guest: bool,
}

impl FixedUser {
    /// Its user id.
    pub fn id(&self) -> String {
        fixed_user_id(&self.company, &self.username)
    }
}

/// The guest of fixed users mode (`services.auth.fixed_users.guest`).
#[derive(Debug, Clone)]
pub struct GuestSettings {
    pub enabled: bool,
    /// `default_company`.
    pub company: String,
    pub name: String,
    pub username: String,
    pub password: Password,
    /// What the login page shows: the password as configured.
    pub shown_password: String,
    /// Endpoints a guest may call with its password (tokens may call all).
    pub allow_endpoints: Vec<String>,
}

impl Default for GuestSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            company: "025315a9321f49f8be07f5ac48fbcf92".to_owned(),
            name: "Guest".to_owned(),
            username: "guest".to_owned(),
            password: Password::Plain("guest".to_owned()),
            shown_password: "guest".to_owned(),
            allow_endpoints: vec!["auth.login".to_owned()],
        }
    }
}
