//! The merged configuration.

use std::path::{Path, PathBuf};

use crate::{
    ConfigError, Environment, GeneratedSecrets, Secret, Settings, dedicated, deserialize, hocon,
    merge::merge,
    settings::{Program, StoreChoice},
    value::{Kind, Origin, Value},
};

/// Where a configuration is read from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Directories with `*.conf` files, later ones win; see [`config_directories`].
    pub directories: Vec<PathBuf>,
    pub environment: Environment,
}

/// The merged configuration: what `server.config` and `clearml-server config` show.
#[derive(Debug, Clone)]
pub struct Config {
    root: Value,
    environment: Environment,
    /// Keys of the secrets that nobody has configured.
    generated: Vec<String>,
}

/// The configuration directories: those of `CLEARML_CONFIG_DIR`, else of `TRAINS_CONFIG_DIR`, else the
/// official ones. The variables hold several, separated by `:`, with `~` and `$VARIABLE` in them.
pub fn config_directories(environment: &Environment) -> Vec<PathBuf> {
    let configured = environment.first(["CLEARML_CONFIG_DIR", "TRAINS_CONFIG_DIR"]);
    let list = configured.map_or("/opt/trains/config:/opt/clearml/config", |(_, value)| value);
    list.split(':')
        .filter(|directory| !directory.is_empty())
        .map(|directory| PathBuf::from(expand(directory, environment)))
        .collect()
}

impl Config {
    /// Reads all sources. Missing directories are skipped.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let mut root = defaults();
        for directory in &sources.directories {
            merge_directory(&mut root, directory, &sources.environment)?;
        }
        let environment = &sources.environment;
        environment.apply_overrides("TRAINS", &mut root);
        environment.apply_overrides("CLEARML", &mut root);
        dedicated::apply(environment, &mut root)?;
        Ok(Self { root, environment: environment.clone(), generated: Vec::new() })
    }

    /// The settings that the services work with.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        let mut settings: Settings = deserialize::from_value(&self.root)?;
        settings.build = dedicated::build_info(&self.environment);
        Ok(settings)
    }

    /// The environment variables that it was read with.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Uses the generated secrets wherever none is configured.
    #[must_use]
    pub fn with_secrets(mut self, secrets: &GeneratedSecrets, path: &Path) -> Self {
        let origin = Origin::whole(path.display().to_string());
        for (key, secret) in secrets.by_key() {
            let keys: Vec<&str> = key.split('.').collect();
            let configured = self.root.at(keys.iter().copied()).is_some_and(is_set);
            if !configured {
                self.root.assign(&keys, Value::new(Kind::Text(secret.to_owned()), origin.clone()));
                self.generated.push(key.to_owned());
            }
        }
        self
    }

    /// Keys and values of the secrets in use that nobody has configured.
    pub fn generated_secrets(&self) -> Vec<(String, Secret)> {
        let secret = |key: &String| {
            let text = self.root.at(key.split('.')).and_then(Value::as_text).unwrap_or_default();
            (key.clone(), Secret::from(text))
        };
        self.generated.iter().map(secret).collect()
    }

    /// Whether a secret was generated, so that another process may have another.
    pub fn is_generated(&self, key: &str) -> bool {
        self.generated.iter().any(|generated| generated == key)
    }

    /// Uses these in place of generated secrets; configured ones stay.
    #[must_use]
    pub fn with_shared_secrets(mut self, secrets: impl IntoIterator<Item = (String, Secret)>) -> Self {
        for (key, secret) in secrets {
            if self.is_generated(&key) {
                let keys: Vec<&str> = key.split('.').collect();
                let origin = Origin::whole("the secrets that all replicas share");
                self.root.assign(&keys, Value::new(Kind::Text(secret.reveal().to_owned()), origin));
            }
        }
        self
    }

    /// The subtree at a dotted path (`""`: everything), secrets included; `None`: there is none.
    pub fn value(&self, path: &str) -> Option<serde_json::Value> {
        if path.is_empty() {
            return Some(self.root.to_json());
        }
        self.root.at(path.split('.')).map(Value::to_json)
    }

    /// Whether anybody has configured where a store of the cluster is.
    pub fn hosts_are_configured(&self) -> bool {
        ["mongo", "elastic", "redis"]
            .into_iter()
            .filter_map(|store| self.root.at(["hosts", store]))
            .any(|hosts| !is_built_in(hosts))
    }

    /// The stores that a program with this configuration uses.
    pub fn store_choice(&self, program: Program) -> Result<StoreChoice, ConfigError> {
        Ok(self.settings()?.stores.choice(program, self.hosts_are_configured()))
    }

    /// Everything, with secrets replaced by `***`.
    pub fn masked(&self) -> serde_json::Value {
        mask(&self.root, &mut Vec::new())
    }
}

