//! Old forms of documents and what becomes of them. Each upgrade leaves a document of the new form alone.

use bson::{Bson, DateTime, Document, doc};
use clearml_documents::Filter;

use crate::{
    api::json::write_document,
    python,
    query::{escape_key, md5_hex, unescape_key},
};

/// A change of documents that needs nothing but the document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Upgrade {
    /// The documents that may have the old form.
    pub(super) candidates: fn() -> Filter,
    /// Brings one to the new form. The moment is now.
    pub(super) apply: fn(&mut Document, DateTime),
}

fn tagged() -> Filter {
    Filter::exists("tags")
}

/// 0.12.1: tags that the server sets have a list of their own.
pub(super) const SYSTEM_TAGS_OF_TASK: Upgrade = Upgrade {
    candidates: tagged,
    apply: |task, _| {
        move_system_tags(task, |tag| {
            matches!(tag, "active" | "archived" | "development") || tag.starts_with("annotat")
        });
    },
};
pub(super) const SYSTEM_TAGS_OF_MODEL: Upgrade = Upgrade {
    candidates: tagged,
    apply: |model, _| move_system_tags(model, |tag| matches!(tag, "active" | "archived")),
};
pub(super) const SYSTEM_TAGS_OF_PROJECT: Upgrade = Upgrade {
    candidates: tagged,
    apply: |project, _| move_system_tags(project, |tag| matches!(tag, "archived" | "public" | "default")),
};

fn move_system_tags(document: &mut Document, is_system: fn(&str) -> bool) {
    let Ok(tags) = document.get_array("tags") else { return };
    let belongs = |tag: &Bson| {
        let text = tag.as_str().unwrap_or_default();
        is_system(text.strip_prefix('-').unwrap_or(text))
    };
    let (system, own): (Vec<Bson>, Vec<Bson>) = tags.iter().cloned().partition(belongs);
    if system.is_empty() {
        return;
    }
    let mut system_tags = document.get_array("system_tags").cloned().unwrap_or_default();
    for tag in system {
        if !system_tags.contains(&tag) {
            system_tags.push(tag);
        }
    }
    document.insert("tags", own);
    document.insert("system_tags", system_tags);
}

/// 0.13.0: preferences are kept as text.
pub(super) const PREFERENCES: Upgrade = Upgrade {
    candidates: || Filter::exists("preferences"),
    apply: |user, _| {
        if let Ok(preferences) = user.get_document("preferences") {
            let mut json = Vec::new();
            if write_document(&mut json, preferences).is_ok() {
                user.insert("preferences", String::from_utf8_lossy(&json).into_owned());
            }
        }
    },
};

/// 0.15.0: tags are in order.
pub(super) const SORTED_TAGS: Upgrade = Upgrade {
    candidates: || Filter::exists("tags").or(Filter::exists("system_tags")),
    apply: |document, _| {
        for field in ["tags", "system_tags"] {
            if let Ok(tags) = document.get_array_mut(field) {
                tags.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
            }
        }
    },
};

/// 0.16.0: parameters in sections, and configurations.
pub(super) const HYPERPARAMS: Upgrade = Upgrade {
    candidates: || Filter::exists("execution.parameters").or(Filter::exists("execution.model_desc")),
    apply: |task, _| {
        let Ok(execution) = task.get_document_mut("execution") else { return };
        let parameters = execution.remove("parameters");
        let descriptions = execution.remove("model_desc");
        if let Some(Bson::Document(parameters)) = parameters {
            let mut sections = task.get_document("hyperparams").cloned().unwrap_or_default();
            for (key, value) in parameters {
                let full_name = unescape_key(&key);
                let (section, name) = match full_name.strip_prefix("TF_DEFINE/") {
                    Some(name) => ("TF_DEFINE", name),
                    None => ("Args", full_name.as_str()),
                };
                let Ok(key) = escape_key(name) else { continue };
                let item = doc! {
                    "section": section, "name": name, "type": "legacy", "value": python::str_of(&value),
                };
                let mut items = sections.get_document(section).cloned().unwrap_or_default();
                items.entry(key).or_insert(item.into());
                sections.insert(section, items);
            }
            task.insert("hyperparams", sections);
        }
        if let Some(Bson::Document(descriptions)) = descriptions {
            let mut configuration = task.get_document("configuration").cloned().unwrap_or_default();
            for (key, value) in descriptions {
                let name = unescape_key(&key);
                let Ok(key) = escape_key(&name) else { continue };
                let item = doc! {"name": name, "type": "legacy", "value": python::str_of(&value)};
                configuration.entry(key).or_insert(item.into());
            }
            task.insert("configuration", configuration);
        }
    },
};

/// 0.16.1: the place of a project among the featured ones.
pub(super) const FEATURED: Upgrade = Upgrade {
    candidates: || Filter::exists("featured").negate(),
    apply: |project, _| {
        project.entry("featured".to_owned()).or_insert(9999.into());
    },
};

