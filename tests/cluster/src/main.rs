//! Tests of replicas on the stores of a cluster: a queue with many agents, rolling restarts, killed replicas, stores
//! that go away. Also starts a cluster for other test suites.

mod agents;
mod load;
mod outages;
mod replicas;
mod serve;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use clearml_driver::{Cluster, Programs, Report, StoreAddresses, Stores};

/// Tests of replicas on the stores of a cluster.
#[derive(Parser)]
struct Options {
    /// The folder with the programs to start
    #[arg(long, global = true, default_value = "target/debug")]
    programs: PathBuf,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Starts a cluster, prints its addresses as one line of JSON and runs until its input or the process ends
    Serve,
    /// All tests below
    All,
    /// Many agents take tasks from one queue
    Agents,
    /// Every replica is stopped and started again under load: no call fails
    Restart,
    /// A replica is killed under load: nothing acknowledged is lost
    Kill,
    /// Each store goes away for a while under load, and comes back
    Outages {
        /// Only this store: mongo, elastic, redis or s3
        #[arg(long)]
        only: Option<String>,
    },
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let options = Options::parse();
    let Some(addresses) = StoreAddresses::from_environment() else {
        println!(
            "skipped: CLEARML_MONGODB_URL, CLEARML_ELASTIC_URL, CLEARML_REDIS_URL or CLEARML_S3_ENDPOINT is not set"
        );
        return ExitCode::SUCCESS;
    };
    match run(options, addresses).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options, addresses: StoreAddresses) -> anyhow::Result<ExitCode> {
    let programs = Programs(options.programs);
    let mut cluster = Cluster::start(&programs, Stores::open(addresses).await?).await?;
    let mut report = Report::default();
    match options.action {
        Action::Serve => {
            serve::run(&mut cluster).await?;
            return Ok(ExitCode::SUCCESS);
        }
        Action::Agents => agents::run(&programs, &cluster, &mut report).await,
        Action::Restart => replicas::restart(&mut cluster, &mut report).await,
        Action::Kill => replicas::kill(&mut cluster, &mut report).await,
        Action::Outages { only } => outages::run(&cluster, only.as_deref(), &mut report).await,
        Action::All => {
            agents::run(&programs, &cluster, &mut report).await;
            replicas::restart(&mut cluster, &mut report).await;
            replicas::kill(&mut cluster, &mut report).await;
            outages::run(&cluster, None, &mut report).await;
        }
    }
    if report.failed() > 0 {
        println!("the logs are kept in {}", cluster.keep_logs().display());
    }
    Ok(report.close())
}
