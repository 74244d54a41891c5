//! `projects.create` (spec 03 §2.2).

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_documents::{Collection, Filter, Find, Write};

use super::{
    fields::{sorted, tags_value, text_value, trimmed},
    name::{ProjectName, check_depth},
    schema::PROJECT,
    tree::{Node, ensure_named, new_project, touch_write},
};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, codes},
    query::{check_tags, split_legacy_tags},
    tasks::access::{is_public, visible_to},
};

/// Creates a project, with its parents if they are missing.
pub(super) async fn create(app: Arc<App>, call: Arc<Call>, mut request: Document) -> ApiResult {
    check_tags(&request)?;
    split_legacy_tags(&mut request, &PROJECT, call.version);
    let name = match request.get("name") {
        Some(Bson::String(name)) => ProjectName::parse(name)?,
        None | Some(Bson::Null) => {
            return Err(ApiError::new(codes::MISSING_REQUIRED_FIELDS).with("missing", vec!["name"]));
        }
        Some(other) => {
            return Err(text_value("name", other).err().unwrap_or_else(|| ApiError::validation("name")));
        }
    };
    check_depth(name.depth())?;
    let details = details(&request)?;
    refuse_existing(&app, &call, &name).await?;
    if name.location().is_none() {
        name.check_length()?;
    }

    let parent = match name.location() {
        Some(location) => Some(ensure_named(&app, &call, &location).await?),
        None => None,
    };
    let node = Node {
        id: app.new_id(),
        name: name.full(),
        path: parent.as_ref().map(Node::path_below).unwrap_or_default(),
    };
    let project = new_project(&app, &call, &node, name.basename(), parent.as_ref(), details);
    let mut writes = vec![Write::Insert(project)];
    if let Some(parent) = &parent {
        writes.push(touch_write(Filter::id(parent.id.as_str()), app.now()));
    }
    app.documents.write(Collection::Project, writes).await?;
    Ok(doc! { "id": node.id }.into())
}

/// The fields beyond the name; null is absent.
fn details(request: &Document) -> ApiResult<Document> {
    let given = |field: &str| request.get(field).filter(|value| **value != Bson::Null);
    let mut details = doc! { "description": "", "tags": [], "system_tags": [] };
    if let Some(description) = given("description") {
        details.insert("description", text_value("description", description)?);
    }
    for field in ["tags", "system_tags"] {
        if let Some(tags) = given(field) {
            details.insert(field, sorted(tags_value(field, tags)?));
        }
    }
    if let Some(destination) = given("default_output_destination") {
        details.insert(
            "default_output_destination",
            trimmed(text_value("default_output_destination", destination)?),
        );
    }
    Ok(details)
}

async fn refuse_existing(app: &App, call: &Call, name: &ProjectName) -> ApiResult<()> {
    let filter = Filter::eq("name", name.full()).and(visible_to(call.company()));
    let existing = app.documents.find(Collection::Project, Find::new(filter).include(["company"])).await?;
    if existing.iter().any(|project| !is_public(project)) {
        return Err(ApiError::new(codes::EXPECTED_UNIQUE_DATA)
            .text("Project with the same name already exists")
            .with("name", name.full())
            .with("company", call.company()));
    }
    if !existing.is_empty() {
        return Err(ApiError::new(codes::PUBLIC_PROJECT_EXISTS).with("name", name.full()));
    }
    Ok(())
}
