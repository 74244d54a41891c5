//! Load generator: speed and weight of a running server, over HTTP as its clients use it.

mod bodies;
mod events;
mod files;
mod histogram;
mod listing;
mod measure;
mod start;
mod tasks;
mod transfer;

use std::{path::PathBuf, time::Duration};

use clap::{Parser, Subcommand};

/// Benchmarks of clearml-server.
#[derive(Parser)]
struct Options {
    /// The server to start.
    #[arg(long, global = true, default_value = "target/release/clearml-server")]
    server: PathBuf,
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// Time from exec to the first answer, and idle memory.
    Start {
        #[arg(long, default_value_t = 10)]
        runs: u32,
    },
    /// `events.add_batch` with scalars.
    Events {
        #[arg(long, value_delimiter = ',', default_value = "1,4,16")]
        clients: Vec<usize>,
        #[arg(long, default_value_t = 1000)]
        batch: usize,
        #[arg(long, default_value_t = 10)]
        seconds: u64,
    },
    /// First page of `tasks.get_all_ex`, ordered by `last_update`.
    Tasks {
        #[arg(long, default_value_t = 100_000)]
        count: usize,
    },
    /// Lists, searches, counts and statistics over very many tasks.
    Listing {
        #[arg(long, default_value_t = 1_000_000)]
        tasks: usize,
        #[arg(long, default_value_t = 2_000)]
        projects: usize,
        /// Filled at the first use and kept; without it the tasks are loaded anew and thrown away.
        #[arg(long)]
        data_dir: Option<PathBuf>,
        /// Repetitions of each call.
        #[arg(long, default_value_t = 50)]
        runs: u32,
    },
    /// `events.scalar_metrics_iter_histogram`.
    Histogram {
        #[arg(long, default_value_t = 1_000_000)]
        points: usize,
    },
    /// Memory under large and odd bodies, one kind at a time.
    Bodies {
        #[arg(long, default_value_t = 8)]
        at_once: usize,
    },
    /// Upload and download of one large file.
    Files {
        #[arg(long, default_value_t = 1024)]
        size_mb: u64,
        #[arg(long, default_value_t = 3)]
        runs: u32,
    },
    /// `export` and `import` of a server with much in it, there and back.
    Transfer {
        #[arg(long, default_value_t = 10_000)]
        tasks: u64,
        #[arg(long, default_value_t = 5_000_000)]
        events: u64,
        #[arg(long, default_value_t = 1_000)]
        files: u64,
        /// Through MongoDB, Elasticsearch and S3: the variables that `make test` takes say where they are.
        #[arg(long)]
        cluster: bool,
        /// Kill each command after so many seconds, then later and later, and have it go on.
        #[arg(long)]
        kill_after: Option<u64>,
        /// Where there is room for several copies of it all; by default beside the server's binary.
        #[arg(long)]
        folder: Option<PathBuf>,
    },
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    match options.bench {
        Bench::Start { runs } => start::run(&options.server, runs).await,
        Bench::Events { clients, batch, seconds } => {
            events::run(&options.server, &clients, batch, seconds).await
        }
        Bench::Tasks { count } => tasks::run(&options.server, count).await,
        Bench::Listing { tasks, projects, data_dir, runs } => {
            let size = listing::Size { tasks, projects };
            listing::run(&options.server, size, data_dir, runs).await
        }
        Bench::Histogram { points } => histogram::run(&options.server, points).await,
        Bench::Bodies { at_once } => bodies::run(&options.server, at_once).await,
        Bench::Transfer { tasks, events, files, cluster, kill_after, folder } => {
            let amount = transfer::Amount { tasks, events, files };
            let kill_after = kill_after.map(Duration::from_secs);
            transfer::run(&options.server, folder, amount, cluster, kill_after).await
        }
        Bench::Files { size_mb, runs } => files::run(&options.server, size_mb, runs).await,
    }
}
