//! State that replicas share and that may expire: workers, scroll positions, caches, locks, revoked tokens.
//! The operations are the few of Redis that the official server's keys need (spec 01 §6, 03, 04 §3.4, 05 §2.4).

mod glob;
mod memory;
pub mod redis;
mod sorted_set;
#[cfg(feature = "suite")]
pub mod suite;

use std::time::Duration;

use async_trait::async_trait;

pub use glob::escape_glob;
pub use memory::MemoryState;
pub use redis::{RedisSettings, RedisState};

/// Why a call failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StateError {
    /// The key holds a value of another kind (text, sorted set, list).
    #[error("key {0} holds another kind of value")]
    WrongKind(String),
    /// A score that is not a number.
    #[error("invalid score for key {0}")]
    InvalidScore(String),
    /// The store can't be reached, does not answer in time, or refuses to work at present.
    #[error("{0}")]
    Unavailable(String),
    /// The settings of the store can't work.
    #[error("{0}")]
    Settings(String),
}

/// Result of a call.
pub type StateResult<T> = Result<T, StateError>;

/// Expiring text values, sorted sets and lists under string keys.
#[async_trait]
pub trait SharedState: Send + Sync + 'static {
    /// The text value of a key.
    async fn get(&self, key: &str) -> StateResult<Option<String>>;

    /// The text values of several keys, in their order.
    async fn get_many(&self, keys: &[String]) -> StateResult<Vec<Option<String>>>;

    /// Stores a text value in place of whatever the key holds; `None`: it does not expire.
    async fn set(&self, key: &str, value: &str, expires_in: Option<Duration>) -> StateResult<()>;

    /// Stores a text value if the key does not exist; whether it did. The base of locks.
    async fn set_if_absent(&self, key: &str, value: &str, expires_in: Duration) -> StateResult<bool>;

    /// Deletes the key if it holds this text value (releases a lock that is still one's own).
    async fn delete_if_equal(&self, key: &str, value: &str) -> StateResult<bool>;

    /// Deletes keys of any kind; how many existed.
    async fn delete(&self, keys: &[String]) -> StateResult<u64>;

    /// Keys that match a glob (Redis' rules: `*`, `?`, `[a-c]`, `\`), of any kind, not expired, in any order.
    /// Text that comes from outside goes through [`escape_glob`].
    async fn keys(&self, glob: &str) -> StateResult<Vec<String>>;

    /// Adds a member to a sorted set, or changes its score. The time to live stays.
    async fn sorted_add(&self, key: &str, member: &str, score: f64) -> StateResult<()>;

    /// Members with a score in `min..=max` (infinities allowed), by score, then by name.
    async fn sorted_range(&self, key: &str, min: f64, max: f64) -> StateResult<Vec<String>>;

    /// The score of a member.
    async fn sorted_score(&self, key: &str, member: &str) -> StateResult<Option<f64>>;

    /// Removes members; how many were there.
    async fn sorted_remove(&self, key: &str, members: &[String]) -> StateResult<u64>;

    /// Removes members with a score in `min..=max`; how many.
    async fn sorted_remove_range(&self, key: &str, min: f64, max: f64) -> StateResult<u64>;

    /// Appends to a list. The time to live stays.
    async fn list_append(&self, key: &str, values: &[String]) -> StateResult<()>;

    /// All values of a list; empty if there is none.
    async fn list_all(&self, key: &str) -> StateResult<Vec<String>>;

    /// Sets the time to live of a key of any kind; whether the key exists.
    async fn expire(&self, key: &str, expires_in: Duration) -> StateResult<bool>;

    /// Whether the store answers.
    async fn ping(&self) -> StateResult<()>;
}
