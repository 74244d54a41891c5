//! The binary under test, and a client that needs no library.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// The binary on a data directory, without what the environment of the tests configures.
pub(crate) fn command(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clearml-server"));
    let foreign = std::env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy();
        name.starts_with("CLEARML") || name.starts_with("TRAINS") || name == "RUST_LOG"
    });
    for (name, _) in foreign {
        command.env_remove(name);
    }
    command.env("CLEARML_CONFIG_DIR", "/nonexistent").arg("--data-dir").arg(data_dir);
    command
}

pub(crate) struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
    log: PathBuf,
    /// What it printed with `--print json`.
    pub(crate) started: Value,
}

impl Server {
    pub(crate) fn start(data_dir: &Path, options: &[&str]) -> Self {
        Self::start_with(data_dir, options, |_| {})
    }

    pub(crate) fn start_with_log(data_dir: &Path, filter: &str) -> Self {
        Self::start_with(data_dir, &[], |command| {
            command.env("RUST_LOG", filter);
        })
    }

    /// Starts with `--print json` and waits until it is ready.
    pub(crate) fn start_with(data_dir: &Path, options: &[&str], change: impl FnOnce(&mut Command)) -> Self {
        let mut server = Self::spawn(data_dir, |command| {
            command.args(["--print", "json"]).args(options);
            change(command);
        });
        let mut line = String::new();
        server.output.read_line(&mut line).unwrap();
        server.started =
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("it did not start: {}", server.log()));
        server
    }

    pub(crate) fn start_for_people(data_dir: &Path) -> Self {
        Self::spawn(data_dir, |_| {})
    }

    fn spawn(data_dir: &Path, change: impl FnOnce(&mut Command)) -> Self {
        let log = data_dir.with_extension("log");
        let mut command = command(data_dir);
        command.args(["--api-port", "0", "--files-port", "0", "--web-port", "0"]);
        change(&mut command);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::options().create(true).append(true).open(&log).unwrap())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output, log, started: Value::Null }
    }

    pub(crate) fn read_until(&mut self, end: &str) -> String {
        let mut text = String::new();
        while !text.ends_with(end) {
            assert!(self.output.read_line(&mut text).unwrap() > 0, "{text}\n{}", self.log());
        }
        text
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// The key pair that the first start printed.
    pub(crate) fn pair(&self) -> (String, String) {
        let pair = &self.started["credentials"];
        let text = |key: &str| pair[key].as_str().unwrap().to_owned();
        (text("access_key"), text("secret_key"))
    }

    pub(crate) fn address(&self, url: &str) -> SocketAddr {
        self.started[url].as_str().unwrap().strip_prefix("http://").unwrap().parse().unwrap()
    }

    /// Status and body of a call.
    pub(crate) fn http(
        &self,
        url: &str,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address(url)).unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let answer = read_all(&mut stream);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// A token for a pair, or the status of the refusal.
    pub(crate) fn login(&self, key: &str, secret: &str) -> Result<String, u16> {
        let basic = STANDARD.encode(format!("{key}:{secret}"));
        let headers = format!("Authorization: Basic {basic}\r\n");
        let (status, body) = self.http("api_url", "POST", "/auth.login", &headers, "");
        if status != 200 {
            return Err(status);
        }
        let answer: Value = serde_json::from_str(&body).unwrap();
        Ok(answer["data"]["token"].as_str().unwrap().to_owned())
    }

    /// The answer of an endpoint.
    pub(crate) fn api(&self, token: &str, endpoint: &str, request: &str) -> Value {
        let headers = format!("Authorization: Bearer {token}\r\n");
        let (_, body) = self.http("api_url", "POST", &format!("/{endpoint}"), &headers, request);
        serde_json::from_str(&body).unwrap()
    }

    /// Waits until the port is closed.
    pub(crate) fn wait_until_refused(&self, url: &str) {
        while TcpStream::connect(self.address(url)).is_ok() {
            std::thread::yield_now();
        }
    }

    pub(crate) fn terminate(&self) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Stops it in the orderly way.
    pub(crate) fn stop(&mut self) {
        self.terminate();
        let status = self.wait();
        assert!(status.success(), "{status}: {}", self.log());
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After a failed test; one that was stopped is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn read_all(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(crate) fn read_some(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let mut bytes = [0; 1024];
    let count = stream.read(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}
