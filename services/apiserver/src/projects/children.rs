//! Projects that have certain children or content by certain users (spec 03 §2.5 "Selected children").

use std::collections::{BTreeSet, HashSet};

use bson::{Bson, Document};
use clearml_documents::{Collection, Filter, Find};

use super::{read::children_type, schema::PROJECT, tree::texts};
use crate::{
    App,
    api::{ApiError, ApiResult},
    query::{Visibility, as_list, dictionary_filter, is_truthy, operator_filter, with_subprojects},
};

/// What the wanted projects contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChildrenType {
    Dataset,
    Pipeline,
    Report,
}

impl ChildrenType {
    pub(super) fn read(value: &Bson) -> ApiResult<Self> {
        match value.as_str() {
            Some("dataset") => Ok(Self::Dataset),
            Some("pipeline") => Ok(Self::Pipeline),
            Some("report") => Ok(Self::Report),
            _ => Err(ApiError::validation("error for field 'children_type': value is not a valid choice..")),
        }
    }
}

/// The condition on `tags` of children: `children_tags_filter`, or else `children_tags`.
pub(super) fn children_tags(request: &Document) -> ApiResult<Filter> {
    if let Some(filter) = request.get("children_tags_filter").filter(|value| is_truthy(Some(value))) {
        return dictionary_filter("tags", filter);
    }
    match request.get("children_tags").filter(|value| is_truthy(Some(value))) {
        Some(tags) => operator_filter(&PROJECT, "tags", tags),
        None => Ok(Filter::Everything),
    }
}

/// The request's `active_users` as a condition.
pub(super) fn active_users(request: &Document) -> Option<Filter> {
    let users = request.get("active_users").filter(|value| is_truthy(Some(value)))?;
    Some(Filter::In("user".to_owned(), as_list(users)))
}

/// The projects that these users made, or have tasks or models in, with all above them; if `ids` are given, only
/// those of them.
pub(crate) async fn of_active_users(
    app: &App,
    ids: Option<Bson>,
    users: Vec<Bson>,
    visibility: &Visibility,
) -> ApiResult<Vec<Bson>> {
    let mut request = Document::new();
    request.insert("active_users", users);
    if let Some(ids) = ids {
        request.insert("id", ids);
    }
    Ok(select(app, &request, visibility).await?.0)
}

/// The ids to look at, and all projects that have such children, with their ancestors.
pub(super) async fn select(
    app: &App,
    request: &Document,
    visibility: &Visibility,
) -> ApiResult<(Vec<Bson>, HashSet<String>)> {
    let requested = request.get("id").filter(|id| is_truthy(Some(id))).map(as_list);
    let scope = match &requested {
        Some(ids) => Some(with_subprojects(app, ids.clone()).await?),
        None => None,
    };
    let within = |field: &str| match &scope {
        Some(ids) => Filter::In(field.to_owned(), ids.clone()),
        None => Filter::Everything,
    };
    let by_users = active_users(request).unwrap_or(Filter::Everything);
    let base = visibility.filter().and(by_users);

    let mut found: BTreeSet<String> = BTreeSet::new();
    match children_type(request)? {
        Some(kind @ (ChildrenType::Dataset | ChildrenType::Pipeline)) => {
            let (tag, container) = if kind == ChildrenType::Dataset {
                ("dataset", ".datasets")
            } else {
                ("pipeline", ".pipelines")
            };
            let filter = base
                .and(children_tags(request)?)
                .and(Filter::eq("system_tags", tag))
                .and(Filter::ne("basename", container))
                .and(within("parent"));
            found.extend(ids_of(app, filter).await?);
        }
        Some(ChildrenType::Report) => {
            let filter = base
                .and(children_tags(request)?)
                .and(Filter::eq("system_tags", "reports"))
                .and(within("project"));
            found.extend(projects_of(app, Collection::Task, filter).await?);
        }
        None => {
            found.extend(ids_of(app, base.clone().and(within("_id"))).await?);
            for collection in [Collection::Task, Collection::Model] {
                found.extend(projects_of(app, collection, base.clone().and(within("project"))).await?);
            }
        }
    }

    let selected = with_ancestors(app, found).await?;
    let ids = if let Some(ids) = requested {
        ids.into_iter().filter(|id| id.as_str().is_some_and(|id| selected.contains(id))).collect()
    } else {
        let mut ids: Vec<&String> = selected.iter().collect();
        ids.sort();
        ids.into_iter().map(|id| Bson::from(id.as_str())).collect()
    };
    Ok((ids, selected))
}

async fn ids_of(app: &App, filter: Filter) -> ApiResult<Vec<String>> {
    let projects = app.documents.find(Collection::Project, Find::new(filter).include(["_id"])).await?;
    Ok(projects.iter().filter_map(|project| project.get_str("_id").ok().map(ToOwned::to_owned)).collect())
}

async fn projects_of(app: &App, collection: Collection, filter: Filter) -> ApiResult<Vec<String>> {
    let projects = app.documents.distinct(collection, "project", filter).await?;
    Ok(projects
        .into_iter()
        .filter_map(|project| match project {
            Bson::String(id) if !id.is_empty() => Some(id),
            _ => None,
        })
        .collect())
}

async fn with_ancestors(app: &App, ids: BTreeSet<String>) -> ApiResult<HashSet<String>> {
    let find = Find::new(Filter::ids(ids.iter().map(String::as_str))).include(["path"]);
    let projects = app.documents.find(Collection::Project, find).await?;
    let ancestors = projects.iter().flat_map(|project| texts(project, "path"));
    let mut selected: HashSet<String> = ancestors.collect();
    selected.extend(ids);
    Ok(selected)
}
