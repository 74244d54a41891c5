//! API server, file server and web server in one process; also the administrator's commands.

mod banner;
mod credentials;
mod healthcheck;
mod options;
mod run;
mod transfer;

use std::{io::Write, process::ExitCode};

use anyhow::Context;
use clap::Parser;
use clearml_config::{Locking, settings::Program};

use options::{Command, Options};

/// Gives memory back after a large request; the system's allocator keeps hundreds of megabytes.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // What is stored is its owner's alone, whatever writes it: databases, uploads, secrets.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let options = Options::parse();
    match execute(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(options: &Options) -> anyhow::Result<()> {
    match &options.command {
        None => runtime()?.block_on(run::run(&options.common, &options.serve)),
        Some(Command::Credentials { action }) => {
            runtime()?.block_on(credentials::execute(&options.common, action))
        }
        Some(Command::Export { folder }) => runtime()?.block_on(transfer::export(&options.common, folder)),
        Some(Command::Import { folder }) => runtime()?.block_on(transfer::import(&options.common, folder)),
        Some(Command::Config) => show_config(options),
        Some(Command::Healthcheck(check)) => healthcheck::execute(&options.common, &options.serve, check),
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("clearml").build();
    runtime.context("failed to start the runtime")
}

fn show_config(options: &Options) -> anyhow::Result<()> {
    let loaded = options.common.load(Program::AllInOne, Locking::Shared)?;
    let text = serde_json::to_string_pretty(&loaded.config.masked())?;
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}
