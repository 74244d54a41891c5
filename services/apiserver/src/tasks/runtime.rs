//! `tasks.edit_runtime`: single keys of a task's runtime properties (spec 09 §2).

use std::sync::Arc;

use bson::doc;
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Update};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    access::{self, Fields},
    touch,
};
use crate::{
    App,
    api::{ApiResult, Call, Object},
    query::escape_key,
};

/// Request of `tasks.edit_runtime`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct EditRuntime {
    task: String,
    #[serde(default)]
    add_or_update: Object,
    #[serde(default)]
    remove: Vec<String>,
}

/// `tasks.edit_runtime`
pub(crate) async fn edit(app: Arc<App>, call: Arc<Call>, request: EditRuntime) -> ApiResult {
    access::editable_task(&app, &call, &request.task, true, Fields::Only(&[])).await?;
    let mut update = Update::new();
    // Keys are escaped here but never unescaped on reading: clients of this call know that.
    for (key, value) in request.add_or_update.0 {
        update.push(Change::Set(format!("runtime.{}", escape_key(&key)?), value));
    }
    for key in &request.remove {
        update.push(Change::Unset(format!("runtime.{}", escape_key(key)?)));
    }
    if update.is_empty() {
        return Ok(doc! {"updated": 0}.into());
    }
    update.extend(touch::last_update(app.now(), call.user()));
    let outcome = app.documents.update_one(Collection::Task, Filter::id(request.task), update).await?;
    Ok(doc! {"updated": outcome.matched as i64}.into())
}
