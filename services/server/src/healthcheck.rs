//! `clearml-server healthcheck`: are all three servers well?

use std::path::Path;

use clearml_config::{CommonOptions, DataDir};
use clearml_telemetry::HealthcheckOptions;

use crate::{
    banner::Urls,
    options::ServeOptions,
    run::{URLS_FILE, address},
};

/// Asks one after the other; the first that is not well is the error.
pub(crate) fn execute(
    common: &CommonOptions,
    serve: &ServeOptions,
    check: &HealthcheckOptions,
) -> anyhow::Result<()> {
    let (settings, environment) = common.load_settings()?;
    let data_dir = common.data_dir.clone().unwrap_or_else(|| DataDir::default_path(&environment));
    let noted = noted_ports(&data_dir);
    // Without logins the probes' paths are names of files.
    let files_path = if settings.fileserver.auth.enabled { check.path() } else { "/" };
    let servers = [
        (&settings.apiserver.listen, serve.api_port, "apiserver", check.path()),
        (&settings.fileserver.listen, serve.files_port, "fileserver", files_path),
        (&settings.webserver.listen, serve.web_port, "webserver", check.path()),
    ];
    for (index, (listen, given, section, path)) in servers.into_iter().enumerate() {
        let port = given.or(noted.map(|ports| ports[index]));
        check.check(address(serve, listen, port, section)?, path)?;
    }
    Ok(())
}

/// The ports of API, files and Web-App that the running server has noted.
fn noted_ports(data_dir: &Path) -> Option<[u16; 3]> {
    let noted = std::fs::read(data_dir.join(URLS_FILE)).ok()?;
    let urls = Urls::from_json(&serde_json::from_slice(&noted).ok()?)?;
    let port = |url: &str| url.rsplit(':').next()?.parse().ok();
    Some([port(&urls.api)?, port(&urls.files)?, port(&urls.web)?])
}
