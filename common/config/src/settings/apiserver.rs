//! `apiserver.*`: protocol, authentication and background work of the API server.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{Seconds, Secret};

/// `apiserver`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct ApiServer {
    pub listen: Listen,
    pub request: Request,
    pub response: Response,
    pub version: Version,
    /// Put the text of unexpected errors into `error_stack`, for the codes below.
    pub return_stack: bool,
    pub return_stack_to_caller: bool,
    /// Pairs of HTTP status and subcode.
    pub return_stack_on_code: Vec<Vec<u16>>,
    pub auth: Auth,
    pub cors: Cors,
    pub default_company: String,
    pub pre_populate: PrePopulate,
    /// How long the lock of the first start is held; the misspelling is the key's.
    pub db_init_timout: Seconds,
    pub mongo: MongoOptions,
    pub elastic: ElasticOptions,
    pub workers: ApiWorkers,
    pub check_for_updates: CheckForUpdates,
    pub statistics: Statistics,
    /// What `users.get_current_user` tells new users; passed on as it is.
    pub getting_started_info: serde_json::Value,
}

impl Default for ApiServer {
    fn default() -> Self {
        Self {
            listen: Listen { ip: "127.0.0.1".to_owned(), port: 8008 },
            request: Request::default(),
            response: Response::default(),
            version: Version::default(),
            return_stack: false,
            return_stack_to_caller: false,
            return_stack_on_code: vec![vec![500, 0]],
            auth: Auth::default(),
            cors: Cors::default(),
            default_company: "d1bd92a3b039400cbafc60a7a5b1e52b".to_owned(),
            pre_populate: PrePopulate::default(),
            db_init_timout: Seconds::new(120),
            mongo: MongoOptions::default(),
            elastic: ElasticOptions::default(),
            workers: ApiWorkers::default(),
            check_for_updates: CheckForUpdates::default(),
            statistics: Statistics::default(),
            getting_started_info: serde_json::json!({
                "agentName": "clearml",
                "configure": "clearml-init",
                "install": "pip install clearml",
                "packageName": "clearml",
            }),
        }
    }
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Listen {
    pub ip: String,
    /// 0: a free port.
    pub port: u16,
}

impl Default for Listen {
    fn default() -> Self {
        Self { ip: "127.0.0.1".to_owned(), port: 0 }
    }
}

/// `apiserver.request`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    /// Cut from the beginning of each path.
    pub strip_prefix: Option<String>,
    /// Largest body of an authenticated caller, in bytes.
    pub max_body_size: usize,
    /// Largest body of anybody else, in bytes.
    pub max_open_body_size: usize,
    /// Largest JSON object or form, and longest line of a batch, in bytes.
    pub max_json_size: usize,
    /// Most values in a JSON object, and in each line of a batch.
    pub max_json_values: usize,
    /// Longest pause within a body.
    pub body_timeout_sec: Seconds,
    /// What all requests together may take of the memory, in bytes.
    pub max_memory_size: usize,
    /// How long a request waits for its share of it.
    pub memory_wait_sec: Seconds,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            strip_prefix: None,
            max_body_size: 64 << 20,
            max_open_body_size: 1 << 20,
            max_json_size: 20 << 20,
            max_json_values: 100_000,
            body_timeout_sec: Seconds::new(60),
            max_memory_size: 192 << 20,
            memory_wait_sec: Seconds::new(30),
        }
    }
}

/// `apiserver.response`, `fileserver.response`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Response {
    pub headers: ResponseHeaders,
}

/// `apiserver.response.headers`, `fileserver.response.headers`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct ResponseHeaders {
    pub server: String,
}

impl Default for ResponseHeaders {
    fn default() -> Self {
        Self { server: "clearml".to_owned() }
    }
}

/// `apiserver.version`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Version {
    /// Paths must name a version.
    pub required: bool,
    /// Has no effect.
    pub default: f64,
    /// Refuse versions above the server's own.
    pub check_max_version: bool,
}

impl Default for Version {
    fn default() -> Self {
        Self { required: false, default: 1.0, check_max_version: false }
    }
}

/// `apiserver.auth`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Auth {
    pub session_auth_cookie_name: String,
    pub cookies: Cookies,
    /// Cookie domain by company id; null: none.
    pub cookies_domain_override: IndexMap<String, Option<Domain>>,
    pub custom_cookies: IndexMap<String, CustomCookie>,
    pub fixed_users: FixedUsers,
    pub delete_missing_autocreated_users: bool,
    pub max_expiration_sec: Seconds,
    pub default_expiration_sec: Seconds,
    /// Has no effect.
    pub verify_user_tokens: bool,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            session_auth_cookie_name: "clearml_token_basic".to_owned(),
            cookies: Cookies::default(),
            cookies_domain_override: IndexMap::new(),
            custom_cookies: IndexMap::new(),
            fixed_users: FixedUsers::default(),
            delete_missing_autocreated_users: true,
            max_expiration_sec: Seconds::new(31_536_000),
            default_expiration_sec: Seconds::new(2_592_000),
            verify_user_tokens: false,
        }
    }
}

