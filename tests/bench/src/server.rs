//! A server of the benchmark's own.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::Context;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::client::Api;

/// A running server with a fresh data directory; killed when dropped.
pub(crate) struct Server {
    process: Child,
    _data: TempDir,
    pub(crate) api_url: String,
    pub(crate) files_url: String,
    key: String,
    secret: String,
}

impl Server {
    pub(crate) async fn start(binary: &Path) -> anyhow::Result<Self> {
        // Beside the binary, not in /tmp: that may be in memory, and durability has to cost what it costs.
        let data = tempfile::tempdir_in(binary.parent().context("no folder")?)?;
        let mut process = Command::new(binary)
            .args([
                "--print",
                "json",
                "--api-port",
                "0",
                "--files-port",
                "0",
                "--web-port",
                "0",
                "--data-dir",
            ])
            .arg(data.path().join("data"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("failed to start {}", binary.display()))?;
        let output = process.stdout.take().context("no output")?;
        let line = BufReader::new(output).lines().next_line().await?.context("the server did not start")?;
        let started: Value = serde_json::from_str(&line)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(Self {
            api_url: text(&started["api_url"]),
            files_url: text(&started["files_url"]),
            key: text(&started["credentials"]["access_key"]),
            secret: text(&started["credentials"]["secret_key"]),
            process,
            _data: data,
        })
    }

    pub(crate) async fn login(&self) -> anyhow::Result<Api> {
        Api::login(&self.api_url, &self.key, &self.secret).await
    }

    /// Resident memory in MB: now, and the peak so far.
    pub(crate) fn memory(&self) -> anyhow::Result<(f64, f64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()?))?;
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            let kilobytes = line.split_whitespace().nth(1).and_then(|value| value.parse::<f64>().ok());
            kilobytes.unwrap_or_default() / 1024.0
        };
        Ok((field("VmRSS"), field("VmHWM")))
    }

    /// Processor time used so far.
    pub(crate) fn cpu_time(&self) -> anyhow::Result<Duration> {
        let statistics = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()?))?;
        let after_name = statistics.rsplit_once(')').context("no name")?.1;
        let ticks: u64 = after_name
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|value| value.parse::<u64>().ok())
            .sum();
        // USER_HZ is 100 on every Linux platform.
        Ok(Duration::from_millis(ticks * 10))
    }

    fn pid(&self) -> anyhow::Result<u32> {
        self.process.id().context("the server has ended")
    }
}
