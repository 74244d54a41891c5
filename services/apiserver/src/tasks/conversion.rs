//! Between the API's form of a task and the stored one (spec 02 §4).

use bson::{Bson, DateTime, Document};

use super::{artifacts, hyperparams, legacy, schema::TASK, strictly};
use crate::{
    api::{ApiResult, ApiVersion},
    query,
};

/// Text fields of `script` that are stored without surrounding space; `diff` keeps its own.
const STRIPPED_SCRIPT_FIELDS: [&str; 7] =
    ["binary", "repository", "tag", "branch", "version_num", "entry_point", "working_dir"];

/// Brings the task fields of a `create`, `validate` or `edit` into the stored form. `stored` is the task
/// being edited.
///
/// # Errors
/// 400/16 tags with a reserved prefix; 400/12 empty keys, or an artifact without a key.
pub(crate) fn incoming(
    fields: &mut Document,
    stored: Option<&Document>,
    version: ApiVersion,
    now: DateTime,
) -> ApiResult<()> {
    query::check_tags(fields)?;
    query::split_legacy_tags(fields, &TASK, version);
    legacy::move_parameters(fields, stored)?;
    if let Some(Bson::Document(sections)) = fields.get_mut("hyperparams") {
        *sections = hyperparams::escape_parameters(sections)?;
    }
    if let Some(Bson::Document(items)) = fields.get_mut("configuration") {
        *items = hyperparams::escape_configuration(items)?;
    }
    if let Ok(execution) = fields.get_document_mut("execution")
        && let Some(list) = execution.get_mut("artifacts")
    {
        *list = artifacts::to_map(list)?;
    }
    legacy::move_model_and_docker(fields, version, now)?;
    escape_keys(fields)?;
    strip_script(fields);
    Ok(())
}

/// Brings a task as read, or the `fields` of an edit, into the form in which the API answers it.
pub(crate) fn outgoing(task: &mut Document, version: ApiVersion) {
    query::answer_tags(task, version);
    if let Some(Bson::Document(container)) = task.get_mut("container") {
        *container = hyperparams::unescape_keys(container);
    }
    if let Some(Bson::Document(sections)) = task.get_mut("hyperparams") {
        *sections = hyperparams::unescape_parameters(sections);
    }
    if let Some(Bson::Document(items)) = task.get_mut("configuration") {
        *items = hyperparams::unescape_keys(items);
    }
    if let Ok(execution) = task.get_document_mut("execution") {
        if let Some(Bson::Document(labels)) = execution.get_mut("model_labels") {
            *labels = hyperparams::unescape_keys(labels);
        }
        if let Some(map) = execution.get_mut("artifacts") {
            *map = artifacts::to_list(map);
        }
    }
    legacy::add_old_names(task, version);
}

/// Keys of `container` and `execution.model_labels`; the ids of labels become whole numbers.
fn escape_keys(fields: &mut Document) -> ApiResult<()> {
    if let Some(Bson::Document(container)) = fields.get_mut("container") {
        *container = hyperparams::escape_keys(container)?;
    }
    if let Ok(execution) = fields.get_document_mut("execution") {
        strictly::make_integer(execution, "test_split");
        if let Some(Bson::Document(labels)) = execution.get_mut("model_labels") {
            *labels = hyperparams::escape_keys(labels)?;
            let names: Vec<String> = labels.keys().cloned().collect();
            for name in names {
                strictly::make_integer(labels, &name);
            }
        }
    }
    Ok(())
}

fn strip_script(fields: &mut Document) {
    let Ok(script) = fields.get_document_mut("script") else { return };
    for field in STRIPPED_SCRIPT_FIELDS {
        if let Some(Bson::String(text)) = script.get_mut(field) {
            *text = text.trim().to_owned();
        }
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn fields_are_stored_escaped_and_answered_as_sent() {
        let sent = doc! {
            "tags": ["b", "a"],
            "container": {"image": "i", "a.b": "x"},
            "hyperparams": {"_s": {"a.b": {"section": "_s", "name": "a.b", "value": "1"}}},
            "configuration": {"a__b": {"name": "a__b", "value": "1"}},
            "execution": {"model_labels": {"$x": 1}, "artifacts": [
                {"key": "z", "type": "t"}, {"key": "a", "type": "t", "mode": "input"},
            ]},
            "script": {"repository": " git ", "diff": " d "},
        };
        let mut fields = sent.clone();
        incoming(&mut fields, None, ApiVersion::CURRENT, DateTime::from_millis(0)).unwrap();
        let execution = fields.get_document("execution").unwrap();
        assert!(fields.get_document("container").unwrap().contains_key("a%2Eb"));
        assert!(
            fields.get_document("hyperparams").unwrap().get_document("%_s").unwrap().contains_key("a%2Eb")
        );
        assert!(fields.get_document("configuration").unwrap().contains_key("a%_%_b"));
        assert!(execution.get_document("model_labels").unwrap().contains_key("%24x"));
        assert!(
            execution
                .get_document("artifacts")
                .unwrap()
                .contains_key("0cc175b9c0f1b6a831c399e269772661_input")
        );
        assert_eq!(fields.get_document("script").unwrap(), &doc! {"repository": "git", "diff": " d "});

        outgoing(&mut fields, ApiVersion::CURRENT);
        let mut expected = sent;
        expected.insert("tags", vec!["a", "b"]);
        expected.insert("script", doc! {"repository": "git", "diff": " d "});
        let artifacts = fields.get_document("execution").unwrap().get_array("artifacts").unwrap();
        let keys: Vec<_> =
            artifacts.iter().filter_map(|artifact| artifact.as_document()?.get_str("key").ok()).collect();
        assert_eq!(keys, ["a", "z"]);
        for field in ["tags", "container", "hyperparams", "configuration", "script"] {
            assert_eq!(fields.get(field), expected.get(field), "{field}");
        }
    }
}
