//! Giving objects of a company to everybody, and taking them back: `make_public` and `make_private` of tasks,
//! models and projects (spec 02 §5.9, 03 §2.10, 04 §1.7).

use std::collections::HashSet;

use bson::{Bson, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find, Update};

use crate::{
    App,
    api::{ApiError, ApiResult, Call, check, codes},
};

/// Who shall see the objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Publicity {
    /// Everybody.
    Public,
    /// The caller's company, which they came from.
    Private,
}

impl Publicity {
    /// What is true of the objects that may change to this.
    fn condition(self, company: &str) -> Filter {
        match self {
            Self::Public => Filter::eq("company", company),
            Self::Private => Filter::eq("company", "").and(Filter::eq("company_origin", company)),
        }
    }

    fn update(self, company: &str) -> Update {
        match self {
            Self::Public => vec![Change::set("company", ""), Change::set("company_origin", company)],
            Self::Private => vec![Change::set("company", company), Change::unset("company_origin")],
        }
    }
}

/// Changes all of these objects, or none; `traces` is what the change leaves on each besides. Tasks must be
/// named once each.
///
/// # Errors
/// 400/12 without ids; 400/101, 400/201 or 400/401 with the ids that can't change.
pub(crate) async fn change(
    app: &App,
    call: &Call,
    collection: Collection,
    ids: &[String],
    to: Publicity,
    traces: Update,
) -> ApiResult {
    check::not_empty("ids", ids)?;
    let filter = Filter::ids(ids.iter().map(String::as_str)).and(to.condition(call.company()));
    let found = app.documents.find(collection, Find::new(filter.clone()).include(["_id"])).await?;
    let found: HashSet<&str> = found.iter().filter_map(|object| object.get_str("_id").ok()).collect();
    let missing: Vec<Bson> =
        ids.iter().filter(|id| !found.contains(id.as_str())).map(|id| id.as_str().into()).collect();
    let repeats = collection == Collection::Task && found.len() < ids.len();
    if repeats || !missing.is_empty() {
        let unknown = match collection {
            Collection::Task => codes::INVALID_TASK_ID,
            Collection::Model => codes::INVALID_MODEL_ID,
            _ => codes::INVALID_PROJECT_ID,
        };
        return Err(ApiError::new(unknown).with("ids", missing));
    }
    let mut update = to.update(call.company());
    update.extend(traces);
    let outcome = app.documents.update_many(collection, filter, update).await?;
    Ok(doc! {"updated": outcome.matched as i64}.into())
}
