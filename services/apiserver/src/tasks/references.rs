//! The other objects that a task refers to: parent, project and input models (spec 02 §5.1).

use std::collections::{BTreeSet, HashSet};

use bson::{Bson, Document};
use clearml_documents::{Collection, DocumentStoreExt, Filter, Find};

use super::access::{cannot_modify_public, is_public, visible_to};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, codes},
};

/// Prefix of the parent id of tasks whose parent has been deleted.
pub(crate) const DELETED_PREFIX: &str = "__DELETED__";

/// What a task refers to; only what is given is checked.
#[derive(Debug, Default)]
pub(crate) struct References<'a> {
    pub(crate) parent: Option<&'a str>,
    pub(crate) project: Option<&'a str>,
    pub(crate) input_models: Vec<&'a str>,
}

impl<'a> References<'a> {
    /// Those of a task, or of some fields of one.
    pub(crate) fn of(fields: &'a Document) -> Self {
        Self {
            parent: text(fields, "parent"),
            project: text(fields, "project"),
            input_models: input_models(fields),
        }
    }

    /// Checks that the caller may refer to all of them.
    ///
    /// # Errors
    /// 400/101 parent not visible; 400/401 project not the company's, 403/21 public; 400/201 models not
    /// visible.
    pub(crate) async fn check(&self, app: &App, call: &Call) -> ApiResult<()> {
        if let Some(parent) = self.parent.filter(|parent| !parent.starts_with(DELETED_PREFIX)) {
            let filter = Filter::id(parent).and(visible_to(call.company()));
            if !app.documents.any(Collection::Task, filter).await? {
                return Err(ApiError::new(codes::INVALID_TASK_ID)
                    .extra("invalid parent")
                    .with("parent", parent));
            }
        }
        if let Some(project) = self.project {
            check_own_project(app, call, project).await?;
        }
        self.check_models(app, call).await
    }

    async fn check_models(&self, app: &App, call: &Call) -> ApiResult<()> {
        let wanted: BTreeSet<&str> = self.input_models.iter().copied().collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let filter = Filter::ids(wanted.iter().copied()).and(visible_to(call.company()));
        let found = app.documents.find(Collection::Model, Find::new(filter).include(["_id"])).await?;
        let found: HashSet<&str> = found.iter().filter_map(|model| text(model, "_id")).collect();
        let missing: Vec<Bson> =
            wanted.iter().filter(|id| !found.contains(*id)).map(|id| Bson::from(*id)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(ApiError::new(codes::INVALID_MODEL_ID).with("models", missing))
    }
}

/// Checks that the project is the caller's company's.
///
/// # Errors
/// 403/21 public; 400/401 otherwise.
pub(crate) async fn check_own_project(app: &App, call: &Call, id: &str) -> ApiResult<()> {
    let find = Find::new(Filter::id(id).and(visible_to(call.company()))).include(["company"]);
    match app.documents.find_one(Collection::Project, find).await? {
        None => Err(ApiError::new(codes::INVALID_PROJECT_ID).with("id", id)),
        Some(project) if is_public(&project) => Err(cannot_modify_public("project", &[id])),
        Some(_) => Ok(()),
    }
}

/// Checks that the project, if it still exists, is not public.
///
/// # Errors
/// 403/21
pub(crate) async fn check_not_public(app: &App, id: &str) -> ApiResult<()> {
    let public = Filter::id(id).and(Filter::eq("company", ""));
    if app.documents.any(Collection::Project, public).await? {
        return Err(cannot_modify_public("project", &[id]));
    }
    Ok(())
}

/// Checks that the parent and project in a request exist, in any company.
///
/// # Errors
/// 400/16
pub(crate) async fn check_known(app: &App, fields: &Document) -> ApiResult<()> {
    for (field, collection, kind) in
        [("parent", Collection::Task, "Task"), ("project", Collection::Project, "Project")]
    {
        let id = match fields.get(field) {
            None | Some(Bson::Null) => continue,
            Some(id) => id,
        };
        check_exists(app, field, id, collection, kind).await?;
    }
    Ok(())
}

/// Checks that the id in a field of a request belongs to an object of any company; `kind` names it.
///
/// # Errors
/// 400/16
pub(crate) async fn check_exists(
    app: &App,
    field: &str,
    id: &Bson,
    collection: Collection,
    kind: &str,
) -> ApiResult<()> {
    let known = match id.as_str() {
        Some(id) => app.documents.any(collection, Filter::id(id)).await?,
        None => false,
    };
    if known {
        return Ok(());
    }
    Err(ApiError::new(codes::FIELDS_VALUE_ERROR)
        .extra(format!("expecting {kind} id"))
        .with("id", id.clone())
        .with("field", field))
}

fn text<'a>(fields: &'a Document, name: &str) -> Option<&'a str> {
    fields.get_str(name).ok().filter(|text| !text.is_empty())
}

fn input_models(fields: &Document) -> Vec<&str> {
    fields
        .get_document("models")
        .and_then(|models| models.get_array("input"))
        .into_iter()
        .flatten()
        .filter_map(|item| text(item.as_document()?, "model"))
        .collect()
}
