//! Whether a company lets usage statistics be reported.

use std::sync::Arc;

use bson::{Bson, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    App,
    api::{ApiError, ApiResult, Call, codes, json::naive_iso_date},
};

/// `server.report_stats_option`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ReportStatsOptionRequest {
    enabled: Option<bool>,
}

/// `server.report_stats_option`: tells the choice, and makes one if asked to.
pub(super) async fn report_stats_option(
    app: Arc<App>,
    call: Arc<Call>,
    request: ReportStatsOptionRequest,
) -> ApiResult {
    if !app.settings.server.statistics_supported {
        return Ok(doc! {"supported": false}.into());
    }
    let option = match request.enabled {
        Some(enabled) => choose(&app, &call, enabled).await?,
        None => stored(&app, &call).await?,
    };
    let mut answer = doc! {"supported": true, "enabled": option.get_bool("enabled").unwrap_or(false)};
    for key in ["enabled_time", "enabled_version", "enabled_user"] {
        match option.get(key) {
            None | Some(Bson::Null) => {}
            Some(Bson::DateTime(time)) => {
                answer.insert(key, naive_iso_date(*time));
            }
            Some(value) => {
                answer.insert(key, value.clone());
            }
        }
    }
    answer.insert("current_version", &app.settings.server.version);
    Ok(answer.into())
}

async fn choose(app: &App, call: &Call, enabled: bool) -> Result<Document, ApiError> {
    let option = doc! {
        "enabled": enabled,
        "enabled_time": app.now(),
        "enabled_version": &app.settings.server.version,
        "enabled_user": call.user(),
    };
    let change = vec![Change::set("defaults.stats_option", option.clone())];
    let outcome = app.documents.update_one(Collection::Company, Filter::id(call.company()), change).await?;
    if outcome.matched == 0 {
        return Err(unknown_company(call));
    }
    Ok(option)
}

async fn stored(app: &App, call: &Call) -> Result<Document, ApiError> {
    let find = Find::new(Filter::id(call.company())).include(["defaults.stats_option"]);
    let company =
        app.documents.find_one(Collection::Company, find).await?.ok_or_else(|| unknown_company(call))?;
    let option = company.get_document("defaults").and_then(|defaults| defaults.get_document("stats_option"));
    Ok(option.cloned().unwrap_or_default())
}

fn unknown_company(call: &Call) -> ApiError {
    ApiError::new(codes::INVALID_ID).with("company", call.company())
}
