//! `configuration.json` and `credentials.json` from files and environment (spec 06 §2.1, §2.3).

use serde_json::{Map, Value, json};

/// A setting of the Web-App that can't be understood.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// The value of a `WEBSERVER__…` variable is not JSON.
    #[error(
        "{name}={value} is not JSON ({reason}); hint: text needs double quotes, as in {name}='\"{value}\"'"
    )]
    NotJson { name: String, value: String, reason: String },
    /// The base file does not hold a JSON object.
    #[error("the Web-App's configuration file does not hold a JSON object: {0}")]
    NotAnObject(String),
}

/// Prefix of the variables that set keys of `configuration.json`.
const PREFIX: &str = "WEBSERVER__";

/// Merges `WEBSERVER__a__b=<JSON>` variables over the text of a base file. A path that exists already, in
/// whatever case, keeps its spelling; a path through something that is no object is ignored with a warning.
pub fn configuration_from(
    base: Option<&str>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Map<String, Value>, ConfigurationError> {
    let mut configuration = match base.map(serde_json::from_str) {
        None => Map::new(),
        Some(Ok(Value::Object(base))) => base,
        Some(Ok(_)) => return Err(ConfigurationError::NotAnObject("it is another kind of value".to_owned())),
        Some(Err(error)) => return Err(ConfigurationError::NotAnObject(error.to_string())),
    };
    for (name, value) in environment {
        let Some(path) = name.strip_prefix(PREFIX) else {
            continue;
        };
        let parsed = serde_json::from_str(&value).map_err(|error| ConfigurationError::NotJson {
            name: name.clone(),
            value: value.clone(),
            reason: error.to_string(),
        })?;
        let keys: Vec<&str> = path.split("__").collect();
        if !set(&mut configuration, &keys, parsed) {
            tracing::warn!(name, "the variable leads through a value that is no object and is ignored");
        }
    }
    configuration.sort_keys();
    Ok(configuration)
}

/// Sets a path; `false`: something on the way is no object.
fn set(object: &mut Map<String, Value>, keys: &[&str], value: Value) -> bool {
    let Some((first, rest)) = keys.split_first() else {
        return false;
    };
    let spelling = object.keys().find(|key| key.eq_ignore_ascii_case(first)).cloned();
    let key = spelling.unwrap_or_else(|| (*first).to_owned());
    if rest.is_empty() {
        object.insert(key, value);
        return true;
    }
    match object.entry(key).or_insert_with(|| json!({})) {
        Value::Object(inner) => set(inner, rest, value),
        _ => false,
    }
}

/// `credentials.json` for the official Web-App's simple mode, if any of its three variables is set.
pub fn credentials_from(variable: impl Fn(&str) -> Option<String>) -> Option<Value> {
    let value = |name: &str| variable(name).unwrap_or_default();
    let (key, secret, company) = (value("USER_KEY"), value("USER_SECRET"), value("COMPANY_ID"));
    if key.is_empty() && secret.is_empty() && company.is_empty() {
        return None;
    }
    Some(json!({ "userKey": key, "userSecret": secret, "companyID": company }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(base: &str, variables: &[(&str, &str)]) -> Value {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Value::Object(configuration_from(Some(base), variables).unwrap())
    }

    #[test]
    fn variables_are_merged_over_the_file() {
        let base = r#"{"productName": "X", "branding": {"logo": "a"}, "apiBaseUrl": null}"#;
        let variables = [
            ("WEBSERVER__apibaseurl", r#""/api""#),
            ("WEBSERVER__BRANDING__logo", r#""b""#),
            ("WEBSERVER__legal__TOULink", "null"),
            ("WEBSERVER__productName__x", "1"),
            ("OTHER", "not json"),
        ];
        let expected = json!({"apiBaseUrl": "/api", "branding": {"logo": "b"}, "legal": {"TOULink": null}, "productName": "X"});
        assert_eq!(merged(base, &variables), expected);
    }

    #[test]
    fn text_without_quotes_is_explained() {
        let variables = [("WEBSERVER__apiBaseUrl".to_owned(), "/api".to_owned())];
        let error = configuration_from(None, variables).unwrap_err().to_string();
        assert!(
            error.contains(r#"hint: text needs double quotes, as in WEBSERVER__apiBaseUrl='"/api"'"#),
            "{error}"
        );
    }

    #[test]
    fn credentials_appear_with_any_variable() {
        assert_eq!(credentials_from(|_| None), None);
        let credentials = credentials_from(|name| (name == "USER_KEY").then(|| "k".to_owned()));
        assert_eq!(credentials, Some(json!({"userKey": "k", "userSecret": "", "companyID": ""})));
    }
}
