//! Signs of life and facts from a running task: `ping` and `set_requirements` (spec 02 §3.8, §5.6).

use std::sync::Arc;

use bson::{Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    access::{self, Fields},
    requests::ByTask,
    touch,
};
use crate::{
    App,
    api::{ApiResult, Call, Object},
};

/// Request of `tasks.set_requirements`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct SetRequirements {
    task: String,
    requirements: Object,
}

/// `tasks.ping`: no error for a task that is not there or is public.
pub(crate) async fn ping(app: Arc<App>, call: Arc<Call>, request: ByTask) -> ApiResult {
    let own = Filter::id(request.task).and(Filter::eq("company", call.company()));
    let find = Find::new(own.clone()).include(["status", "started"]);
    if let Some(task) = app.documents.find_one(Collection::Task, find).await? {
        let now = app.now();
        let mut update = touch::last_update(now, call.user());
        update.extend(touch::active_duration(now, &task));
        app.documents.update_one(Collection::Task, own, update).await?;
    }
    Ok(Document::new().into())
}

/// `tasks.set_requirements`
pub(crate) async fn set_requirements(app: Arc<App>, call: Arc<Call>, request: SetRequirements) -> ApiResult {
    access::writable_task(&app, &call, &request.task, Fields::Only(&[])).await?;
    let mut update = vec![Change::set("script.requirements", request.requirements.0)];
    update.extend(touch::last_update(app.now(), call.user()));
    let outcome = app.documents.update_one(Collection::Task, Filter::id(request.task), update).await?;
    Ok(doc! {"updated": outcome.matched as i64, "fields": {}}.into())
}
