//! `projects.get_project_tags`, `get_task_tags` and `get_model_tags` (spec 03 §2.10, §3.1).

use std::{collections::BTreeSet, sync::Arc};

use bson::{Bson, Document, doc};
use clearml_documents::{Collection, Filter};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    schema::PROJECT,
    tag_cache::{self, TagField, Tagged},
};
use crate::{
    App,
    api::{ApiError, ApiResult, Call},
    query::{is_truthy, operator_filter, with_subprojects},
};

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct TagsRequest {
    #[serde(default)]
    projects: Vec<String>,
    #[serde(default)]
    include_system: bool,
    filter: Option<TagsFilter>,
}

/// Which objects the tags are of, in operator form (spec 03 §1.4).
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct TagsFilter {
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    tags: Vec<Bson>,
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    system_tags: Vec<Bson>,
}

impl TagsFilter {
    /// The filter as a document.
    ///
    /// # Errors
    /// 400/12 for values that are not text.
    pub(crate) fn document(&self) -> ApiResult<Document> {
        let mut document = Document::new();
        for (field, values) in [("tags", &self.tags), ("system_tags", &self.system_tags)] {
            if values.iter().any(|value| !matches!(value, Bson::String(_))) {
                return Err(ApiError::validation(format!(
                    "error for field '{field}': all items must be instances of \"str\".."
                )));
            }
            if !values.is_empty() {
                document.insert(field, values.clone());
            }
        }
        Ok(document)
    }
}

impl TagsRequest {
    fn filter_document(&self) -> ApiResult<Document> {
        self.filter.as_ref().map_or_else(|| Ok(Document::new()), TagsFilter::document)
    }
}

/// The tags of own projects: of these and all below, or of all.
pub(super) async fn get_project_tags(app: Arc<App>, call: Arc<Call>, request: TagsRequest) -> ApiResult {
    let mut filter = Filter::eq("company", call.company());
    if !request.projects.is_empty() {
        let projects = request.projects.iter().map(|id| Bson::from(id.as_str())).collect();
        filter = filter.and(Filter::In("_id".to_owned(), with_subprojects(&app, projects).await?));
    }
    for (field, values) in &request.filter_document()? {
        filter = filter.and(operator_filter(&PROJECT, field, values)?);
    }
    let tags = distinct(&app, "tags", filter.clone()).await?;
    let system_tags =
        if request.include_system { distinct(&app, "system_tags", filter).await? } else { Vec::new() };
    Ok(doc! { "tags": tags, "system_tags": system_tags }.into())
}

async fn distinct(app: &App, field: &str, filter: Filter) -> ApiResult<Vec<String>> {
    let values = app.documents.distinct(Collection::Project, field, filter).await?;
    let tags: BTreeSet<String> = values
        .into_iter()
        .filter(|value| is_truthy(Some(value)))
        .filter_map(|value| value.as_str().map(ToOwned::to_owned))
        .collect();
    Ok(tags.into_iter().collect())
}

/// The tags of own tasks.
pub(super) async fn get_task_tags(app: Arc<App>, call: Arc<Call>, request: TagsRequest) -> ApiResult {
    cached_tags(&app, &call, Tagged::Tasks, &request).await
}

/// The tags of own models.
pub(super) async fn get_model_tags(app: Arc<App>, call: Arc<Call>, request: TagsRequest) -> ApiResult {
    cached_tags(&app, &call, Tagged::Models, &request).await
}

async fn cached_tags(app: &App, call: &Call, tagged: Tagged, request: &TagsRequest) -> ApiResult {
    let filter = request.filter_document()?;
    let mut answer = Document::new();
    for field in TagField::BOTH {
        if field == TagField::SystemTags && !request.include_system {
            continue;
        }
        let mut tags = BTreeSet::new();
        if request.projects.is_empty() {
            tags = tag_cache::tags(app, call.company(), tagged, field, None, Some(&filter)).await?;
        }
        for project in &request.projects {
            let project = Some(project.as_str());
            tags.extend(tag_cache::tags(app, call.company(), tagged, field, project, Some(&filter)).await?);
        }
        answer.insert(field.name(), tags.into_iter().collect::<Vec<_>>());
    }
    Ok(answer.into())
}