/// 0.16.2: artifacts by the hash of their name and their mode.
pub(super) const ARTIFACTS: Upgrade = Upgrade {
    candidates: || Filter::exists("execution.artifacts"),
    apply: |task, _| {
        let Ok(execution) = task.get_document_mut("execution") else { return };
        let Ok(list) = execution.get_array("artifacts") else { return };
        let artifacts: Document = list
            .iter()
            .filter_map(Bson::as_document)
            .map(|artifact| {
                let key = artifact.get_str("key").unwrap_or_default();
                let mode = artifact.get_str("mode").unwrap_or("output");
                (format!("{}_{mode}", md5_hex(key)), Bson::Document(artifact.clone()))
            })
            .collect();
        execution.insert("artifacts", artifacts);
    },
};

/// 0.17.0: how long a task has run.
pub(super) const ACTIVE_DURATION: Upgrade = Upgrade {
    candidates: || Filter::empty("active_duration").or(Filter::eq("active_duration", 0)),
    apply: |task, _| {
        let span = match (task.get_datetime("started"), task.get_datetime("completed")) {
            (Ok(started), Ok(completed)) => {
                Some((completed.timestamp_millis() - started.timestamp_millis()) / 1000)
            }
            _ => None,
        };
        match span {
            Some(seconds) => {
                task.insert("active_duration", seconds);
            }
            None if task.contains_key("active_duration") => {
                task.insert("active_duration", Bson::Null);
            }
            None => {}
        }
    },
};

/// 1.0.0: several models of a task, the container, and keys that any path can name.
pub(super) const MODELS_AND_CONTAINER: Upgrade = Upgrade {
    candidates: || {
        ["execution.model", "output.model", "execution.docker_cmd", "execution.model_labels", "container"]
            .into_iter()
            .map(Filter::exists)
            .reduce(Filter::or)
            .unwrap_or(Filter::Nothing)
    },
    apply: |task, now| {
        if let Some(model) = take(task, "execution", "model") {
            let item = doc! {"model": model, "name": "Input Model", "updated": now};
            add_model(task, "input", |models| models.insert(0, item.into()));
        }
        if let Some(model) = take(task, "output", "model") {
            let item = doc! {"model": model, "name": "Output Model", "updated": now};
            add_model(task, "output", |models| models.push(item.into()));
        }
        if let Some(Bson::String(command)) = take(task, "execution", "docker_cmd") {
            let (image, arguments) = command.split_once(' ').unwrap_or((&command, ""));
            let mut container = task.get_document("container").cloned().unwrap_or_default();
            container.entry("image".to_owned()).or_insert(image.into());
            container.entry("arguments".to_owned()).or_insert(arguments.into());
            task.insert("container", container);
        }
        if let Ok(labels) = task
            .get_document_mut("execution")
            .and_then(|execution| execution.get_document_mut("model_labels"))
        {
            *labels = with_escaped_keys(labels);
        }
        if let Ok(container) = task.get_document_mut("container") {
            *container = with_escaped_keys(container);
        }
    },
};

/// Takes a value that is neither null nor an empty text out of a sub-document.
fn take(task: &mut Document, parent: &str, name: &str) -> Option<Bson> {
    let value = task.get_document_mut(parent).ok()?.remove(name)?;
    (value != Bson::Null && value.as_str() != Some("")).then_some(value)
}

fn add_model(task: &mut Document, list: &str, add: impl FnOnce(&mut Vec<Bson>)) {
    let mut models = task.get_document("models").cloned().unwrap_or_default();
    let mut items = models.get_array(list).cloned().unwrap_or_default();
    add(&mut items);
    models.insert(list, items);
    task.insert("models", models);
}

/// Escapes the keys that are not escaped yet, so that doing it again changes nothing.
fn with_escaped_keys(map: &Document) -> Document {
    map.iter()
        .filter_map(|(key, value)| {
            let is_escaped = escape_key(&unescape_key(key)).is_ok_and(|again| again == *key);
            let key = if is_escaped { key.clone() } else { escape_key(key).ok()? };
            Some((key, value.clone()))
        })
        .collect()
}

/// 1.0.2: descriptions that nobody wrote.
pub(super) const DESCRIPTION: Upgrade = Upgrade {
    candidates: || Filter::Regex {
        path: "description".to_owned(),
        pattern: "^Auto-generated ".to_owned(),
        case_insensitive: false,
    },
    apply: |project, _| {
        let description = project.get_str("description").unwrap_or_default();
        let is_generated = (description.starts_with("Auto-generated at ")
            && description.chars().count() < 100)
            || description == "Auto-generated during move"
            || description == "Auto-generated while cloning";
        if is_generated {
            project.remove("description");
        }
    },
};

/// 1.3.0: metadata by key.
pub(super) const METADATA: Upgrade = Upgrade {
    candidates: || Filter::exists("metadata"),
    apply: |document, _| {
        let Ok(list) = document.get_array("metadata") else { return };
        let metadata: Document = list
            .iter()
            .filter_map(Bson::as_document)
            .filter_map(|item| Some((escape_key(item.get_str("key").ok()?).ok()?, item.clone().into())))
            .collect();
        document.insert("metadata", metadata);
    },
};

/// 1.6.0: the last part of a project's name.
pub(super) const BASENAME: Upgrade = Upgrade {
    candidates: || Filter::empty("basename"),
    apply: |project, _| {
        let Ok(name) = project.get_str("name") else { return };
        let basename = name.rsplit('/').next().unwrap_or(name).to_owned();
        project.insert("basename", basename);
    },
};
