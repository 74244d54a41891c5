//! Lets the disk run full: writes fail with an error, reads go on, and once there is room writes work again.
//!
//! The disk is a small file system in memory that only the server sees, which takes no rights on systems where
//! users may make namespaces; elsewhere the test is skipped.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use clearml_driver::{Api, CallError, DataDir, Report, Server, full};
use http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use tokio::process::Command;

const DISK_MB: usize = 24;
/// Calls that should have filled the disk long ago.
const MOST_CALLS: usize = 2000;

pub(crate) async fn run(binary: &Path, report: &mut Report) {
    println!("disk: {DISK_MB} MB that run full");
    match start(binary).await {
        Ok(None) => println!("  skipped: this system lets nobody but root mount a file system"),
        Ok(Some((mut data, server))) => {
            let outcome = fill(&server).await;
            if outcome.is_err() {
                data.keep();
                println!("server.log is kept in {}", data.parent().display());
            }
            report.note("disk", outcome);
        }
        Err(error) => report.note("disk", Err(error)),
    }
}

/// A server on a small disk; `None` if there can't be one.
async fn start(binary: &Path) -> anyhow::Result<Option<(DataDir, Server)>> {
    let mut data = DataDir::beside(binary)?;
    std::fs::create_dir(data.path())?;
    let mount = format!(r#"mount -t tmpfs -o size={DISK_MB}m tmpfs "$0" && "#);
    let namespace = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
        command
    };
    let possible = namespace(&format!("{mount}true")).arg(data.path()).output().await;
    if !possible.is_ok_and(|output| output.status.success()) {
        return Ok(None);
    }
    let mut command = namespace(&format!(r#"{mount}exec "$@""#));
    command.arg(data.path()).arg(std::path::absolute(binary)?);
    let server = data.start_by(command).await?;
    Ok(Some((data, server)))
}

async fn fill(server: &Server) -> anyhow::Result<()> {
    let api = server.login().await?;
    let task = create(&api, "before").await?;
    api.call("tasks.started", &json!({"task": task})).await?;
    let mut reported = report(&api, &task, 0).await.map(|()| 1)?;

    // Large files first, then ever smaller ones, until nothing fits.
    let mut stored = Vec::new();
    for size in [4 << 20, 256 << 10, 4 << 10] {
        loop {
            ensure!(stored.len() < MOST_CALLS, "the disk does not run full");
            let name = format!("file{}", stored.len());
            match file(server, &api, Method::POST, &name, size).await {
                Ok(_) => stored.push((name, size)),
                Err(error) => break refused(error, "an upload")?,
            }
        }
    }
    // What the stores had kept for themselves runs out too.
    let mut created = vec![task.clone()];
    let mut calls = 0;
    loop {
        ensure!(calls < MOST_CALLS, "documents are written to a full disk");
        calls += 1;
        match create(&api, &"x".repeat(10_000)).await {
            Ok(id) => created.push(id),
            Err(error) => break refused(error, "tasks.create")?,
        }
    }
    loop {
        ensure!(reported < MOST_CALLS, "events are written to a full disk");
        match report(&api, &task, reported).await {
            Ok(()) => reported += 1,
            Err(error) => break refused(error, "events.add_batch")?,
        }
    }

    unharmed(server, &api, &created, &task, reported, &stored).await.context("on the full disk")?;
    let (freed, _) = stored.remove(0);
    file(server, &api, Method::DELETE, &freed, 0).await.context("a deletion on the full disk")?;
    created.push(create(&api, "after").await.context("with room again")?);
    report(&api, &task, reported).await.context("with room again")?;
    reported += 1;
    file(server, &api, Method::POST, "after", 1000).await.context("with room again")?;
    stored.push(("after".to_owned(), 1000));
    unharmed(server, &api, &created, &task, reported, &stored).await.context("with room again")
}

/// The error of a write that found no room: an answer, and one of the server's own.
fn refused(error: CallError, what: &str) -> anyhow::Result<()> {
    match error {
        CallError::Refused { status, .. } if status.is_server_error() => Ok(()),
        other => bail!("{what} on a full disk: {other}"),
    }
}

async fn create(api: &Api, comment: &str) -> Result<String, CallError> {
    let request = json!({"name": "disk", "type": "training", "comment": comment, "tags": ["disk"]});
    let created = api.call("tasks.create", &request).await?;
    Ok(created["id"].as_str().unwrap_or_default().to_owned())
}

const LINES: usize = 100;

async fn report(api: &Api, task: &str, batch: usize) -> Result<(), CallError> {
    let line = |line: usize| {
        let event = json!({
            "type": "log", "task": task, "msg": format!("{batch}/{line} {}", "words ".repeat(20)),
            "timestamp": 1_700_000_000_000_usize + batch * LINES + line,
        });
        format!("{event}\n")
    };
    let body: String = (0..LINES).map(line).collect();
    api.post("events.add_batch", "application/json-lines", body).await?;
    Ok(())
}

/// Uploads, reads or deletes a file; its content.
async fn file(
    server: &Server,
    api: &Api,
    method: Method,
    name: &str,
    size: usize,
) -> Result<bytes::Bytes, CallError> {
    let upload = method == Method::POST;
    let body = if upload {
        let head = format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"f\"\r\n\r\n");
        [head.as_bytes(), &vec![b'x'; size], b"\r\n--b--\r\n"].concat()
    } else {
        Vec::new()
    };
    let path = if upload { "" } else { name };
    let request = Request::builder()
        .method(method)
        .uri(format!("{}/{path}", server.files_url))
        .header(header::AUTHORIZATION, &api.authorization)
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b")
        .body(full(body))
        .map_err(|error| CallError::Lost(Box::new(error)))?;
    api.http.send(request).await
}

/// All that was acknowledged can be read, and nothing else.
async fn unharmed(
    server: &Server,
    api: &Api,
    created: &[String],
    task: &str,
    reported: usize,
    stored: &[(String, usize)],
) -> anyhow::Result<()> {
    api.call("debug.ping", &Value::Null).await?;
    let mut seen = 0;
    for page in 0.. {
        let request = json!({"tags": ["disk"], "only_fields": ["id"], "page": page, "page_size": 500});
        let found = api.call("tasks.get_all_ex", &request).await?;
        let tasks = found["tasks"].as_array().context("no tasks")?;
        if tasks.is_empty() {
            break;
        }
        let known = |task: &Value| created.iter().any(|id| task["id"] == **id);
        ensure!(tasks.iter().all(known), "a task is there whose creation failed");
        seen += tasks.len();
    }
    ensure!(seen == created.len(), "{seen} tasks instead of {}", created.len());

    let request = json!({"task": task, "batch_size": 1});
    let log = api.call("events.get_task_log", &request).await?;
    ensure!(log["total"] == reported * LINES, "{} log lines instead of {}", log["total"], reported * LINES);

    for (name, size) in stored {
        let content = file(server, api, Method::GET, name, 0).await?;
        ensure!(content.len() == *size, "{name} has {} bytes instead of {size}", content.len());
    }
    match file(server, api, Method::GET, &format!("file{}", stored.len() + 1), 0).await {
        Err(CallError::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(()),
        _ => bail!("a file is there whose upload failed"),
    }
}
