//! `projects.get_by_id`, `get_all` and `get_all_ex` (spec 03 §2.3 to §2.5).

use std::sync::Arc;

use bson::{Bson, Document, doc};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    children::{self, ChildrenType},
    schema::PROJECT,
    statistics::{self, StatisticsRequest},
    tree::visible_project,
};
use crate::{
    App,
    api::{ApiResult, Call, Reply},
    query::{Page, Query, Visibility, answer_everything, answer_tags, as_list, is_truthy, not_hidden},
};

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetByIdRequest {
    project: String,
}

/// The whole project.
pub(super) async fn get_by_id(app: Arc<App>, call: Arc<Call>, request: GetByIdRequest) -> ApiResult {
    let stored = visible_project(&app, &call, &request.project).await?;
    let mut project = answer_everything(&PROJECT, &stored);
    answer_tags(&mut project, call.version);
    Ok(doc! { "project": project }.into())
}

/// Projects with references as plain ids.
pub(super) async fn get_all(app: Arc<App>, call: Arc<Call>, mut request: Document) -> ApiResult {
    read_location(&mut request);
    let page = Query::plain(&app, &call, &PROJECT, request).prepare()?.hide_hidden().fetch().await?;
    Ok(reply(page, &call))
}

/// Projects with joins, and with statistics of what is in them.
pub(super) async fn get_all_ex(app: Arc<App>, call: Arc<Call>, mut request: Document) -> ApiResult {
    read_location(&mut request);
    let visibility = Visibility::own_and_public(&call).allow_public(allows_public(&request));
    let statistics = StatisticsRequest::read(&request, visibility.clone())?;
    let search_hidden = is_truthy(request.get("search_hidden"));
    let hide_hidden = !search_hidden && !is_truthy(request.get("id"));

    let selected = if is_truthy(request.get("active_users")) || is_truthy(request.get("children_type")) {
        let (ids, selected) = children::select(&app, &request, &visibility).await?;
        if ids.is_empty() {
            return Ok(doc! { "projects": [] }.into());
        }
        request.insert("id", ids);
        Some(selected)
    } else {
        None
    };
    let system_tags_added = search_hidden && add_system_tags(&mut request);

    let mut query = Query::joined(&app, &call, &PROJECT, request).prepare()?.visible(visibility);
    if hide_hidden {
        query = query.restrict(not_hidden());
    }
    let mut page = query.fetch().await?;
    for project in &mut page.items {
        if search_hidden && has_system_tag(project, "hidden") {
            project.insert("hidden", true);
        }
        if system_tags_added {
            project.remove("system_tags");
        }
    }
    statistics::add(&app, &statistics, selected.as_ref(), &mut page.items).await?;
    Ok(reply(page, &call))
}

fn reply(mut page: Page, call: &Call) -> Reply {
    for project in &mut page.items {
        answer_tags(project, call.version);
    }
    page.reply("projects")
}

/// Whether public projects are looked at.
fn allows_public(request: &Document) -> bool {
    match (request.get("allow_public"), request.get("non_public")) {
        (Some(allowed), _) => is_truthy(Some(allowed)),
        (None, Some(non_public)) => !is_truthy(Some(non_public)),
        (None, None) => true,
    }
}

/// Where in the tree the request looks: `parent` means all descendants, or direct children in a shallow
/// search, which looks at the top level if it names no parent (spec 03 §2.4).
fn read_location(request: &mut Document) {
    request.remove("path");
    if is_truthy(request.get("shallow_search")) {
        if !request.contains_key("parent") {
            request.insert("parent", vec![Bson::Null]);
        }
    } else if let Some(parent) = request.remove("parent") {
        request.insert("path", parent);
    }
}

/// Adds `system_tags` to a projection that names fields but not these; whether it did.
fn add_system_tags(request: &mut Document) -> bool {
    let Some(key) = ["projection", "only_fields"].into_iter().find(|key| is_truthy(request.get(key))) else {
        return false;
    };
    let mut fields = request.get(key).map(as_list).unwrap_or_default();
    let names: Vec<&str> = fields.iter().filter_map(Bson::as_str).collect();
    let includes_some = names.iter().any(|name| !name.starts_with('-'));
    let has_system_tags = names.iter().any(|name| matches!(*name, "system_tags" | "*"));
    if !includes_some || has_system_tags {
        return false;
    }
    fields.push("system_tags".into());
    request.insert(key, fields);
    true
}

fn has_system_tag(project: &Document, tag: &str) -> bool {
    project.get_array("system_tags").is_ok_and(|tags| tags.iter().any(|known| known.as_str() == Some(tag)))
}

/// What `children_type` asks for.
pub(super) fn children_type(request: &Document) -> ApiResult<Option<ChildrenType>> {
    request.get("children_type").filter(|value| is_truthy(Some(value))).map(ChildrenType::read).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn location_follows_parent_and_shallow_search() {
        for (request, expected) in [
            (doc! { "path": "x" }, doc! {}),
            (doc! { "parent": ["p"] }, doc! { "path": ["p"] }),
            (doc! { "shallow_search": true }, doc! { "shallow_search": true, "parent": [Bson::Null] }),
            (
                doc! { "shallow_search": true, "parent": ["p"] },
                doc! { "shallow_search": true, "parent": ["p"] },
            ),
        ] {
            let mut located = request.clone();
            read_location(&mut located);
            assert_eq!(located, expected, "{request}");
        }
    }

    #[test]
    fn public_projects_are_left_out_on_request() {
        for (request, expected) in [
            (doc! {}, true),
            (doc! { "non_public": true }, false),
            (doc! { "non_public": true, "allow_public": true }, true),
            (doc! { "allow_public": false }, false),
        ] {
            assert_eq!(allows_public(&request), expected, "{request}");
        }
    }

    #[test]
    fn system_tags_are_added_to_named_fields_only() {
        for (fields, added) in
            [(vec!["name"], true), (vec!["system_tags"], false), (vec!["*"], false), (vec!["-name"], false)]
        {
            let mut request = doc! { "only_fields": fields.clone() };
            assert_eq!(add_system_tags(&mut request), added, "{fields:?}");
        }
    }
}
