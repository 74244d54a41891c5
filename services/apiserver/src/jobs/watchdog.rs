//! Stops tasks that have not been heard of for long (spec 02 §11).

use std::{collections::BTreeSet, time::Duration};

use bson::DateTime;
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find, Sort};

use crate::{App, api::ApiError};

const REASON: &str = "Forced stop (non-responsive)";
/// Who changed the tasks.
const WATCHDOG_USER: &str = "__apiserver__";
/// Tasks per round.
const BATCH: u64 = 500;

/// Stops the running tasks of all companies whose last update is older than the threshold.
pub(super) async fn stop_non_responsive(app: &App, threshold: Duration) -> Result<(), ApiError> {
    let now = app.now();
    let oldest = DateTime::from_millis(now.timestamp_millis().saturating_sub(threshold.as_millis() as i64));
    let silent = Filter::eq("status", "in_progress").and(Filter::lt("last_update", oldest));
    loop {
        let find = Find::new(silent.clone())
            .sort(Sort::ascending("last_update"))
            .limit(BATCH)
            .include(["company", "project"]);
        let tasks = app.documents.find(Collection::Task, find).await?;
        if tasks.is_empty() {
            return Ok(());
        }
        let found = Filter::ids(tasks.iter().map(|task| task.get_str("_id").unwrap_or_default()));
        // Whoever has reported or ended meanwhile is left alone.
        app.documents.update_many(Collection::Task, found.clone().and(silent.clone()), changes(now)).await?;
        let ours =
            found.and(Filter::eq("last_changed_by", WATCHDOG_USER)).and(Filter::eq("last_change", now));
        let stopped =
            app.documents.find(Collection::Task, Find::new(ours).include(["company", "project"])).await?;
        for task in &stopped {
            let task_id = task.get_str("_id").unwrap_or_default();
            tracing::info!(task_id, "stopped a task that does not respond");
        }
        let projects: BTreeSet<&str> =
            stopped.iter().filter_map(|task| task.get_str("project").ok()).collect();
        if !projects.is_empty() {
            let touched = vec![Change::set("last_update", now)];
            app.documents.update_many(Collection::Project, Filter::ids(projects), touched).await?;
        }
    }
}

fn changes(now: DateTime) -> Vec<Change> {
    vec![
        Change::set("status", "stopped"),
        Change::set("status_reason", REASON),
        Change::set("status_message", REASON),
        Change::set("status_changed", now),
        Change::set("last_update", now),
        Change::set("last_change", now),
        Change::set("last_changed_by", WATCHDOG_USER),
    ]
}
