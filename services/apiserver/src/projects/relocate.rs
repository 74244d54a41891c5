//! `projects.move` and `projects.merge` (spec 03 §2.7, §2.8).

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find, Write};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    name::{ProjectName, check_depth, depth},
    tag_cache,
    tree::{Node, descendants, ensure_named, invalid_project_id, touch_write, writable_project},
    update::with_new_prefix,
};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, codes},
};

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct MoveRequest {
    project: String,
    new_location: Option<String>,
}

/// Moves a project with all below it to another place, created if it is missing.
pub(super) async fn move_project(app: Arc<App>, call: Arc<Call>, request: MoveRequest) -> ApiResult {
    let Some(location) = request.new_location else {
        return Err(ApiError::validation("new_location is required").with("field", "new_location"));
    };
    let project = own_project(&app, &call, &request.project).await?;
    let source = Node::of(&project);
    let old_parent = project.get_str("parent").ok().filter(|parent| !parent.is_empty());
    if let Some(old_parent) = old_parent {
        writable_project(&app, &call, old_parent).await?;
    }
    let below = descendants(&app, &source.id, &["name", "path"]).await?;
    let location = ProjectName::parse_location(&location);
    check_depths(
        std::iter::once(&project).chain(&below),
        depth(&source.name).saturating_sub(1),
        location.as_ref(),
    )?;

    let parent = match &location {
        Some(location) => Some(ensure_named(&app, &call, location).await?),
        None => None,
    };
    if parent.as_ref().map(|parent| parent.id.as_str()) == old_parent {
        return Err(ApiError::new(codes::PROJECT_SOURCE_AND_DESTINATION_ARE_THE_SAME)
            .with("location", location.map_or_else(String::new, |location| location.full())));
    }
    if let Some(parent) = &parent
        && is_within(parent, &source.id)
    {
        return Err(ApiError::new(codes::PROJECT_CANNOT_BE_MOVED_UNDER_ITSELF)
            .with("project", source.id)
            .with("parent", parent.id.as_str()));
    }

    check_name(parent.as_ref(), &source.name)?;
    let moved = 1 + below.len() as i64;
    let mut writes = relocate(&app, &project, &below, parent.as_ref());
    let old_parent = old_parent.map(ToOwned::to_owned);
    let parents: Vec<String> =
        old_parent.clone().into_iter().chain(parent.iter().map(|parent| parent.id.clone())).collect();
    if !parents.is_empty() {
        writes.push(touch_write(Filter::ids(parents.clone()), app.now()));
    }
    app.documents.write(Collection::Project, writes).await?;

    let mut affected = source.path;
    affected.extend(parent.iter().flat_map(Node::path_below));
    affected.extend(parents);
    tag_cache::reset_all(&app, call.company(), &affected).await?;
    Ok(doc! { "moved": moved }.into())
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct MergeRequest {
    project: String,
    destination_project: Option<String>,
}

/// Moves what is in a project, and the projects below, to another one and deletes it.
pub(super) async fn merge(app: Arc<App>, call: Arc<Call>, request: MergeRequest) -> ApiResult {
    let destination_id = request.destination_project.filter(|id| !id.is_empty());
    if destination_id.as_ref() == Some(&request.project) {
        return Err(
            ApiError::new(codes::PROJECT_SOURCE_AND_DESTINATION_ARE_THE_SAME).with("source", request.project)
        );
    }
    let source = Node::of(&own_project(&app, &call, &request.project).await?);
    let destination = match &destination_id {
        Some(id) => Some(Node::of(&own_project(&app, &call, id).await?)),
        None => None,
    };
    if let Some(destination) = &destination
        && is_within(destination, &source.id)
    {
        return Err(ApiError::new(codes::PROJECT_CANNOT_BE_MERGED_INTO_ITS_CHILD)
            .with("source", source.id)
            .with("destination", destination.id.as_str()));
    }
    let below = descendants(&app, &source.id, &["name", "path", "parent"]).await?;
    let destination_name = destination.as_ref().and_then(|node| ProjectName::parse_location(&node.name));
    check_depths(below.iter(), depth(&source.name), destination_name.as_ref())?;

    let children: Vec<&Document> =
        below.iter().filter(|project| project.get_str("parent").is_ok_and(|id| id == source.id)).collect();
    let mut writes = Vec::new();
    for child in &children {
        let node = Node::of(child);
        check_name(destination.as_ref(), &node.name)?;
        let below_child: Vec<Document> =
            below.iter().filter(|project| Node::of(project).path.contains(&node.id)).cloned().collect();
        writes.extend(relocate(&app, child, &below_child, destination.as_ref()));
    }
    refuse_clashes(&app, &call, &children, destination.as_ref(), &source).await?;

    let moved_entities = move_entities(&app, &call, &source.id, destination_id.as_deref()).await?;
    // First: a child may take the name that becomes free.
    writes.insert(0, Write::Delete { filter: Filter::id(source.id.as_str()) });
    if let Some(destination) = &destination {
        writes.push(touch_write(Filter::id(destination.id.as_str()), app.now()));
    }
    let moved_projects = children.len() as i64;
    app.documents.write(Collection::Project, writes).await?;

    let mut affected = source.path_below();
    affected.extend(destination.iter().flat_map(Node::path_below));
    tag_cache::reset_all(&app, call.company(), &affected).await?;
    Ok(doc! { "moved_entities": moved_entities, "moved_projects": moved_projects }.into())
}

/// Gives tasks and models that are not archived to another project; how many.
async fn move_entities(app: &App, call: &Call, source: &str, destination: Option<&str>) -> ApiResult<i64> {
    let mut moved = 0;
    for collection in [Collection::Task, Collection::Model] {
        let filter = Filter::eq("company", call.company())
            .and(Filter::eq("project", source))
            .and(Filter::ne("system_tags", "archived"));
        let update = vec![Change::set("project", destination.map_or(Bson::Null, Bson::from))];
        moved += app.documents.update_many(collection, filter, update).await?.matched;
    }
    Ok(moved as i64)
}

/// 400/801 if the destination has a project by the name of one of these children, before anything is moved.
async fn refuse_clashes(
    app: &App,
    call: &Call,
    children: &[&Document],
    destination: Option<&Node>,
    source: &Node,
) -> ApiResult<()> {
    let names = children.iter().map(|child| place_below(destination, &Node::of(child).name));
    let filter = Filter::is_in("name", names)
        .and(Filter::eq("company", call.company()))
        // The source itself goes away.
        .and(Filter::ne("_id", source.id.as_str()));
    if children.is_empty() {
        return Ok(());
    }
    match app.documents.find_one(Collection::Project, Find::new(filter).include(["name"])).await? {
        Some(existing) => Err(ApiError::new(codes::EXPECTED_UNIQUE_DATA)
            .with("name", existing.get_str("name").unwrap_or_default())
            .with("company", call.company())),
        None => Ok(()),
    }
}

/// The own project of this id.
async fn own_project(app: &App, call: &Call, id: &str) -> ApiResult<Document> {
    let find = Find::new(Filter::id(id).and(Filter::eq("company", call.company())));
    app.documents.find_one(Collection::Project, find).await?.ok_or_else(|| invalid_project_id(id))
}

fn is_within(project: &Node, ancestor: &str) -> bool {
    project.id == ancestor || project.path.iter().any(|id| id == ancestor)
}

/// Checks that projects, less the first `dropped` segments, fit below a place.
fn check_depths<'a>(
    mut projects: impl Iterator<Item = &'a Document>,
    dropped: usize,
    location: Option<&ProjectName>,
) -> ApiResult<()> {
    let location_depth = location.map_or(0, ProjectName::depth);
    projects.try_for_each(|project| {
        let old_depth = depth(project.get_str("name").unwrap_or_default());
        check_depth(old_depth.saturating_sub(dropped) + location_depth)
    })
}

