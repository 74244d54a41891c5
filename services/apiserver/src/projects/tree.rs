//! The tree of projects: finding, creating with parents, descendants and ancestors (spec 03 §2.1).

use bson::{Bson, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find, StoreError, Write};

use super::name::{ProjectName, check_depth};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, codes},
    tasks::access::{cannot_modify_public, is_public, visible_to},
};

/// Attempts to create a project while others create the same one.
const CREATE_ATTEMPTS: usize = 5;

/// 400/401.
pub(crate) fn invalid_project_id(id: &str) -> ApiError {
    ApiError::new(codes::INVALID_PROJECT_ID).with("id", id)
}

/// The own or public project of this id.
///
/// # Errors
/// 400/401 if there is none.
pub(crate) async fn visible_project(app: &App, call: &Call, id: &str) -> ApiResult<Document> {
    let find = Find::new(Filter::id(id).and(visible_to(call.company())));
    app.documents.find_one(Collection::Project, find).await?.ok_or_else(|| invalid_project_id(id))
}

/// The project of this id, which the caller may change.
///
/// # Errors
/// 400/401 if there is none, 403/21 for a public one.
pub(crate) async fn writable_project(app: &App, call: &Call, id: &str) -> ApiResult<Document> {
    let project = visible_project(app, call, id).await?;
    if is_public(&project) {
        return Err(cannot_modify_public("project", &[id]));
    }
    Ok(project)
}

/// The id of the project with this full name, created with its parents if it does not exist; `None` for the
/// root (a name without segments).
///
/// # Errors
/// 400/414 when a public project has the name of it or of a missing parent, 400/409 when it lies too deep,
/// 400/800 for a top segment of fewer than 3 characters.
pub(crate) async fn ensure(app: &App, call: &Call, name: &str) -> ApiResult<Option<String>> {
    match ProjectName::parse_location(name) {
        Some(name) => Ok(Some(ensure_named(app, call, &name).await?.id)),
        None => Ok(None),
    }
}

/// A place in the tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Node {
    pub(super) id: String,
    pub(super) name: String,
    /// Ids of the ancestors, from the top.
    pub(super) path: Vec<String>,
}

impl Node {
    /// Reads `_id`, `name` and `path` of a stored project.
    pub(super) fn of(project: &Document) -> Self {
        Self {
            id: project.get_str("_id").unwrap_or_default().to_owned(),
            name: project.get_str("name").unwrap_or_default().to_owned(),
            path: texts(project, "path"),
        }
    }

    /// The `path` of its children.
    pub(super) fn path_below(&self) -> Vec<String> {
        self.path.iter().cloned().chain([self.id.clone()]).collect()
    }
}

/// As [`ensure`], for a project with these system tags and description, should it be new.
pub(crate) async fn ensure_special(
    app: &App,
    call: &Call,
    name: &str,
    system_tags: &[&str],
    description: &str,
) -> ApiResult<String> {
    let name = ProjectName::parse(name)?;
    let details = doc! { "description": description, "tags": [], "system_tags": system_tags.to_vec() };
    Ok(ensure_with(app, call, &name, &details).await?.id)
}

/// As [`ensure`], by a clean name.
pub(super) async fn ensure_named(app: &App, call: &Call, name: &ProjectName) -> ApiResult<Node> {
    ensure_with(app, call, name, &plain_details()).await
}

/// What a project has that was made because another needed it.
fn plain_details() -> Document {
    doc! { "description": "", "tags": [], "system_tags": [] }
}

async fn ensure_with(app: &App, call: &Call, name: &ProjectName, details: &Document) -> ApiResult<Node> {
    for _ in 1..CREATE_ATTEMPTS {
        match try_ensure(app, call, name, details).await {
            Err(EnsureError::Raced) => {}
            Err(EnsureError::Api(error)) => return Err(error),
            Ok(node) => return Ok(node),
        }
    }
    try_ensure(app, call, name, details).await.map_err(|error| match error {
        EnsureError::Raced => ApiError::new(codes::EXPECTED_UNIQUE_DATA)
            .with("name", name.full())
            .with("company", call.company()),
        EnsureError::Api(error) => error,
    })
}

enum EnsureError {
    /// Somebody else created the same project meanwhile.
    Raced,
    Api(ApiError),
}

