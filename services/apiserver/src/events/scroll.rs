//! Where a client goes on reading: signed scroll ids, and scrolls that the server remembers (spec 05 §4.6, §6).

use clearml_events::{Event, ScrollQuery};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    App, EventSettings,
    api::{ApiError, ApiResult, Call, codes},
};

/// The scroll id after the last page: reading on gives nothing.
pub(super) const EXHAUSTED: &str = "FFFF";

/// Totals are counted up to here.
pub(super) const MAX_TOTAL: u64 = 10_000;

/// What a signed scroll id holds.
#[derive(Debug, Serialize, Deserialize)]
struct Signed<T> {
    /// The endpoint family that made it: ids of others are refused.
    kind: String,
    body: T,
}

/// Makes a scroll id of what the next call needs to know.
pub(super) fn sign<T: Serialize>(settings: &EventSettings, kind: &str, body: T) -> ApiResult<String> {
    let signed = Signed { kind: kind.to_owned(), body };
    let key = EncodingKey::from_secret(settings.scroll_id_key.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &signed, &key)
        .map_err(|error| ApiError::unexpected(format!("failed to sign a scroll id: {error}")))
}

/// Reads a scroll id of [`sign`]. Errors: 400/1104.
pub(super) fn verify<T: DeserializeOwned>(
    settings: &EventSettings,
    kind: &str,
    scroll_id: &str,
) -> ApiResult<T> {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_exp = false;
    validation.required_spec_claims.clear();
    let key = DecodingKey::from_secret(settings.scroll_id_key.as_bytes());
    match jsonwebtoken::decode::<Signed<T>>(scroll_id, &key, &validation) {
        Ok(token) if token.claims.kind == kind => Ok(token.claims.body),
        _ => Err(invalid(scroll_id)),
    }
}

/// 400/1104 for a scroll id.
pub(super) fn invalid(scroll_id: &str) -> ApiError {
    ApiError::new(codes::INVALID_SCROLL_ID).with("scroll_id", scroll_id)
}

/// A page of a remembered scroll.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) events: Vec<Event>,
    /// Number of events of all pages, up to [`MAX_TOTAL`].
    pub(super) total: i64,
    pub(super) scroll_id: Option<String>,
}

/// The kind of signed ids of remembered scrolls.
const KIND: &str = "scroll";

/// Where a remembered scroll stands.
#[derive(Debug, Serialize, Deserialize)]
struct Position {
    id: String,
    after: String,
}

/// What the server remembers of a scroll.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    /// The caller's company: others have no use of a scroll id.
    company: String,
    query: ScrollQuery,
    total: u64,
}

impl Page {
    /// The page after the last one.
    pub(super) fn exhausted(scroll_id: Option<&str>) -> Self {
        Self { events: Vec::new(), total: 0, scroll_id: scroll_id.map(str::to_owned) }
    }
}

/// The first page of a scroll. With `no_scroll` there will be no other.
pub(super) async fn first_page(
    app: &App,
    call: &Call,
    query: ScrollQuery,
    no_scroll: bool,
) -> ApiResult<Page> {
    let page = app.events.scroll(&query, None).await?;
    let total = app.events.count(&query.selection, Some(MAX_TOTAL)).await?.min(MAX_TOTAL);
    let scroll_id = match page.next {
        _ if no_scroll => None,
        None => Some(EXHAUSTED.to_owned()),
        Some(after) => {
            let id = app.new_id();
            let remembered = Remembered { company: call.company().to_owned(), query, total };
            let text = serde_json::to_string(&remembered)
                .map_err(|error| ApiError::unexpected(format!("failed to keep a scroll: {error}")))?;
            app.state.set(&state_key(&id), &text, Some(app.settings.events.state_expiration)).await?;
            Some(sign(&app.settings.events, KIND, Position { id, after })?)
        }
    };
    Ok(Page { events: page.events, total: total as i64, scroll_id })
}

/// The page behind a scroll id; everything else that the call says is ignored. Errors: 400/1104.
pub(super) async fn next_page(app: &App, call: &Call, scroll_id: &str) -> ApiResult<Page> {
    if scroll_id == EXHAUSTED {
        return Ok(Page::exhausted(None));
    }
    let position: Position = verify(&app.settings.events, KIND, scroll_id)?;
    let key = state_key(&position.id);
    let remembered: Remembered = app
        .state
        .get(&key)
        .await?
        .and_then(|text| serde_json::from_str(&text).ok())
        .filter(|remembered: &Remembered| remembered.company == call.company())
        .ok_or_else(|| invalid(scroll_id))?;
    let page = app.events.scroll(&remembered.query, Some(&position.after)).await?;
    let scroll_id = match page.next {
        None => {
            app.state.delete(&[key]).await?;
            EXHAUSTED.to_owned()
        }
        Some(after) => {
            app.state.expire(&key, app.settings.events.state_expiration).await?;
            sign(&app.settings.events, KIND, Position { id: position.id, after })?
        }
    };
    Ok(Page { events: page.events, total: remembered.total as i64, scroll_id: Some(scroll_id) })
}

/// Forgets a scroll; what is no scroll id is ignored.
pub(super) async fn clear(app: &App, scroll_id: &str) -> ApiResult<()> {
    if let Ok(position) = verify::<Position>(&app.settings.events, KIND, scroll_id) {
        app.state.delete(&[state_key(&position.id)]).await?;
    }
    Ok(())
}

fn state_key(id: &str) -> String {
    format!("events/scroll/{id}")
}
