//! Stops tasks that have not been heard of for long (spec 02 §11).

use std::{collections::BTreeSet, time::Duration};

use bson::DateTime;
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Find, Sort, Write};

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
        let writes: Vec<Write> = tasks
            .iter()
            .map(|task| Write::Update {
                // Whoever has reported or ended meanwhile is left alone.
                filter: Filter::id(task.get_str("_id").unwrap_or_default()).and(silent.clone()),
                update: changes(now),
                many: false,
                upsert: false,
            })
            .collect();
        let outcomes = app.documents.write(Collection::Task, writes).await?;
        let stopped: Vec<_> = tasks
            .iter()
            .zip(&outcomes)
            .filter(|(_, outcome)| outcome.matched > 0)
            .map(|(task, _)| task)
            .collect();
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
