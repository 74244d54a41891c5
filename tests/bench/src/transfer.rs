//! `export` and `import` of much: there and back, with equal checksums, at which rate and in how much memory.

mod cluster;
mod seed;

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use tokio::{
    io::AsyncReadExt,
    process::{Child, Command},
    time::{sleep, timeout},
};

pub(crate) use seed::Amount;

/// How often the memory of a command is read.
const PAUSE: Duration = Duration::from_millis(50);

/// How a command is run.
struct Runner<'a> {
    binary: &'a Path,
    /// Kills it after so long, and has it go on, until it is done.
    kill_after: Option<Duration>,
}

/// Fills embedded stores and moves them: to other embedded stores, or through a cluster and back to embedded ones.
pub(crate) async fn run(
    binary: &Path,
    folder: Option<PathBuf>,
    amount: Amount,
    through_cluster: bool,
    kill_after: Option<Duration>,
) -> anyhow::Result<()> {
    // Beside the binary, since folders for temporary files are often in memory.
    let place = tempfile::tempdir_in(folder.as_deref().or_else(|| binary.parent()).context("no folder")?)?;
    let at = |name: &str| place.path().join(name);
    let started = Instant::now();
    seed::fill(&at("first"), amount).await?;
    println!("filled in {:.0} s: {amount}", started.elapsed().as_secs_f64());

    let runner = Runner { binary, kill_after };
    let none: &[(String, String)] = &[];
    let sums = runner.run("export", &at("first"), &at("archive 1"), none, amount).await?;
    print!("{sums}");
    let mut archive = at("archive 1");
    if through_cluster {
        let cluster = cluster::Cluster::of_environment()?;
        let environment = cluster.variables();
        let there = async {
            runner.run("import", &at("cluster"), &archive, &environment, amount).await?;
            runner.run("export", &at("cluster"), &at("archive 2"), &environment, amount).await
        };
        let there = there.await;
        cluster.remove().await?;
        ensure!(there? == sums, "the cluster has other things than the embedded stores");
        println!("equal checksums in the cluster");
        archive = at("archive 2");
    }
    runner.run("import", &at("second"), &archive, none, amount).await?;
    let back = runner.run("export", &at("second"), &at("archive 3"), none, amount).await?;
    ensure!(back == sums, "what came back is something else: {back}");
    println!("equal checksums after the way back");
    Ok(())
}

impl Runner<'_> {
    /// Runs a command to its end, prints time and memory; what the command printed.
    async fn run(
        &self,
        command: &str,
        data: &Path,
        archive: &Path,
        environment: &[(String, String)],
        amount: Amount,
    ) -> anyhow::Result<String> {
        let started = Instant::now();
        let (mut peak, mut kills, mut patience) = (0.0_f64, 0, self.kill_after);
        loop {
            let mut process = Command::new(self.binary)
                .arg("--data-dir")
                .arg(data)
                .arg(command)
                .arg(archive)
                .envs(environment.iter().map(|(name, value)| (name, value)))
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .kill_on_drop(true)
                .spawn()?;
            let watched = watch(&mut process, &mut peak);
            let is_done = match patience {
                None => watched.await.map(|()| true)?,
                Some(patience) => match timeout(patience, watched).await {
                    Ok(watched) => watched.map(|()| true)?,
                    Err(_) => false,
                },
            };
            if !is_done {
                process.kill().await?;
                kills += 1;
                // Whatever is in the way of a step has to fit in some time.
                patience = patience.map(|patience| patience * 3 / 2);
                continue;
            }
            let mut printed = String::new();
            process.stdout.take().context("no output")?.read_to_string(&mut printed).await?;
            ensure!(process.wait().await?.success(), "{command} failed");
            let seconds = started.elapsed().as_secs_f64();
            let rate = amount.events as f64 / seconds;
            println!(
                "{command}: {seconds:.1} s, {rate:.0} events/s, peak memory {peak:.0} MB, killed {kills} times"
            );
            return Ok(printed);
        }
    }
}

/// Waits for the end of a process and looks at its memory, in MB, meanwhile.
async fn watch(process: &mut Child, peak: &mut f64) -> anyhow::Result<()> {
    let id = process.id().context("it has ended")?;
    while process.try_wait()?.is_none() {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
        *peak = peak.max(kilobytes.unwrap_or(0.0) / 1024.0);
        sleep(PAUSE).await;
    }
    Ok(())
}
