//! Listing reports: `get_all_ex`, `get_tags` (spec 03 §3.6).

use std::{collections::BTreeSet, sync::Arc};

use bson::{Bson, Document, doc};
use clearml_documents::{Collection, Filter};

use super::{access::REPORT, location};
use crate::{
    App,
    api::{ApiResult, Call},
    query::{Query, Visibility, as_list, is_truthy, with_subprojects},
    tasks::{conversion, schema::TASK},
};

/// `reports.get_all_ex`
pub(super) async fn get_all_ex(app: Arc<App>, call: Arc<Call>, mut request: Document) -> ApiResult {
    request.remove("type");
    if let Ok(filters) = request.get_document_mut("filters") {
        filters.remove("type");
    }
    let public = request.get("allow_public").is_none_or(|value| is_truthy(Some(value)));
    if let Some(project) = request.get("project").filter(|project| is_truthy(Some(project))) {
        let mut wanted = as_list(project);
        if is_truthy(request.get("include_subprojects")) {
            wanted = with_subprojects(&app, wanted).await?;
        }
        let visibility = Visibility::own_and_public(&call).allow_public(public);
        let projects = location::below(&app, &visibility, wanted).await?;
        if projects.is_empty() {
            return Ok(doc! {"tasks": []}.into());
        }
        request.insert("project", projects);
    }
    let reports = Filter::eq("type", REPORT);
    let mut page = Query::joined(&app, &call, &TASK, request).restrict(reports).fetch().await?;
    for report in &mut page.items {
        conversion::outgoing(report, call.version);
    }
    Ok(page.reply("tasks"))
}

/// `reports.get_tags`: the tags of the company's own reports.
pub(super) async fn get_tags(app: Arc<App>, call: Arc<Call>, _request: Document) -> ApiResult {
    let own = Filter::eq("company", call.company()).and(Filter::eq("type", REPORT));
    let tags = app.documents.distinct(Collection::Task, "tags", own).await?;
    let tags: BTreeSet<&str> = tags.iter().filter_map(Bson::as_str).filter(|tag| !tag.is_empty()).collect();
    Ok(doc! {"tags": tags.into_iter().collect::<Vec<_>>()}.into())
}
