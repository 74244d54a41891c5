//! What of the statistics a request asks for.

use bson::{Bson, Document};
use clearml_documents::Filter;

use crate::{
    api::{ApiError, ApiResult},
    projects::{
        children::{ChildrenType, active_users, children_tags},
        read::children_type,
    },
    query::{Entity, Visibility, dictionary_filter, is_truthy, operator_filter},
    tasks::schema::TASK,
};

/// Whether archived tasks are looked at, or the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum State {
    Active,
    Archived,
}

impl State {
    pub(super) const BOTH: [Self; 2] = [Self::Active, Self::Archived];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Archived => "archived",
        }
    }

    pub(super) fn filter(self) -> Filter {
        match self {
            Self::Active => Filter::ne("system_tags", "archived"),
            Self::Archived => Filter::eq("system_tags", "archived"),
        }
    }
}

/// What of the statistics a request asks for.
#[derive(Debug)]
pub(in crate::projects) struct StatisticsRequest {
    pub(super) include_stats: bool,
    pub(super) check_own_contents: bool,
    pub(super) include_dataset_stats: bool,
    /// Contents of the projects below count as well.
    pub(super) with_children: bool,
    /// Projects below count even if they are hidden.
    pub(super) count_hidden: bool,
    pub(super) children: Option<ChildrenType>,
    /// `None`: both.
    pub(super) state: Option<State>,
    pub(super) visibility: Visibility,
    /// What contents fulfil to count, beyond visibility and project.
    filter: Filter,
    /// The filter decides itself whether archived contents count.
    pub(super) filters_archived: bool,
}

impl StatisticsRequest {
    /// Reads the flags and the filter.
    ///
    /// # Errors
    /// 400/12 for malformed filters and an unknown state.
    pub(in crate::projects) fn read(request: &Document, visibility: Visibility) -> ApiResult<Self> {
        let flag = |name: &str| is_truthy(request.get(name));
        let children = children_type(request)?;
        let has_hidden_content = matches!(children, Some(ChildrenType::Pipeline | ChildrenType::Report));
        let (filter, filters_archived) = contents_filter(request, children)?;
        Ok(Self {
            include_stats: flag("include_stats"),
            check_own_contents: flag("check_own_contents"),
            include_dataset_stats: flag("include_dataset_stats"),
            with_children: request.get("stats_with_children").is_none_or(|value| is_truthy(Some(value))),
            count_hidden: has_hidden_content || flag("search_hidden"),
            children,
            state: read_state(request)?,
            visibility,
            filter: filter.and(active_users(request).unwrap_or(Filter::Everything)),
            filters_archived,
        })
    }

    pub(super) fn contents_of(&self, field: &str, projects: &[String]) -> Filter {
        Filter::is_in(field, projects.iter().map(String::as_str))
            .and(self.visibility.clone().allow_public(true).filter())
            .and(self.filter.clone())
    }
}

fn read_state(request: &Document) -> ApiResult<Option<State>> {
    match request.get("stats_for_state") {
        None => Ok(Some(State::Active)),
        Some(Bson::Null) => Ok(None),
        Some(Bson::String(state)) if state == "active" => Ok(Some(State::Active)),
        Some(Bson::String(state)) if state == "archived" => Ok(Some(State::Archived)),
        Some(Bson::String(state)) if state == "hidden" => Ok(None),
        Some(other) => {
            let given = other.as_str().map_or_else(|| other.to_string(), ToOwned::to_owned);
            Err(ApiError::validation(format!(
                "error for field 'stats_for_state': value '{given}' is not a valid choice.."
            )))
        }
    }
}

/// `include_stats_filter`, or else what `children_type` implies; and whether it names the archived state.
fn contents_filter(request: &Document, children: Option<ChildrenType>) -> ApiResult<(Filter, bool)> {
    if let Some(given) = request.get("include_stats_filter").filter(|value| is_truthy(Some(value))) {
        let Bson::Document(fields) = given else {
            return Err(ApiError::validation(
                "Non empty list or dictionary expected for the field: include_stats_filter",
            ));
        };
        return explicit_filter(&TASK, fields);
    }
    let implied = |tag: &str, kind: &str| Filter::eq("system_tags", tag).and(Filter::eq("type", kind));
    let filter = match children {
        None => Filter::Everything,
        Some(ChildrenType::Dataset) => children_tags(request)?,
        Some(ChildrenType::Pipeline) => children_tags(request)?.and(implied("pipeline", "controller")),
        Some(ChildrenType::Report) => children_tags(request)?.and(implied("reports", "report")),
    };
    Ok((filter, false))
}

fn explicit_filter(entity: &Entity, fields: &Document) -> ApiResult<(Filter, bool)> {
    let mut filter = Filter::Everything;
    let mut names_archived = false;
    for (field, value) in fields {
        let condition = match value {
            Bson::Array(values) if !values.is_empty() => {
                if !values.iter().all(|value| matches!(value, Bson::String(_))) {
                    return Err(ApiError::validation(format!(
                        "Only string values are allowed in the list filter: {field}"
                    )));
                }
                let state_tag = |value: &Bson| matches!(value.as_str(), Some("archived" | "-archived"));
                names_archived |= field == "system_tags" && values.iter().any(state_tag);
                operator_filter(entity, field, value)?
            }
            Bson::Document(parts) if !parts.is_empty() => {
                names_archived |= field == "system_tags" && names_archived_in(parts);
                dictionary_filter(field, value)?
            }
            _ => {
                return Err(ApiError::validation(format!(
                    "Non empty list or dictionary expected for the field: {field}"
                )));
            }
        };
        filter = filter.and(condition);
    }
    Ok((filter, names_archived))
}

/// Whether the dictionary form of a filter has `archived` among its values.
fn names_archived_in(parts: &Document) -> bool {
    let values = parts.values().filter_map(Bson::as_document).flat_map(Document::values);
    values.filter_map(Bson::as_array).flatten().any(|value| value.as_str() == Some("archived"))
}