impl From<ApiError> for EnsureError {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

async fn try_ensure(
    app: &App,
    call: &Call,
    name: &ProjectName,
    details: &Document,
) -> Result<Node, EnsureError> {
    let chain = name.with_ancestors();
    let names: Vec<String> = chain.iter().map(ProjectName::full).collect();
    let find =
        Find::new(Filter::is_in("name", names.iter().map(String::as_str)).and(visible_to(call.company())))
            .include(["name", "company", "path"]);
    let found = app.documents.find(Collection::Project, find).await.map_err(ApiError::from)?;

    let own = |name: &str| {
        found
            .iter()
            .find(|project| project.get_str("name").is_ok_and(|known| known == name) && !is_public(project))
            .map(Node::of)
    };
    let is_known =
        |name: &str| found.iter().any(|project| project.get_str("name").is_ok_and(|known| known == name));
    let existing = names.iter().enumerate().rev().find_map(|(index, name)| Some((index + 1, own(name)?)));
    let (existing_depth, mut parent) = existing.map_or((0, None), |(depth, node)| (depth, Some(node)));
    if existing_depth == chain.len()
        && let Some(node) = parent
    {
        return Ok(node);
    }
    check_depth(name.depth())?;

    let now = app.now();
    let mut writes = Vec::new();
    if let Some(parent) = &parent {
        writes.push(touch_write(Filter::id(parent.id.as_str()), now));
    }
    for missing in &chain[existing_depth..] {
        let full_name = missing.full();
        if is_known(&full_name) {
            return Err(ApiError::new(codes::PUBLIC_PROJECT_EXISTS).with("name", full_name).into());
        }
        missing.check_length()?;
        let node = Node {
            id: app.new_id(),
            name: full_name,
            path: parent.as_ref().map(Node::path_below).unwrap_or_default(),
        };
        let is_last = missing.depth() == chain.len();
        let details = if is_last { details.clone() } else { plain_details() };
        writes.push(Write::Insert(new_project(
            app,
            call,
            &node,
            missing.basename(),
            parent.as_ref(),
            details,
        )));
        parent = Some(node);
    }
    match app.documents.write(Collection::Project, writes).await {
        Ok(_) => parent.ok_or(EnsureError::Raced),
        Err(StoreError::Duplicate { .. }) => Err(EnsureError::Raced),
        Err(error) => Err(ApiError::from(error).into()),
    }
}

/// A new project as it is stored.
pub(super) fn new_project(
    app: &App,
    call: &Call,
    node: &Node,
    basename: &str,
    parent: Option<&Node>,
    details: Document,
) -> Document {
    let now = app.now();
    let mut project = doc! {
        "_id": &node.id,
        "user": call.user(),
        "company": call.company(),
        "name": &node.name,
        "basename": basename,
        "created": now,
        "last_update": now,
        "path": node.path.clone(),
        "featured": 9999,
    };
    if let Some(parent) = parent {
        project.insert("parent", &parent.id);
    }
    project.extend(details);
    project
}

/// The id of an own project, by its id or else by its full name, created with its parents if no project has
/// that name. `None` for a name without segments: the root.
///
/// # Errors
/// 400/12 when neither is given, 400/401 for an unknown, foreign or public id, and those of [`ensure`].
pub(crate) async fn find_or_create(
    app: &App,
    call: &Call,
    id: Option<&str>,
    name: Option<&str>,
) -> ApiResult<Option<String>> {
    if let Some(id) = id.filter(|id| !id.is_empty()) {
        let own = Filter::id(id).and(Filter::eq("company", call.company()));
        return if app.documents.any(Collection::Project, own).await? {
            Ok(Some(id.to_owned()))
        } else {
            Err(invalid_project_id(id))
        };
    }
    match name.filter(|name| !name.is_empty()) {
        Some(name) => ensure(app, call, name).await,
        None => Err(ApiError::validation("project id or name required")),
    }
}

/// Moves own entities (tasks or models) to a project, found or created as in [`find_or_create`]; with neither
/// id nor name, to no project. Sets `last_change` and `last_changed_by`; returns the project.
pub(crate) async fn move_under_project(
    app: &App,
    call: &Call,
    entities: Collection,
    ids: &[String],
    project: Option<&str>,
    project_name: Option<&str>,
) -> ApiResult<Option<String>> {
    let given = |value: Option<&str>| value.is_some_and(|text| !text.is_empty());
    let project = if given(project) || given(project_name) {
        find_or_create(app, call, project, project_name).await?
    } else {
        None
    };
    let filter = Filter::ids(ids.iter().map(String::as_str)).and(Filter::eq("company", call.company()));
    let update = vec![
        Change::set("project", project.clone().map_or(Bson::Null, Bson::String)),
        Change::set("last_change", app.now()),
        Change::set("last_changed_by", call.user()),
    ];
    app.documents.update_many(entities, filter, update).await?;
    Ok(project)
}

/// Sets `last_update` of projects to now. Ids that are no project, and empty ones, do not matter.
pub(crate) async fn touch<I: AsRef<str>>(app: &App, projects: impl IntoIterator<Item = I>) -> ApiResult<()> {
    let ids: Vec<String> =
        projects.into_iter().map(|id| id.as_ref().to_owned()).filter(|id| !id.is_empty()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    app.documents.write(Collection::Project, vec![touch_write(Filter::ids(ids), app.now())]).await?;
    Ok(())
}

pub(super) fn touch_write(filter: Filter, now: bson::DateTime) -> Write {
    Write::Update { filter, update: vec![Change::set("last_update", now)], many: true, upsert: false }
}

/// All projects below one, at any depth, with these fields (and `_id`).
pub(super) async fn descendants(app: &App, id: &str, fields: &[&str]) -> ApiResult<Vec<Document>> {
    let find = Find::new(Filter::eq("path", id)).include(fields.iter().copied());
    Ok(app.documents.find(Collection::Project, find).await?)
}

/// The texts of an array field.
pub(crate) fn texts(document: &Document, field: &str) -> Vec<String> {
    document
        .get_array(field)
        .map(|values| values.iter().filter_map(Bson::as_str).map(ToOwned::to_owned).collect())
        .unwrap_or_default()
}
