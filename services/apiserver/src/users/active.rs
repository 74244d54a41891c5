//! Users who own something in given projects.

use std::{collections::BTreeSet, sync::Arc};

use bson::{Bson, Document};
use clearml_documents::{Collection, Filter};

use super::{profile::users, requests::ActiveInRequest, schema::USER};
use crate::{
    App,
    api::{ApiResult, Call, from_document},
    query::{Page, Query, with_subprojects},
};

/// `users.get_all_ex` from 2.8 on: with `active_in_projects`.
pub(super) async fn get_all_ex(app: Arc<App>, call: Arc<Call>, request: Document) -> ApiResult {
    let ActiveInRequest { active_in_projects } = from_document(&request)?;
    let query = Query::joined(&app, &call, &USER, request);
    let Some(projects) = active_in_projects else {
        return Ok(users(query.fetch().await?));
    };
    let active = active_users(&app, &call, projects).await?;
    if active.is_empty() {
        return Ok(users(Page { items: Vec::new(), scroll_id: None }));
    }
    Ok(users(query.restrict(Filter::ids(active)).fetch().await?))
}

/// Owners of the company's projects, tasks and models in these projects and below; no projects: in all.
async fn active_users(app: &App, call: &Call, projects: Vec<String>) -> ApiResult<BTreeSet<String>> {
    let projects = with_subprojects(app, projects.into_iter().map(Bson::String).collect()).await?;
    let own = Filter::eq("company", call.company());
    let in_projects = |path: &str| {
        if projects.is_empty() { own.clone() } else { own.clone().and(Filter::is_in(path, projects.clone())) }
    };
    let (owners, workers, modelers) = tokio::try_join!(
        app.documents.distinct(Collection::Project, "user", in_projects("_id")),
        app.documents.distinct(Collection::Task, "user", in_projects("project")),
        app.documents.distinct(Collection::Model, "user", in_projects("project")),
    )?;
    let all = owners.into_iter().chain(workers).chain(modelers);
    Ok(all.filter_map(|user| user.as_str().map(str::to_owned)).collect())
}
