//! Connections that trickle, stay, or go away: others are served meanwhile.

use std::time::Duration;

use anyhow::Context;
use clearml_driver::Report;
use futures::future::try_join_all;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{Subject, wire::Target};

const SLOW: usize = 100;
const LEAVING: usize = 300;

pub(super) async fn run(subject: &Subject, only: &str, report: &mut Report) {
    for target in Target::ALL {
        for (what, start) in [("heads", slow_head()), ("bodies", slow_body(subject, target))] {
            let name = format!("connections: {SLOW} that trickle {what} ({target:?})");
            if name.contains(only) {
                report.note(&format!("input, {name}"), trickle(subject, target, &start).await);
            }
        }
        let name = format!("connections: {LEAVING} that go away ({target:?})");
        if name.contains(only) {
            report.note(&format!("input, {name}"), go_away(subject, target).await);
        }
    }
}

fn slow_head() -> Vec<u8> {
    b"POST / HTTP/1.1\r\nHost: x\r\nx-slow: ".to_vec()
}

fn slow_body(subject: &Subject, target: Target) -> Vec<u8> {
    let line = match target {
        Target::Api => "POST /tasks.create",
        Target::Files => "POST /",
        Target::Web => "POST /files/",
    };
    let headers = [("Content-Length", "100000"), ("Content-Type", "multipart/form-data; boundary=b")];
    let mut bytes = subject.head(line, &headers);
    let part = b"--b\r\nContent-Disposition: form-data; name=\"slow\"; filename=\"slow\"\r\n\r\n";
    bytes.extend_from_slice(part);
    bytes
}

/// Many connections send a byte now and then; in between the server answers others.
async fn trickle(subject: &Subject, target: Target, start: &[u8]) -> anyhow::Result<()> {
    let mut slow = try_join_all((0..SLOW).map(|_| TcpStream::connect(subject.address(target)))).await?;
    for stream in &mut slow {
        stream.write_all(start).await?;
    }
    for _ in 0..20 {
        for stream in &mut slow {
            stream.write_all(b"x").await.context("a slow connection was closed")?;
        }
        subject.ping().await?;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// Connections end at any point of a request, and before its answer.
async fn go_away(subject: &Subject, target: Target) -> anyhow::Result<()> {
    let request = subject.request("POST /tasks.get_all", &[], br#"{"page": 0, "page_size": 500}"#);
    for step in 0..=LEAVING {
        let mut stream = TcpStream::connect(subject.address(target)).await?;
        stream.write_all(&request[..request.len() * step / LEAVING]).await?;
        drop(stream);
    }
    subject.ping().await
}
