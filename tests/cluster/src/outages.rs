//! Stores that go away under load and come back.

use std::time::Duration;

use anyhow::{Context, ensure};
use clearml_driver::{Cluster, Fault, Proxy, Report};

use crate::load::{Failure, FailureKind, Load};

/// Clients that write at the same time.
const CLIENTS: usize = 4;
/// Load before the outage.
const WARM: Duration = Duration::from_secs(3);
/// How long a store is away in each way.
const OUTAGE: Duration = Duration::from_secs(20);
/// How soon after its return everything has to work again.
const RECOVERY: Duration = Duration::from_secs(20);
/// The longest that a caller may wait for an error: the time-outs of the stores, and a margin for a busy machine.
const LONGEST_WAIT: Duration = Duration::from_secs(45);

/// Takes away each store, once refusing connections and once silent.
pub(crate) async fn run(cluster: &Cluster, only: Option<&str>, report: &mut Report) {
    let stores = &cluster.stores;
    let all = [
        ("mongo", &stores.mongo),
        ("elastic", &stores.elastic),
        ("redis", &stores.redis),
        ("s3", &stores.s3),
    ];
    for (name, way) in all.into_iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
        for fault in [Fault::Refused, Fault::Silent] {
            let outcome = outage(cluster, name, way, fault).await;
            way.set_fault(Fault::None);
            report.note(&format!("outage of {name}, {fault:?}"), outcome);
        }
    }
}

async fn outage(cluster: &Cluster, name: &str, way: &Proxy, fault: Fault) -> anyhow::Result<()> {
    let (api, files_url) = (cluster.login().await?, cluster.files_url());
    let mut load = Load::start(&api, &files_url, CLIENTS);
    tokio::time::sleep(WARM).await;
    let before = load.calls();
    ensure!(before > 0, "no call was answered before the outage");
    way.set_fault(fault);
    tokio::time::sleep(OUTAGE).await;
    way.set_fault(Fault::None);
    let back = std::time::Instant::now();
    tokio::time::sleep(RECOVERY).await;
    let recovered = load.calls();
    tokio::time::sleep(WARM).await;
    ensure!(load.calls() > recovered, "no call is answered {RECOVERY:?} after the return");
    let calls = load.calls();

    let failures = load.finish().await?;
    for failure in &failures {
        check(failure)?;
    }
    let late = failures.iter().find(|failure| failure.at > back + RECOVERY);
    ensure!(late.is_none(), "a call failed long after the return: {:?}", late.context("none")?);
    let longest = failures.iter().map(|failure| failure.after).max().unwrap_or_default();
    println!(
        "outage of {name}, {fault:?}: {calls} calls, {} failed after at most {:.1} s; {}",
        failures.len(),
        longest.as_secs_f64(),
        load.verify(&api, &files_url).await?
    );
    Ok(())
}

/// A call that fails has to say so in the API's own words, and in time.
fn check(failure: &Failure) -> anyhow::Result<()> {
    ensure!(failure.kind != FailureKind::Hung, "a call hangs: {failure:?}");
    ensure!(failure.after < LONGEST_WAIT, "a call failed too late: {failure:?}");
    let FailureKind::Refused(status, body) = &failure.kind else {
        anyhow::bail!("a call got no answer: {failure:?}");
    };
    ensure!(matches!(status, 500 | 502 | 503 | 504), "a call failed in another way: {failure:?}");
    let is_api = failure.call != "upload";
    ensure!(!is_api || body.contains("result_subcode"), "no error of the API: {failure:?}");
    Ok(())
}
