//! `organization.get_entities_count` (spec 03 §3.3, 09 §4.1).

use std::sync::Arc;

use bson::{Bson, Document};
use clearml_documents::Filter;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    App,
    api::{ApiError, ApiResult, Call, Object},
    models::schema::MODEL,
    projects::{self, schema::PROJECT},
    query::{Entity, Query, Visibility, is_truthy, not_hidden},
    tasks::schema::TASK,
};

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct CountsRequest {
    projects: Option<Object>,
    tasks: Option<Object>,
    models: Option<Object>,
    pipelines: Option<Object>,
    pipeline_runs: Option<Object>,
    datasets: Option<Object>,
    dataset_versions: Option<Object>,
    reports: Option<Object>,
    #[serde(default)]
    search_hidden: bool,
    #[serde(default)]
    active_users: Vec<String>,
    allow_public: Option<bool>,
    /// Counting ends here; 0: never.
    limit: Option<i64>,
}

/// What is counted under one name.
struct Criterion {
    name: &'static str,
    entity: &'static Entity,
    query: Document,
    restriction: Filter,
    /// Hidden ones do not count, unless the request says `search_hidden`.
    hides: bool,
}

impl Criterion {
    fn new(name: &'static str, entity: &'static Entity, Object(query): Object) -> Self {
        Self { name, entity, query, restriction: Filter::Everything, hides: false }
    }

    fn hiding(self) -> Self {
        Self { hides: true, ..self }
    }

    /// Only tasks of this type, whatever the query says of types.
    fn of_type(mut self, task_type: &str) -> Self {
        self.query.remove("type");
        if let Ok(filters) = self.query.get_document_mut("filters") {
            filters.remove("type");
        }
        self.restriction = Filter::eq("type", task_type);
        self
    }
}

impl CountsRequest {
    fn criteria(&mut self) -> Vec<Criterion> {
        let given = [
            self.projects.take().map(|query| Criterion::new("projects", &PROJECT, query).hiding()),
            self.tasks.take().map(|query| Criterion::new("tasks", &TASK, query).hiding()),
            self.models.take().map(|query| Criterion::new("models", &MODEL, query)),
            self.pipelines.take().map(|query| Criterion::new("pipelines", &PROJECT, query)),
            self.pipeline_runs
                .take()
                .map(|query| Criterion::new("pipeline_runs", &TASK, query).of_type("controller")),
            self.datasets.take().map(|query| Criterion::new("datasets", &PROJECT, query)),
            self.dataset_versions
                .take()
                .map(|query| Criterion::new("dataset_versions", &TASK, query).of_type("data_processing")),
            self.reports.take().map(|query| Criterion::new("reports", &TASK, query).of_type("report")),
        ];
        given.into_iter().flatten().collect()
    }
}

/// Numbers of objects of several kinds. A criterion that is wrong is told of in `errors` and does not count;
/// the others do.
pub(super) async fn get_entities_count(
    app: Arc<App>,
    call: Arc<Call>,
    mut request: CountsRequest,
) -> ApiResult {
    let criteria = request.criteria();
    let at_once = app.settings.organization.max_entities_count_concurrency.max(1);
    let (app, call, request) = (&*app, &*call, &request);
    let counts: Vec<(&str, ApiResult<u64>)> = stream::iter(criteria)
        .map(|criterion| async move {
            let name = criterion.name;
            match count(app, call, request, criterion).await {
                // A store that fails is no fault of the criterion.
                Err(error) if error.code.status >= 500 => Err(error),
                counted => Ok::<_, ApiError>((name, counted)),
            }
        })
        .buffered(at_once)
        .try_collect()
        .await?;

    let (mut answer, mut errors) = (Document::new(), Document::new());
    for (name, counted) in counts {
        match counted {
            Ok(count) => answer.insert(name, count as i64),
            Err(error) => errors.insert(name, error.message()),
        };
    }
    if !errors.is_empty() {
        answer.insert("errors", errors);
    }
    Ok(answer.into())
}

async fn count(app: &App, call: &Call, request: &CountsRequest, criterion: Criterion) -> ApiResult<u64> {
    let visibility = Visibility::own_and_public(call).allow_public(request.allow_public.unwrap_or(true));
    let mut query = criterion.query;
    if !request.active_users.is_empty() {
        let users: Vec<Bson> = request.active_users.iter().map(|user| user.as_str().into()).collect();
        if criterion.entity.name == PROJECT.name {
            let ids = projects::of_active_users(app, query.get("id").cloned(), users, &visibility).await?;
            if ids.is_empty() {
                return Ok(0);
            }
            query.insert("id", ids);
        } else if !is_truthy(query.get("user")) {
            query.insert("user", users);
        }
    }
    let mut query =
        Query::plain(app, call, criterion.entity, query).visible(visibility).restrict(criterion.restriction);
    if criterion.hides && !request.search_hidden {
        query = query.restrict(not_hidden());
    }
    query.count(request.limit.and_then(|limit| u64::try_from(limit).ok()).filter(|limit| *limit > 0)).await
}
