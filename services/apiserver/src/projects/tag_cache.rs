//! Caches of the tags in use, per project and for the whole company (spec 03 §3.1).

use std::{collections::BTreeSet, time::Duration};

use bson::{Bson, Document};
use clearml_documents::{Collection, Filter};

use crate::{
    App,
    api::ApiResult,
    models::schema::MODEL,
    query::{Entity, as_list, operator_filter, with_subprojects},
    tasks::schema::TASK,
};

const TIME_TO_LIVE: Duration = Duration::from_hours(1);
/// First item of every cached list: an empty list can't be stored.
const MARKER: &str = "__dummy__";

/// Whose tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tagged {
    Tasks,
    Models,
}

impl Tagged {
    pub(crate) const ALL: [Self; 2] = [Self::Tasks, Self::Models];

    pub(crate) fn entity(self) -> &'static Entity {
        match self {
            Self::Tasks => &TASK,
            Self::Models => &MODEL,
        }
    }

    fn collection(self) -> Collection {
        self.entity().collection
    }
}

/// Which of an entity's lists of tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TagField {
    Tags,
    SystemTags,
}

impl TagField {
    pub(crate) const BOTH: [Self; 2] = [Self::Tags, Self::SystemTags];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tags => "tags",
            Self::SystemTags => "system_tags",
        }
    }
}

/// The distinct tags of a company's own entities, in one project with all below it or in the whole company,
/// under `filter` (`{tags: [..], system_tags: [..]}` in operator form). Cached for an hour.
pub(crate) async fn tags(
    app: &App,
    company: &str,
    tagged: Tagged,
    field: TagField,
    project: Option<&str>,
    filter: Option<&Document>,
) -> ApiResult<BTreeSet<String>> {
    let filter_fields = filter_fields(filter);
    let key = key(company, tagged, field, project, &filter_fields);
    let cached = app.state.list_all(&key).await?;
    if !cached.is_empty() {
        // Two callers that fill the list at once leave two markers in it.
        return Ok(cached.into_iter().filter(|tag| tag != MARKER).collect());
    }

    let mut condition = Filter::eq("company", company);
    if let Some(project) = project {
        condition = condition
            .and(Filter::In("project".to_owned(), with_subprojects(app, vec![project.into()]).await?));
    }
    for (name, values) in &filter_fields {
        condition = condition.and(operator_filter(tagged.entity(), name, &Bson::Array(values.clone()))?);
    }
    let distinct = app.documents.distinct(tagged.collection(), field.name(), condition).await?;
    let tags: BTreeSet<String> = distinct
        .into_iter()
        .filter_map(|tag| match tag {
            Bson::String(tag) if !tag.is_empty() => Some(tag),
            _ => None,
        })
        .collect();

    let list: Vec<String> = std::iter::once(MARKER.to_owned()).chain(tags.iter().cloned()).collect();
    app.state.list_append(&key, &list).await?;
    app.state.expire(&key, TIME_TO_LIVE).await?;
    Ok(tags)
}

/// The fields of a tag filter that are given, in their fixed order.
fn filter_fields(filter: Option<&Document>) -> Vec<(&'static str, Vec<Bson>)> {
    let Some(filter) = filter else { return Vec::new() };
    TagField::BOTH
        .into_iter()
        .filter_map(|field| {
            let values = as_list(filter.get(field.name())?);
            (!values.is_empty() && values != [Bson::Null]).then_some((field.name(), values))
        })
        .collect()
}

fn key(
    company: &str,
    tagged: Tagged,
    field: TagField,
    project: Option<&str>,
    filter: &[(&str, Vec<Bson>)],
) -> String {
    let mut parts = vec![field.name().to_owned(), company.to_owned()];
    parts.extend(project.map(ToOwned::to_owned));
    parts.push(tagged.entity().name.to_owned());
    if !filter.is_empty() {
        parts.push("filter".to_owned());
        for (name, values) in filter {
            parts.push((*name).to_owned());
            parts.extend(
                values
                    .iter()
                    .map(|value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)),
            );
        }
    }
    parts.retain(|part| !part.is_empty());
    parts.join("_")
}

/// Forgets the cached tags of entities in these projects and in the whole company, after a change of their
/// tags or of where they are. Call it when tasks or models are created, edited, archived, moved or deleted;
/// `fields` says which lists changed.
pub(crate) async fn reset<P: AsRef<str>>(
    app: &App,
    company: &str,
    tagged: Tagged,
    fields: &[TagField],
    projects: impl IntoIterator<Item = P>,
) -> ApiResult<()> {
    let mut scopes: BTreeSet<Option<String>> = BTreeSet::from([None]);
    scopes
        .extend(projects.into_iter().map(|id| id.as_ref().to_owned()).filter(|id| !id.is_empty()).map(Some));
    let mut keys = Vec::new();
    for field in fields {
        for project in &scopes {
            let prefix = key(company, tagged, *field, project.as_deref(), &[]);
            keys.extend(app.state.keys(&format!("{}*", escape_glob(&prefix))).await?);
        }
    }
    if !keys.is_empty() {
        app.state.delete(&keys).await?;
    }
    Ok(())
}

/// As [`reset`], for all tags of tasks and models: projects were moved, merged or deleted.
pub(super) async fn reset_all(app: &App, company: &str, projects: &[String]) -> ApiResult<()> {
    for tagged in Tagged::ALL {
        reset(app, company, tagged, &TagField::BOTH, projects).await?;
    }
    Ok(())
}

/// Ids are plain, but nothing stops a client from naming a project `*`.
fn escape_glob(text: &str) -> String {
    text.replace(['*', '?', '[', ']', '\\'], "?")
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn keys_are_those_of_the_official_server() {
        for (project, filter, expected) in [
            (None, doc! {}, "tags_c_Task"),
            (Some("p"), doc! {}, "tags_c_p_Task"),
            (Some("p"), doc! { "system_tags": ["x"] }, "tags_c_p_Task_filter_system_tags_x"),
            (
                None,
                doc! { "system_tags": ["x", "-y"], "tags": ["a"] },
                "tags_c_Task_filter_tags_a_system_tags_x_-y",
            ),
        ] {
            let fields = filter_fields(Some(&filter));
            assert_eq!(key("c", Tagged::Tasks, TagField::Tags, project, &fields), expected);
        }
        assert_eq!(key("c", Tagged::Models, TagField::SystemTags, None, &[]), "system_tags_c_Model");
    }
}
