//! `hosts.*`: where other servers are.

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize, de};

use super::{Seconds, Secret};

/// `hosts`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Hosts {
    /// The API server, for the file server and the web server.
    pub api_server: String,
    /// The file server, for the deletion of files.
    pub fileserver: String,
    pub mongo: Mongo,
    /// By cluster: `events`, `workers`.
    pub elastic: IndexMap<String, Elastic>,
    /// By alias: `apiserver`, `workers`, `fileserver`.
    pub redis: IndexMap<String, Redis>,
}

impl Default for Hosts {
    fn default() -> Self {
        let redis = |db| Redis { db, ..Redis::default() };
        Self {
            api_server: "http://apiserver:8008".to_owned(),
            fileserver: "http://localhost:8081".to_owned(),
            mongo: Mongo::default(),
            elastic: ["events", "workers"].map(|name| (name.to_owned(), Elastic::default())).into(),
            redis: [("apiserver", 0), ("workers", 4), ("fileserver", 8)]
                .map(|(alias, db)| (alias.to_owned(), redis(db)))
                .into(),
        }
    }
}

/// `hosts.mongo`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Mongo {
    pub backend: MongoHost,
    pub auth: MongoHost,
}

impl Default for Mongo {
    fn default() -> Self {
        let host = |database| MongoHost {
            host: format!("mongodb://127.0.0.1:27017/{database}"),
            ..MongoHost::default()
        };
        Self { backend: host("backend"), auth: host("auth") }
    }
}

/// `hosts.mongo.<alias>`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MongoHost {
    /// A connection URI; its path names the database.
    pub host: String,
    /// The database where the URI has no path; null: the alias.
    pub name: Option<String>,
    /// As `name`.
    pub db: Option<String>,
}

impl MongoHost {
    /// The configured name of the database, for URIs that have none.
    pub fn database(&self) -> Option<&str> {
        self.name.as_deref().or(self.db.as_deref()).filter(|name| !name.is_empty())
    }
}

/// `hosts.elastic.<cluster>`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Elastic {
    pub hosts: Vec<ElasticHost>,
    pub args: ElasticArgs,
    /// Log in with `secure.elastic`.
    pub secure: bool,
}

impl Default for Elastic {
    fn default() -> Self {
        Self { hosts: vec![ElasticHost::default()], args: ElasticArgs::default(), secure: true }
    }
}

/// One element of `hosts.elastic.<cluster>.hosts`: an object, or a URL such as `https://node:9200`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ElasticHost {
    pub host: String,
    pub port: u16,
    pub scheme: String,
    /// A path before those of the calls.
    pub path: String,
}

impl Default for ElasticHost {
    fn default() -> Self {
        Self { host: "127.0.0.1".to_owned(), port: 9200, scheme: "http".to_owned(), path: String::new() }
    }
}

impl ElasticHost {
    /// The address as a URL.
    pub fn url(&self) -> String {
        let Self { host, port, scheme, path } = self;
        // A whole URL in `host` is a common mistake that has one meaning only.
        if host.contains("://") {
            return host.clone();
        }
        let path = path.trim_matches('/');
        let slash = if path.is_empty() { "" } else { "/" };
        if host.contains(':') && !host.starts_with('[') {
            return format!("{scheme}://[{host}]:{port}{slash}{path}");
        }
        format!("{scheme}://{host}:{port}{slash}{path}")
    }

    fn from_url(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let default_port = if scheme == "https" && url.contains("://") { 443 } else { 9200 };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
            _ => (authority, default_port),
        };
        (!host.is_empty()).then(|| Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            scheme: scheme.to_owned(),
            path: path.to_owned(),
        })
    }
}

impl<'de> Deserialize<'de> for ElasticHost {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ElasticHostVisitor)
    }
}

struct ElasticHostVisitor;

