//! Finding the report that a call names.

use bson::Document;

use crate::{
    App,
    api::{ApiError, ApiResult, Call, codes},
    tasks::access::{self, Fields},
};

/// The type of tasks that are reports.
pub(super) const REPORT: &str = "report";

/// The report for writing.
///
/// # Errors
/// 400/101 no such task, 403/21 a public one, 400/150 no report.
pub(super) async fn writable_report(app: &App, call: &Call, id: &str) -> ApiResult<Document> {
    let report = access::writable_task(app, call, id, Fields::Only(&["type"])).await?;
    if report.get_str("type").ok() != Some(REPORT) {
        return Err(ApiError::new(codes::OPERATION_SUPPORTED_ON_REPORTS_ONLY).with("id", id));
    }
    Ok(report)
}
