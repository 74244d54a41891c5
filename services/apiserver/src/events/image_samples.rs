//! The full-screen viewer of debug images: `get_debug_image_sample`, `next_debug_image_sample`
//! (spec 05 §10).

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_events::{Event, ImageCandidate, ImageStep, Order, Source, VariantRange};
use serde::{Deserialize, Serialize};

use super::{
    access::readable,
    requests::{ImageSampleRequest, NextSampleRequest},
    scroll,
    states::{self, ViewerState},
};
use crate::{
    App,
    api::{ApiResult, Call, Reply},
};

/// Where a viewer stands.
#[derive(Debug, Serialize, Deserialize)]
struct ImageState {
    id: String,
    task: String,
    metric: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iteration: Option<i64>,
    navigate_current_metric: bool,
    variant_states: Vec<KnownVariant>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KnownVariant {
    name: String,
    metric: String,
    min_iteration: i64,
    max_iteration: i64,
}

impl ViewerState for ImageState {
    const PREFIX: &'static str =
        "<class 'apiserver.bll.event.history_debug_image_iterator.DebugImageSampleState'>";

    fn id(&self) -> &str {
        &self.id
    }
}

impl ImageState {
    async fn learn_variants(&mut self, app: &App, source: &Source) -> ApiResult<()> {
        let metric = self.navigate_current_metric.then_some(self.metric.as_str());
        let ranges = app.events.image_ranges(source, metric).await?;
        self.variant_states = ranges.into_iter().map(KnownVariant::from).collect();
        Ok(())
    }

    fn known(&self, metric: &str, variant: &str) -> Option<&KnownVariant> {
        self.variant_states.iter().find(|known| known.metric == metric && known.name == variant)
    }

    fn answer(&self, event: Option<Event>, known: Option<&KnownVariant>) -> Reply {
        let event = event.map_or(Bson::Null, |event| Document::from(event).into());
        Reply::Data(doc! {
            "scroll_id": &self.id,
            "event": event,
            "min_iteration": known.map(|known| known.min_iteration),
            "max_iteration": known.map(|known| known.max_iteration),
        })
    }
}

impl From<VariantRange> for KnownVariant {
    fn from(range: VariantRange) -> Self {
        Self {
            name: range.variant,
            metric: range.metric,
            min_iteration: range.min_iteration,
            max_iteration: range.max_iteration,
        }
    }
}

impl KnownVariant {
    fn candidate(&self) -> ImageCandidate {
        ImageCandidate {
            metric: self.metric.clone(),
            variant: self.name.clone(),
            min_iteration: self.min_iteration,
        }
    }
}

/// `events.get_debug_image_sample`.
pub(super) async fn get_debug_image_sample(
    app: Arc<App>,
    call: Arc<Call>,
    request: ImageSampleRequest,
) -> ApiResult {
    let owner = readable(&app, &call, &request.task, request.model_events).await?;
    let mut state = viewer_state(&app, &request, &owner.source).await?;
    let candidate = state.known(&request.metric, &request.variant).map(KnownVariant::candidate);
    let event = match &candidate {
        Some(candidate) => app.events.image_sample(&owner.source, candidate, request.iteration).await?,
        None => None,
    };
    if let Some(event) = &event {
        state.metric.clone_from(&event.metric);
        state.variant = Some(event.variant.clone());
        state.iteration = event.iter;
    }
    states::save(&app, &state).await?;
    let known = state.known(&request.metric, &request.variant);
    Ok(state.answer(event, known))
}

/// The state of the request's scroll id, or a new one. Errors: 400/1104 if the state is about something else.
async fn viewer_state(app: &App, request: &ImageSampleRequest, source: &Source) -> ApiResult<ImageState> {
    let navigate_current_metric = request.navigate_current_metric.unwrap_or(true);
    let known: Option<ImageState> = states::load(app, request.scroll_id.as_deref()).await?;
    let is_new = known.is_none();
    let mut state = known.unwrap_or_else(|| ImageState {
        id: app.new_id(),
        task: request.task.clone(),
        metric: request.metric.clone(),
        variant: None,
        iteration: None,
        navigate_current_metric,
        variant_states: Vec::new(),
    });
    let matches = state.task == request.task
        && state.navigate_current_metric == navigate_current_metric
        && (!navigate_current_metric || state.metric == request.metric);
    if !matches {
        return Err(scroll::invalid(&state.id)
            .extra("Task and metric stored in the state do not match the passed ones"));
    }
    if is_new || request.refresh {
        state.learn_variants(app, source).await?;
    }
    Ok(state)
}

/// `events.next_debug_image_sample`.
pub(super) async fn next_debug_image_sample(
    app: Arc<App>,
    call: Arc<Call>,
    request: NextSampleRequest,
) -> ApiResult {
    let owner = readable(&app, &call, &request.task, request.model_events).await?;
    let state: Option<ImageState> = states::load(&app, Some(&request.scroll_id)).await?;
    let mut state = state
        .filter(|state| state.task == request.task)
        .ok_or_else(|| scroll::invalid(&request.scroll_id))?;
    let earlier = request.navigate_earlier.unwrap_or(true);
    let Some(event) = next_image(&app, &owner.source, &state, earlier, request.next_iteration).await? else {
        return Ok(state.answer(None, None));
    };
    state.metric.clone_from(&event.metric);
    state.variant = Some(event.variant.clone());
    state.iteration = event.iter;
    states::save(&app, &state).await?;
    let known = state.known(&event.metric, &event.variant);
    Ok(state.answer(Some(event), known))
}

async fn next_image(
    app: &App,
    source: &Source,
    state: &ImageState,
    earlier: bool,
    next_iteration: bool,
) -> ApiResult<Option<Event>> {
    let (Some(iteration), Some(variant)) = (state.iteration, &state.variant) else { return Ok(None) };
    let current = (state.metric.as_str(), variant.as_str());
    let reachable = || {
        state
            .variant_states
            .iter()
            .filter(|known| !state.navigate_current_metric || known.metric == state.metric)
    };

    if !next_iteration {
        let beside: Vec<ImageCandidate> = reachable()
            .filter(|known| known.min_iteration <= iteration)
            .filter(|known| {
                let place = (known.metric.as_str(), known.name.as_str());
                if earlier { place < current } else { place > current }
            })
            .map(KnownVariant::candidate)
            .collect();
        let order = if earlier { Order::Descending } else { Order::Ascending };
        let step = ImageStep::SameIteration(iteration, order);
        if !beside.is_empty()
            && let Some(event) = app.events.next_image_sample(source, &beside, step).await?
        {
            return Ok(Some(event));
        }
    }
    let step = if earlier { ImageStep::Before(iteration) } else { ImageStep::After(iteration) };
    let others: Vec<ImageCandidate> = reachable()
        .filter(|known| !earlier || known.min_iteration < iteration)
        .map(KnownVariant::candidate)
        .collect();
    if others.is_empty() {
        return Ok(None);
    }
    Ok(app.events.next_image_sample(source, &others, step).await?)
}
