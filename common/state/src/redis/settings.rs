//! How to reach a Redis.

use std::{fmt, path::PathBuf, time::Duration};

use redis::{ClientTlsConfig, ConnectionAddr, RedisConnectionInfo, TlsCertificates, TlsMode};

use crate::{StateError, StateResult};

const DEFAULT_PORT: u16 = 6379;
const DEFAULT_SENTINEL_PORT: u16 = 26379;

/// Where one of the official databases is (`hosts.redis.<alias>`) and how long to wait for it.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisSettings {
    pub servers: RedisServers,
    /// Number of the database; a Redis Cluster has only one.
    pub database: u32,
    pub username: Option<String>,
    pub password: Option<String>,
    /// `None`: no TLS.
    pub tls: Option<RedisTls>,
    /// Put before every key; empty: the official server's keys.
    pub prefix: String,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for an answer, the wait for a connection and a second try included.
    pub timeout: Duration,
}

/// Which servers hold the database. Addresses are `host` or `host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisServers {
    /// One server.
    Single(String),
    /// A Redis Cluster: some of its nodes.
    Cluster(Vec<String>),
    /// The primary of this name that these sentinels watch.
    Sentinel { sentinels: Vec<String>, primary: String, username: Option<String>, password: Option<String> },
}

/// TLS of the connections; certificates are PEM files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RedisTls {
    /// Who signs the server's certificate; `None`: the authorities that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// The client's own certificate and key.
    pub client: Option<(PathBuf, PathBuf)>,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            servers: RedisServers::Single(format!("127.0.0.1:{DEFAULT_PORT}")),
            database: 0,
            username: None,
            password: None,
            tls: None,
            prefix: String::new(),
            connect_timeout: Duration::from_secs(3),
            timeout: Duration::from_secs(10),
        }
    }
}

impl RedisSettings {
    /// The settings that a URL stands for: `redis://user:password@host:port/database`, `rediss://` with TLS.
    pub fn from_url(url: &str) -> StateResult<Self> {
        let info = redis::IntoConnectionInfo::into_connection_info(url)
            // The text of the error may hold the password.
            .map_err(|_| StateError::Settings("not a URL such as redis://host:6379/0".to_owned()))?;
        let (server, tls) = match info.addr() {
            ConnectionAddr::Tcp(host, port) => (address(host, *port), None),
            ConnectionAddr::TcpTls { host, port, .. } => (address(host, *port), Some(RedisTls::default())),
            _ => return Err(StateError::Settings("a URL with host and port is needed".to_owned())),
        };
        let login = info.redis_settings();
        Ok(Self {
            servers: RedisServers::Single(server),
            database: u32::try_from(login.db()).unwrap_or_default(),
            username: login.username().map(str::to_owned),
            password: login.password().map(str::to_owned),
            tls,
            ..Self::default()
        })
    }

    pub(super) fn login(&self) -> RedisConnectionInfo {
        let mut login = RedisConnectionInfo::default().set_db(i64::from(self.database));
        if let Some(username) = &self.username {
            login = login.set_username(username);
        }
        if let Some(password) = &self.password {
            login = login.set_password(password);
        }
        login
    }

    pub(super) fn tls_mode(&self) -> Option<TlsMode> {
        self.tls.as_ref().map(|_| TlsMode::Secure)
    }

    /// The certificates of the files; `None`: those that the system trusts.
    pub(super) fn certificates(&self) -> StateResult<Option<TlsCertificates>> {
        let Some(tls) = self.tls.as_ref().filter(|tls| tls.ca_file.is_some() || tls.client.is_some()) else {
            return Ok(None);
        };
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|error| StateError::Settings(format!("{}: {error}", path.display())))
        };
        let client_tls = match &tls.client {
            Some((certificate, key)) => {
                Some(ClientTlsConfig { client_cert: read(certificate)?, client_key: read(key)? })
            }
            None => None,
        };
        Ok(Some(TlsCertificates { client_tls, root_cert: tls.ca_file.as_ref().map(read).transpose()? }))
    }

    /// The address of a server of the database.
    pub(super) fn server(&self, address: &str) -> ConnectionAddr {
        let (host, port) = split(address, DEFAULT_PORT);
        match self.tls {
            Some(_) => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
            None => ConnectionAddr::Tcp(host, port),
        }
    }

    /// The address of a sentinel.
    pub(super) fn sentinel(&self, address: &str) -> ConnectionAddr {
        let (host, port) = split(address, DEFAULT_SENTINEL_PORT);
        match self.tls {
            Some(_) => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
            None => ConnectionAddr::Tcp(host, port),
        }
    }
}

/// What people need to find a wrong address; no password.
impl fmt::Display for RedisSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls.is_some() { "rediss" } else { "redis" };
        match &self.servers {
            RedisServers::Single(server) => write!(formatter, "{scheme}://{server}/{}", self.database),
            RedisServers::Cluster(nodes) => write!(formatter, "{scheme} cluster {}", nodes.join(",")),
            RedisServers::Sentinel { sentinels, primary, .. } => {
                write!(formatter, "{scheme} sentinel {} for {primary}/{}", sentinels.join(","), self.database)
            }
        }
    }
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

fn address(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// `host`, `host:port`, `[::1]`, `[::1]:port`; a bare IPv6 address has no port.
fn split(address: &str, default_port: u16) -> (String, u16) {
    let bare = |host: &str| host.trim_matches(['[', ']']).to_owned();
    match address.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => match port.parse() {
            Ok(port) => (bare(host), port),
            Err(_) => (bare(address), default_port),
        },
        _ => (bare(address), default_port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_addresses() {
        let settings = RedisSettings::from_url("rediss://jane:p%40ss@store.example:6380/4").unwrap();
        assert_eq!(settings.servers, RedisServers::Single("store.example:6380".to_owned()));
        assert_eq!((settings.database, settings.tls.is_some()), (4, true));
        assert_eq!(settings.username.as_deref(), Some("jane"));
        assert_eq!(settings.password.as_deref(), Some("p@ss"));
        assert_eq!(format!("{settings:?}"), "rediss://store.example:6380/4");
        assert!(RedisSettings::from_url("http://x").is_err());
        assert_eq!(split("a", 1), ("a".to_owned(), 1));
        assert_eq!(split("a:2", 1), ("a".to_owned(), 2));
        assert_eq!(split("[::1]:2", 1), ("::1".to_owned(), 2));
        assert_eq!(split("::1", 1), ("::1".to_owned(), 1));
    }
}
