//! Environment variables with a meaning of their own (spec 01 §7.2, 06 §9.2). They win over everything.

use crate::{
    ConfigError, Environment,
    settings::BuildInfo,
    value::{Kind, Origin, Value},
};

/// Assigns what the variables say about the stores and about compression.
pub(crate) fn apply(environment: &Environment, root: &mut Value) -> Result<(), ConfigError> {
    mongodb(environment, root)?;
    elasticsearch(environment, root)?;
    redis(environment, root)?;
    if let Some((name, text)) = environment.first(["CLEARML_COMPRESS_RESP"]) {
        let compress =
            !matches!(text.to_ascii_lowercase().as_str(), "0" | "n" | "no" | "f" | "false" | "off");
        root.assign(&["http", "compress_responses"], Value::new(Kind::Bool(compress), variable(name)));
    }
    if let Some((name, text)) = environment.first(["CLEARML_UPLOAD_FOLDER", "TRAINS_UPLOAD_FOLDER"]) {
        root.assign(&["fileserver", "upload_folder"], text_value(name, text));
    }
    Ok(())
}

/// Version and build of this server as `server.info` reports them.
pub(crate) fn build_info(environment: &Environment) -> BuildInfo {
    let variable = |name: &str, fallback: &str| {
        let names = [format!("CLEARML_SERVER_{name}"), format!("TRAINS_SERVER_{name}")];
        environment
            .first(names.iter().map(String::as_str))
            .map_or_else(|| fallback.to_owned(), |(_, value)| value.to_owned())
    };
    let fallback = BuildInfo::default();
    BuildInfo {
        version: variable("VERSION", &fallback.version),
        build: variable("BUILD", &fallback.build),
        commit: variable("COMMIT", &fallback.commit),
        deployment: variable("DEPLOYMENT_TYPE", &fallback.deployment),
    }
}

fn mongodb(environment: &Environment, root: &mut Value) -> Result<(), ConfigError> {
    const ALIASES: [&str; 2] = ["backend", "auth"];
    if let Some((name, uri)) = environment.first(["CLEARML_MONGODB_SERVICE_CONNECTION_STRING"]) {
        for alias in ALIASES {
            root.assign(&["hosts", "mongo", alias, "host"], text_value(name, uri));
        }
        return Ok(());
    }
    let host = environment.first([
        "CLEARML_MONGODB_SERVICE_HOST",
        "TRAINS_MONGODB_SERVICE_HOST",
        "MONGODB_SERVICE_HOST",
        "MONGODB_SERVICE_SERVICE_HOST",
    ]);
    let port = port(
        environment,
        ["CLEARML_MONGODB_SERVICE_PORT", "TRAINS_MONGODB_SERVICE_PORT", "MONGODB_SERVICE_PORT"],
    )?;
    let user = environment.first(["CLEARML_MONGODB_SERVICE_USERNAME"]);
    let password = environment.first(["CLEARML_MONGODB_SERVICE_PASSWORD"]);
    let query = environment.first(["CLEARML_MONGODB_SERVICE_QUERY"]);
    let Some((name, _)) = host.or(port).or(user).or(password).or(query) else { return Ok(()) };

    for alias in ALIASES {
        let path = ["hosts", "mongo", alias, "host"];
        let Some(mut uri) = root.at(path).and_then(Value::as_text).and_then(MongoUri::parse) else {
            continue;
        };
        uri.set_host(host.map(|(_, value)| value), port.map(|(_, value)| value));
        uri.set_user(user.map(|(_, value)| value), password.map(|(_, value)| value));
        if let Some((_, query)) = query {
            query.trim_start_matches('?').clone_into(&mut uri.query);
        }
        root.assign(&path, text_value(name, &uri.to_string()));
    }
    Ok(())
}

/// `scheme://user:password@hosts/database?query`.
struct MongoUri {
    scheme: String,
    user: String,
    hosts: String,
    database: String,
    query: String,
}

impl MongoUri {
    fn parse(uri: &str) -> Option<Self> {
        let (scheme, rest) = uri.split_once("://")?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        Some(Self {
            scheme: scheme.to_owned(),
            user: user.to_owned(),
            hosts: hosts.to_owned(),
            database: database.to_owned(),
            query: query.to_owned(),
        })
    }

    fn set_host(&mut self, host: Option<&str>, port: Option<&str>) {
        if host.is_none() && port.is_none() {
            return;
        }
        let first = self.hosts.split(',').next().unwrap_or_default();
        let (known_host, known_port) = first.rsplit_once(':').unwrap_or((first, "27017"));
        self.hosts = format!("{}:{}", host.unwrap_or(known_host), port.unwrap_or(known_port));
    }

