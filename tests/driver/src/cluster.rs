//! Replicas of the services behind balancers, on the stores of a cluster.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{Api, Credentials, Proxy, Stores, proxy::free_port};

/// How long a program may take to be ready, or to end.
const PATIENCE: Duration = Duration::from_mins(1);
/// The company of a fresh server (spec 01 §8).
const DEFAULT_COMPANY: &str = "d1bd92a3b039400cbafc60a7a5b1e52b";
/// Replicas of each of the API server and the file server.
const REPLICAS: usize = 2;

/// A folder with the programs.
#[derive(Debug, Clone)]
pub struct Programs(pub PathBuf);

impl Programs {
    /// One of them.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// One process of a service, with the port that it keeps when it is started again.
pub struct Replica {
    command: Box<dyn Fn() -> Command + Send + Sync>,
    port: u16,
    process: Option<Child>,
    log: PathBuf,
}

impl Replica {
    /// Starts the process and waits until it is ready.
    pub async fn launch(&mut self) -> anyhow::Result<()> {
        let log = std::fs::File::options().create(true).append(true).open(&self.log)?;
        let mut command = (self.command)();
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        let process = self.process.insert(command.spawn().context("failed to start a replica")?);
        let url = format!("http://127.0.0.1:{}/ready", self.port);
        let http = crate::Http::new();
        let ready = async {
            loop {
                let request = http::Request::get(&url).body(crate::full(""))?;
                if http.send(request).await.is_ok() {
                    return anyhow::Ok(());
                }
                if let Some(status) = process.try_wait()? {
                    bail!("a replica ended ({status}); see {}", self.log.display());
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ready)
            .await
            .with_context(|| format!("not ready; see {}", self.log.display()))?
    }

    /// Asks the process to end (`SIGTERM`), and waits until it has.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        let pid =
            process.id().and_then(|pid| Pid::from_raw(pid.cast_signed())).context("it has ended already")?;
        kill_process(pid, Signal::TERM)?;
        let status =
            tokio::time::timeout(PATIENCE, process.wait()).await.context("a replica does not stop")??;
        if !status.success() {
            bail!("a replica ended with {status}; see {}", self.log.display());
        }
        Ok(())
    }

    /// Ends the process at once (`SIGKILL`).
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        match self.process.take() {
            Some(mut process) => Ok(process.kill().await?),
            None => Ok(()),
        }
    }

    /// The id of the process.
    pub fn pid(&self) -> anyhow::Result<u32> {
        self.process.as_ref().and_then(Child::id).context("the replica does not run")
    }

    fn address(&self) -> std::net::SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }
}

/// Two API servers and two file servers behind balancers, and a web server.
pub struct Cluster {
    pub stores: Stores,
    pub api_servers: Vec<Replica>,
    pub file_servers: Vec<Replica>,
    pub web_server: Replica,
    api: Proxy,
    files: Proxy,
    pub credentials: Credentials,
    folder: TempDir,
}

