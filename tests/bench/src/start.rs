//! Time from exec to the first answer, and what an idle server weighs.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use clearml_driver::Server;
use serde_json::Value;

use crate::measure::{Times, usage};

pub(crate) async fn run(binary: &Path, runs: u32) -> anyhow::Result<()> {
    let mut times = Times::default();
    let mut last = None;
    for _ in 0..runs {
        let started = Instant::now();
        let server = Server::start(binary).await?;
        server.login().await?.call("debug.ping", &Value::Null).await?;
        times.add(started.elapsed());
        last = Some(server);
    }
    println!("exec to first answers (empty data directory, sign-in and ping): {}", times.summary());
    if let Some(server) = last {
        tokio::time::sleep(Duration::from_secs(5)).await;
        println!("idle: {}", usage(&server)?);
    }
    Ok(())
}