/// Whether the text value of this key is a secret.
pub(crate) fn is_secret(path: &[impl AsRef<str>]) -> bool {
    let Some(name) = path.last().map(|key| key.as_ref().to_ascii_lowercase()) else { return false };
    let below_secure = path[0].as_ref() == "secure";
    let harmless = matches!(name.as_str(), "role" | "display_name" | "user" | "username");
    (below_secure && !harmless)
        || name == "key"
        || name == "token"
        || name.ends_with("_key")
        || name.ends_with("_token")
        || name == "credentials_json"
        || name == "connection_string"
        || name.contains("password")
        || name.contains("secret")
}

fn mask(value: &Value, path: &mut Vec<String>) -> serde_json::Value {
    use serde_json::Value as Json;
    match &value.kind {
        Kind::Object(members) => {
            let mut masked = serde_json::Map::new();
            for (key, member) in members {
                path.push(key.clone());
                masked.insert(key.clone(), mask(member, path));
                path.pop();
            }
            Json::Object(masked)
        }
        Kind::List(items) => Json::Array(items.iter().map(|item| mask(item, path)).collect()),
        Kind::Text(text) if !text.is_empty() && is_secret(path) => Json::from("***"),
        Kind::Text(text) => Json::from(mask_url_password(text)),
        // A secret may look like a number.
        Kind::Integer(_) | Kind::Float(_)
            if path.first().is_some_and(|key| key == "secure") && is_secret(path) =>
        {
            Json::from("***")
        }
        _ => value.to_json(),
    }
}

/// `mongodb://user:password@host` -> `mongodb://user:***@host`.
fn mask_url_password(text: &str) -> String {
    let masked = || {
        let (scheme, rest) = text.split_once("://")?;
        let authority_end = rest.find('/').unwrap_or(rest.len());
        let at = rest[..authority_end].rfind('@')?;
        let (user, _) = rest[..at].split_once(':')?;
        Some(format!("{scheme}://{user}:***{}", &rest[at..]))
    };
    masked().unwrap_or_else(|| text.to_owned())
}

fn is_set(value: &Value) -> bool {
    match &value.kind {
        Kind::Null => false,
        Kind::Text(text) => !text.is_empty(),
        _ => true,
    }
}

const BUILT_IN: &str = "built-in defaults";

fn defaults() -> Value {
    let json = serde_json::to_value(Settings::default()).unwrap_or_default();
    Value::from_json(json, &Origin::whole(BUILT_IN))
}

/// Whether no other source has changed anything of the value.
fn is_built_in(value: &Value) -> bool {
    match &value.kind {
        Kind::Object(members) if !members.is_empty() => members.values().all(is_built_in),
        Kind::List(items) if !items.is_empty() => items.iter().all(is_built_in),
        _ => &*value.origin.source == BUILT_IN,
    }
}

/// Merges each `a/b.conf` of a directory tree at the key `a.b`, in the order of their paths.
fn merge_directory(root: &mut Value, directory: &Path, environment: &Environment) -> Result<(), ConfigError> {
    let mut files = Vec::new();
    find_files(directory, &mut Vec::new(), &mut files)?;
    files.sort();
    for (keys, path) in files {
        let value = hocon::load(&path, environment)?;
        let origin = value.origin.clone();
        let nested = keys.iter().rev().fold(value, |inner, key| {
            let members = std::iter::once((key.clone(), inner)).collect();
            Value::new(Kind::Object(members), origin.clone())
        });
        merge(root, nested);
    }
    Ok(())
}

fn find_files(
    directory: &Path,
    keys: &mut Vec<String>,
    files: &mut Vec<(Vec<String>, PathBuf)>,
) -> Result<(), ConfigError> {
    /// Directories deeper than this are not configuration; a link may lead in circles.
    const MAX_DEPTH: usize = 8;
    let unreadable = |reason| ConfigError::Unreadable { path: directory.to_owned(), reason };
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unreadable(error)),
    };
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        // Kubernetes mounts keep their versions in hidden directories.
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            if keys.len() < MAX_DEPTH {
                keys.push(name.to_owned());
                find_files(&path, keys, files)?;
                keys.pop();
            }
        } else if let Some(key) = name.strip_suffix(".conf") {
            let mut keys = keys.clone();
            keys.extend(key.split('.').map(str::to_owned));
            files.push((keys, path.clone()));
        }
    }
    Ok(())
}

/// Replaces a leading `~` and every `$NAME` and `${NAME}`; a variable that is not set stays as it is.
fn expand(text: &str, environment: &Environment) -> String {
    let home = environment.get("HOME").unwrap_or("~");
    let text = match text.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{home}{rest}"),
        _ => text.to_owned(),
    };
    let mut expanded = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (name, end) =
            if let Some((name, _)) = after.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
                (name, name.len() + 2)
            } else {
                let end = after
                    .find(|character: char| character != '_' && !character.is_ascii_alphanumeric())
                    .unwrap_or(after.len());
                (&after[..end], end)
            };
        match environment.get(name) {
            Some(value) => expanded.push_str(value),
            None => expanded.push_str(&rest[at..=at + end]),
        }
        rest = &after[end..];
    }
    expanded.push_str(rest);
    expanded
}
