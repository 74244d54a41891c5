//! The file server as a process of its own.

use std::{
    net::{IpAddr, SocketAddr},
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context;
use clap::{Parser, Subcommand};
use clearml_config::{CommonOptions, Locking, settings::Program};
use clearml_fileserver::{FileServer, router, shared_revocations, shared_state};
use clearml_telemetry::{
    Health, HealthcheckOptions, Shutdown, bind, init_logging, run_program, serve, serve_metrics, with_probes,
};
use http::header;

/// Keeps files for ClearML tasks: upload, download, delete.
#[derive(Parser)]
#[command(name = "clearml-fileserver", version)]
struct Options {
    #[command(flatten)]
    common: CommonOptions,
    /// Address to listen on [default: fileserver.listen.ip, else 127.0.0.1]
    #[arg(short, long = "ip", alias = "listen", value_name = "IP")]
    ip: Option<IpAddr>,
    /// Port; 0: a free one [default: fileserver.listen.port, else 8081]
    #[arg(short, long, value_name = "PORT")]
    port: Option<u16>,
    /// Root folder of the files [default: fileserver.upload_folder, else `files` in the data directory]
    #[arg(short, long, value_name = "DIR")]
    upload_folder: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What else the program does.
#[derive(Subcommand)]
enum Command {
    /// Ask the file server on this machine how it is; for containers
    Healthcheck(HealthcheckOptions),
}

fn main() -> ExitCode {
    run_program(run(Options::parse()))
}

fn healthcheck(options: &Options, check: &HealthcheckOptions) -> anyhow::Result<()> {
    let (settings, _) = options.common.load_settings()?;
    let listen = &settings.fileserver.listen;
    let ip = options.ip.map_or_else(|| listen.ip.parse(), Ok).context("fileserver.listen.ip")?;
    // Without logins the probes' paths are names of files.
    let path = if settings.fileserver.auth.enabled { check.path() } else { "/" };
    Ok(check.check(SocketAddr::new(ip, options.port.unwrap_or(listen.port)), path)?)
}

async fn run(options: Options) -> anyhow::Result<()> {
    if let Some(Command::Healthcheck(check)) = &options.command {
        return healthcheck(&options, check);
    }
    let mut loaded = options.common.load(Program::Single, Locking::Shared)?;
    if let Some(folder) = options.upload_folder {
        loaded.settings.fileserver.upload_folder = Some(folder);
        loaded.settings.fileserver.storage.url = None;
    }
    let settings = &loaded.settings;
    let _log = init_logging(&settings.telemetry.log)?;
    let shutdown = Shutdown::on_signals(settings.http.shutdown_delay_sec.duration())?;

    let listen = &settings.fileserver.listen;
    let ip = options.ip.map_or_else(|| listen.ip.parse(), Ok).context("fileserver.listen.ip")?;
    let mut health = Health::new(shutdown.clone());
    let mut revocations = None;
    if let Some(state) = shared_state(&loaded).await? {
        let (list, checked) = shared_revocations(state, health);
        (revocations, health) = (Some(list), checked);
    }
    let server = Arc::new(FileServer::open(&loaded, revocations).await?);
    let health = server.add_checks(health);
    let files = Arc::clone(&server.files);
    serve_metrics(&settings.telemetry.metrics, health.clone(), &shutdown).await?;
    // Without a token the paths of the probes are no files: those need one.
    let router = if settings.fileserver.auth.enabled {
        with_probes(router(server), health, |headers| {
            !headers.contains_key(header::AUTHORIZATION) && !headers.contains_key(header::COOKIE)
        })
    } else {
        router(server)
    };
    let listening = bind(SocketAddr::new(ip, options.port.unwrap_or(listen.port)), "file server").await?;
    tracing::info!(address = %listening.address, "the file server is ready");
    serve(listening, router, shutdown, settings.http.drain_timeout_sec.duration()).await;
    files.close().await;
    Ok(())
}
