//! Bytes over TCP.

use std::time::Duration;

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an answer that are looked at.
const MOST_READ: usize = 4 << 20;

/// A port of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Api,
    Files,
    Web,
}

impl Target {
    pub(super) const ALL: [Self; 3] = [Self::Api, Self::Files, Self::Web];
}

/// What the client does once it has sent everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Waits for the server to close the connection.
    Wait,
    /// Says that no more will come: for requests that would have to go on.
    HalfClose,
}

/// What the server sent until it closed the connection.
pub(super) struct Answer {
    bytes: Vec<u8>,
    /// Of each answer.
    pub(super) statuses: Vec<u16>,
}

impl Answer {
    fn new(bytes: Vec<u8>) -> Self {
        let status = |at: usize| std::str::from_utf8(bytes.get(at + 9..at + 12)?).ok()?.parse().ok();
        let statuses = find_all(&bytes, b"HTTP/1.").filter_map(status).collect();
        Self { bytes, statuses }
    }

    pub(super) fn contains(&self, text: &str) -> bool {
        find_all(&self.bytes, text.as_bytes()).next().is_some()
    }

    /// What follows the first head.
    pub(super) fn body(&self) -> Option<&[u8]> {
        let end = find_all(&self.bytes, b"\r\n\r\n").next()?;
        self.bytes.get(end + 4..)
    }

    /// The beginning of its body, for people.
    pub(super) fn start(&self) -> String {
        let body = self.body().unwrap_or(&self.bytes);
        String::from_utf8_lossy(&body[..body.len().min(500)]).into_owned()
    }
}

fn find_all<'a>(bytes: &'a [u8], text: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    bytes.windows(text.len()).enumerate().filter(move |(_, window)| *window == text).map(|(at, _)| at)
}

/// Sends the bytes and reads until the server closes the connection, however it does.
pub(super) async fn exchange(address: &str, bytes: &[u8], ending: Ending) -> anyhow::Result<Answer> {
    exchange_within(address, bytes, ending, TIMEOUT).await
}

/// As [`exchange`], with another limit for the time that it takes.
pub(super) async fn exchange_within(
    address: &str,
    bytes: &[u8],
    ending: Ending,
    patience: Duration,
) -> anyhow::Result<Answer> {
    let stream = TcpStream::connect(address).await.context("can't connect")?;
    let (mut reader, mut writer) = stream.into_split();
    let write = async {
        // The server may have answered and closed long before the end.
        if writer.write_all(bytes).await.is_ok() && ending == Ending::HalfClose {
            drop(writer.shutdown().await);
        }
    };
    let read = async {
        let mut answer = Vec::new();
        let mut piece = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = reader.read(&mut piece).await {
            if answer.len() < MOST_READ {
                answer.extend_from_slice(&piece[..read]);
            }
        }
        answer
    };
    // The end of the answer ends the exchange, even if the server reads no further.
    let exchange = async {
        tokio::pin!(write, read);
        tokio::select! {
            answer = &mut read => answer,
            () = &mut write => read.await,
        }
    };
    match tokio::time::timeout(patience, exchange).await {
        Ok(answer) => Ok(Answer::new(answer)),
        Err(_) => bail!("the connection stays open for {} s", patience.as_secs()),
    }
}

/// The head of a request whose connection is closed after the answer.
pub(super) fn head(line: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut head = format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head.into_bytes()
}
