//! Hyperparameters of tasks: sections of named values (spec 02 §8), and the escaping of their keys (§2.3).

use std::{collections::HashSet, sync::Arc};

use bson::{Bson, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Update};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    access::{self, Fields, id_of},
    requests::{ByTasks, check_not_empty},
    touch,
};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, check::not_empty, codes},
    query::{escape_key, unescape_key},
};

/// The section of user properties, which can be edited whatever the task's status.
const PROPERTIES: &str = "properties";

/// One hyperparameter.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Parameter {
    section: String,
    name: String,
    value: String,
    #[serde(default)]
    r#type: Option<String>,
    #[serde(default)]
    description: Option<String>,
}

/// How much [`edit`] replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Replace {
    /// Nothing but the given parameters.
    #[default]
    None,
    /// The sections that are mentioned.
    Section,
    /// Everything.
    All,
}

/// Request of `tasks.edit_hyper_params`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct EditHyperParams {
    task: String,
    #[serde(default)]
    hyperparams: Vec<Parameter>,
    #[serde(default)]
    replace_hyperparams: Replace,
    #[serde(default)]
    force: bool,
}

/// One parameter or, without a name, one whole section.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ParameterKey {
    section: String,
    #[serde(default)]
    name: Option<String>,
}

/// Request of `tasks.delete_hyper_params`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct DeleteHyperParams {
    task: String,
    #[serde(default)]
    hyperparams: Vec<ParameterKey>,
    #[serde(default)]
    force: bool,
}

/// `tasks.get_hyper_params`
pub(crate) async fn get(app: Arc<App>, call: Arc<Call>, request: ByTasks) -> ApiResult {
    not_empty("tasks", &request.tasks)?;
    let tasks = access::assert_exists(&app, &call, &request.tasks, Fields::Only(&["hyperparams"])).await?;
    let params: Vec<Bson> = tasks
        .iter()
        .map(|task| doc! {"task": id_of(task), "hyperparams": sorted_parameters(task)}.into())
        .collect();
    Ok(doc! {"params": params}.into())
}

/// `tasks.edit_hyper_params`
pub(crate) async fn edit(app: Arc<App>, call: Arc<Call>, mut request: EditHyperParams) -> ApiResult {
    not_empty("hyperparams", &request.hyperparams)?;
    for parameter in &mut request.hyperparams {
        check_not_empty("section", &parameter.section)?;
        check_not_empty("name", &parameter.name)?;
        normalise_section(&mut parameter.section);
    }
    let only_properties = request.hyperparams.iter().all(|parameter| parameter.section == PROPERTIES);
    let sections = sections_of(request.hyperparams)?;
    let changes = replacing(sections, request.replace_hyperparams);
    let updated = store(&app, &call, &request.task, request.force, only_properties, changes).await?;
    Ok(doc! {"updated": updated}.into())
}

/// `tasks.delete_hyper_params`
pub(crate) async fn delete(app: Arc<App>, call: Arc<Call>, mut request: DeleteHyperParams) -> ApiResult {
    not_empty("hyperparams", &request.hyperparams)?;
    for key in &mut request.hyperparams {
        check_not_empty("section", &key.section)?;
        normalise_section(&mut key.section);
    }
    let only_properties = request.hyperparams.iter().all(|key| key.section == PROPERTIES);
    let changes = removing(&request.hyperparams)?;
    let deleted = store(&app, &call, &request.task, request.force, only_properties, changes).await?;
    Ok(doc! {"deleted": deleted}.into())
}

async fn store(
    app: &App,
    call: &Call,
    task: &str,
    force: bool,
    only_properties: bool,
    mut update: Update,
) -> ApiResult<i64> {
    let now = app.now();
    if only_properties {
        access::writable_task(app, call, task, Fields::Only(&[])).await?;
        update.extend(touch::last_change(now, call.user()));
    } else {
        access::editable_task(app, call, task, force, Fields::Only(&[])).await?;
        update.extend(touch::last_update(now, call.user()));
    }
    let outcome = app.documents.update_one(Collection::Task, Filter::id(task), update).await?;
    Ok(outcome.matched as i64)
}

fn normalise_section(section: &mut String) {
    if section.eq_ignore_ascii_case(PROPERTIES) {
        PROPERTIES.clone_into(section);
    }
}

