//! Old names of task fields: `execution.parameters` and `execution.model_desc` became `hyperparams` and
//! `configuration`; `execution.model`, `output.model` and `execution.docker_cmd` became `models` and
//! `container` (spec 02 §4).

use bson::{Bson, DateTime, Document, doc};

use super::{hyperparams, strictly::expecting};
use crate::{
    api::{ApiError, ApiResult, ApiVersion},
    python,
};

/// Clients below this version read parameters by their old names.
const HYPERPARAMS_SINCE: ApiVersion = ApiVersion::new(2, 9);
/// Clients below this version know one input model, one output model and a docker command.
const MODELS_SINCE: ApiVersion = ApiVersion::new(2, 13);

/// Type of hyperparameters and configurations that came in by their old names.
const LEGACY: &str = "legacy";
/// Section of the parameters whose old name starts with `TF_DEFINE/`; all others are in `Args`.
const TF_DEFINE: &str = "TF_DEFINE";
/// Name of the input model that came in as `execution.model`.
pub(crate) const INPUT_MODEL: &str = "Input Model";

/// Moves `execution.parameters` and `execution.model_desc` of a request into `hyperparams` and
/// `configuration` (keys not escaped). `stored` is the task being edited, as stored.
///
/// # Errors
/// 400/12 for a parameter without a name; 400/16 for values that are no objects.
pub(crate) fn move_parameters(fields: &mut Document, stored: Option<&Document>) -> ApiResult<()> {
    if let Some(parameters) = take_object(fields, "execution", "parameters")? {
        let base = base(fields, "hyperparams", stored, |stored| {
            without_legacy_parameters(hyperparams::unescape_parameters(stored))
        });
        if !parameters.is_empty() || base.removed_some {
            let mut sections = base.content;
            for (name, value) in parameters {
                add_parameter(&mut sections, &name, &value)?;
            }
            fields.insert("hyperparams", sections);
        }
    }
    if let Some(descriptions) = take_object(fields, "execution", "model_desc")? {
        let base = base(fields, "configuration", stored, |stored| {
            without_legacy_items(hyperparams::unescape_keys(stored))
        });
        if !descriptions.is_empty() || base.removed_some {
            let mut configuration = base.content;
            for (name, value) in descriptions {
                let item = doc! {"name": &name, "type": LEGACY, "value": python::str_of(&value)};
                configuration.insert(name, item);
            }
            fields.insert("configuration", configuration);
        }
    }
    Ok(())
}

/// Moves `execution.model` and `execution.docker_cmd` of a request by an old client into `models.input` and
/// `container`; newer clients don't know these names, so theirs are dropped.
///
/// # Errors
/// 400/16 for values that are no texts.
pub(crate) fn move_model_and_docker(
    fields: &mut Document,
    version: ApiVersion,
    now: DateTime,
) -> ApiResult<()> {
    let model = take_text(fields, "model")?;
    let docker_command = take_text(fields, "docker_cmd")?;
    if version >= MODELS_SINCE {
        return Ok(());
    }
    if let Some(model) = model {
        edit_object(fields, "models", |object| {
            object.insert("input", input_models(&model, now));
        });
    }
    if let Some(command) = docker_command {
        edit_object(fields, "container", |object| {
            object.extend(container(&command));
        });
    }
    Ok(())
}

/// The `models.input` for an `execution.model`; empty for an empty id.
pub(crate) fn input_models(model: &str, now: DateTime) -> Bson {
    if model.is_empty() {
        return Bson::Array(Vec::new());
    }
    Bson::Array(vec![doc! {"name": INPUT_MODEL, "model": model, "updated": now}.into()])
}

/// The `container` for an `execution.docker_cmd`: the image up to the first space, then its arguments.
pub(crate) fn container(docker_command: &str) -> Document {
    let (image, arguments) = docker_command.split_once(' ').unwrap_or((docker_command, ""));
    doc! {"image": image, "arguments": arguments}
}

/// Adds the old names to an answered task, as far as the version knows them. Keys are unescaped already.
pub(crate) fn add_old_names(task: &mut Document, version: ApiVersion) {
    if version < MODELS_SINCE {
        if let Some(model) = listed_model(task, "input", <[Bson]>::first) {
            edit_object(task, "execution", |object| {
                object.insert("model", model);
            });
        }
        if let Some(model) = listed_model(task, "output", <[Bson]>::last) {
            edit_object(task, "output", |object| {
                object.insert("model", model);
            });
        }
        if let Some(command) = docker_command(task) {
            edit_object(task, "execution", |object| {
                object.insert("docker_cmd", command);
            });
        }
    }
    if version < HYPERPARAMS_SINCE {
        let parameters = legacy_parameters(task);
        if !parameters.is_empty() {
            edit_object(task, "execution", |object| {
                object.insert("parameters", parameters);
            });
        }
        let descriptions = legacy_values(task.get_document("configuration").ok(), "");
        if !descriptions.is_empty() {
            edit_object(task, "execution", |object| {
                object.insert("model_desc", descriptions);
            });
        }
    }
}

