//! Replicas that stop, and replicas that die.

use std::time::Duration;

use anyhow::{Context, ensure};
use clearml_driver::{Cluster, Report};

use crate::load::{FailureKind, Load};

/// Clients that write at the same time.
const CLIENTS: usize = 4;
/// Load before and after each change.
const WARM: Duration = Duration::from_secs(2);

/// Stops and starts one replica after the other, as an upgrade does: no call fails.
pub(crate) async fn restart(cluster: &mut Cluster, report: &mut Report) {
    report.note("rolling restart", try_restart(cluster).await);
}

async fn try_restart(cluster: &mut Cluster) -> anyhow::Result<()> {
    let (api, files_url) = (cluster.login().await?, cluster.files_url());
    let mut load = Load::start(&api, &files_url, CLIENTS);
    tokio::time::sleep(WARM).await;
    for replica in cluster.api_servers.iter_mut().chain(&mut cluster.file_servers) {
        replica.stop().await?;
        replica.launch().await?;
        tokio::time::sleep(WARM).await;
    }
    let calls = load.calls();
    let failures = load.finish().await?;
    ensure!(failures.is_empty(), "{} calls failed, the first: {:?}", failures.len(), failures.first());
    println!("rolling restart: {calls} calls, 0 failed; {}", load.verify(&api, &files_url).await?);
    Ok(())
}

/// Kills a replica of each service in the middle of writes.
pub(crate) async fn kill(cluster: &mut Cluster, report: &mut Report) {
    report.note("killed replicas", try_kill(cluster).await);
}

async fn try_kill(cluster: &mut Cluster) -> anyhow::Result<()> {
    let (api, files_url) = (cluster.login().await?, cluster.files_url());
    let mut load = Load::start(&api, &files_url, CLIENTS);
    for _ in 0..3 {
        for replica in [&mut cluster.api_servers[0], &mut cluster.file_servers[0]] {
            tokio::time::sleep(WARM).await;
            let before = load.calls();
            replica.kill().await?;
            tokio::time::sleep(WARM).await;
            ensure!(load.calls() > before, "the other replica does not serve");
            replica.launch().await?;
        }
    }
    let calls = load.calls();
    let failures = load.finish().await?;
    // What the killed process was busy with has no answer; nothing else may go wrong.
    let other = failures.iter().find(|failure| !matches!(failure.kind, FailureKind::Lost(_)));
    ensure!(other.is_none(), "a call failed in another way than by the kill: {:?}", other.context("none")?);
    println!(
        "killed replicas: {calls} calls, {} cut off; {}",
        failures.len(),
        load.verify(&api, &files_url).await?
    );
    Ok(())
}
