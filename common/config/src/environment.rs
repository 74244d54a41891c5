//! Environment variables as a source of configuration.

use std::collections::BTreeMap;

use crate::{
    hocon,
    value::{Kind, Origin, Value},
};

/// The environment variables that a configuration is read with; a copy, so that tests bring their own.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process. Those that are not Unicode are left out.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The value of a variable; an empty one counts.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All variables, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The first of these variables that is set and not empty, with its name.
    pub fn first<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Option<(&'a str, &str)> {
        names.into_iter().find_map(|name| Some((name, self.get(name).filter(|value| !value.is_empty())?)))
    }

    /// Assigns what `PREFIX__a__b=value` variables say to `a.b` (spec 01 §7.1).
    pub(crate) fn apply_overrides(&self, prefix: &str, config: &mut Value) {
        for (name, text) in &self.0 {
            let Some(path) = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix("__")) else {
                continue;
            };
            let path = path.replace("__", ".").to_ascii_lowercase();
            let keys: Vec<&str> = path.split('.').collect();
            if keys.iter().any(|key| key.is_empty()) {
                continue;
            }
            let mut value = parse_value(name, text, self);
            // A password of digits stays as it was typed.
            if keys[0] == "secure" && matches!(value.kind, Kind::Integer(_) | Kind::Float(_)) {
                value.kind = Kind::Text(text.trim().to_owned());
            }
            config.assign(&keys, value);
        }
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// The text of a variable as HOCON; a text that is none is taken as it stands, so that secrets and URLs
/// need no quotes.
fn parse_value(name: &str, text: &str, environment: &Environment) -> Value {
    let origin = Origin::whole(format!("environment variable {name}"));
    hocon::parse_single_value(text, &origin, environment)
        .unwrap_or_else(|_| Value::new(Kind::Text(text.to_owned()), origin))
}
