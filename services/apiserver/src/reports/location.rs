//! Where reports are kept: a hidden project `.reports` below the one that they belong to.

use bson::{Bson, Document};
use clearml_documents::{Collection, DocumentStoreExt, Filter, Find};

use crate::{
    App,
    api::{ApiResult, Call},
    projects,
    query::Visibility,
};

/// The last part of the projects' names.
const BASENAME: &str = ".reports";
const SYSTEM_TAGS: [&str; 2] = ["hidden", "reports"];
const DESCRIPTION: &str = "Reports project";

/// The id of the project for the reports of a project of this full name (empty: of none), made if it is
/// missing.
pub(super) async fn ensure(app: &App, call: &Call, project_name: &str) -> ApiResult<String> {
    let name = if project_name.rsplit('/').next() == Some(BASENAME) {
        project_name.to_owned()
    } else {
        format!("{project_name}/{BASENAME}")
    };
    projects::ensure_special(app, call, &name, &SYSTEM_TAGS, DESCRIPTION).await
}

/// Deletes a project that was made for reports and holds nothing any more.
pub(super) async fn delete_if_empty(app: &App, project: Option<&str>) -> ApiResult<()> {
    let Some(project) = project.filter(|project| !project.is_empty()) else { return Ok(()) };
    if !app.documents.any(Collection::Task, Filter::eq("project", project)).await? {
        let reports = Filter::id(project).and(Filter::eq("basename", BASENAME));
        app.documents.delete(Collection::Project, reports).await?;
    }
    Ok(())
}

/// Ids of the projects for the reports of these projects; null stands for reports of none.
pub(super) async fn below(app: &App, visibility: &Visibility, projects: Vec<Bson>) -> ApiResult<Vec<Bson>> {
    let with_root = projects.contains(&Bson::Null);
    let ids: Vec<Bson> = projects.into_iter().filter(|project| *project != Bson::Null).collect();
    let mut place = Filter::In("_id".to_owned(), ids.clone()).or(Filter::In("parent".to_owned(), ids));
    if with_root {
        place = place.or(Filter::empty("parent"));
    }
    let find =
        Find::new(Filter::eq("basename", BASENAME).and(place).and(visibility.filter())).include(["_id"]);
    let found: Vec<Document> = app.documents.find(Collection::Project, find).await?;
    Ok(found.into_iter().filter_map(|mut project| project.remove("_id")).collect())
}
