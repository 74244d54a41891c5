//! State in Redis: the official server's databases and keys, so that both kinds of server see each other's
//! workers, revoked tokens and caches.

mod link;
mod scan;
mod settings;

use std::time::Duration;

use async_trait::async_trait;
use redis::{Cmd, FromRedisValue, RedisError, cmd};

use crate::{SharedState, StateError, StateResult};
use link::{Link, Repeat};

pub use settings::{RedisServers, RedisSettings, RedisTls};

/// Lifetimes beyond a thousand years are cut to that: Redis refuses what its clock can't tell.
const LONGEST: Duration = Duration::from_hours(1000 * 365 * 24);

const DELETE_IF_EQUAL: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) else return 0 end";

/// One of the official databases (`hosts.redis.<alias>`): a server, a cluster, or what sentinels watch.
///
/// All callers share a connection, which is made anew when it breaks. A call ends within the time of the
/// settings; [`StateError::Unavailable`] where Redis can't be reached or does not answer.
pub struct RedisState {
    link: Link,
}

impl RedisState {
    /// Connects. Errors: [`StateError::Settings`], and [`StateError::Unavailable`] if Redis does not answer.
    pub async fn connect(settings: RedisSettings) -> StateResult<Self> {
        Ok(Self { link: Link::open(settings).await? })
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.link.settings().prefix)
    }

    fn keys_of(&self, keys: &[String]) -> Vec<String> {
        keys.iter().map(|key| self.key(key)).collect()
    }

    /// Sends a command on a key that may be sent twice.
    async fn run<T: FromRedisValue>(&self, key: &str, command: &Cmd) -> StateResult<T> {
        self.run_as(key, command, Repeat::Harmless).await
    }

    async fn run_as<T: FromRedisValue>(&self, key: &str, command: &Cmd, repeat: Repeat) -> StateResult<T> {
        let value = self.link.send(command, repeat).await.map_err(|error| wrong_kind_or(error, key))?;
        let value = value.extract_error().map_err(|error| self.explain(&error, key))?;
        redis::from_redis_value(value).map_err(|error| self.explain(&error.into(), key))
    }

    fn explain(&self, error: &RedisError, key: &str) -> StateError {
        wrong_kind_or(self.link.explain(error), key)
    }
}

fn milliseconds(lifetime: Duration) -> u64 {
    lifetime.min(LONGEST).as_millis() as u64
}

fn score(bound: f64) -> String {
    if bound == f64::INFINITY {
        "+inf".to_owned()
    } else if bound == f64::NEG_INFINITY {
        "-inf".to_owned()
    } else {
        bound.to_string()
    }
}

#[async_trait]
impl SharedState for RedisState {
    async fn get(&self, key: &str) -> StateResult<Option<String>> {
        self.run(key, cmd("GET").arg(self.key(key))).await
    }

    async fn get_many(&self, keys: &[String]) -> StateResult<Vec<Option<String>>> {
        let [first, ..] = keys else { return Ok(Vec::new()) };
        self.run(first, cmd("MGET").arg(self.keys_of(keys))).await
    }

    async fn set(&self, key: &str, value: &str, expires_in: Option<Duration>) -> StateResult<()> {
        let mut command = cmd("SET");
        command.arg(self.key(key)).arg(value);
        if let Some(lifetime) = expires_in {
            match milliseconds(lifetime) {
                0 => return self.run::<u64>(key, cmd("DEL").arg(self.key(key))).await.map(drop),
                lifetime => command.arg("PX").arg(lifetime),
            };
        }
        self.run(key, &command).await
    }

    async fn set_if_absent(&self, key: &str, value: &str, expires_in: Duration) -> StateResult<bool> {
        let lifetime = milliseconds(expires_in).max(1);
        // Sent again after an answer that was lost, it finds its own value: that reads as another's, which
        // is the safe side.
        let mut command = cmd("SET");
        command.arg(self.key(key)).arg(value).arg("NX").arg("PX").arg(lifetime);
        let stored: Option<String> = self.run(key, &command).await?;
        Ok(stored.is_some())
    }

    async fn delete_if_equal(&self, key: &str, value: &str) -> StateResult<bool> {
        let mut command = cmd("EVAL");
        command.arg(DELETE_IF_EQUAL).arg(1).arg(self.key(key)).arg(value);
        self.run(key, &command).await
    }

    async fn delete(&self, keys: &[String]) -> StateResult<u64> {
        let [first, ..] = keys else { return Ok(0) };
        self.run(first, cmd("DEL").arg(self.keys_of(keys))).await
    }

    async fn keys(&self, glob: &str) -> StateResult<Vec<String>> {
        scan::keys(&self.link, glob).await
    }

    async fn sorted_add(&self, key: &str, member: &str, score: f64) -> StateResult<()> {
        if score.is_nan() {
            return Err(StateError::InvalidScore(key.to_owned()));
        }
        let mut command = cmd("ZADD");
        command.arg(self.key(key)).arg(self::score(score)).arg(member);
        self.run::<u64>(key, &command).await.map(drop)
    }

    async fn sorted_range(&self, key: &str, min: f64, max: f64) -> StateResult<Vec<String>> {
        self.run(key, cmd("ZRANGEBYSCORE").arg(self.key(key)).arg(score(min)).arg(score(max))).await
    }

    async fn sorted_score(&self, key: &str, member: &str) -> StateResult<Option<f64>> {
        self.run(key, cmd("ZSCORE").arg(self.key(key)).arg(member)).await
    }

    async fn sorted_remove(&self, key: &str, members: &[String]) -> StateResult<u64> {
        if members.is_empty() {
            return Ok(0);
        }
        self.run(key, cmd("ZREM").arg(self.key(key)).arg(members)).await
    }

    async fn sorted_remove_range(&self, key: &str, min: f64, max: f64) -> StateResult<u64> {
        self.run(key, cmd("ZREMRANGEBYSCORE").arg(self.key(key)).arg(score(min)).arg(score(max))).await
    }

    async fn list_append(&self, key: &str, values: &[String]) -> StateResult<()> {
        if values.is_empty() {
            return Ok(());
        }
        let mut command = cmd("RPUSH");
        command.arg(self.key(key)).arg(values);
        self.run_as::<u64>(key, &command, Repeat::Never).await.map(drop)
    }

    async fn list_all(&self, key: &str) -> StateResult<Vec<String>> {
        self.run(key, cmd("LRANGE").arg(self.key(key)).arg(0).arg(-1)).await
    }

    async fn expire(&self, key: &str, expires_in: Duration) -> StateResult<bool> {
        self.run(key, cmd("PEXPIRE").arg(self.key(key)).arg(milliseconds(expires_in))).await
    }

    async fn ping(&self) -> StateResult<()> {
        self.run::<String>("", &cmd("PING")).await.map(drop)
    }
}

/// Redis says `WRONGTYPE` where a key holds another kind of value.
fn wrong_kind_or(error: StateError, key: &str) -> StateError {
    match error {
        StateError::Unavailable(text) if text.contains("WRONGTYPE") => StateError::WrongKind(key.to_owned()),
        other => other,
    }
}
