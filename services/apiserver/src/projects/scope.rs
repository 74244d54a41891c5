//! Which entities an aggregation looks at (spec 03 §2.10): visible ones, in some projects.

use bson::Bson;
use clearml_documents::Filter;

use crate::{
    App,
    api::{ApiResult, Call},
    query::{Visibility, with_subprojects},
};

/// A page of an aggregation's values.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageRequest {
    page: Option<i64>,
    page_size: Option<i64>,
}

impl PageRequest {
    const DEFAULT_SIZE: i64 = 500;

    pub(super) const fn new(page: Option<i64>, page_size: Option<i64>) -> Self {
        Self { page, page_size }
    }

    pub(super) fn number(self) -> usize {
        self.page.unwrap_or_default().max(0) as usize
    }

    pub(super) fn size(self) -> usize {
        self.page_size.unwrap_or(Self::DEFAULT_SIZE).max(1) as usize
    }

    /// The items of this page.
    pub(super) fn of<T>(self, items: impl IntoIterator<Item = T>) -> Vec<T> {
        items.into_iter().skip(self.number().saturating_mul(self.size())).take(self.size()).collect()
    }
}

/// The condition "in these projects"; with subprojects, also below them. Without any project there is no
/// restriction. A null is "in no project".
pub(super) async fn in_projects(
    app: &App,
    projects: Vec<Option<String>>,
    include_subprojects: bool,
) -> ApiResult<Filter> {
    if projects.is_empty() {
        return Ok(Filter::Everything);
    }
    let projects: Vec<Bson> =
        projects.into_iter().map(|project| project.map_or(Bson::Null, Bson::String)).collect();
    let with_root = projects.contains(&Bson::Null);
    let mut ids: Vec<Bson> = projects.into_iter().filter(|project| *project != Bson::Null).collect();
    if include_subprojects {
        ids = with_subprojects(app, ids).await?;
    }
    let root = || Filter::empty("project");
    Ok(match (ids.is_empty(), with_root) {
        (true, _) => root(),
        (false, true) => Filter::In("project".to_owned(), ids).or(root()),
        (false, false) => Filter::In("project".to_owned(), ids),
    })
}

/// As [`in_projects`] of one project; without subprojects, no project means entities that are in none.
pub(super) async fn in_project(
    app: &App,
    project: Option<String>,
    include_subprojects: bool,
) -> ApiResult<Filter> {
    let project = project.filter(|project| !project.is_empty());
    if project.is_none() && include_subprojects {
        return Ok(Filter::Everything);
    }
    in_projects(app, vec![project], include_subprojects).await
}

/// Own and public entities.
pub(super) fn visible(call: &Call) -> Filter {
    Visibility::own_and_public(call).filter()
}
