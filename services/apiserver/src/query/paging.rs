//! Which part of the results a request wants: pages and scrolls (spec 03 §1.10).

use std::time::Duration;

use bson::{Bson, Document};
use serde::{Deserialize, Serialize};

use super::lookup::{given, is_truthy};
use crate::{
    App,
    api::{ApiError, ApiResult, codes},
};

/// Greatest and default `page_size`.
const MAX_PAGE_SIZE: u64 = 500;
/// A scroll that nobody continues for this long starts over.
const SCROLL_TIME_TO_LIVE: Duration = Duration::from_mins(10);
/// Prefix of the shared state's keys; all replicas, also of the official server, use this literal text.
const SCROLL_KEY: &str = "<class 'apiserver.database.model.base.GetMixin.GetManyScrollState'>";

/// A slice of the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) skip: u64,
    /// `None`: all.
    pub(crate) limit: Option<u64>,
}

/// The page that a request without scroll asks for.
///
/// # Errors
/// 400/11 and 400/12 for page numbers and sizes that are no numbers or out of range.
pub(crate) fn page(request: &Document) -> ApiResult<Slice> {
    if let Some(start) = given(request.get("start")) {
        let skip = u64::try_from(integer("start", start)?)
            .map_err(|_| ApiError::validation("start must be >=0").with("field", "start"))?;
        let limit = positive_size(request)
            .ok_or_else(|| ApiError::validation("size must be >0").with("field", "size"))?;
        return Ok(Slice { skip, limit: Some(limit) });
    }
    let is_null = |key| matches!(request.get(key), Some(Bson::Null));
    if is_null("page_size") {
        if is_null("page") {
            return Ok(Slice { skip: 0, limit: None });
        }
        return Err(ApiError::new(codes::MISSING_REQUIRED_FIELDS)
            .extra("page_size is required when page is requested")
            .with("field", "page_size"));
    }
    let number = given(request.get("page")).map_or(Ok(0), |value| integer("page", value))?;
    let number =
        u64::try_from(number).map_err(|_| ApiError::validation("page must be >=0").with("field", "page"))?;
    let size = match given(request.get("page_size")) {
        None => MAX_PAGE_SIZE,
        Some(value) => u64::try_from(integer("page_size", value)?)
            .ok()
            .filter(|size| *size > 0)
            .ok_or_else(|| ApiError::validation("page_size must be >0").with("field", "page_size"))?
            .min(MAX_PAGE_SIZE),
    };
    Ok(Slice { skip: number.saturating_mul(size), limit: Some(size) })
}

fn integer(field: &str, value: &Bson) -> ApiResult<i64> {
    match value {
        Bson::Int32(number) => Ok(i64::from(*number)),
        Bson::Int64(number) => Ok(*number),
        Bson::Double(number) if number.is_finite() => Ok(*number as i64),
        Bson::Boolean(flag) => Ok(i64::from(*flag)),
        Bson::String(text) => text.trim().parse().map_err(|_| {
            ApiError::validation(format!("invalid literal for int() with base 10: '{text}' ({field})"))
        }),
        _ => Err(ApiError::validation(format!("{field} must be a number"))),
    }
}

/// `size` if it is a whole number of at least 1.
fn positive_size(request: &Document) -> Option<u64> {
    let size = match request.get("size")? {
        Bson::Int32(size) => i64::from(*size),
        Bson::Int64(size) => *size,
        _ => return None,
    };
    u64::try_from(size).ok().filter(|size| *size > 0)
}

/// A position in the results that lives between calls. The query is not part of it: clients send it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scroll {
    #[serde(rename = "_id")]
    pub(crate) id: String,
    position: u64,
}

impl Scroll {
    /// Whether a request scrolls: the key is there, even with null.
    pub(crate) fn is_requested(request: &Document) -> bool {
        request.contains_key("scroll_id")
    }

    /// Continues the request's scroll, or starts one if it is unknown or has expired; also the slice to read.
    ///
    /// # Errors
    /// 400/12 without a proper `size`.
    pub(crate) async fn open(app: &App, request: &Document) -> ApiResult<(Self, Slice)> {
        let size = positive_size(request).ok_or_else(|| {
            ApiError::validation(
                "Integer size parameter greater than 1 should be provided when working with scroll",
            )
        })?;
        let mut scroll = match request.get_str("scroll_id") {
            Ok(id) => Self::load(app, id).await?,
            Err(_) => None,
        }
        .unwrap_or_else(|| Self { id: app.new_id(), position: 0 });
        if is_truthy(request.get("refresh_scroll")) {
            let seen = std::mem::take(&mut scroll.position);
            return Ok((scroll, Slice { skip: 0, limit: Some(size.max(seen)) }));
        }
        let slice = Slice { skip: scroll.position, limit: Some(size) };
        Ok((scroll, slice))
    }

    async fn load(app: &App, id: &str) -> ApiResult<Option<Self>> {
        let stored = app.state.get(&Self::key(id)).await?;
        Ok(stored.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Moves on by the number of results that were read; returns the id for the answer.
    pub(crate) async fn advance(mut self, app: &App, read: usize) -> ApiResult<String> {
        self.position = self.position.saturating_add(read as u64);
        let text = serde_json::to_string(&self).map_err(|error| ApiError::unexpected(error.to_string()))?;
        app.state.set(&Self::key(&self.id), &text, Some(SCROLL_TIME_TO_LIVE)).await?;
        Ok(self.id)
    }

    fn key(id: &str) -> String {
        format!("{SCROLL_KEY}/{id}")
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn pages() {
        for (request, skip, limit) in [
            (doc! {}, 0, Some(500)),
            (doc! { "page": 2, "page_size": 10 }, 20, Some(10)),
            (doc! { "page_size": 10 }, 0, Some(10)),
            (doc! { "page": 3 }, 1500, Some(500)),
            (doc! { "page": 2, "page_size": 1000 }, 1000, Some(500)),
            (doc! { "page": "1", "page_size": "7" }, 7, Some(7)),
            (doc! { "page": Bson::Null, "page_size": Bson::Null }, 0, None),
            (doc! { "page": Bson::Null, "page_size": 5 }, 0, Some(5)),
            (doc! { "start": 7, "size": 1000 }, 7, Some(1000)),
            (doc! { "start": Bson::Null, "size": 3 }, 0, Some(500)),
            (doc! { "page": i64::MAX, "page_size": 500 }, u64::MAX, Some(500)),
        ] {
            assert_eq!(page(&request).unwrap(), Slice { skip, limit }, "{request}");
        }
    }

    #[test]
    fn refuses_pages_out_of_range() {
        for (request, subcode, message) in [
            (doc! { "page": -1 }, 12, "Validation error (page must be >=0): field=page"),
            (doc! { "page_size": 0 }, 12, "Validation error (page_size must be >0): field=page_size"),
            (
                doc! { "page": 1, "page_size": Bson::Null },
                11,
                "Missing required fields (page_size is required when page is requested): field=page_size",
            ),
            (
                doc! { "page": "x" },
                12,
                "Validation error (invalid literal for int() with base 10: 'x' (page))",
            ),
            (doc! { "start": 0 }, 12, "Validation error (size must be >0): field=size"),
            (doc! { "start": 0, "size": "5" }, 12, "Validation error (size must be >0): field=size"),
        ] {
            let error = page(&request).unwrap_err();
            assert_eq!((error.code.status, error.code.subcode), (400, subcode), "{request}");
            assert_eq!(error.message(), message);
        }
    }
}
