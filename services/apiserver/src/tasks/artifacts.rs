//! Artifacts of tasks (spec 02 §9).

use std::{cmp::Ordering, sync::Arc};

use bson::{Bson, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Update};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    access::{self, Fields},
    hyperparams::{answered, insert_some},
    strictly::{self, expecting},
    touch,
};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, check::not_empty},
    python,
    query::md5_hex,
};

/// Whether a task reads or makes the artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    Input,
    #[default]
    Output,
}

impl Mode {
    /// As stored and answered.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}

/// One artifact.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Artifact {
    key: String,
    r#type: String,
    #[serde(default)]
    mode: Option<Mode>,
    #[serde(default)]
    uri: Option<String>,
    #[serde(default)]
    hash: Option<String>,
    #[serde(default)]
    content_size: Option<i64>,
    #[serde(default)]
    timestamp: Option<i64>,
    #[serde(default)]
    type_data: Option<TypeData>,
    #[serde(default)]
    #[schemars(with = "Option<Vec<Vec<String>>>")]
    display_data: Option<Vec<Vec<Bson>>>,
}

/// What an artifact of this type says of itself.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct TypeData {
    #[serde(default)]
    preview: Option<String>,
    #[serde(default)]
    content_type: Option<String>,
    #[serde(default)]
    data_hash: Option<String>,
}

/// Request of `tasks.add_or_update_artifacts`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct AddOrUpdateArtifacts {
    task: String,
    #[serde(default)]
    artifacts: Vec<Artifact>,
}

/// Names one artifact.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ArtifactKey {
    key: String,
    #[serde(default)]
    mode: Option<Mode>,
}

/// Request of `tasks.delete_artifacts`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct DeleteArtifacts {
    task: String,
    #[serde(default)]
    artifacts: Vec<ArtifactKey>,
}

/// `tasks.add_or_update_artifacts`
pub(crate) async fn add_or_update(
    app: Arc<App>,
    call: Arc<Call>,
    request: AddOrUpdateArtifacts,
) -> ApiResult {
    not_empty("artifacts", &request.artifacts)?;
    let changes = request
        .artifacts
        .into_iter()
        .map(|artifact| {
            let id = artifact_id(&artifact.key, artifact.mode.unwrap_or_default());
            Change::set(format!("execution.artifacts.{id}"), artifact.stored())
        })
        .collect();
    let updated = store(&app, &call, &request.task, changes).await?;
    Ok(doc! {"updated": updated}.into())
}

/// `tasks.delete_artifacts`
pub(crate) async fn delete(app: Arc<App>, call: Arc<Call>, request: DeleteArtifacts) -> ApiResult {
    not_empty("artifacts", &request.artifacts)?;
    let changes = request
        .artifacts
        .iter()
        .map(|artifact| artifact_id(&artifact.key, artifact.mode.unwrap_or_default()))
        .map(|id| Change::unset(format!("execution.artifacts.{id}")))
        .collect();
    let deleted = store(&app, &call, &request.task, changes).await?;
    Ok(doc! {"deleted": deleted}.into())
}

async fn store(app: &App, call: &Call, task: &str, mut update: Update) -> ApiResult<i64> {
    access::editable_task(app, call, task, true, Fields::Only(&[])).await?;
    update.extend(touch::last_update(app.now(), call.user()));
    let outcome = app.documents.update_one(Collection::Task, Filter::id(task), update).await?;
    Ok(outcome.matched as i64)
}

/// The key of an artifact in `execution.artifacts`.
pub(crate) fn artifact_id(key: &str, mode: Mode) -> String {
    format!("{}_{}", md5_hex(key), mode.as_str())
}

/// The stored form of a request's list of artifacts: a map by artifact id. A map is taken as the list of its
/// values.
///
/// # Errors
/// 400/12 an artifact without a key; 400/16 no list, or an unknown mode; 400/800 rows that are no lists.
pub(crate) fn to_map(artifacts: &Bson) -> ApiResult<Bson> {
    let artifacts: Vec<&Bson> = match artifacts {
        Bson::Null => return Ok(Bson::Null),
        Bson::Array(list) => list.iter().collect(),
        Bson::Document(map) => map.iter().map(|(_, artifact)| artifact).collect(),
        _ => return Err(expecting("list", "execution.artifacts")),
    };
    let mut map = Document::new();
    for artifact in artifacts {
        let Bson::Document(artifact) = artifact else {
            return Err(expecting("list of dict", "execution.artifacts"));
        };
        let Ok(key) = artifact.get_str("key") else {
            return Err(ApiError::validation("'key'"));
        };
        let mode = match artifact.get("mode") {
            None | Some(Bson::Null) => Mode::Output,
            Some(Bson::String(mode)) if mode == "output" => Mode::Output,
            Some(Bson::String(mode)) if mode == "input" => Mode::Input,
            Some(_) => return Err(expecting("input or output", "execution.artifacts.mode")),
        };
        let id = artifact_id(key, mode);
        let mut stored = artifact.clone();
        stored.insert("mode", mode.as_str());
        for number in ["content_size", "timestamp"] {
            strictly::make_integer(&mut stored, number);
        }
        if let Ok(rows) = stored.get_array_mut("display_data") {
            if rows.iter().any(|row| row.as_array().is_none()) {
                let field = format!("execution.artifacts.{key}.display_data");
                return Err(strictly::invalid(&field, "Only lists and tuples may be used in a list field"));
            }
            sort_rows(rows);
        }
        map.insert(id, stored);
    }
    Ok(map.into())
}