/// What the legacy entries are added to.
struct Base {
    content: Document,
    removed_some: bool,
}

/// The request's own new-style content; if it has none, the stored content without its legacy items.
fn base(
    fields: &Document,
    name: &str,
    stored: Option<&Document>,
    kept: impl Fn(&Document) -> (Document, bool),
) -> Base {
    let own = fields.get_document(name).cloned().unwrap_or_default();
    if !own.is_empty() {
        return Base { content: own, removed_some: false };
    }
    let stored = stored.and_then(|task| task.get_document(name).ok());
    let (content, removed_some) = stored.map(kept).unwrap_or_default();
    Base { content, removed_some }
}

fn without_legacy_items(items: Document) -> (Document, bool) {
    let before = items.len();
    let kept: Document = items.into_iter().filter(|(_, item)| !is_legacy(item)).collect();
    let removed_some = kept.len() < before;
    (kept, removed_some)
}

fn without_legacy_parameters(sections: Document) -> (Document, bool) {
    let mut removed_some = false;
    let mut kept = Document::new();
    for (section, parameters) in sections {
        let Bson::Document(parameters) = parameters else { continue };
        let (parameters, removed) = without_legacy_items(parameters);
        removed_some |= removed;
        if !parameters.is_empty() || !removed {
            kept.insert(section, parameters);
        }
    }
    (kept, removed_some)
}

fn is_legacy(item: &Bson) -> bool {
    item.as_document().and_then(|item| item.get_str("type").ok()) == Some(LEGACY)
}

fn add_parameter(sections: &mut Document, full_name: &str, value: &Bson) -> ApiResult<()> {
    let tf_define = full_name.strip_prefix(TF_DEFINE).and_then(|rest| rest.strip_prefix('/'));
    let (section, name) = match tf_define {
        Some("") => return Err(ApiError::validation("Parameter name cannot be empty")),
        Some(name) => (TF_DEFINE, name),
        None => ("Args", full_name),
    };
    let item = doc! {"section": section, "name": name, "type": LEGACY, "value": python::str_of(value)};
    edit_object(sections, section, |object| {
        object.insert(name, item);
    });
    Ok(())
}

fn listed_model(task: &Document, list: &str, pick: impl Fn(&[Bson]) -> Option<&Bson>) -> Option<Bson> {
    let items = task.get_document("models").ok()?.get_array(list).ok()?;
    pick(items)?.as_document()?.get("model").cloned()
}

fn docker_command(task: &Document) -> Option<String> {
    let container = task.get_document("container").ok()?;
    let image = container.get_str("image").ok().filter(|image| !image.is_empty())?;
    match container.get_str("arguments") {
        Ok(arguments) if !arguments.is_empty() => Some(format!("{image} {arguments}")),
        _ => Some(image.to_owned()),
    }
}

fn legacy_parameters(task: &Document) -> Document {
    let mut parameters = Document::new();
    let Ok(sections) = task.get_document("hyperparams") else { return parameters };
    for (section, items) in sections {
        let prefix = if section == TF_DEFINE { "TF_DEFINE/" } else { "" };
        parameters.extend(legacy_values(items.as_document(), prefix));
    }
    parameters
}

fn legacy_values(items: Option<&Document>, prefix: &str) -> Document {
    items
        .into_iter()
        .flatten()
        .filter(|(_, item)| is_legacy(item))
        .filter_map(|(name, item)| {
            let value = item.as_document()?.get("value")?.clone();
            Some((format!("{prefix}{name}"), value))
        })
        .collect()
}

/// Takes `parent.name` out of the fields; `None` if it is absent or null.
fn take_object(fields: &mut Document, parent: &str, name: &str) -> ApiResult<Option<Document>> {
    let Ok(parent_fields) = fields.get_document_mut(parent) else { return Ok(None) };
    match parent_fields.remove(name) {
        None | Some(Bson::Null) => Ok(None),
        Some(Bson::Document(object)) => Ok(Some(object)),
        Some(_) => Err(expecting("dict", &format!("{parent}.{name}"))),
    }
}

fn take_text(fields: &mut Document, name: &str) -> ApiResult<Option<String>> {
    let Ok(execution) = fields.get_document_mut("execution") else { return Ok(None) };
    match execution.remove(name) {
        None | Some(Bson::Null) => Ok(None),
        Some(Bson::String(text)) => Ok(Some(text)),
        Some(_) => Err(expecting("string", &format!("execution.{name}"))),
    }
}

