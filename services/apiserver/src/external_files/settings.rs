//! Settings of the removal of events and files, with the official server's defaults.

use std::time::Duration;

/// `services.async_urls_delete.*` and `services.tasks.*_events_*`.
#[derive(Debug, Clone)]
pub struct ExternalFileSettings {
    /// `async_urls_delete.enabled`: files of removed tasks and models are deleted by the server.
    pub enabled: bool,
    /// `async_urls_delete.fileserver.url_prefixes`: what the addresses of our file server begin with.
    pub fileserver_prefixes: Vec<String>,
    /// `async_urls_delete.fileserver.timeout_sec`: of one call to the file server.
    pub fileserver_timeout: Duration,
    /// `hosts.fileserver`: where the server itself reaches the file server (`http://`).
    pub fileserver_host: String,
    /// `async_urls_delete.fileserver.token_expiration_sec`: of the token that the file server gets.
    pub fileserver_token_expiration: Duration,
    /// `async_urls_delete.max_retries`: attempts before a file is given up.
    pub max_retries: u32,
    /// `async_urls_delete.retry_timeout_sec`: pause before the next attempt.
    pub retry_timeout: Duration,
    /// `tasks.async_events_delete`: large removals of events go on after the answer.
    pub async_events_delete: bool,
    /// `tasks.async_events_delete_threshold`: number of events that makes a removal large.
    pub async_events_delete_threshold: u64,
    /// `tasks.max_async_deleted_events_per_sec`.
    pub max_async_deleted_events_per_sec: u64,
}

impl Default for ExternalFileSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            fileserver_prefixes: vec!["https://".to_owned(), "http://".to_owned()],
            fileserver_timeout: Duration::from_mins(5),
            fileserver_host: "http://localhost:8081".to_owned(),
            fileserver_token_expiration: Duration::from_mins(10),
            max_retries: 3,
            retry_timeout: Duration::from_mins(1),
            async_events_delete: true,
            async_events_delete_threshold: 100_000,
            max_async_deleted_events_per_sec: 1000,
        }
    }
}