impl Cluster {
    /// Starts everything; the API servers at the same moment, on empty stores.
    pub async fn start(programs: &Programs, stores: Stores) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let system = Credentials {
            key: format!("KEY{}", stores.name),
            secret: format!("secret-{}-{}", stores.name, "x".repeat(32)),
        };
        let launcher = Launcher { programs, folder: folder.path() };
        let shared = shared_settings(&stores, &system);
        let file_servers = launcher.replicas("clearml-fileserver", &shared).await?;
        let files = Proxy::balance(file_servers.iter().map(Replica::address).collect()).await?;
        let mut settings = shared;
        settings.push(("CLEARML__hosts__fileserver".to_owned(), format!("\"http://{}\"", files.address)));
        let api_servers = launcher.replicas("clearml-apiserver", &settings).await?;
        let api = Proxy::balance(api_servers.iter().map(Replica::address).collect()).await?;
        let credentials = create_user(&format!("http://{}", api.address), &system).await?;
        let settings = [
            ("NGINX_APISERVER_ADDRESS".to_owned(), format!("http://{}", api.address)),
            ("NGINX_FILESERVER_ADDRESS".to_owned(), format!("http://{}", files.address)),
        ];
        let web_server = launcher.start("clearml-webserver", 0, &settings).await?;
        Ok(Self { stores, api_servers, file_servers, web_server, api, files, credentials, folder })
    }

    /// The balanced API.
    pub fn api_url(&self) -> String {
        format!("http://{}", self.api.address)
    }

    /// The balanced file server.
    pub fn files_url(&self) -> String {
        format!("http://{}", self.files.address)
    }

    /// The web server.
    pub fn web_url(&self) -> String {
        format!("http://{}", self.web_server.address())
    }

    /// Signs in.
    pub async fn login(&self) -> anyhow::Result<Api> {
        Api::login(&self.api_url(), &self.credentials.key, &self.credentials.secret).await
    }

    /// All processes.
    pub fn replicas(&mut self) -> impl Iterator<Item = &mut Replica> {
        self.api_servers.iter_mut().chain(&mut self.file_servers).chain([&mut self.web_server])
    }

    /// The folder with the logs; kept when a test has failed.
    pub fn keep_logs(&mut self) -> &Path {
        self.folder.disable_cleanup(true);
        self.folder.path()
    }
}

/// What all replicas of all services are told alike.
fn shared_settings(stores: &Stores, system: &Credentials) -> Vec<(String, String)> {
    let mut settings = stores.settings();
    for (name, value) in [
        ("secure__auth__token_secret", format!("token-{}-{}", stores.name, "x".repeat(32))),
        ("secure__credentials__apiserver__user_key", system.key.clone()),
        ("secure__credentials__apiserver__user_secret", system.secret.clone()),
        ("http__shutdown_delay_sec", "1".to_owned()),
    ] {
        settings.push((format!("CLEARML__{name}"), format!("\"{value}\"")));
    }
    settings
}

/// A user like any other, with a key pair: what configured credentials belong to is not.
async fn create_user(api_url: &str, system: &Credentials) -> anyhow::Result<Credentials> {
    let api = Api::login(api_url, &system.key, &system.secret).await?;
    let user = json!({"name": "Jane Doe", "email": "jane@example.com", "company": DEFAULT_COMPANY});
    let user = api.call("auth.create_user", &user).await?;
    let request = json!({"user": user["id"], "company": DEFAULT_COMPANY});
    let token = api.call("auth.get_token_for_user", &request).await?;
    let token = token["token"].as_str().context("no token")?;
    let api = Api::with_authorization(api_url, format!("Bearer {token}"));
    let created = api.call("auth.create_credentials", &json!({})).await?;
    let text = |name: &str| created["credentials"][name].as_str().map(str::to_owned).context("no key pair");
    Ok(Credentials { key: text("access_key")?, secret: text("secret_key")? })
}

/// Starts programs with a data directory and a log each.
struct Launcher<'a> {
    programs: &'a Programs,
    folder: &'a Path,
}

impl Launcher<'_> {
    /// Starts the replicas of a service at the same moment.
    async fn replicas(&self, program: &str, settings: &[(String, String)]) -> anyhow::Result<Vec<Replica>> {
        let starts = (0..REPLICAS).map(|index| self.start(program, index, settings));
        futures::future::try_join_all(starts).await
    }

    async fn start(
        &self,
        program: &str,
        index: usize,
        settings: &[(String, String)],
    ) -> anyhow::Result<Replica> {
        let (path, settings) = (self.programs.path(program), settings.to_vec());
        let name = format!("{program}-{index}");
        let (log, data_dir) = (self.folder.join(format!("{name}.log")), self.folder.join(name));
        let port = free_port()?;
        let command = move || {
            let mut command = Command::new(&path);
            command.arg("--data-dir").arg(&data_dir).arg("--port").arg(port.to_string());
            command.envs(settings.iter().map(|(name, value)| (name, value)));
            command
        };
        let mut replica = Replica { command: Box::new(command), port, process: None, log };
        replica.launch().await?;
        Ok(replica)
    }
}
