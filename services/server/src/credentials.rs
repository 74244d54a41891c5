//! `clearml-server credentials`: access keys, whether or not the server is running.

use std::{fmt::Write as _, io::Write, path::Path};

use anyhow::{Context, bail};
use chrono::SecondsFormat;
use clearml_apiserver::admin::{self, ShownPair};
use clearml_config::{
    CommonOptions, DataDir, Seconds,
    settings::{Program, StoreKind},
};
use clearml_stores::open_documents;
use serde_json::json;

use crate::{
    banner::{self, Urls},
    options::{CredentialsAction, Print},
    run::URLS_FILE,
};

/// Does what was asked for, on the store of the data directory.
pub(crate) async fn execute(common: &CommonOptions, action: &CredentialsAction) -> anyhow::Result<()> {
    let (config, environment) = common.read()?;
    let mut settings = config.settings()?;
    let stores = config.store_choice(Program::AllInOne)?;
    // People wait.
    settings.stores.start_timeout_sec = Seconds::new(5);
    let path = common.data_dir.clone().unwrap_or_else(|| DataDir::default_path(&environment));
    if stores.documents == StoreKind::Embedded && !path.is_dir() {
        bail!(
            "there is no data directory {}; hint: start the server once, or say where with --data-dir",
            path.display()
        );
    }
    let documents = open_documents(&settings, stores.documents, &path).await;
    let documents = match stores.documents {
        StoreKind::Embedded => {
            documents.with_context(|| format!("failed to open the store in {}", path.display()))?
        }
        StoreKind::Cluster => documents.context("failed to open the store")?,
    };
    let documents = documents.as_ref();

    let text = match action {
        CredentialsAction::Create { user, label, print } => {
            let (user, pair) =
                admin::create_credentials(documents, user.as_deref(), label.as_deref()).await?;
            let urls = noted_urls(&path);
            match print {
                Print::Json => {
                    let pair = json!({"user": user, "access_key": pair.key, "secret_key": pair.secret});
                    format!("{pair}\n")
                }
                Print::Text => {
                    let block = banner::configuration_block(&urls, &pair.key, &pair.secret);
                    format!(
                        "A new key pair of {user}; the secret is shown this once. For ~/clearml.conf:\n\n{block}"
                    )
                }
                Print::None => String::new(),
            }
        }
        CredentialsAction::List { print } => {
            let pairs = admin::list_credentials(documents).await?;
            if *print == Print::Json { format!("{}\n", as_json(&pairs)) } else { as_table(&pairs) }
        }
        CredentialsAction::Revoke { key } => {
            let user = admin::revoke_credentials(documents, key).await?;
            format!("Revoked {key} of {user}. Tokens that were made with it stay valid until they expire.\n")
        }
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// The addresses that the server had when it started last; else the usual ones.
fn noted_urls(data_dir: &Path) -> Urls {
    let noted = std::fs::read(data_dir.join(URLS_FILE)).ok();
    let noted = noted.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    noted.as_ref().and_then(Urls::from_json).unwrap_or_else(|| Urls {
        web: "http://127.0.0.1:8080".to_owned(),
        api: "http://127.0.0.1:8008".to_owned(),
        files: "http://127.0.0.1:8081".to_owned(),
    })
}

fn last_used(pair: &ShownPair) -> Option<String> {
    let moment = chrono::DateTime::from_timestamp_millis(pair.last_used?.timestamp_millis())?;
    Some(moment.to_rfc3339_opts(SecondsFormat::Secs, true))
}

fn as_json(pairs: &[ShownPair]) -> serde_json::Value {
    pairs
        .iter()
        .map(|pair| {
            json!({
                "user": pair.user,
                "access_key": pair.access_key,
                "label": pair.label,
                "last_used": last_used(pair),
                "last_used_from": pair.last_used_from,
            })
        })
        .collect()
}

fn as_table(pairs: &[ShownPair]) -> String {
    if pairs.is_empty() {
        return "There are no access keys; create one: clearml-server credentials create\n".to_owned();
    }
    let mut text = format!("{:<30}  {:<20}  {:<20}  {}\n", "ACCESS KEY", "USER", "LAST USED", "LABEL");
    for pair in pairs {
        let used = last_used(pair).unwrap_or_else(|| "never".to_owned());
        let label = pair.label.as_deref().unwrap_or_default();
        let line = format!("{:<30}  {:<20}  {used:<20}  {label}", pair.access_key, pair.user);
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}
