//! Refusals that Elasticsearch makes on behalf of the official server (spec 05 §1).

use crate::api::ApiError;

/// How many results one page may have, as Elasticsearch limits it.
const MAX_PAGE: i64 = 10_000;

/// A page size that the store accepts. Errors: 400/12.
pub(super) fn page_size(size: i64) -> Result<usize, ApiError> {
    let refusal = match size {
        0..=MAX_PAGE => return Ok(size as usize),
        ..0 => format!("[size] parameter cannot be negative, found [{size}]"),
        _ => format!(
            "Result window is too large, from + size must be less than or equal to: [{MAX_PAGE}] but was [{size}]"
        ),
    };
    Err(ApiError::validation(refusal))
}
