//! The web server as a process of its own.

use std::{
    net::{IpAddr, SocketAddr},
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context;
use clap::{Parser, Subcommand};
use clearml_config::CommonOptions;
use clearml_telemetry::{
    Health, HealthcheckOptions, Shutdown, bind, init_logging, run_program, serve, serve_metrics, with_probes,
};
use clearml_webserver::{Backend, WebServer, WebServerSettings, router};

/// Serves the Web-App, and the API and file servers under /api and /files.
#[derive(Parser)]
#[command(name = "clearml-webserver", version)]
struct Options {
    #[command(flatten)]
    common: CommonOptions,
    /// Address to listen on [default: webserver.listen.ip, else 127.0.0.1]
    #[arg(short, long = "ip", alias = "listen", value_name = "IP")]
    ip: Option<IpAddr>,
    /// Port; 0: a free one [default: webserver.listen.port, else 8080]
    #[arg(short, long, value_name = "PORT")]
    port: Option<u16>,
    /// Address of the API server
    #[arg(
        long,
        value_name = "URL",
        env = "NGINX_APISERVER_ADDRESS",
        default_value = "http://apiserver:8008"
    )]
    api_server: String,
    /// Address of the file server
    #[arg(
        long,
        value_name = "URL",
        env = "NGINX_FILESERVER_ADDRESS",
        default_value = "http://fileserver:8081"
    )]
    files_server: String,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What else the program does.
#[derive(Subcommand)]
enum Command {
    /// Ask the web server on this machine how it is; for containers
    Healthcheck(HealthcheckOptions),
}

fn main() -> ExitCode {
    run_program(run(Options::parse()))
}

fn healthcheck(options: &Options, check: &HealthcheckOptions) -> anyhow::Result<()> {
    let (settings, _) = options.common.load_settings()?;
    let listen = &settings.webserver.listen;
    let ip = options.ip.map_or_else(|| listen.ip.parse(), Ok).context("webserver.listen.ip")?;
    Ok(check.check(SocketAddr::new(ip, options.port.unwrap_or(listen.port)), check.path())?)
}

async fn run(options: Options) -> anyhow::Result<()> {
    if let Some(Command::Healthcheck(check)) = &options.command {
        return healthcheck(&options, check);
    }
    let (settings, environment) = options.common.load_settings()?;
    let _log = init_logging(&settings.telemetry.log)?;
    let shutdown = Shutdown::on_signals(settings.http.shutdown_delay_sec.duration())?;

    let listen = &settings.webserver.listen;
    let ip = options.ip.map_or_else(|| listen.ip.parse(), Ok).context("webserver.listen.ip")?;
    let api = Backend::http(&options.api_server).context("--api-server")?;
    let files = Backend::http(&options.files_server).context("--files-server")?;
    let server = WebServer::new(WebServerSettings::from_config(&settings, &environment)?, api, files);
    let health = Health::new(shutdown.clone());
    serve_metrics(&settings.telemetry.metrics, health.clone(), &shutdown).await?;
    let router = with_probes(router(Arc::new(server)), health, |_| true);
    let listening = bind(SocketAddr::new(ip, options.port.unwrap_or(listen.port)), "web server").await?;
    tracing::info!(address = %listening.address, "the web server is ready");
    serve(listening, router, shutdown, settings.http.drain_timeout_sec.duration()).await;
    Ok(())
}
