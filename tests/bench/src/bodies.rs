//! The server's memory under the largest and oddest bodies, one kind at a time.

use std::{fmt::Write, path::Path, time::Instant};

use clearml_driver::{CallError, Server};
use futures::future::join_all;

use crate::{events::new_task, measure::usage};

const JSON: &str = "application/json";
const LINES: &str = "application/json-lines";

/// Sends each kind of body to a server of its own, `at_once` at the same time.
pub(crate) async fn run(binary: &Path, at_once: usize) -> anyhow::Result<()> {
    println!("bodies: {at_once} at once; resident memory");
    for kind in KINDS {
        let server = Server::start(binary).await?;
        let api = server.login().await?;
        let task = new_task(&api, "bodies").await?;
        let (idle, _) = server.memory()?;
        let body = bytes::Bytes::from((kind.body)(&task));
        let started = Instant::now();
        let calls = (0..at_once).map(|_| api.post(kind.endpoint, kind.content_type, body.clone()));
        let mut outcomes: Vec<String> = Vec::new();
        for outcome in join_all(calls).await {
            let outcome = match outcome {
                Ok(_) => "200".to_owned(),
                Err(CallError::Refused { status, .. }) => status.as_u16().to_string(),
                Err(_) => "lost".to_owned(),
            };
            if !outcomes.contains(&outcome) {
                outcomes.push(outcome);
            }
        }
        println!(
            "  {:<44} {:>5.1} MB: idle {idle:.0} MB, {}, {:.1} s, {}",
            kind.name,
            body.len() as f64 / 1e6,
            usage(&server)?,
            started.elapsed().as_secs_f64(),
            outcomes.join(" "),
        );
    }
    Ok(())
}

struct Kind {
    name: &'static str,
    endpoint: &'static str,
    content_type: &'static str,
    body: fn(task: &str) -> String,
}

const KINDS: [Kind; 9] = [
    Kind { name: "95 000 members", endpoint: "tasks.create", content_type: JSON, body: |_| members(95_000) },
    Kind {
        name: "500 000 members (too many)",
        endpoint: "tasks.create",
        content_type: JSON,
        body: |_| members(500_000),
    },
    Kind {
        name: "95 000 numbers in a field",
        endpoint: "tasks.create",
        content_type: JSON,
        body: |_| create(&format!(r#""runtime": {{"a": [{}1]}}"#, "1,".repeat(95_000))),
    },
    Kind {
        name: "text of 10 MB",
        endpoint: "tasks.create",
        content_type: JSON,
        body: |_| create(&format!(r#""comment": "{}""#, "x".repeat(10 << 20))),
    },
    Kind {
        name: "text of 60 MB (too much)",
        endpoint: "tasks.create",
        content_type: JSON,
        body: |_| create(&format!(r#""comment": "{}""#, "x".repeat(60 << 20))),
    },
    Kind {
        name: "batch of 15 MB, as the SDK splits it",
        endpoint: "events.add_batch",
        content_type: LINES,
        body: |task| crate::events::scalars(task, 0, 70_000, 10),
    },
    Kind {
        name: "batch of 60 MB",
        endpoint: "events.add_batch",
        content_type: LINES,
        body: |task| crate::events::scalars(task, 0, 270_000, 10),
    },
    Kind {
        name: "batch of one plot of 18 MB",
        endpoint: "events.add_batch",
        content_type: LINES,
        body: |task| {
            let data = "1.25,".repeat(18 << 20 >> 2);
            let data = &data[..18 << 20];
            format!(
                r#"{{"type": "plot", "task": "{task}", "metric": "m", "variant": "v", "iter": 1, "plot_str": "[{data}1]"}}"#
            )
        },
    },
    Kind {
        name: "batch of 200 000 metrics",
        endpoint: "events.add_batch",
        content_type: LINES,
        body: |task| {
            let mut body = String::new();
            for metric in 0..200_000 {
                let _ = writeln!(
                    body,
                    r#"{{"type": "training_stats_scalar", "task": "{task}", "metric": "m{metric}", "variant": "v", "iter": 1, "value": 1}}"#
                );
            }
            body
        },
    },
];

fn create(field: &str) -> String {
    format!(r#"{{"name": "bodies", "type": "training", {field}}}"#)
}

fn members(count: usize) -> String {
    let members: Vec<String> = (0..count).map(|number| format!("\"k{number}\":1")).collect();
    create(&members.join(","))
}
