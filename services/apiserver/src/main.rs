//! The API server as a process of its own.

use std::{
    net::{IpAddr, SocketAddr},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Parser, Subcommand};
use clearml_apiserver::{Service, StartOptions};
use clearml_config::{CommonOptions, Locking, settings::Program};
use clearml_telemetry::{
    HealthcheckOptions, Shutdown, bind, init_logging, run_program, serve, serve_metrics,
};

/// Gives memory back after a large request; the system's allocator keeps hundreds of megabytes.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The ClearML API server.
#[derive(Parser)]
#[command(name = "clearml-apiserver", version)]
struct Options {
    #[command(flatten)]
    common: CommonOptions,
    /// Address to listen on [default: apiserver.listen.ip, else 127.0.0.1]
    #[arg(short, long = "ip", alias = "listen", value_name = "IP")]
    ip: Option<IpAddr>,
    /// Port; 0: a free one [default: apiserver.listen.port, else 8008]
    #[arg(short, long, value_name = "PORT")]
    port: Option<u16>,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What else the program does.
#[derive(Subcommand)]
enum Command {
    /// Ask the API server on this machine how it is; for containers
    Healthcheck(HealthcheckOptions),
}

fn main() -> ExitCode {
    run_program(run(Options::parse()))
}

fn healthcheck(options: &Options, check: &HealthcheckOptions) -> anyhow::Result<()> {
    let (settings, _) = options.common.load_settings()?;
    let listen = &settings.apiserver.listen;
    let ip = options.ip.map_or_else(|| listen.ip.parse(), Ok).context("apiserver.listen.ip")?;
    Ok(check.check(SocketAddr::new(ip, options.port.unwrap_or(listen.port)), check.path())?)
}

async fn run(options: Options) -> anyhow::Result<()> {
    if let Some(Command::Healthcheck(check)) = &options.command {
        return healthcheck(&options, check);
    }
    let mut loaded = options.common.load(Program::Single, Locking::Alone)?;
    let settings = loaded.settings.clone();
    let _log = init_logging(&settings.telemetry.log)?;
    let shutdown = Shutdown::on_signals(settings.http.shutdown_delay_sec.duration())?;

    let listen = &settings.apiserver.listen;
    let ip = options.ip.map_or_else(|| listen.ip.parse(), Ok).context("apiserver.listen.ip")?;
    let listening = bind(SocketAddr::new(ip, options.port.unwrap_or(listen.port)), "API server").await?;
    let service = Service::start(&mut loaded, StartOptions::default(), &shutdown).await?;
    serve_metrics(&settings.telemetry.metrics, service.health.clone(), &shutdown).await?;
    tracing::info!(address = %listening.address, "the API server is ready");
    let drain_timeout = settings.http.drain_timeout_sec.duration();
    serve(listening, service.router_with_probes(), shutdown, drain_timeout).await;
    service.stop(drain_timeout).await;
    Ok(())
}