/// The answered form of the stored map: a list by key.
pub(crate) fn to_list(artifacts: &Bson) -> Bson {
    let Bson::Document(map) = artifacts else { return Bson::Array(Vec::new()) };
    let mut list: Vec<Document> =
        map.iter().filter_map(|(_, artifact)| artifact.as_document()).map(answered).collect();
    list.sort_by_cached_key(|artifact| artifact.get_str("key").unwrap_or_default().to_owned());
    Bson::Array(list.into_iter().map(Bson::from).collect())
}

impl Artifact {
    fn stored(self) -> Document {
        let rows = self.display_data.unwrap_or_default();
        let mut rows: Vec<Bson> = rows.into_iter().map(Bson::Array).collect();
        sort_rows(&mut rows);
        let mut stored = doc! {
            "key": self.key,
            "type": self.r#type,
            "mode": self.mode.unwrap_or_default().as_str(),
        };
        insert_some(&mut stored, "uri", self.uri);
        insert_some(&mut stored, "hash", self.hash);
        insert_some(&mut stored, "content_size", self.content_size);
        insert_some(&mut stored, "timestamp", self.timestamp);
        if let Some(type_data) = self.type_data {
            let mut data = Document::new();
            insert_some(&mut data, "preview", type_data.preview);
            insert_some(&mut data, "content_type", type_data.content_type);
            insert_some(&mut data, "data_hash", type_data.data_hash);
            stored.insert("type_data", data);
        }
        stored.insert("display_data", rows);
        stored
    }
}

/// Sorts rows by their values or, if some can't be compared, by their text.
fn sort_rows(rows: &mut [Bson]) {
    let mut comparable = true;
    let mut by_value = rows.to_vec();
    by_value.sort_by(|left, right| {
        compare(left, right).unwrap_or_else(|| {
            comparable = false;
            Ordering::Equal
        })
    });
    if comparable {
        rows.clone_from_slice(&by_value);
    } else {
        rows.sort_by_cached_key(python::repr);
    }
}

/// Order of two values of the same kind; `None` if they can't be compared.
fn compare(left: &Bson, right: &Bson) -> Option<Ordering> {
    if let (Some(left), Some(right)) = (number(left), number(right)) {
        return left.partial_cmp(&right);
    }
    match (left, right) {
        (Bson::String(left), Bson::String(right)) => Some(left.cmp(right)),
        (Bson::Array(left), Bson::Array(right)) => {
            for (left, right) in left.iter().zip(right) {
                if left != right {
                    match compare(left, right)? {
                        Ordering::Equal => {}
                        order => return Some(order),
                    }
                }
            }
            Some(left.len().cmp(&right.len()))
        }
        _ => None,
    }
}

fn number(value: &Bson) -> Option<f64> {
    match value {
        Bson::Int32(number) => Some(f64::from(*number)),
        Bson::Int64(number) => Some(*number as f64),
        Bson::Double(number) => Some(*number),
        Bson::Boolean(flag) => Some(f64::from(u8::from(*flag))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use bson::bson;

    use super::*;

    fn sorted(rows: Bson) -> Bson {
        let Bson::Array(mut rows) = rows else { return rows };
        sort_rows(&mut rows);
        rows.into()
    }

    #[test]
    fn ids_are_made_of_key_and_mode() {
        assert_eq!(artifact_id("a", Mode::Output), "0cc175b9c0f1b6a831c399e269772661_output");
    }

    #[test]
    fn rows_are_sorted_by_value_or_else_by_text() {
        assert_eq!(sorted(bson!([["b", 1], ["a", 10], ["a", 2]])), bson!([["a", 2], ["a", 10], ["b", 1]]));
        assert_eq!(sorted(bson!([[2, "x"], [1.5, "y"], [1]])), bson!([[1], [1.5, "y"], [2, "x"]]));
        assert_eq!(sorted(bson!([["b"], [1], [null]])), bson!([["b"], [1], [null]]));
        assert_eq!(sorted(bson!([[null, 2], [null, 1]])), bson!([[null, 1], [null, 2]]));
    }

    #[test]
    fn lists_become_maps_and_lists_again() {
        let map = to_map(&bson!([
            {"key": "b", "type": "t", "uri": "first"},
            {"key": "b", "type": "t", "uri": "second"},
            {"key": "a", "type": "t", "mode": "input"},
        ]))
        .unwrap();
        assert_eq!(
            to_list(&map),
            bson!([
                {"key": "a", "type": "t", "mode": "input"},
                {"key": "b", "type": "t", "uri": "second", "mode": "output"},
            ])
        );
        let error = to_map(&bson!([{"type": "t"}])).unwrap_err();
        assert_eq!(error.message(), "Validation error ('key')");
    }
}
