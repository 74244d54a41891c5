//! Preferences: one JSON object per user, stored as text, which only the Web-App understands.

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find};

use super::requests::SetPreferencesRequest;
use crate::{
    App,
    api::{
        ApiError, ApiResult, Call, codes,
        json::{self, Limits},
        python_text,
    },
};

/// Most parts of a dotted key.
const MAX_PARTS: usize = 100;

/// How often a change is tried again when another one came in between.
const TRIES: usize = 10;

/// `users.get_preferences`.
pub(super) async fn get(app: Arc<App>, call: Arc<Call>, _: Document) -> ApiResult {
    let stored = load(&app, &call).await?;
    Ok(doc! {"preferences": parse(&stored)}.into())
}

/// `users.set_preferences`: top-level keys replace stored values; a key with points is a path.
pub(super) async fn set(app: Arc<App>, call: Arc<Call>, request: SetPreferencesRequest) -> ApiResult {
    let changes = request.preferences.0;
    check_keys(&changes)?;
    for _ in 0..TRIES {
        let stored = load(&app, &call).await?;
        let before = parse(&stored);
        let mut after = before.clone();
        for (key, value) in &changes {
            assign(&mut after, key, value)?;
        }
        if after == before {
            return Ok(doc! {"updated": 0, "fields": {}}.into());
        }
        // Stored only over what was read: a change that came in between is not lost.
        let filter = Filter::id(call.user()).and(Filter::eq("preferences", stored));
        let change = vec![Change::set("preferences", to_text(&after)?)];
        let outcome = app.documents.update_one(Collection::User, filter, change).await?;
        if outcome.matched == 1 {
            let fields = if request.return_updated.unwrap_or(true) {
                doc! {"preferences": after}
            } else {
                Document::new()
            };
            return Ok(doc! {"updated": 1, "fields": fields}.into());
        }
    }
    Err(ApiError::new(codes::INTERNAL_ERROR).extra("preferences changed too often meanwhile"))
}

/// The caller's stored preferences, null if there are none; 400/301 without a profile.
async fn load(app: &App, call: &Call) -> Result<Bson, ApiError> {
    let find = Find::new(Filter::id(call.user())).include(["preferences"]);
    let user = app.documents.find_one(Collection::User, find).await?.ok_or_else(|| {
        ApiError::new(codes::INVALID_USER_ID).with("id", call.user()).with("company", call.company())
    })?;
    Ok(user.get("preferences").cloned().unwrap_or(Bson::Null))
}

/// Stored preferences as an object: JSON text, or the object of very old servers.
fn parse(stored: &Bson) -> Document {
    match stored {
        Bson::Document(object) => object.clone(),
        Bson::String(text) => match json::read(text.as_bytes(), Limits::default()).map(Bson::from) {
            Ok(Bson::Document(object)) => object,
            _ => Document::new(),
        },
        _ => Document::new(),
    }
}