    fn set_user(&mut self, user: Option<&str>, password: Option<&str>) {
        let (known_user, known_password) = self.user.split_once(':').unwrap_or((&self.user, ""));
        let user = user.map_or_else(|| known_user.to_owned(), percent_encoded);
        let password = password.map_or_else(|| known_password.to_owned(), percent_encoded);
        self.user = if password.is_empty() { user } else { format!("{user}:{password}") };
    }
}

impl std::fmt::Display for MongoUri {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}://", self.scheme)?;
        if !self.user.is_empty() {
            write!(formatter, "{}@", self.user)?;
        }
        write!(formatter, "{}/{}", self.hosts, self.database)?;
        if !self.query.is_empty() {
            write!(formatter, "?{}", self.query)?;
        }
        Ok(())
    }
}

/// Text as it may stand in the user part of a URI.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn elasticsearch(environment: &Environment, root: &mut Value) -> Result<(), ConfigError> {
    let host = environment.first([
        "CLEARML_ELASTIC_SERVICE_HOST",
        "TRAINS_ELASTIC_SERVICE_HOST",
        "ELASTIC_SERVICE_HOST",
        "ELASTIC_SERVICE_SERVICE_HOST",
    ]);
    let port = port(
        environment,
        ["CLEARML_ELASTIC_SERVICE_PORT", "TRAINS_ELASTIC_SERVICE_PORT", "ELASTIC_SERVICE_PORT"],
    )?;
    for cluster in names_below(root, &["hosts", "elastic"]) {
        let path = ["hosts", "elastic", &cluster, "hosts"];
        let Some(mut hosts) = root.at(path).cloned() else { continue };
        let Kind::List(entries) = &mut hosts.kind else { continue };
        for entry in entries {
            if let Some((name, host)) = host {
                entry.assign(&["host"], text_value(name, host));
            }
            if let Some((name, port)) = port {
                entry.assign(&["port"], number_value(name, port));
            }
        }
        root.assign(&path, hosts);
    }
    let user = environment.first(["CLEARML_ELASTIC_SERVICE_USERNAME"]);
    let password = environment.first(["CLEARML_ELASTIC_SERVICE_PASSWORD"]);
    if let Some((name, user)) = user {
        if password.is_none() {
            let reason = "a user needs a password: set CLEARML_ELASTIC_SERVICE_PASSWORD too".to_owned();
            return Err(ConfigError::Environment { name: name.to_owned(), reason });
        }
        root.assign(&["secure", "elastic", "user"], text_value(name, user));
    }
    if let Some((name, password)) = password {
        root.assign(&["secure", "elastic", "password"], text_value(name, password));
    }
    Ok(())
}

fn redis(environment: &Environment, root: &mut Value) -> Result<(), ConfigError> {
    let names = |what: &str| {
        [
            format!("CLEARML_REDIS_SERVICE_{what}"),
            format!("TRAINS_REDIS_SERVICE_{what}"),
            format!("REDIS_SERVICE_{what}"),
        ]
    };
    let (hosts, ports, passwords) = (names("HOST"), names("PORT"), names("PASSWORD"));
    let host = environment.first(hosts.iter().map(String::as_str));
    let port = port(environment, ports.iter().map(String::as_str))?;
    let password = environment.first(passwords.iter().map(String::as_str));
    for alias in names_below(root, &["hosts", "redis"]) {
        if let Some((name, host)) = host {
            root.assign(&["hosts", "redis", &alias, "host"], text_value(name, host));
        }
        if let Some((name, port)) = port {
            root.assign(&["hosts", "redis", &alias, "port"], number_value(name, port));
        }
        if let Some((name, password)) = password {
            root.assign(&["secure", "redis", &alias, "password"], text_value(name, password));
        }
    }
    Ok(())
}

fn names_below(root: &Value, path: &[&str]) -> Vec<String> {
    let object = root.at(path.iter().copied()).and_then(Value::as_object);
    object.into_iter().flat_map(|members| members.keys().cloned()).collect()
}

/// The first of these variables that is set; it must hold a port.
fn port<'e>(
    environment: &'e Environment,
    names: impl IntoIterator<Item = &'e str>,
) -> Result<Option<(&'e str, &'e str)>, ConfigError> {
    let Some((name, text)) = environment.first(names) else { return Ok(None) };
    if text.parse::<u16>().is_err() {
        let reason = format!("expected a port number, found {text:?}");
        return Err(ConfigError::Environment { name: name.to_owned(), reason });
    }
    Ok(Some((name, text)))
}

fn variable(name: &str) -> Origin {
    Origin::whole(format!("environment variable {name}"))
}

fn text_value(name: &str, text: &str) -> Value {
    Value::new(Kind::Text(text.to_owned()), variable(name))
}

fn number_value(name: &str, text: &str) -> Value {
    let kind = text.parse().map_or_else(|_| Kind::Text(text.to_owned()), Kind::Integer);
    Value::new(kind, variable(name))
}
