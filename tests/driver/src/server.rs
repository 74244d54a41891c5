//! A server of the caller's own.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, bail};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::{client::Api, cpu_time, memory};

/// How long a server may take to start.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// The key pair of a server's first user.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub key: String,
    pub secret: String,
}

/// A data directory that outlives the servers on it.
pub struct DataDir {
    folder: Folder,
    /// Known once a server has started on it.
    pub credentials: Option<Credentials>,
}

/// The folder around a data directory.
enum Folder {
    /// Removed when dropped.
    Passing(TempDir),
    /// Of the caller, who keeps it.
    Kept(PathBuf),
}

impl DataDir {
    /// An empty one beside the binary, not in /tmp: that may be in memory, and durability has to cost what
    /// it costs. Removed when dropped.
    pub fn beside(binary: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir_in(binary.parent().context("no folder")?)?;
        Ok(Self { folder: Folder::Passing(folder), credentials: None })
    }

    /// The one in a folder that the caller keeps, with the credentials that an earlier use of it brought.
    pub fn kept(folder: PathBuf, credentials: Option<Credentials>) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder: Folder::Kept(folder), credentials })
    }

    /// The data directory itself.
    pub fn path(&self) -> PathBuf {
        self.parent().join("data")
    }

    /// The folder around the data directory.
    pub fn parent(&self) -> &Path {
        match &self.folder {
            Folder::Passing(folder) => folder.path(),
            Folder::Kept(folder) => folder,
        }
    }

    /// What the servers logged.
    pub fn log(&self) -> PathBuf {
        self.parent().join("server.log")
    }

    /// Keeps it for somebody to look at.
    pub fn keep(&mut self) {
        if let Folder::Passing(folder) = &mut self.folder {
            folder.disable_cleanup(true);
        }
    }

    /// Starts a server on it.
    pub async fn start(&mut self, binary: &Path) -> anyhow::Result<Server> {
        self.start_by(Command::new(binary)).await
    }

    /// Starts a server by a command that ends with the binary, and may say more about its surroundings.
    pub async fn start_by(&mut self, command: Command) -> anyhow::Result<Server> {
        let mut process = self.spawn(command)?;
        let output = process.stdout.take().context("no output")?;
        let mut lines = BufReader::new(output).lines();
        let line = tokio::time::timeout(START_TIMEOUT, lines.next_line()).await;
        let Some(line) = line.context("the server did not start in time")?? else {
            bail!("the server did not start: {}", process.wait().await?);
        };
        let started: Value = serde_json::from_str(&line)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if let credentials @ Value::Object(_) = &started["credentials"] {
            self.credentials = Some(Credentials {
                key: text(&credentials["access_key"]),
                secret: text(&credentials["secret_key"]),
            });
        }
        Ok(Server {
            process,
            data: None,
            api_url: text(&started["api_url"]),
            files_url: text(&started["files_url"]),
            web_url: text(&started["web_url"]),
            credentials: self.credentials.clone(),
        })
    }

    /// Starts the process without waiting for the server in it.
    pub fn spawn(&self, mut command: Command) -> anyhow::Result<Child> {
        let log = std::fs::File::options().create(true).append(true).open(self.log())?;
        let name = format!("{:?}", command.as_std());
        command
            .args(["--print", "json", "--api-port", "0", "--files-port", "0", "--web-port", "0"])
            .arg("--data-dir")
            .arg(self.path())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("failed to start {name}"))
    }
}

/// A running server; killed when dropped.
pub struct Server {
    process: Child,
    /// Removed together with the server.
    data: Option<DataDir>,
    pub api_url: String,
    pub files_url: String,
    pub web_url: String,
    credentials: Option<Credentials>,
}

impl Server {
    /// Starts a server with a fresh data directory of its own.
    pub async fn start(binary: &Path) -> anyhow::Result<Self> {
        let mut data = DataDir::beside(binary)?;
        let mut server = data.start(binary).await?;
        server.data = Some(data);
        Ok(server)
    }

    /// Signs in as the first user.
    pub async fn login(&self) -> anyhow::Result<Api> {
        let pair = self.credentials.as_ref().context("the key pair was shown at an earlier start")?;
        Api::login(&self.api_url, &pair.key, &pair.secret).await
    }

    /// Ends the process at once (`SIGKILL`).
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        Ok(self.process.kill().await?)
    }

    /// How the process ended, if it has.
    pub fn ended(&mut self) -> anyhow::Result<Option<std::process::ExitStatus>> {
        Ok(self.process.try_wait()?)
    }

    /// Resident memory in MB: now, and the peak so far.
    pub fn memory(&self) -> anyhow::Result<(f64, f64)> {
        memory(self.pid()?)
    }

    /// Processor time used so far.
    pub fn cpu_time(&self) -> anyhow::Result<Duration> {
        cpu_time(self.pid()?)
    }

    /// The id of the process.
    pub fn pid(&self) -> anyhow::Result<u32> {
        self.process.id().context("the server has ended")
    }
}
