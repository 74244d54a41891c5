//! Redis servers of a test: the shared one, and own ones that end with the test.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use clearml_state::RedisSettings;

/// The shared server; `None`, with a line that says so, where there is none.
pub fn shared_server() -> Option<RedisSettings> {
    let Ok(url) = std::env::var("CLEARML_REDIS_URL") else {
        println!("skipped: CLEARML_REDIS_URL is not set");
        return None;
    };
    Some(RedisSettings::from_url(&url).unwrap())
}

/// Host and port of the shared server.
pub fn shared_address() -> Option<String> {
    match shared_server()?.servers {
        clearml_state::redis::RedisServers::Single(address) => Some(address),
        _ => None,
    }
}

/// Ports that nobody listens on at present. With room for a cluster's second port, 10000 above.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let mut held = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        *port = loop {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            held.push(listener);
            if port < 55_000 {
                break port;
            }
        };
    }
    ports
}

/// A program that ends with the test.
pub struct Program {
    child: Child,
    _directory: tempfile::TempDir,
}

impl Program {
    /// A server without persistence, once it answers.
    pub fn redis(port: u16, options: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new("redis-server");
        command.args([
            "--bind",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--save",
            "",
            "--appendonly",
            "no",
        ]);
        command.arg("--dir").arg(directory.path()).args(options);
        let program = Self::start(command, directory);
        wait_for_port(port);
        program
    }

    /// A server that speaks TLS only; `None` if this Redis can't.
    pub fn redis_with_tls(port: u16, certificates: &Certificates) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", "0", "--tls-port", &port.to_string(), "--save", ""]);
        command.arg("--dir").arg(directory.path());
        command.arg("--tls-cert-file").arg(&certificates.certificate);
        command.arg("--tls-key-file").arg(&certificates.key);
        command.arg("--tls-ca-cert-file").arg(&certificates.authority);
        let mut program = Self::start(command, directory);
        for _ in 0..200 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(program);
            }
            if program.child.try_wait().unwrap().is_some() {
                println!("skipped: this redis-server has no TLS");
                return None;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("redis-server does not listen on {port}");
    }

    /// A sentinel that watches `mymaster` and is quick to replace it.
    pub fn sentinel(port: u16, primary: u16) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("sentinel.conf");
        let text = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor mymaster 127.0.0.1 {primary} 1\n\
             sentinel down-after-milliseconds mymaster 500\nsentinel failover-timeout mymaster 3000\n"
        );
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new("redis-server");
        command.arg(&file).arg("--sentinel");
        let program = Self::start(command, directory);
        wait_for_port(port);
        program
    }

    fn start(mut command: Command, directory: tempfile::TempDir) -> Self {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { child, _directory: directory }
    }

    /// Sends a signal, such as `STOP`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Ends the program.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.stop();
    }
}

fn wait_for_port(port: u16) {
    for _ in 0..400 {
        if redis_cli(&format!("127.0.0.1:{port}"), &["PING"]).contains("PONG")
            || redis_cli(&format!("127.0.0.1:{port}"), &["PING"]).contains("NOAUTH")
        {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("nobody listens on {port}");
}

/// What `redis-cli` prints.
pub fn redis_cli(address: &str, arguments: &[&str]) -> String {
    let (host, port) = address.rsplit_once(':').unwrap();
    let output = Command::new("redis-cli").args(["-h", host, "-p", port]).args(arguments).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Makes a cluster of running nodes, and waits until all of them know it.
pub async fn make_cluster(addresses: &[String]) {
    let mut command = Command::new("redis-cli");
    command.args(["--cluster", "create"]).args(addresses).args(["--cluster-replicas", "0", "--cluster-yes"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    for address in addresses {
        wait_until(async || redis_cli(address, &["CLUSTER", "INFO"]).contains("cluster_state:ok")).await;
    }
}

/// Waits for something that comes true within half a minute.
pub async fn wait_until(condition: impl AsyncFn() -> bool) {
    for _ in 0..600 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("waited in vain");
}

/// An authority and a certificate of it for localhost.
pub struct Certificates {
    pub authority: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Certificates {
    /// Made with `openssl`; `None`, with a line that says so, where there is none.
    pub fn make(directory: &Path) -> Option<Self> {
        let file = |name: &str| directory.join(name);
        std::fs::write(file("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n").unwrap();
        let steps = [
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=authority -keyout authority.key -out authority.pem",
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout key.pem -out request.pem",
            "x509 -req -in request.pem -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -extfile names -out certificate.pem",
        ];
        for step in steps {
            let output = Command::new("openssl").args(step.split(' ')).current_dir(directory).output();
            let Ok(output) = output else {
                println!("skipped: there is no openssl to make certificates with");
                return None;
            };
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        Some(Self {
            authority: file("authority.pem"),
            certificate: file("certificate.pem"),
            key: file("key.pem"),
        })
    }
}