/// Edits the object at `name`, made if there is none.
fn edit_object(document: &mut Document, name: &str, edit: impl FnOnce(&mut Document)) {
    let slot = document.entry(name.to_owned()).or_insert(Bson::Null);
    let mut object = match std::mem::replace(slot, Bson::Null) {
        Bson::Document(object) => object,
        _ => Document::new(),
    };
    edit(&mut object);
    *slot = Bson::Document(object);
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: ApiVersion = ApiVersion::new(2, 1);

    #[test]
    fn parameters_become_texts_in_sections() {
        let mut fields = doc! {
            "hyperparams": {"General": {"x": {"section": "General", "name": "x", "value": "1"}}},
            "execution": {"parameters": {
                "lr": 1e20, "a/b": true, "TF_DEFINE/flag": Bson::Null, "l": [1, "x", Bson::Null],
            }, "model_desc": {"design": {"k": true}}},
        };
        move_parameters(&mut fields, None).unwrap();
        assert_eq!(
            fields,
            doc! {
                "hyperparams": {
                    "General": {"x": {"section": "General", "name": "x", "value": "1"}},
                    "Args": {
                        "lr": {"section": "Args", "name": "lr", "type": "legacy", "value": "1e+20"},
                        "a/b": {"section": "Args", "name": "a/b", "type": "legacy", "value": "True"},
                        "l": {"section": "Args", "name": "l", "type": "legacy", "value": "[1, 'x', None]"},
                    },
                    "TF_DEFINE": {
                        "flag": {"section": "TF_DEFINE", "name": "flag", "type": "legacy", "value": "None"},
                    },
                },
                "execution": {},
                "configuration": {
                    "design": {"name": "design", "type": "legacy", "value": "{'k': True}"},
                },
            }
        );
        let mut nameless = doc! {"execution": {"parameters": {"TF_DEFINE/": 1}}};
        let error = move_parameters(&mut nameless, None).unwrap_err();
        assert_eq!(error.message(), "Validation error (Parameter name cannot be empty)");
    }

    #[test]
    fn edits_replace_the_stored_legacy_parameters_only() {
        let stored = doc! {"hyperparams": {
            "Args": {"old%2Ename": {"section": "Args", "name": "old.name", "value": "1", "type": "legacy"}},
            "General": {"k%2E": {"section": "General", "name": "k.", "value": "1"}},
        }};
        let mut fields = doc! {"execution": {"parameters": {"new": 1}}};
        move_parameters(&mut fields, Some(&stored)).unwrap();
        let hyperparams = fields.get_document("hyperparams").unwrap();
        assert_eq!(hyperparams.keys().collect::<Vec<_>>(), ["General", "Args"]);
        assert_eq!(hyperparams.get_document("Args").unwrap().keys().collect::<Vec<_>>(), ["new"]);
        assert!(hyperparams.get_document("General").unwrap().contains_key("k."), "unescaped");

        let mut cleared = doc! {"execution": {"parameters": {}}};
        move_parameters(&mut cleared, Some(&stored)).unwrap();
        assert_eq!(cleared.get_document("hyperparams").unwrap().keys().collect::<Vec<_>>(), ["General"]);

        let mut nothing = doc! {"execution": {"parameters": {}, "model_desc": {}}};
        move_parameters(&mut nothing, Some(&doc! {})).unwrap();
        assert_eq!(nothing, doc! {"execution": {}});
    }

    #[test]
    fn model_and_docker_command_are_known_to_old_clients_only() {
        let request = doc! {"execution": {"model": "m1", "docker_cmd": "image:1 -v a --net host"}};
        let now = DateTime::from_millis(0);
        let mut old = request.clone();
        move_model_and_docker(&mut old, OLD, now).unwrap();
        assert_eq!(
            old,
            doc! {
                "execution": {},
                "models": {"input": [{"name": "Input Model", "model": "m1", "updated": now}]},
                "container": {"image": "image:1", "arguments": "-v a --net host"},
            }
        );
        let mut new = request;
        move_model_and_docker(&mut new, MODELS_SINCE, now).unwrap();
        assert_eq!(new, doc! {"execution": {}});

        let mut none = doc! {"execution": {"model": ""}};
        move_model_and_docker(&mut none, OLD, now).unwrap();
        assert_eq!(none, doc! {"execution": {}, "models": {"input": []}});
    }

    #[test]
    fn answers_carry_old_names_for_old_clients() {
        let task = doc! {
            "models": {"input": [{"model": "a"}, {"model": "b"}], "output": [{"model": "c"}, {"model": "d"}]},
            "container": {"image": "i", "arguments": ""},
            "hyperparams": {
                "Args": {"x": {"value": "1", "type": "legacy"}, "y": {"value": "2"}},
                "TF_DEFINE": {"z": {"value": "3", "type": "legacy"}},
            },
            "configuration": {"c": {"value": "4", "type": "legacy"}},
        };
        let mut oldest = task.clone();
        add_old_names(&mut oldest, OLD);
        assert_eq!(
            oldest.get_document("execution").unwrap(),
            &doc! {
                "model": "a", "docker_cmd": "i",
                "parameters": {"x": "1", "TF_DEFINE/z": "3"}, "model_desc": {"c": "4"},
            }
        );
        assert_eq!(oldest.get_document("output").unwrap(), &doc! {"model": "d"});

        let mut middle = task.clone();
        add_old_names(&mut middle, HYPERPARAMS_SINCE);
        assert_eq!(middle.get_document("execution").unwrap(), &doc! {"model": "a", "docker_cmd": "i"});

        let mut newest = task.clone();
        add_old_names(&mut newest, MODELS_SINCE);
        assert_eq!(newest, task);
    }
}
