//! What people read when the server has started.

use std::{
    fmt::Write,
    net::{IpAddr, SocketAddr},
};

use serde_json::{Value, json};

/// Where the three servers are, as clients reach them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Urls {
    pub(crate) web: String,
    pub(crate) api: String,
    pub(crate) files: String,
}

impl Urls {
    /// The addresses of bound ports. One that listens on all addresses is shown under this machine's name.
    pub(crate) fn of(web: SocketAddr, api: SocketAddr, files: SocketAddr) -> Self {
        Self { web: url(web), api: url(api), files: url(files) }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({"web_url": self.web, "api_url": self.api, "files_url": self.files})
    }

    pub(crate) fn from_json(json: &Value) -> Option<Self> {
        let text = |key: &str| Some(json.get(key)?.as_str()?.to_owned());
        Some(Self { web: text("web_url")?, api: text("api_url")?, files: text("files_url")? })
    }
}

/// An address as this process itself reaches it.
pub(crate) fn own_url(address: SocketAddr) -> String {
    let loopback = match address.ip() {
        IpAddr::V4(_) => "127.0.0.1",
        IpAddr::V6(_) => "[::1]",
    };
    if address.ip().is_unspecified() { format!("http://{loopback}:{}", address.port()) } else { url(address) }
}

fn url(address: SocketAddr) -> String {
    let host = match address.ip() {
        ip if ip.is_unspecified() => machine_name().unwrap_or_else(|| "127.0.0.1".to_owned()),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    format!("http://{host}:{}", address.port())
}

fn machine_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// The three addresses, one a line.
pub(crate) fn addresses(urls: &Urls) -> String {
    format!("  Web-App  {}\n  API      {}\n  files    {}\n", urls.web, urls.api, urls.files)
}

/// The block for `~/clearml.conf`, as `clearml-init` takes it too.
pub(crate) fn configuration_block(urls: &Urls, key: &str, secret: &str) -> String {
    format!(
        "api {{\n  web_server: {}\n  api_server: {}\n  files_server: {}\n  credentials {{\n    \
         \"access_key\" = \"{key}\"\n    \"secret_key\" = \"{secret}\"\n  }}\n}}\n",
        urls.web, urls.api, urls.files
    )
}

/// After the first start: the addresses and the block with a new pair.
pub(crate) fn first_start(urls: &Urls, user: &str, key: &str, secret: &str) -> String {
    let mut text = format!("ClearML server is ready.\n\n{}\n", addresses(urls));
    let _ = writeln!(
        text,
        "Welcome, {user}. Put this into ~/clearml.conf (or paste it when clearml-init asks); the key pair also\n\
         signs you in to the Web-App. It is shown this once:\n"
    );
    text.push_str(&configuration_block(urls, key, secret));
    text
}

/// After any later start.
pub(crate) fn later_start(urls: &Urls, has_people: bool) -> String {
    let hint = if has_people {
        "New key pair: clearml-server credentials create"
    } else {
        "Sign in with the names and passwords of the configuration"
    };
    format!("ClearML server is ready.\n\n{}\n{hint}\n", addresses(urls))
}
