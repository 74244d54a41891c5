//! The `healthcheck` command: a server's program asks the running server how it is, so that a container
//! needs neither a shell nor an HTTP client for it.

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use clap::Args;

/// Enough for the first line of an answer.
const MAX_STATUS_LINE: usize = 128;

/// Options of the command.
#[derive(Debug, Clone, Args)]
pub struct HealthcheckOptions {
    /// Ask whether the server can serve, its stores included, not only whether it lives
    #[arg(long)]
    pub ready: bool,
    /// Longest time to wait, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout: u64,
}

/// The server is not well.
#[derive(Debug, thiserror::Error)]
pub enum HealthcheckError {
    #[error("no answer from {address}: {reason}")]
    Unreachable { address: SocketAddr, reason: std::io::Error },
    #[error("{address}{path} answers {status:?}")]
    Unwell { address: SocketAddr, path: &'static str, status: String },
}

impl HealthcheckOptions {
    /// The path that answers what was asked for.
    pub fn path(&self) -> &'static str {
        if self.ready { "/ready" } else { "/health" }
    }

    /// Calls the server that listens on `address`; `Ok`: it answers 200.
    pub fn check(&self, address: SocketAddr, path: &'static str) -> Result<(), HealthcheckError> {
        let address = SocketAddr::new(reachable(address.ip()), address.port());
        let status = status_line(address, path, Duration::from_secs(self.timeout))
            .map_err(|reason| HealthcheckError::Unreachable { address, reason })?;
        if status.split(' ').nth(1) == Some("200") {
            return Ok(());
        }
        Err(HealthcheckError::Unwell { address, path, status })
    }
}

/// An address of this machine for a server that listens on all of them.
fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

fn status_line(address: SocketAddr, path: &str, timeout: Duration) -> std::io::Result<String> {
    let end = Instant::now() + timeout;
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.set_write_timeout(Some(timeout))?;
    stream.write_all(request.as_bytes())?;

    let mut line: Vec<u8> = Vec::new();
    let mut part = [0; MAX_STATUS_LINE];
    while line.len() < MAX_STATUS_LINE && !line.contains(&b'\n') {
        let left = end.saturating_duration_since(Instant::now());
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        match stream.read(&mut part)? {
            0 => break,
            length => line.extend_from_slice(&part[..length]),
        }
    }
    let line = String::from_utf8_lossy(&line);
    Ok(line.lines().next().unwrap_or_default().to_owned())
}
