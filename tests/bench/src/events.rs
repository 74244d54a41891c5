//! Scalars per second, durable, through `events.add_batch`.

use std::{
    fmt::Write,
    path::Path,
    time::{Duration, Instant},
};

use clearml_driver::{Api, Server};
use serde_json::json;

use crate::measure::{Times, usage};

pub(crate) async fn run(binary: &Path, clients: &[usize], batch: usize, seconds: u64) -> anyhow::Result<()> {
    for count in clients {
        let server = Server::start(binary).await?;
        let api = server.login().await?;
        let cpu_before = server.cpu_time()?;
        let started = Instant::now();
        let until = started + Duration::from_secs(seconds);
        let mut running = Vec::new();
        for client in 0..*count {
            let task = new_task(&api, &format!("bench {client}")).await?;
            let api = server.login().await?;
            running.push(tokio::spawn(async move { send_until(&api, &task, batch, until).await }));
        }
        let mut times = Times::default();
        let mut calls = 0;
        for client in running {
            let (client_times, client_calls) = client.await??;
            times.extend(client_times);
            calls += client_calls;
        }
        let elapsed = started.elapsed().as_secs_f64();
        let cpu = server.cpu_time()?.saturating_sub(cpu_before).as_secs_f64() / elapsed;
        println!(
            "{count:>2} clients x {batch} scalars: {:>8.0} events/s, {}, {}, server CPU {cpu:.2} cores",
            (calls * batch) as f64 / elapsed,
            times.summary(),
            usage(&server)?,
        );
    }
    Ok(())
}

/// A task in progress.
pub(crate) async fn new_task(api: &Api, name: &str) -> anyhow::Result<String> {
    let created = api.call("tasks.create", &json!({"name": name, "type": "training"})).await?;
    let id = created["id"].as_str().unwrap_or_default().to_owned();
    api.call("tasks.started", &json!({"task": id})).await?;
    Ok(id)
}

async fn send_until(api: &Api, task: &str, batch: usize, until: Instant) -> anyhow::Result<(Times, usize)> {
    let mut times = Times::default();
    let mut calls = 0;
    let mut iteration = 0;
    while Instant::now() < until {
        let body = scalars(task, iteration, batch, 10);
        iteration += batch / 10;
        let started = Instant::now();
        let answer = api.post("events.add_batch", "application/json-lines", body).await?;
        times.add(started.elapsed());
        let expected = format!("\"added\":{batch}");
        let answer = String::from_utf8_lossy(&answer);
        anyhow::ensure!(answer.replace(": ", ":").contains(&expected), "{answer}");
        calls += 1;
    }
    Ok((times, calls))
}

/// Scalar events of `series` series, as the SDK sends them.
pub(crate) fn scalars(task: &str, first_iteration: usize, count: usize, series: usize) -> String {
    let mut body = String::with_capacity(count * 220);
    for index in 0..count {
        let iteration = first_iteration + index / series;
        let (variant, value) = (index % series, (iteration as f64 * 0.01).sin());
        let _ = writeln!(
            body,
            r#"{{"type": "training_stats_scalar", "task": "{task}", "metric": "loss", "variant": "series {variant}", "iter": {iteration}, "value": {value}, "timestamp": {}, "allow_locked": false, "model_event": false, "method": "get"}}"#,
            1_700_000_000_000_usize + iteration * 100,
        );
    }
    body
}
