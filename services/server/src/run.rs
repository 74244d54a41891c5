//! Runs the three servers.

use std::{
    io::Write,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use anyhow::Context;
use clearml_apiserver::{Service, StartOptions, startup::FirstUser};
use clearml_config::{
    CommonOptions, Loaded, Locking,
    settings::{Listen, Program},
};
use clearml_fileserver::FileServer;
use clearml_telemetry::{Health, Shutdown, bind, init_logging, serve, serve_metrics, with_probes};
use clearml_webserver::{Backend, WebServer, WebServerSettings};
use http::header;
use serde_json::json;

use crate::{
    banner::{self, Urls},
    options::{Print, ServeOptions},
};

/// Where the running server notes its addresses, for `credentials create`.
pub(crate) const URLS_FILE: &str = "urls.json";

/// Serves until the process is told to stop.
pub(crate) async fn run(common: &CommonOptions, options: &ServeOptions) -> anyhow::Result<()> {
    let mut loaded = common.load(Program::AllInOne, Locking::Alone)?;
    let settings = loaded.settings.clone();
    let _log = init_logging(&settings.telemetry.log)?;
    let shutdown = Shutdown::on_signals(settings.http.shutdown_delay_sec.duration())?;

    // Ports first: a taken one should show before anything is stored.
    let api_address = address(options, &settings.apiserver.listen, options.api_port, "apiserver")?;
    let files_address = address(options, &settings.fileserver.listen, options.files_port, "fileserver")?;
    let web_address = address(options, &settings.webserver.listen, options.web_port, "webserver")?;
    let api_listening = bind(api_address, "API server").await?;
    let files_listening = bind(files_address, "file server").await?;
    let web_listening = bind(web_address, "web server").await?;
    let urls = Urls::of(web_listening.address, api_listening.address, files_listening.address);

    let start = StartOptions {
        first_user: Some(first_user_name(&loaded)),
        files_url: Some(banner::own_url(files_listening.address)),
    };
    let service = Service::start(&mut loaded, start, &shutdown).await?;
    // With the secrets that replicas share.
    let settings = &loaded.settings;
    let file_server = Arc::new(FileServer::open(&loaded, Some(service.revocations())).await?);
    let health = &file_server.add_checks(service.health.clone());
    let stored_files = Arc::clone(&file_server.files);
    let files = clearml_fileserver::router(file_server);
    let web = web_server(&loaded, &urls, &service, files.clone())?;
    serve_metrics(&settings.telemetry.metrics, health.clone(), &shutdown).await?;

    let drain = settings.http.drain_timeout_sec.duration();
    let servers = [
        (api_listening, service.router_with_probes()),
        (files_listening, files_with_probes(files, health, settings.fileserver.auth.enabled)),
        (web_listening, with_probes(web, health.clone(), |_| true)),
    ]
    .map(|(listening, router)| tokio::spawn(serve(listening, router, shutdown.clone(), drain)));

    std::fs::write(loaded.data_dir.path().join(URLS_FILE), urls.to_json().to_string())
        .context("failed to note the addresses in the data directory")?;
    announce(options.print, &urls, &loaded, service.first_user.as_ref())?;

    for server in servers {
        server.await?;
    }
    stored_files.close().await;
    service.stop(drain).await;
    tracing::info!("stopped");
    Ok(())
}

pub(crate) fn address(
    options: &ServeOptions,
    configured: &Listen,
    port: Option<u16>,
    section: &str,
) -> anyhow::Result<SocketAddr> {
    let ip: IpAddr = match options.listen {
        Some(ip) => ip,
        None => configured
            .ip
            .parse()
            .with_context(|| format!("{section}.listen.ip: {:?} is no IP address", configured.ip))?,
    };
    Ok(SocketAddr::new(ip, port.unwrap_or(configured.port)))
}

/// The name of whoever starts the server.
fn first_user_name(loaded: &Loaded) -> String {
    let user = loaded.environment.first(["USER", "LOGNAME"]).map(|(_, name)| name);
    match user {
        // In containers and services this is nobody's name.
        None | Some("root") => "admin".to_owned(),
        Some(name) => name.to_owned(),
    }
}

fn web_server(
    loaded: &Loaded,
    urls: &Urls,
    service: &Service,
    files: axum::Router,
) -> anyhow::Result<axum::Router> {
    let mut settings = WebServerSettings::from_config(&loaded.settings, &loaded.environment)?;
    // The Web-App guesses the usual ports; with others it has to be told.
    let is_usual = urls.api.ends_with(":8008") && urls.files.ends_with(":8081");
    if !is_usual && !settings.configuration.contains_key("displayedServerUrls") {
        let shown = json!({"apiServer": urls.api, "filesServer": urls.files});
        settings.configuration.insert("displayedServerUrls".to_owned(), shown);
    }
    let api = Backend::InProcess(service.router());
    let web = WebServer::new(settings, api, Backend::InProcess(files));
    Ok(clearml_webserver::router(Arc::new(web)))
}

/// Without a token the paths of the probes are no files, as long as files need one.
fn files_with_probes(files: axum::Router, health: &Health, is_closed: bool) -> axum::Router {
    if !is_closed {
        return files;
    }
    with_probes(files, health.clone(), |headers| {
        !headers.contains_key(header::AUTHORIZATION) && !headers.contains_key(header::COOKIE)
    })
}

fn announce(print: Print, urls: &Urls, loaded: &Loaded, first: Option<&FirstUser>) -> anyhow::Result<()> {
    let text = match (print, first) {
        (Print::None, _) => return Ok(()),
        (Print::Text, Some(first)) => {
            banner::first_start(urls, &first.name, &first.credentials.key, &first.credentials.secret)
        }
        (Print::Text, None) => banner::later_start(urls, !loaded.settings.apiserver.auth.fixed_users.enabled),
        (Print::Json, first) => {
            let mut line = urls.to_json();
            line["version"] = json!(env!("CARGO_PKG_VERSION"));
            line["data_dir"] = json!(loaded.data_dir.path());
            line["user"] = json!(first.map(|first| &first.name));
            line["credentials"] = json!(first.map(|first| json!({
                "access_key": first.credentials.key,
                "secret_key": first.credentials.secret,
            })));
            format!("{line}\n")
        }
    };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}
