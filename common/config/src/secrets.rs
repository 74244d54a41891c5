//! Secrets that nobody configured: made once, kept in a file that only its owner reads.

use std::{
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use indexmap::IndexMap;
use rand::RngExt;

use crate::{ConfigError, Secret};

/// Secrets by the key of the setting that they stand in for. The published values of the official server's
/// `secure.conf` are never used: a server that anybody has the keys of is open.
#[derive(Debug, Clone)]
pub struct GeneratedSecrets {
    by_key: IndexMap<String, Secret>,
}

/// The system users whose credentials are generated.
const CREDENTIALS: [&str; 3] = ["apiserver", "fileserver", "webserver"];

impl GeneratedSecrets {
    /// Reads the file, or creates it with mode 0600. A secret that a newer version needs is added.
    pub fn load_or_create(path: &Path) -> Result<Self, ConfigError> {
        let failed = |reason: String| ConfigError::Secrets { path: path.to_owned(), reason };
        // Servers that start at the same time on one directory agree on one file; unlocked when dropped.
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let lock = fs::File::open(directory.unwrap_or(Path::new(".")));
        let lock = lock.and_then(|directory| directory.lock().map(|()| directory));
        let _lock = lock.map_err(|error| failed(error.to_string()))?;
        let mut by_key: IndexMap<String, Secret> = match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| failed(format!("not a JSON object of texts: {error}")))?,
            Err(error) if error.kind() == ErrorKind::NotFound => IndexMap::new(),
            Err(error) => return Err(failed(error.to_string())),
        };
        let known = by_key.len();
        for (key, generate) in needed() {
            by_key.entry(key).or_insert_with(|| Secret::from(generate()));
        }
        if by_key.len() != known {
            write_private(path, &by_key).map_err(|error| failed(error.to_string()))?;
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self { by_key })
    }

    /// Takes secrets from elsewhere into the file in place of generated ones; keys that none is generated for are
    /// left out.
    pub fn adopt(
        path: &Path,
        secrets: impl IntoIterator<Item = (String, Secret)>,
    ) -> Result<(), ConfigError> {
        let mut by_key = Self::load_or_create(path)?.by_key;
        for (key, secret) in secrets {
            if let Some(own) = by_key.get_mut(&key) {
                *own = secret;
            }
        }
        let failed =
            |error: std::io::Error| ConfigError::Secrets { path: path.to_owned(), reason: error.to_string() };
        write_private(path, &by_key).map_err(failed)
    }

    /// Setting key and secret.
    pub(crate) fn by_key(&self) -> impl Iterator<Item = (&str, &str)> {
        self.by_key.iter().map(|(key, secret)| (key.as_str(), secret.reveal()))
    }
}

fn needed() -> Vec<(String, fn() -> String)> {
    let mut needed: Vec<(String, fn() -> String)> = vec![
        ("secure.auth.token_secret".to_owned(), generate_secret),
        ("services.events.events_retrieval.scroll_id_key".to_owned(), generate_secret),
    ];
    for name in CREDENTIALS {
        needed.push((format!("secure.credentials.{name}.user_key"), generate_key));
        needed.push((format!("secure.credentials.{name}.user_secret"), generate_secret));
    }
    needed
}

/// Writes to a new file beside and renames it, so that a crash leaves the old file or the new one.
fn write_private(path: &Path, secrets: &IndexMap<String, Secret>) -> std::io::Result<()> {
    let text = serde_json::to_string_pretty(secrets)?;
    let temporary: PathBuf = path.with_extension("new");
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    if let Some(directory) = path.parent() {
        fs::File::open(directory)?.sync_all()?;
    }
    Ok(())
}

/// An access key: 30 characters of `A-Z0-9` (spec 01 §5.1).
pub fn generate_key() -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let mut random = rand::rng();
    (0..30).map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())])).collect()
}

/// A secret key: 50 random bytes as URL-safe base64, not starting with `-` or `_` (spec 01 §5.1).
pub fn generate_secret() -> String {
    loop {
        let secret = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 50]>());
        if !secret.starts_with(['-', '_']) {
            return secret;
        }
    }
}
