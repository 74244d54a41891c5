//! Removals are written down before their owners go: should the server stop in between, a job finishes what
//! was begun, and no events are left that nobody can see or delete.
//!
//! A record is acted upon only where the owner is gone (or has been reset) for good. So it does no harm if two
//! servers act on one, or if the call that wrote it is still at work.

use std::collections::HashSet;

use bson::{Bson, DateTime, Document, doc};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find, Sort};
use clearml_events::Pace;

use super::{IDS_PER_QUERY, Removal, Subject, schedule, schedule_event_urls};
use crate::{
    App,
    api::{ApiResult, Call},
};

/// How long a call may take to come to its owners' end; later, the owner is there to stay.
const PATIENCE_MS: i64 = 60 * 60 * 1000;

/// Records looked at in one round.
const RECORDS_PER_ROUND: u64 = 500;

/// Why events and files go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Their owners are deleted.
    Deletion,
    /// Their task is reset; models that it made may be deleted with it.
    Reset,
}

impl Reason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Deletion => "deletion",
            Self::Reset => "reset",
        }
    }
}

/// What is about to be removed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Announcement<'a> {
    pub(crate) reason: Reason,
    /// Task, model or project that was asked for.
    pub(crate) owner: &'a str,
    /// Tasks and models whose events go.
    pub(crate) ids: &'a [String],
    /// Addresses of their files.
    pub(crate) urls: &'a [String],
    pub(crate) with_files: bool,
}

/// Writes down, before its owners go, what is to be removed; the id of the record, for
/// [`Removal::announced`].
pub(crate) async fn announce(app: &App, call: &Call, announcement: Announcement<'_>) -> ApiResult<String> {
    let Announcement { reason, owner, ids, urls, with_files } = announcement;
    let id = app.new_id();
    let record = doc! {
        "_id": id.as_str(),
        "company": call.company(),
        "user": call.user(),
        "reason": reason.as_str(),
        "owner": owner,
        "ids": ids,
        "urls": urls,
        "with_files": with_files && app.settings.external_files.enabled,
        "lingers": false,
        "process": app.instance.as_str(),
        "created": app.now(),
    };
    app.documents.insert(Collection::PendingRemoval, record).await?;
    Ok(id)
}

/// The removal has come to its end.
pub(super) async fn forget(app: &App, announced: &[String]) -> ApiResult<()> {
    for ids in announced.chunks(IDS_PER_QUERY) {
        let records = Filter::ids(ids.iter().map(String::as_str));
        app.documents.delete(Collection::PendingRemoval, records).await?;
    }
    Ok(())
}

/// The removal goes on at a measured pace.
pub(super) async fn linger(app: &App, announced: &[String]) -> ApiResult<()> {
    update(app, announced, Change::set("lingers", true)).await
}

/// The removal has failed: the job may take it over at once.
pub(super) async fn abandon(app: &App, announced: &[String]) {
    if let Err(error) = update(app, announced, Change::unset("process")).await {
        tracing::warn!(error = error.message(), "failed to hand a removal over");
    }
}

async fn update(app: &App, announced: &[String], change: Change) -> ApiResult<()> {
    for ids in announced.chunks(IDS_PER_QUERY) {
        let records = Filter::ids(ids.iter().map(String::as_str));
        app.documents.update_many(Collection::PendingRemoval, records, vec![change.clone()]).await?;
    }
    Ok(())
}

/// Finishes the removals of servers that have stopped, and those that failed. A background job.
pub(crate) async fn finish_interrupted(app: &App) -> ApiResult<()> {
    let given_up = DateTime::from_millis(app.now().timestamp_millis() - PATIENCE_MS);
    let not_ours = Filter::ne("process", app.instance.as_str()).or(Filter::lt("created", given_up));
    let find = Find::new(not_ours).sort(Sort::ascending("created")).limit(RECORDS_PER_ROUND);
    loop {
        let records = app.documents.find(Collection::PendingRemoval, find.clone()).await?;
        let mut done = Vec::new();
        for record in &records {
            let is_old = record.get_datetime("created").is_ok_and(|created| *created < given_up);
            if finish(app, record).await? || is_old {
                done.push(text(record, "_id"));
            }
        }
        forget(app, &done).await?;
        if done.is_empty() || (records.len() as u64) < RECORDS_PER_ROUND {
            return Ok(());
        }
    }
}

/// Removes what has lost its owner; whether that is all of it.
async fn finish(app: &App, record: &Document) -> ApiResult<bool> {
    let ids = texts(record, "ids");
    let gone = orphans(app, record, &ids).await?;
    if gone.is_empty() {
        return Ok(ids.is_empty());
    }
    let (company, user, owner) = (text(record, "company"), text(record, "user"), text(record, "owner"));
    if record.get_bool("with_files").unwrap_or(false) {
        schedule(app, &company, &user, &owner, &texts(record, "urls")).await?;
        let subject = Subject { company: &company, user: &user, owner: &owner };
        for ids in gone.chunks(IDS_PER_QUERY) {
            schedule_event_urls(app, subject, ids).await?;
        }
    }
    let pace = if record.get_bool("lingers").unwrap_or(false) {
        Pace::EventsPerSecond(app.settings.external_files.max_async_deleted_events_per_sec)
    } else {
        Pace::Fast
    };
    for ids in gone.chunks(IDS_PER_QUERY) {
        app.events.delete(&company, ids, pace).await?;
    }
    tracing::info!(owner, owners = gone.len(), "finished an interrupted removal of events");
    Ok(gone.len() == ids.len())
}

/// Those of the ids that are no task and no model (any more), or a task that has been reset since.
async fn orphans(app: &App, record: &Document, ids: &[String]) -> ApiResult<Vec<String>> {
    let mut present = HashSet::new();
    for chunk in ids.chunks(IDS_PER_QUERY) {
        for collection in [Collection::Task, Collection::Model] {
            let find = Find::new(Filter::ids(chunk.iter().map(String::as_str))).include(["_id"]);
            let found = app.documents.find(collection, find).await?;
            present.extend(found.iter().map(|document| text(document, "_id")));
        }
    }
    if record.get_str("reason").is_ok_and(|reason| reason == Reason::Reset.as_str()) {
        let owner = text(record, "owner");
        let created = record.get("created").cloned().unwrap_or(Bson::Null);
        let was_reset = Filter::id(owner.as_str())
            .and(Filter::eq("status", "created"))
            .and(Filter::GreaterOrEqual("status_changed".to_owned(), created));
        if app.documents.any(Collection::Task, was_reset).await? {
            present.remove(&owner);
        }
    }
    Ok(ids.iter().filter(|id| !present.contains(*id)).cloned().collect())
}

fn text(document: &Document, field: &str) -> String {
    document.get_str(field).unwrap_or_default().to_owned()
}

fn texts(document: &Document, field: &str) -> Vec<String> {
    let values = document.get_array(field).map(Vec::as_slice).unwrap_or_default();
    values.iter().filter_map(Bson::as_str).map(ToOwned::to_owned).collect()
}

impl Removal {
    /// Notes the record of [`announce`].
    pub(crate) fn announced(&mut self, record: String) {
        self.announced.push(record);
    }
}

#[cfg(test)]
mod tests;
