//! A cluster for test suites in other languages.

use std::io::Write;

use clearml_driver::Cluster;
use serde_json::json;
use tokio::io::AsyncReadExt;

/// Prints the addresses and runs until the standard input ends.
pub(crate) async fn run(cluster: &mut Cluster) -> anyhow::Result<()> {
    let pids = cluster.replicas().map(|replica| replica.pid()).collect::<anyhow::Result<Vec<_>>>()?;
    let line = json!({
        "api_url": cluster.api_url(),
        "files_url": cluster.files_url(),
        "web_url": cluster.web_url(),
        "credentials": {"access_key": cluster.credentials.key, "secret_key": cluster.credentials.secret},
        "pids": pids,
    });
    writeln!(std::io::stdout(), "{line}")?;
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    for replica in cluster.replicas() {
        replica.stop().await?;
    }
    Ok(())
}