/// The full name that a project gets below a new parent.
fn place_below(parent: Option<&Node>, name: &str) -> String {
    let basename = name.rsplit('/').next().unwrap_or(name);
    parent.map_or_else(|| basename.to_owned(), |parent| format!("{}/{basename}", parent.name))
}

fn check_name(parent: Option<&Node>, name: &str) -> ApiResult<()> {
    ProjectName::parse(&place_below(parent, name))?.check_length()
}

/// The writes that put a project and all below it under a new parent (`None`: the root).
fn relocate(app: &App, project: &Document, below: &[Document], parent: Option<&Node>) -> Vec<Write> {
    let now = app.now();
    let old = Node::of(project);
    let new_name = place_below(parent, &old.name);
    let new_path = parent.map(Node::path_below).unwrap_or_default();
    let update_of =
        |id: &str, update| Write::Update { filter: Filter::id(id), update, many: false, upsert: false };
    let mut writes = vec![update_of(
        &old.id,
        vec![
            Change::set("name", new_name.as_str()),
            match parent {
                Some(parent) => Change::set("parent", parent.id.as_str()),
                None => Change::unset("parent"),
            },
            Change::set("path", new_path.clone()),
            Change::set("last_update", now),
        ],
    )];
    for descendant in below {
        let node = Node::of(descendant);
        let inner_path = node.path.get(old.path.len()..).unwrap_or_default();
        let path: Vec<String> = new_path.iter().chain(inner_path).cloned().collect();
        let name = with_new_prefix(&node.name, &old.name, &new_name).unwrap_or(node.name);
        writes.push(update_of(
            &node.id,
            vec![Change::set("name", name), Change::set("path", path), Change::set("last_update", now)],
        ));
    }
    writes
}
