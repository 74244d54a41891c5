//! Many large bodies at once: they wait for each other, or are told to come again; the memory that they take
//! together is bounded.

use std::time::Duration;

use anyhow::{Context, ensure};
use clearml_driver::Report;
use futures::future::try_join_all;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{REFUSALS, Subject, wire};

/// Bodies at the same time.
const AT_ONCE: usize = 8;
/// Strangers at the same time, each with a body of a megabyte that does not come to its end.
const STRANGERS: usize = 100;
/// How long an answer may take, with all the others before it.
const PATIENCE: Duration = Duration::from_mins(4);
/// Told to come again.
const BUSY: u16 = 503;

pub(super) async fn run(subject: &Subject, only: &str, report: &mut Report) {
    for (name, line, kind, body) in bodies(&subject.task) {
        let name = format!("floods: {AT_ONCE} of {name}");
        if name.contains(only) {
            let request = subject.request(line, &[("Content-Type", kind)], &body);
            let outcome = flood(subject, &request).await.and_then(|()| subject.watch(&name));
            report.note(&format!("input, {name}"), outcome);
        }
    }
    for (name, token) in [("strangers", ""), ("forged tokens", "Authorization: Bearer e30.e30.e30\r\n")] {
        let name = format!("floods: {STRANGERS} {name}");
        if name.contains(only) {
            let outcome = strangers(subject, token).await.and_then(|()| subject.watch(&name));
            report.note(&format!("input, {name}"), outcome);
        }
    }
}

fn bodies(task: &str) -> Vec<(&'static str, &'static str, &'static str, Vec<u8>)> {
    let (json, lines) = ("application/json", "application/json-lines");
    let create = "POST /v2.31/tasks.create";
    let batch = "POST /v2.31/events.add_batch";
    let members = |count: usize| -> String { (0..count).map(|number| format!("\"k{number}\":1,")).collect() };
    let object = |members: &str| format!(r#"{{{members}"name": "x", "type": "training"}}"#).into_bytes();
    let text = "x".repeat(10 << 20);
    let event = format!(r#"{{"type": "log", "task": "{task}", "msg": "words", "values": [1, 2, 3, 4]}}"#);
    let mut many = format!("{event}\n").repeat((50 << 20) / event.len());
    // The last line makes the call fail: its events are not kept.
    many.push_str("{\n");
    let numbers = format!(r#"{{"type": "log", "task": "{task}", "a": [{}1]}}"#, "1,".repeat(95_000));
    vec![
        ("95 000 members", create, json, object(&members(95_000))),
        ("500 000 members", create, json, object(&members(500_000))),
        ("texts of 10 MB", create, json, object(&format!(r#""unknown": "{text}","#))),
        ("batches of 50 MB", batch, lines, many.into_bytes()),
        (
            "batches of long lists",
            batch,
            lines,
            format!("{}{{\n", format!("{numbers}\n").repeat(100)).into_bytes(),
        ),
        ("empty objects", batch, lines, "{}\n".repeat(10 << 20).into_bytes()),
    ]
}

/// Sends a request many times at once.
async fn flood(subject: &Subject, request: &[u8]) -> anyhow::Result<()> {
    let address = subject.address(wire::Target::Api);
    let exchanges =
        (0..AT_ONCE).map(|_| wire::exchange_within(address, request, wire::Ending::Wait, PATIENCE));
    for answer in try_join_all(exchanges).await? {
        for status in &answer.statuses {
            ensure!(REFUSALS.contains(status) || *status == BUSY, "answered {status}: {}", answer.start());
        }
    }
    subject.ping().await
}

/// Bodies of strangers take little, and ordinary calls do not wait for them.
async fn strangers(subject: &Subject, token: &str) -> anyhow::Result<()> {
    let mut streams = Vec::new();
    for _ in 0..STRANGERS {
        let mut stream = TcpStream::connect(subject.address(wire::Target::Api)).await?;
        let head = format!(
            "POST /v2.31/debug.ping HTTP/1.1\r\nHost: x\r\n{token}Content-Type: application/json\r\nContent-Length: 1048576\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await?;
        streams.push(stream);
    }
    let megabyte = vec![b' '; (1 << 20) - 1];
    for stream in &mut streams {
        // What the server does not take stays in the system's buffers.
        let sent = tokio::time::timeout(Duration::from_millis(50), stream.write_all(&megabyte)).await;
        drop(sent);
    }
    for _ in 0..10 {
        let ping = tokio::time::timeout(Duration::from_secs(20), subject.ping()).await;
        ping.context("ordinary calls wait for strangers")??;
    }
    Ok(())
}