impl<'de> de::Visitor<'de> for ElasticHostVisitor {
    type Value = ElasticHost;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an object with host and port, or a URL such as http://127.0.0.1:9200")
    }

    fn visit_str<E: de::Error>(self, url: &str) -> Result<ElasticHost, E> {
        ElasticHost::from_url(url).ok_or_else(|| E::invalid_value(de::Unexpected::Other("a text"), &self))
    }

    fn visit_map<M: de::MapAccess<'de>>(self, members: M) -> Result<ElasticHost, M::Error> {
        #[derive(Deserialize)]
        #[serde(default)]
        struct Members {
            host: String,
            port: u16,
            scheme: String,
            #[serde(alias = "url_prefix")]
            path: String,
            use_ssl: bool,
        }

        impl Default for Members {
            fn default() -> Self {
                let ElasticHost { host, port, scheme, path } = ElasticHost::default();
                Self { host, port, scheme, path, use_ssl: false }
            }
        }

        let Members { host, port, scheme, path, use_ssl } =
            Members::deserialize(de::value::MapAccessDeserializer::new(members))?;
        Ok(ElasticHost { host, port, scheme: if use_ssl { "https".to_owned() } else { scheme }, path })
    }
}

/// `hosts.elastic.<cluster>.args`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ElasticArgs {
    pub timeout: Seconds,
    pub max_retries: u32,
    pub retry_on_timeout: bool,
    /// Whether the certificate of an `https` node must be valid.
    pub verify_certs: bool,
    /// A PEM file of certificate authorities beside the well-known ones.
    pub ca_certs: Option<String>,
    /// Send compressed bodies.
    pub http_compress: bool,
    /// An API key in its encoded form, in place of a password.
    pub api_key: Option<Secret>,
}

impl Default for ElasticArgs {
    fn default() -> Self {
        Self {
            timeout: Seconds::new(60),
            max_retries: 3,
            retry_on_timeout: true,
            verify_certs: true,
            ca_certs: None,
            http_compress: false,
            api_key: None,
        }
    }
}

/// `hosts.redis.<alias>`. Beyond the first four, the names are those of the client that the official server
/// passes them on to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Redis {
    /// In a cluster several, separated by commas, each with a port of its own if need be.
    pub host: String,
    pub port: u16,
    pub db: u32,
    /// A Redis Cluster, which has no numbered databases.
    pub cluster: bool,
    /// All of the above and the login: `redis://user:password@host:port/db`, `rediss://…` with TLS.
    pub url: Option<String>,
    pub username: Option<String>,
    /// Rather in `secure.redis.<alias>.password`.
    pub password: Option<Secret>,
    /// Use TLS.
    pub ssl: bool,
    /// A PEM file of the authorities that sign the server's certificate; null: those of the system.
    pub ssl_ca_certs: Option<String>,
    /// PEM files of a client certificate and its key.
    pub ssl_certfile: Option<String>,
    pub ssl_keyfile: Option<String>,
    /// Sentinels to ask for the primary, in place of `host` and `port`.
    pub sentinels: Vec<String>,
    /// The name that the sentinels know the primary by.
    pub sentinel_service: String,
    pub sentinel_username: Option<String>,
    pub sentinel_password: Option<Secret>,
    /// Longest wait for a connection.
    pub socket_connect_timeout: Seconds,
    /// Longest wait for an answer.
    pub socket_timeout: Seconds,
    /// Put before every key; other than empty, official servers don't find the keys.
    pub prefix: String,
}

impl Default for Redis {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 6379,
            db: 0,
            cluster: false,
            url: None,
            username: None,
            password: None,
            ssl: false,
            ssl_ca_certs: None,
            ssl_certfile: None,
            ssl_keyfile: None,
            sentinels: Vec::new(),
            sentinel_service: "mymaster".to_owned(),
            sentinel_username: None,
            sentinel_password: None,
            socket_connect_timeout: Seconds::new(3),
            socket_timeout: Seconds::new(10),
            prefix: String::new(),
        }
    }
}
