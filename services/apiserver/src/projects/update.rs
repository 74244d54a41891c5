//! `projects.update` (spec 03 §2.6).

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_documents::{Change, Collection, Filter, Write};

use super::{
    fields::{required_text, sorted, tags_value, text_value, trimmed},
    name::ProjectName,
    schema::PROJECT,
    tree::{descendants, writable_project},
};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, codes},
    query::{check_tags, is_truthy, split_legacy_tags},
};

const FIELDS: [&str; 5] = ["name", "description", "tags", "system_tags", "default_output_destination"];

/// Changes fields of a project; a new name renames the projects below as well.
pub(super) async fn update(app: Arc<App>, call: Arc<Call>, mut request: Document) -> ApiResult {
    let id = required_text(&request, "project")?.to_owned();
    check_tags(&request)?;
    split_legacy_tags(&mut request, &PROJECT, call.version);
    let project = writable_project(&app, &call, &id).await?;

    let mut fields = Document::new();
    let mut changes = Vec::new();
    let mut writes = Vec::new();
    for field in FIELDS {
        let Some(value) = request.get(field) else { continue };
        fields.insert(field, if field.ends_with("tags") { sorted(value.clone()) } else { value.clone() });
        match field {
            "name" if !is_truthy(Some(value)) => {}
            "name" => {
                let name = new_name(&project, value)?;
                changes.push(Change::set("name", name.full()));
                changes.push(Change::set("basename", name.basename()));
                writes.extend(rename_descendants(&app, &project, &name).await?);
            }
            "tags" | "system_tags" => changes.push(Change::set(field, tags_value(field, value)?)),
            _ => changes.push(Change::set(field, trimmed_destination(field, text_value(field, value)?))),
        }
    }
    if fields.is_empty() {
        return Ok(doc! { "updated": 0, "fields": {} }.into());
    }
    changes.push(Change::set("last_update", app.now()));
    writes.insert(0, Write::Update { filter: Filter::id(id), update: changes, many: false, upsert: false });
    app.documents.write(Collection::Project, writes).await?;
    Ok(doc! { "updated": 1, "fields": fields }.into())
}

fn trimmed_destination(field: &str, value: Bson) -> Bson {
    if field == "default_output_destination" { trimmed(value) } else { value }
}

/// The new name, which must not lead elsewhere.
fn new_name(project: &Document, value: &Bson) -> ApiResult<ProjectName> {
    let Bson::String(given) = value else {
        return Err(ApiError::new(codes::DATA_VALIDATION_ERROR)
            .with("name", "StringField only accepts string values"));
    };
    let name = ProjectName::parse(given)?;
    let current = ProjectName::parse_location(project.get_str("name").unwrap_or_default());
    if name.location() != current.and_then(|current| current.location()) {
        return Err(ApiError::new(codes::CANNOT_UPDATE_PROJECT_LOCATION).with("name", name.full()));
    }
    name.check_length()?;
    Ok(name)
}

async fn rename_descendants(app: &App, project: &Document, name: &ProjectName) -> ApiResult<Vec<Write>> {
    let old_name = project.get_str("name").unwrap_or_default();
    let new_name = name.full();
    if old_name == new_name {
        return Ok(Vec::new());
    }
    let now = app.now();
    let below = descendants(app, project.get_str("_id").unwrap_or_default(), &["name"]).await?;
    Ok(below
        .iter()
        .filter_map(|descendant| {
            let renamed = with_new_prefix(descendant.get_str("name").ok()?, old_name, &new_name)?;
            Some(Write::Update {
                filter: Filter::id(descendant.get_str("_id").ok()?),
                update: vec![Change::set("name", renamed), Change::set("last_update", now)],
                many: false,
                upsert: false,
            })
        })
        .collect())
}

/// A full name with another beginning.
pub(super) fn with_new_prefix(name: &str, old_prefix: &str, new_prefix: &str) -> Option<String> {
    Some(format!("{new_prefix}{}", name.strip_prefix(old_prefix)?))
}
