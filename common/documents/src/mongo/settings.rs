//! How to reach MongoDB.

use std::{fmt, time::Duration};

/// Where the databases are and how patient the store is. What an address says by itself (`maxPoolSize`,
/// `connectTimeoutMS`, `compressors`, `w`, `appName` …) wins over the values here (spec 06 §9.2).
#[derive(Clone)]
pub struct MongoSettings {
    /// Address of the database `backend`: `mongodb://…` or `mongodb+srv://…`. A path in it names the database.
    pub backend_uri: String,
    /// Address of the database `auth`.
    pub auth_uri: String,
    /// Name of the database `backend` where its address has no path.
    pub backend_database: String,
    /// Name of the database `auth` where its address has no path.
    pub auth_database: String,
    /// What MongoDB's own logs and `currentOp` call this process.
    pub app_name: String,
    /// Most connections to one server; further operations wait for one.
    pub max_pool_size: u32,
    /// Connections that are kept open in idle times.
    pub min_pool_size: u32,
    /// An idle connection is closed after this time.
    pub max_idle_time: Duration,
    /// Time for a new connection, TLS and login included.
    pub connect_timeout: Duration,
    /// Time to wait for a server that can do the operation, for example during an election.
    pub server_selection_timeout: Duration,
    /// Time for a whole operation, retries included; the making of indexes is not bounded.
    pub operation_timeout: Duration,
    /// Compress what goes over the network (zstd, else zlib, where the server has them).
    pub compression: bool,
}

impl Default for MongoSettings {
    fn default() -> Self {
        Self {
            backend_uri: "mongodb://127.0.0.1:27017/backend".to_owned(),
            auth_uri: "mongodb://127.0.0.1:27017/auth".to_owned(),
            backend_database: "backend".to_owned(),
            auth_database: "auth".to_owned(),
            app_name: "clearml-server".to_owned(),
            max_pool_size: 100,
            min_pool_size: 0,
            max_idle_time: Duration::from_mins(10),
            connect_timeout: Duration::from_secs(10),
            server_selection_timeout: Duration::from_secs(15),
            operation_timeout: Duration::from_mins(1),
            compression: true,
        }
    }
}

/// Without passwords.
impl fmt::Debug for MongoSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MongoSettings")
            .field("backend_uri", &without_password(&self.backend_uri))
            .field("auth_uri", &without_password(&self.auth_uri))
            .field("backend_database", &self.backend_database)
            .field("auth_database", &self.auth_database)
            .field("max_pool_size", &self.max_pool_size)
            .field("operation_timeout", &self.operation_timeout)
            .finish_non_exhaustive()
    }
}

/// The address with its user and password replaced.
pub(super) fn without_password(uri: &str) -> String {
    let Some((scheme, rest)) = uri.split_once("://") else { return "…".to_owned() };
    match rest.rsplit_once('@') {
        Some((_, address)) => format!("{scheme}://…@{address}"),
        None => uri.to_owned(),
    }
}

/// The address with the path, which names a database, left out.
pub(super) fn without_database(uri: &str) -> String {
    let (scheme, rest) = uri.split_once("://").map_or(("", uri), |(scheme, rest)| (scheme, rest));
    let (address, query) = rest.split_once('?').map_or((rest, ""), |(address, query)| (address, query));
    // A slash in a password has to be written as %2F; the path follows the hosts.
    let hosts = address.split_once('/').map_or(address, |(hosts, _)| hosts);
    format!("{scheme}://{hosts}/?{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_hold_no_passwords() {
        let settings = MongoSettings {
            backend_uri: "mongodb://me:secret@h:1/backend".into(),
            ..MongoSettings::default()
        };
        assert!(!format!("{settings:?}").contains("secret"));
        assert_eq!(without_password("mongodb+srv://a:b@h/x?y=@z"), "mongodb+srv://…@z");
        assert_eq!(without_password("secret"), "…");
    }

    #[test]
    fn addresses_are_compared_without_their_database() {
        for uri in ["mongodb://u:p@a:1,b:2/backend?x=1", "mongodb://u:p@a:1,b:2/?x=1"] {
            assert_eq!(without_database(uri), "mongodb://u:p@a:1,b:2/?x=1");
        }
        assert_eq!(without_database("mongodb://a"), "mongodb://a/?");
    }
}