/// The parameters by escaped section and name; of several with the same name the last one.
fn sections_of(parameters: Vec<Parameter>) -> ApiResult<Vec<(String, Document)>> {
    let mut sections: Vec<(String, Document)> = Vec::new();
    for parameter in parameters {
        let section = escape_key(&parameter.section)?;
        let name = escape_key(&parameter.name)?;
        let mut item = doc! {
            "section": parameter.section,
            "name": parameter.name,
            "value": parameter.value,
        };
        insert_some(&mut item, "type", parameter.r#type);
        insert_some(&mut item, "description", parameter.description);
        match sections.iter_mut().find(|(known, _)| *known == section) {
            Some((_, items)) => {
                items.insert(name, item);
            }
            None => sections.push((section, Document::from_iter([(name, item.into())]))),
        }
    }
    Ok(sections)
}

fn replacing(sections: Vec<(String, Document)>, replace: Replace) -> Update {
    match replace {
        Replace::None => sections
            .into_iter()
            .flat_map(|(section, items)| {
                items
                    .into_iter()
                    .map(move |(name, item)| Change::set(format!("hyperparams.{section}.{name}"), item))
            })
            .collect(),
        Replace::Section => sections
            .into_iter()
            .map(|(section, items)| Change::set(format!("hyperparams.{section}"), items))
            .collect(),
        Replace::All => {
            let all: Document =
                sections.into_iter().map(|(section, items)| (section, Bson::Document(items))).collect();
            vec![Change::set("hyperparams", all)]
        }
    }
}

fn removing(keys: &[ParameterKey]) -> ApiResult<Update> {
    let mut whole = HashSet::new();
    let mut single = HashSet::new();
    for key in keys {
        let section = escape_key(&key.section)?;
        match key.name.as_deref() {
            None | Some("") => {
                whole.insert(section);
            }
            Some(name) => {
                single.insert((section, escape_key(name)?));
            }
        }
    }
    if single.iter().any(|(section, _)| whole.contains(section)) {
        return Err(ApiError::new(codes::FIELDS_CONFLICT)
            .extra("Cannot delete section field if the whole section was scheduled for deletion"));
    }
    let sections = whole.into_iter().map(|section| format!("hyperparams.{section}"));
    let names = single.into_iter().map(|(section, name)| format!("hyperparams.{section}.{name}"));
    Ok(sections.chain(names).map(Change::Unset).collect())
}

/// The items of a stored task by section and name, without what is not answered.
fn sorted_parameters(task: &Document) -> Vec<Bson> {
    let mut items: Vec<Document> = task
        .get_document("hyperparams")
        .into_iter()
        .flatten()
        .filter_map(|(_, section)| section.as_document())
        .flatten()
        .filter_map(|(_, item)| item.as_document().map(answered))
        .collect();
    let key = |item: &Document| {
        ["section", "name"].map(|member| item.get_str(member).unwrap_or_default().to_owned())
    };
    items.sort_by_cached_key(key);
    items.into_iter().map(Bson::from).collect()
}

/// A stored item without nulls and without the type marker of other writers.
pub(crate) fn answered(item: &Document) -> Document {
    item.iter()
        .filter(|(key, value)| *key != "_cls" && **value != Bson::Null)
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Inserts a value that is there.
pub(crate) fn insert_some(document: &mut Document, name: &str, value: Option<impl Into<Bson>>) {
    if let Some(value) = value {
        document.insert(name, value);
    }
}

/// Hyperparameters with escaped sections and names.
///
/// # Errors
/// 400/12 for an empty one.
pub(crate) fn escape_parameters(sections: &Document) -> ApiResult<Document> {
    sections
        .iter()
        .map(|(section, items)| {
            let key = escape_named(section, "section")?;
            let items = match items {
                Bson::Document(items) => {
                    let items =
                        items.iter().map(|(name, item)| Ok((escape_named(name, "parameter")?, item.clone())));
                    Bson::Document(items.collect::<ApiResult<_>>()?)
                }
                other => other.clone(),
            };
            Ok((key, items))
        })
        .collect()
}

/// Configurations with escaped names.
///
/// # Errors
/// 400/12 for an empty one.
pub(crate) fn escape_configuration(items: &Document) -> ApiResult<Document> {
    items.iter().map(|(name, item)| Ok((escape_named(name, "configuration")?, item.clone()))).collect()
}

/// A map with escaped keys.
///
/// # Errors
/// 400/12 for an empty one.
pub(crate) fn escape_keys(map: &Document) -> ApiResult<Document> {
    map.iter().map(|(key, value)| Ok((escape_key(key)?, value.clone()))).collect()
}

/// Hyperparameters as stored, with their sections and names unescaped.
pub(crate) fn unescape_parameters(sections: &Document) -> Document {
    sections
        .iter()
        .map(|(section, items)| {
            let items = match items {
                Bson::Document(items) => unescape_keys(items).into(),
                other => other.clone(),
            };
            (unescape_key(section), items)
        })
        .collect()
}

/// A stored map with its keys unescaped, and its items without their type markers.
pub(crate) fn unescape_keys(map: &Document) -> Document {
    map.iter()
        .filter(|(key, _)| *key != "_cls")
        .map(|(key, value)| {
            let value = match value {
                Bson::Document(item) => answered(item).into(),
                other => other.clone(),
            };
            (unescape_key(key), value)
        })
        .collect()
}

fn escape_named(name: &str, what: &str) -> ApiResult<String> {
    if name.is_empty() {
        return Err(ApiError::validation(format!("Empty {what} name is not allowed")));
    }
    escape_key(name)
}
