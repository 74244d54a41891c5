//! Values in use: of a hyperparameter, of a metadata key (spec 03 §2.10). Cached, as clients ask for them
//! with every filter menu that opens.

use std::{sync::Arc, time::Duration};

use bson::{Bson, DateTime, doc};
use clearml_documents::{Accumulator, Collection, Filter, GroupBy, compare_collated};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scope::{PageRequest, in_projects};
use crate::{
    App,
    api::{ApiError, ApiResult, Call, Reply},
    query::{Visibility, escape_key},
};

const TIME_TO_LIVE: Duration = Duration::from_hours(24);

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct HyperparamValuesRequest {
    #[serde(default)]
    projects: Vec<Option<String>>,
    section: String,
    name: String,
    allow_public: Option<bool>,
    include_subprojects: Option<bool>,
    pattern: Option<String>,
    page: Option<i64>,
    page_size: Option<i64>,
}

/// Distinct values of a hyperparameter.
pub(super) async fn get_hyperparam_values(
    app: Arc<App>,
    call: Arc<Call>,
    request: HyperparamValuesRequest,
) -> ApiResult {
    let allow_public = request.allow_public.unwrap_or(true);
    let page = PageRequest::new(request.page, request.page_size);
    let key = [
        "hyperparam_values".to_owned(),
        call.company().to_owned(),
        joined(&request.projects),
        request.section.clone(),
        request.name.clone(),
        python_bool(allow_public).to_owned(),
        request.pattern.clone().unwrap_or_else(|| "None".to_owned()),
        page.number().to_string(),
        page.size().to_string(),
    ];
    let path = format!("hyperparams.{}.{}", escape_key(&request.section)?, escape_key(&request.name)?);
    let question = Question {
        collection: Collection::Task,
        path,
        scope: Visibility::own_and_public(&call)
            .allow_public(allow_public)
            .filter()
            .and(in_projects(&app, request.projects, request.include_subprojects.unwrap_or(true)).await?),
        pattern: request.pattern.filter(|pattern| !pattern.is_empty()),
        page,
        cache_key: key.join("_"),
        outdated_after_seconds: 60.0,
    };
    question.answer(&app).await
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct MetadataValuesRequest {
    #[serde(default)]
    projects: Vec<Option<String>>,
    key: String,
    allow_public: Option<bool>,
    include_subprojects: Option<bool>,
    page: Option<i64>,
    page_size: Option<i64>,
}

/// Distinct values of a metadata key of models.
pub(super) async fn get_model_metadata_values(
    app: Arc<App>,
    call: Arc<Call>,
    request: MetadataValuesRequest,
) -> ApiResult {
    let allow_public = request.allow_public.unwrap_or(true);
    let page = PageRequest::new(request.page, request.page_size);
    let key = [
        "modelmetadata_values".to_owned(),
        call.company().to_owned(),
        joined(&request.projects),
        request.key.clone(),
        python_bool(allow_public).to_owned(),
        page.number().to_string(),
        page.size().to_string(),
    ];
    let question = Question {
        collection: Collection::Model,
        path: format!("metadata.{}", escape_key(&request.key)?),
        scope: Visibility::own_and_public(&call)
            .allow_public(allow_public)
            .filter()
            .and(in_projects(&app, request.projects, request.include_subprojects.unwrap_or(true)).await?),
        pattern: None,
        page,
        cache_key: key.join("_"),
        outdated_after_seconds: 0.0,
    };
    question.answer(&app).await
}

fn joined(projects: &[Option<String>]) -> String {
    projects.iter().map(|project| project.as_deref().unwrap_or("None")).collect::<Vec<_>>().join("_")
}

const fn python_bool(flag: bool) -> &'static str {
    if flag { "True" } else { "False" }
}

/// Which values are asked for.
struct Question {
    collection: Collection,
    /// Of the sub-document that has the `value`.
    path: String,
    scope: Filter,
    pattern: Option<String>,
    page: PageRequest,
    cache_key: String,
    /// How much newer than the cached values the entities may be.
    outdated_after_seconds: f64,
}

/// Values in the shared state.
#[derive(Debug, Serialize, Deserialize)]
struct Cached {
    /// Seconds since 1970.
    last_update: f64,
    total: i64,
    values: Vec<String>,
}

impl Cached {
    fn reply(self) -> Reply {
        Reply::Data(doc! { "total": self.total, "values": self.values })
    }
}

impl Question {
    async fn answer(self, app: &App) -> ApiResult {
        let having = self.scope.clone().and(Filter::exists(self.path.as_str()));
        let Some(newest) = newest_update(app, self.collection, having.clone()).await? else {
            return Ok(doc! { "total": 0_i64, "values": [] }.into());
        };
        let newest = newest.timestamp_millis() as f64 / 1000.0;
        let cached = app.state.get(&self.cache_key).await?;
        if let Some(cached) = cached.and_then(|text| serde_json::from_str::<Cached>(&text).ok())
            && newest - cached.last_update <= self.outdated_after_seconds
        {
            return Ok(cached.reply());
        }

        let value_path = format!("{}.value", self.path);
        let filter = match &self.pattern {
            Some(pattern) => having.and(Filter::Regex {
                path: value_path.clone(),
                pattern: pattern.clone(),
                case_insensitive: true,
            }),
            None => having,
        };
        let distinct = app.documents.distinct(self.collection, &value_path, filter).await?;
        let mut values: Vec<String> = distinct
            .into_iter()
            .map(|value| match value {
                Bson::String(text) => text,
                other => other.to_string(),
            })
            .collect();
        values.sort_by(|left, right| compare_collated(left, right));
        let values = self.page.of(values);
        let answered = Cached { last_update: newest, total: values.len() as i64, values };
        let text =
            serde_json::to_string(&answered).map_err(|error| ApiError::unexpected(error.to_string()))?;
        app.state.set(&self.cache_key, &text, Some(TIME_TO_LIVE)).await?;
        Ok(answered.reply())
    }
}

/// The greatest `last_update` of these entities; `None` if there are none.
async fn newest_update(app: &App, collection: Collection, filter: Filter) -> ApiResult<Option<DateTime>> {
    let group = GroupBy {
        filter,
        keys: Vec::new(),
        values: vec![
            ("count".to_owned(), Accumulator::Count),
            ("newest".to_owned(), Accumulator::Max("last_update".to_owned())),
        ],
    };
    let rows = app.documents.group(collection, group).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let is_empty = matches!(row.get("count"), Some(Bson::Int32(0) | Bson::Int64(0)));
    Ok((!is_empty).then(|| row.get_datetime("newest").copied().unwrap_or(DateTime::from_millis(0))))
}