fn to_text(preferences: &Document) -> Result<String, ApiError> {
    let mut text = Vec::new();
    json::write_document(&mut text, preferences).map_err(|error| ApiError::unexpected(error.to_string()))?;
    // What cannot be read again must not be stored: paths can nest deeper than any one request.
    json::read(&text, Limits::default())
        .map_err(|error| ApiError::new(codes::INVALID_PREFERENCES_UPDATE).extra(error.to_string()))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// 400/16 for keys that begin with `$` or, below the top level, contain a point.
fn check_keys(preferences: &Document) -> Result<(), ApiError> {
    for (key, value) in preferences {
        if key.starts_with('$') {
            return Err(invalid_key(key));
        }
        check_inner_keys(value)?;
    }
    Ok(())
}

fn check_inner_keys(value: &Bson) -> Result<(), ApiError> {
    match value {
        Bson::Array(items) => items.iter().try_for_each(check_inner_keys),
        Bson::Document(members) => members.iter().try_for_each(|(key, value)| {
            if key.starts_with('$') || key.contains('.') {
                return Err(invalid_key(key));
            }
            check_inner_keys(value)
        }),
        _ => Ok(()),
    }
}

fn invalid_key(key: &str) -> ApiError {
    ApiError::new(codes::FIELDS_VALUE_ERROR)
        .extra(format!("Key {key} is invalid. Keys cannot start with '$' or contain '.'."))
}

/// Assigns a value at a path. Missing levels become objects, numbers index lists.
fn assign(preferences: &mut Document, key: &str, value: &Bson) -> Result<(), ApiError> {
    let malformed = || {
        ApiError::new(codes::INVALID_PREFERENCES_UPDATE).with("key", key).with("value", python_text(value))
    };
    let parts: Vec<&str> = key.split('.').collect();
    if parts.len() > MAX_PARTS || parts.iter().any(|part| part.is_empty() || part.starts_with('$')) {
        return Err(malformed());
    }
    let Some((last, levels)) = parts.split_last() else { return Err(malformed()) };
    let mut place: Option<&mut Bson> = None;
    for level in levels {
        let next = match place {
            None => object_member(preferences, level),
            Some(Bson::Document(object)) => object_member(object, level),
            Some(Bson::Array(items)) => {
                level.parse().ok().and_then(|index: usize| items.get_mut(index)).ok_or_else(malformed)?
            }
            Some(_) => return Err(malformed()),
        };
        place = Some(next);
    }
    match place {
        None => {
            preferences.insert(*last, value.clone());
        }
        Some(Bson::Document(object)) => {
            object.insert(*last, value.clone());
        }
        Some(Bson::Array(items)) => {
            let item = last.parse().ok().and_then(|index: usize| items.get_mut(index));
            *item.ok_or_else(malformed)? = value.clone();
        }
        Some(_) => return Err(malformed()),
    }
    Ok(())
}

/// A member of an object, made an empty object if it is missing.
fn object_member<'a>(object: &'a mut Document, key: &str) -> &'a mut Bson {
    object.entry(key.to_owned()).or_insert_with(|| Bson::Document(Document::new()))
}

#[cfg(test)]
mod tests {
    use bson::bson;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "reads better at its callers")]
    fn assigned(preferences: Document, key: &str, value: Bson) -> Result<Document, String> {
        let mut after = preferences;
        assign(&mut after, key, &value).map_err(|error| error.message())?;
        Ok(after)
    }

    #[test]
    fn values_replace_and_paths_descend() {
        let before = doc! {"a": {"b": 1, "c": 2}, "l": [{"x": 1}]};
        assert_eq!(assigned(before.clone(), "a", bson!({"z": 1})), Ok(doc! {"a": {"z": 1}, "l": [{"x": 1}]}));
        assert_eq!(
            assigned(before.clone(), "a.b", bson!(9)).unwrap().get("a"),
            Some(&bson!({"b": 9, "c": 2}))
        );
        assert_eq!(
            assigned(before.clone(), "n.m.o", bson!(1)).unwrap().get("n"),
            Some(&bson!({"m": {"o": 1}}))
        );
        assert_eq!(assigned(before.clone(), "l.0.x", bson!(2)).unwrap().get("l"), Some(&bson!([{"x": 2}])));
        assert_eq!(assigned(before, "l.0", bson!(2)).unwrap().get("l"), Some(&bson!([2])));
    }

    #[test]
    fn paths_that_lead_nowhere_are_malformed() {
        let before = doc! {"a": 1, "n": null, "l": []};
        for key in ["", "a.b", "n.b", "l.0", "l.x", "l.0.x", ".", "a..b", ".a", "b.$c"] {
            assert_eq!(
                assigned(before.clone(), key, bson!(1)),
                Err(format!("Malformed key and/or value: key={key}, value=1")),
            );
        }
        assert!(assigned(before, &"a.".repeat(100_000), bson!(1)).is_err());
    }
}
