//! The steps of a pipeline: the tasks whose parent is its controller.

use bson::Document;
use clearml_documents::{Collection, Filter, Find};

use super::access::{Fields, id_of};
use crate::{
    App,
    api::{ApiResult, Call},
};

/// The caller's company's steps of a task that was read with its `type`; none unless it is a controller.
pub(super) async fn of(
    app: &App,
    call: &Call,
    task: &Document,
    fields: Fields<'_>,
) -> ApiResult<Vec<Document>> {
    if task.get_str("type").ok() != Some("controller") {
        return Ok(Vec::new());
    }
    let steps = Filter::eq("company", call.company()).and(Filter::eq("parent", id_of(task)));
    let find = Find { projection: fields.projection(), ..Find::new(steps) };
    Ok(app.documents.find(Collection::Task, find).await?)
}
