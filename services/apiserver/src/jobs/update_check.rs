//! Asks whether there is a newer server, and says so in the log (spec 01 §8.2). Off unless configured.

use bson::Bson;
use clearml_config::settings::CheckForUpdates;
use serde_json::{Value, json};

use super::outbound;
use crate::{App, api::ApiError, server::server_uid};

/// Asks once.
pub(super) async fn check(app: &App, settings: &CheckForUpdates) -> Result<(), ApiError> {
    let own = &app.settings.server.version;
    let uid = server_uid(app).await?;
    let question = json!({
        "versions": {&settings.component_name: own},
        "uid": uid.as_ref().and_then(Bson::as_str),
    });
    let client = outbound::client(settings.request_timeout_sec.duration())?;
    let answer = outbound::send(client.get(&settings.url), question.to_string().into_bytes()).await?;
    let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
    if let Some(newest) = newest(&answer, &settings.component_name).filter(|newest| is_newer(newest, own)) {
        tracing::info!(newest, own, "there is a newer server");
    }
    Ok(())
}

/// The version that the answer names for the component.
fn newest<'a>(answer: &'a Value, component: &str) -> Option<&'a str> {
    let named = &answer[component];
    named.as_str().or_else(|| named["version"].as_str())
}

fn is_newer(version: &str, than: &str) -> bool {
    let numbers = |text: &str| -> Vec<u32> {
        text.split(|character: char| !character.is_ascii_digit())
            .map_while(|part| part.parse().ok())
            .collect()
    };
    numbers(version) > numbers(than)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(is_newer("2.10.0", "2.9.3"));
        assert!(is_newer("2.0.1-613", "2.0.0"));
        assert!(!is_newer("2.0.0", "2.0.0"));
        assert!(!is_newer("unknown", "2.0.0"));
        let answer = json!({"clearml-server": {"version": "2.1.0"}, "other": "1.0"});
        assert_eq!(newest(&answer, "clearml-server"), Some("2.1.0"));
        assert_eq!(newest(&answer, "other"), Some("1.0"));
        assert_eq!(newest(&answer, "none"), None);
    }
}
