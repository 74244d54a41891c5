//! `hosts.redis` -> the settings of the store.

use std::path::PathBuf;

use clearml_config::{
    Settings,
    settings::{Redis, Secret},
};
use clearml_state::{
    RedisSettings,
    redis::{RedisServers, RedisTls},
};

use crate::OpenError;

/// How to reach the database of an alias: `apiserver`, `workers`, `fileserver`.
pub fn redis_settings(settings: &Settings, alias: &str) -> Result<RedisSettings, OpenError> {
    let default = Redis::default();
    let redis = settings.hosts.redis.get(alias).unwrap_or(&default);
    let whole_url = redis.url.as_deref().or_else(|| redis.host.contains("://").then_some(&redis.host));
    let base = match whole_url.filter(|url| !url.is_empty()) {
        Some(url) => RedisSettings::from_url(url).map_err(|error| OpenError::Setting {
            key: format!("hosts.redis.{alias}"),
            reason: error.to_string(),
        })?,
        None => RedisSettings {
            servers: RedisServers::Single(with_port(redis.host.trim(), redis.port)),
            database: redis.db,
            ..RedisSettings::default()
        },
    };
    let login = settings.secure.redis.get(alias);
    let username = login.and_then(|login| login.username.clone()).or_else(|| redis.username.clone());
    let password = login.and_then(|login| login.password.as_ref()).or(redis.password.as_ref());
    let base = RedisSettings {
        username: text(username).or(base.username),
        password: secret(password).or(base.password),
        tls: tls(redis, base.tls.is_some()),
        prefix: redis.prefix.clone(),
        connect_timeout: redis.socket_connect_timeout.duration(),
        timeout: redis.socket_timeout.duration(),
        ..base
    };
    let (servers, database) = match base.servers {
        _ if !redis.sentinels.is_empty() => (
            RedisServers::Sentinel {
                sentinels: redis.sentinels.clone(),
                primary: redis.sentinel_service.clone(),
                username: text(redis.sentinel_username.clone()),
                password: secret(redis.sentinel_password.as_ref()),
            },
            base.database,
        ),
        RedisServers::Single(address) if redis.cluster => {
            let nodes = if whole_url.is_some() { vec![address] } else { nodes(redis) };
            (RedisServers::Cluster(nodes), 0)
        }
        servers => (servers, base.database),
    };
    Ok(RedisSettings { servers, database, ..base })
}

fn nodes(redis: &Redis) -> Vec<String> {
    let hosts = redis.host.split(',').map(str::trim).filter(|host| !host.is_empty());
    hosts.map(|host| with_port(host, redis.port)).collect()
}

/// The host with the port, unless it has one.
fn with_port(host: &str, port: u16) -> String {
    let has_port = host.rsplit_once(':').is_some_and(|(host, _)| !host.contains(':') || host.ends_with(']'));
    let is_bare_ipv6 = !has_port && host.contains(':') && !host.starts_with('[');
    match (has_port, is_bare_ipv6) {
        (true, _) => host.to_owned(),
        (_, true) => format!("[{host}]:{port}"),
        _ => format!("{host}:{port}"),
    }
}

fn tls(redis: &Redis, by_url: bool) -> Option<RedisTls> {
    let client = redis.ssl_certfile.as_ref().zip(redis.ssl_keyfile.as_ref());
    (redis.ssl || by_url).then(|| RedisTls {
        ca_file: redis.ssl_ca_certs.as_ref().map(PathBuf::from),
        client: client.map(|(certificate, key)| (PathBuf::from(certificate), PathBuf::from(key))),
    })
}

fn text(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn secret(secret: Option<&Secret>) -> Option<String> {
    text(secret.map(|secret| secret.reveal().to_owned()))
}

#[cfg(test)]
mod tests {
    use clearml_config::{Config, Environment, Sources};

    use super::*;

    fn settings(variables: &[(&str, &str)], alias: &str) -> RedisSettings {
        let environment: Environment = variables.iter().copied().collect();
        let config = Config::load(&Sources { directories: Vec::new(), environment }).unwrap();
        redis_settings(&config.settings().unwrap(), alias).unwrap()
    }

    #[test]
    fn official_variables_reach_all_databases() {
        let variables = [
            ("CLEARML_REDIS_SERVICE_HOST", "redis"),
            ("CLEARML_REDIS_SERVICE_PORT", "6380"),
            ("CLEARML_REDIS_SERVICE_PASSWORD", "0123"),
        ];
        for (alias, database) in [("apiserver", 0), ("workers", 4), ("fileserver", 8)] {
            let redis = settings(&variables, alias);
            assert_eq!(redis.servers, RedisServers::Single("redis:6380".to_owned()));
            assert_eq!((redis.database, redis.password.as_deref()), (database, Some("0123")));
        }
    }

    #[test]
    fn urls_clusters_and_sentinels() {
        let url = settings(&[("CLEARML__hosts__redis__workers__url", "rediss://u:p@r:1/7")], "workers");
        assert_eq!(url.servers, RedisServers::Single("r:1".to_owned()));
        assert_eq!((url.database, url.tls.is_some(), url.username.as_deref()), (7, true, Some("u")));

        let cluster = [
            ("CLEARML__hosts__redis__workers__host", "\"a, b:7001\""),
            ("CLEARML__hosts__redis__workers__cluster", "true"),
            ("CLEARML__hosts__redis__workers__prefix", "\"{x}\""),
        ];
        let cluster = settings(&cluster, "workers");
        assert_eq!(cluster.servers, RedisServers::Cluster(vec!["a:6379".to_owned(), "b:7001".to_owned()]));
        assert_eq!((cluster.database, cluster.prefix.as_str()), (0, "{x}"));

        let sentinel = [
            ("CLEARML__hosts__redis__workers__sentinels", "[\"s1:26379\", s2]"),
            ("CLEARML__hosts__redis__workers__sentinel_service", "primary"),
            ("CLEARML__hosts__redis__workers__ssl", "true"),
        ];
        let sentinel = settings(&sentinel, "workers");
        assert_eq!(sentinel.database, 4);
        assert!(sentinel.tls.is_some());
        let RedisServers::Sentinel { sentinels, primary, .. } = sentinel.servers else { panic!() };
        assert_eq!((sentinels.len(), primary.as_str()), (2, "primary"));
    }

    #[test]
    fn ports_are_added_where_there_is_none() {
        for (host, address) in [("a", "a:1"), ("a:2", "a:2"), ("::1", "[::1]:1"), ("[::1]:2", "[::1]:2")] {
            assert_eq!(with_port(host, 1), address);
        }
    }
}
