//! What the charts in a report show: `get_task_data` (spec 03 §3.6).

use std::sync::Arc;

use bson::{Bson, Document};
use serde::Deserialize;

use crate::{
    App,
    api::{ApiError, ApiResult, Call, Reply, from_document, json},
    events::report_data::{HistogramPart, ImagesPart, PlotsPart, SingleValuesPart, Subjects},
    models::{self, schema::MODEL},
    query::{Page, Query},
    tasks::{conversion, schema::TASK},
};

/// What is asked of the tasks beside themselves.
#[derive(Debug, Deserialize)]
struct Parts {
    debug_images: Option<ImagesPart>,
    plots: Option<PlotsPart>,
    scalar_metrics_iter_histogram: Option<HistogramPart>,
    single_value_metrics: Option<SingleValuesPart>,
    #[serde(default)]
    model_events: bool,
}

/// `reports.get_task_data`
pub(super) async fn get_task_data(app: Arc<App>, call: Arc<Call>, request: Document) -> ApiResult {
    let parts: Parts = from_document(&request)?;
    let page = tasks(&app, &call, request, parts.model_events).await?;
    let id = |task: &Document| task.get_str("id").ok().map(str::to_owned);
    let subjects =
        Subjects { ids: page.items.iter().filter_map(id).collect(), are_models: parts.model_events };

    let mut answer = Answer::new(page)?;
    if let Some(part) = parts.debug_images {
        answer.add("debug_images", part.fetch(&app, &call, &subjects).await?)?;
    }
    if let Some(part) = parts.plots {
        answer.add("plots", part.fetch(&app, &call, &subjects).await?)?;
    }
    if let Some(part) = parts.scalar_metrics_iter_histogram {
        answer.add_json("scalar_metrics_iter_histogram", &part.fetch(&app, &call, &subjects).await?);
    }
    if let Some(part) = parts.single_value_metrics {
        answer.add("single_value_metrics", part.fetch(&app, &call, &subjects).await?)?;
    }
    Ok(answer.finish())
}

/// The tasks, or models, as `get_all_ex` answers them.
async fn tasks(app: &App, call: &Call, request: Document, are_models: bool) -> ApiResult<Page> {
    let entity = if are_models { &MODEL } else { &TASK };
    let mut query = Query::joined(app, call, entity, request).prepare()?;
    if !are_models {
        query = query.hide_hidden();
    }
    let mut page = query.expand_subprojects().await?.fetch().await?;
    for item in &mut page.items {
        if are_models {
            models::convert(item, call);
        } else {
            conversion::outgoing(item, call.version);
        }
    }
    Ok(page)
}

/// An answer of which some parts are JSON already.
struct Answer(Vec<u8>);

impl Answer {
    fn new(page: Page) -> ApiResult<Self> {
        let mut answer = Self(b"{".to_vec());
        answer.add("tasks", page.items.into_iter().map(Bson::from).collect::<Vec<_>>())?;
        if let Some(scroll_id) = page.scroll_id {
            answer.add("scroll_id", scroll_id)?;
        }
        Ok(answer)
    }

    fn add(&mut self, name: &str, value: impl Into<Bson>) -> ApiResult<()> {
        self.begin(name);
        json::write_value(&mut self.0, &value.into())
            .map_err(|error| ApiError::unexpected(format!("Error serializing response data: {error}")))
    }

    fn add_json(&mut self, name: &str, value: &[u8]) {
        self.begin(name);
        self.0.extend_from_slice(value);
    }

    fn begin(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        json::write_text(&mut self.0, name);
        self.0.push(b':');
    }

    fn finish(mut self) -> Reply {
        self.0.push(b'}');
        Reply::Json(self.0)
    }
}
