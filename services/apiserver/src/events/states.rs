//! Positions that the server keeps for viewers between their calls (spec 05 §2.4).

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    App,
    api::{ApiError, ApiResult},
};

/// A kind of state, kept under keys of its own.
pub(super) trait ViewerState: Serialize + DeserializeOwned {
    /// What its keys begin with: that of the official server, so that clients can go on from one to the other.
    const PREFIX: &'static str;

    /// The scroll id under which the client knows it.
    fn id(&self) -> &str;
}

/// The state of a scroll id; `None` if there is none, or no longer.
pub(super) async fn load<S: ViewerState>(app: &App, scroll_id: Option<&str>) -> ApiResult<Option<S>> {
    let Some(scroll_id) = scroll_id.filter(|id| !id.is_empty()) else { return Ok(None) };
    let text = app.state.get(&key::<S>(scroll_id)).await?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

/// Keeps a state for the next call, for the configured time.
pub(super) async fn save<S: ViewerState>(app: &App, state: &S) -> ApiResult<()> {
    let text = serde_json::to_string(state)
        .map_err(|error| ApiError::unexpected(format!("failed to keep a viewer's state: {error}")))?;
    app.state.set(&key::<S>(state.id()), &text, Some(app.settings.events.state_expiration)).await?;
    Ok(())
}

fn key<S: ViewerState>(id: &str) -> String {
    format!("{}/{id}", S::PREFIX)
}
