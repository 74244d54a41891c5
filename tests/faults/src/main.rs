//! What the server survives: being killed at any moment, bad input, a full disk. It drives the real binary.

mod disk;
mod input;
mod kill;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use clearml_driver::Report;

/// Tests of what clearml-server survives.
#[derive(Parser)]
struct Options {
    /// The server to start.
    #[arg(long, global = true, default_value = "target/debug/clearml-server")]
    server: PathBuf,
    #[command(subcommand)]
    test: Test,
}

#[derive(Subcommand)]
enum Test {
    /// All of the below.
    All,
    /// Kills the server at random moments while clients write; what was acknowledged has to be there.
    Kill {
        #[arg(long, default_value_t = kill::ROUNDS)]
        rounds: u32,
        /// Repeats the choices of an earlier run; its timing can't be repeated [default: random]
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Sends what no client should send, to all three ports.
    Input {
        /// Only cases whose name holds this text.
        #[arg(long, default_value = "")]
        only: String,
    },
    /// Lets the disk run full, and makes room again.
    Disk,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let Options { server, test } = Options::parse();
    let mut report = Report::default();
    match test {
        Test::All => {
            kill::run(&server, kill::ROUNDS, rand::random(), &mut report).await;
            input::run(&server, "", &mut report).await;
            disk::run(&server, &mut report).await;
        }
        Test::Kill { rounds, seed } => {
            kill::run(&server, rounds, seed.unwrap_or_else(rand::random), &mut report).await;
        }
        Test::Input { only } => input::run(&server, &only, &mut report).await,
        Test::Disk => disk::run(&server, &mut report).await,
    }
    report.close()
}
