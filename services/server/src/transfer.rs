//! `clearml-server export` and `clearml-server import`: everything that a server keeps, to other stores.

mod progress;

use std::{io::Write, path::Path};

use anyhow::{Context, bail};
use clearml_apiserver::startup::{set_shared_secrets, shared_secrets};
use clearml_config::{
    CommonOptions, DataDir, GeneratedSecrets, Loaded, Locking,
    settings::{Program, StoreKind},
};
use clearml_fileserver::FileServer;
use clearml_telemetry::init_logging;
use clearml_transfer::{Archive, Stores};

use progress::Display;

/// Writes everything into a folder.
pub(crate) async fn export(common: &CommonOptions, folder: &Path) -> anyhow::Result<()> {
    check_data_dir(common)?;
    let loaded = common.load(Program::AllInOne, Locking::Alone)?;
    let _log = init_logging(&loaded.settings.telemetry.log)?;
    let stores = open(&loaded).await?;
    if loaded.stores.documents == StoreKind::Embedded {
        // Those of a cluster are there already.
        set_shared_secrets(stores.documents.as_ref(), &loaded.config.generated_secrets()).await?;
    }
    let (id, version) = (uuid::Uuid::new_v4().to_string(), env!("CARGO_PKG_VERSION"));
    let display = Display::new();
    let archive =
        clearml_transfer::export(&stores, folder, &id, version, &|progress| display.show(progress)).await;
    display.end();
    let archive = archive.with_context(|| {
        format!("the export into {} is not complete; the same command goes on", folder.display())
    })?;
    print(&archive)
}

/// Brings an export into the stores.
pub(crate) async fn import(common: &CommonOptions, folder: &Path) -> anyhow::Result<()> {
    let loaded = common.load(Program::AllInOne, Locking::Alone)?;
    let _log = init_logging(&loaded.settings.telemetry.log)?;
    let stores = open(&loaded).await?;
    let display = Display::new();
    let imported = clearml_transfer::import(&stores, folder, &|progress| display.show(progress)).await;
    display.end();
    let imported = imported.with_context(|| {
        format!("the import of {} is not complete; the same command goes on", folder.display())
    })?;
    stores.files.close().await;
    let secrets = shared_secrets(stores.documents.as_ref()).await?;
    GeneratedSecrets::adopt(&loaded.data_dir.secrets_file(), secrets)?;
    print(&imported.archive)?;
    if imported.rejected > 0 {
        let rejected = imported.rejected;
        writeln!(
            std::io::stderr(),
            "warning: {rejected} events are in the archive alone, see the log: the store can't hold them"
        )?;
    }
    Ok(())
}

/// An archive of a data directory that a slip has named is nobody's wish.
fn check_data_dir(common: &CommonOptions) -> anyhow::Result<()> {
    let (config, environment) = common.read()?;
    let is_embedded = config.store_choice(Program::AllInOne)?.documents == StoreKind::Embedded;
    let path = common.data_dir.clone().unwrap_or_else(|| DataDir::default_path(&environment));
    if is_embedded && !path.is_dir() {
        bail!("there is no data directory {}; hint: say where it is with --data-dir", path.display());
    }
    Ok(())
}

/// The configured stores.
async fn open(loaded: &Loaded) -> anyhow::Result<Stores> {
    let stores = clearml_stores::Stores::open(loaded).await?;
    let files = FileServer::open(loaded, None).await?.files;
    Ok(Stores { documents: stores.documents, events: stores.events, statistics: stores.statistics, files })
}

/// What there is of each kind, with checksums to compare with those of another export.
fn print(archive: &Archive) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for content in archive.manifest.contents() {
        let (stage, kind, count, checksum) = (content.stage, content.kind, content.count, content.checksum);
        writeln!(out, "{stage:10} {kind:24} {count:>10} {checksum}")?;
    }
    Ok(())
}