/// `apiserver.auth.cookies`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Cookies {
    pub httponly: bool,
    pub secure: bool,
    /// Several: the first that the request's host ends with.
    pub domain: Option<Domain>,
    pub samesite: Option<String>,
    /// In seconds.
    pub max_age: Option<i64>,
}

impl Default for Cookies {
    fn default() -> Self {
        Self {
            httponly: true,
            secure: false,
            domain: None,
            samesite: Some("Lax".to_owned()),
            max_age: Some(99_999_999_999),
        }
    }
}

/// One domain or several.
pub type Domain = super::OneOrMany;

/// `apiserver.auth.custom_cookies.<any>`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CustomCookie {
    pub name: String,
    pub enabled: bool,
    pub settings: Cookies,
}

/// `apiserver.auth.fixed_users` (spec 01 §3.5)
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FixedUsers {
    pub enabled: bool,
    /// Passwords are base64 of bcrypt hashes.
    pub pass_hashed: bool,
    pub users: Vec<FixedUser>,
}

/// One element of `apiserver.auth.fixed_users.users`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FixedUser {
    pub username: String,
    pub password: Secret,
    pub name: String,
    #[serde(default)]
    pub company: Option<String>,
    #[serde(default)]
    pub is_guest: bool,
}

/// `apiserver.cors`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Cors {
    /// `*`: every origin.
    pub origins: Vec<String>,
    pub supports_credentials: bool,
}

impl Default for Cors {
    fn default() -> Self {
        Self { origins: vec!["*".to_owned()], supports_credentials: true }
    }
}

/// `apiserver.pre_populate` (spec 01 §8.4)
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PrePopulate {
    pub enabled: bool,
    /// Files and directories.
    pub zip_files: Vec<String>,
    pub fail_on_error: bool,
    pub artifacts_path: Option<String>,
}

/// `apiserver.mongo`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MongoOptions {
    /// Unknown stored fields are an error.
    pub strict: bool,
}

/// `apiserver.elastic`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ElasticOptions {
    pub probing: Probing,
    pub upgrade_monitoring: UpgradeMonitoring,
}

/// `apiserver.elastic.probing`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Probing {
    pub max_retries: u32,
    pub timeout: Seconds,
}

impl Default for Probing {
    fn default() -> Self {
        Self { max_retries: 4, timeout: Seconds::new(30) }
    }
}

/// `apiserver.elastic.upgrade_monitoring`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct UpgradeMonitoring {
    pub v16_migration_verification: bool,
}

impl Default for UpgradeMonitoring {
    fn default() -> Self {
        Self { v16_migration_verification: true }
    }
}

/// `apiserver.workers`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct ApiWorkers {
    pub auto_register: bool,
    pub auto_unregister: bool,
    pub task_update_timeout: Seconds,
    pub default_timeout: Seconds,
}

impl Default for ApiWorkers {
    fn default() -> Self {
        Self {
            auto_register: true,
            auto_unregister: true,
            task_update_timeout: Seconds::new(600),
            default_timeout: Seconds::new(600),
        }
    }
}

/// `apiserver.check_for_updates`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct CheckForUpdates {
    pub enabled: bool,
    pub check_interval_sec: Seconds,
    pub url: String,
    pub component_name: String,
    pub request_timeout_sec: Seconds,
}

impl Default for CheckForUpdates {
    fn default() -> Self {
        Self {
            // The official server's service, which knows nothing of this one.
            enabled: false,
            check_interval_sec: Seconds::new(86_400),
            url: "https://updates.clear.ml/updates".to_owned(),
            component_name: "clearml-server".to_owned(),
            request_timeout_sec: Seconds::new(3),
        }
    }
}

/// `apiserver.statistics`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Statistics {
    pub supported: bool,
    pub url: String,
    pub report_interval_hours: u32,
    pub agent_relevant_threshold_days: u32,
    pub max_retries: u32,
    pub max_backoff_sec: Seconds,
}

impl Default for Statistics {
    fn default() -> Self {
        Self {
            supported: true,
            url: "https://updates.clear.ml/stats".to_owned(),
            report_interval_hours: 24,
            agent_relevant_threshold_days: 30,
            max_retries: 5,
            max_backoff_sec: Seconds::new(5),
        }
    }
}
