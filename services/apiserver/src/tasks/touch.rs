//! The traces that a write leaves on a task: when, by whom, and how long the task has been running.

use bson::{Bson, DateTime, Document};
use clearml_documents::{Change, Filter, Update, Write};

/// `last_change` and `last_changed_by`.
pub(crate) fn last_change(now: DateTime, user: &str) -> Update {
    vec![Change::set("last_change", now), Change::set("last_changed_by", user)]
}

/// `last_update`, `last_change` and `last_changed_by`.
pub(crate) fn last_update(now: DateTime, user: &str) -> Update {
    let mut update = vec![Change::set("last_update", now)];
    update.extend(last_change(now, user));
    update
}

/// `active_duration` in whole seconds, for a task that is in progress and has started (spec 02 §3.7);
/// nothing otherwise. The task is read with `status` and `started`.
pub(crate) fn active_duration(now: DateTime, task: &Document) -> Option<Change> {
    if !task.get_str("status").is_ok_and(|status| status == "in_progress") {
        return None;
    }
    let started = task.get_datetime("started").ok()?;
    let milliseconds = now.timestamp_millis() - started.timestamp_millis();
    Some(Change::set("active_duration", Bson::Int64(milliseconds.div_euclid(1000))))
}

/// Writes that add and remove tags of all objects of the filter; nothing where there are none to add or remove.
pub(crate) fn tag_writes(filter: &Filter, traces: &Update, add: &[String], remove: &[String]) -> Vec<Write> {
    let values = |tags: &[String]| tags.iter().map(|tag| Bson::from(tag.as_str())).collect();
    let changes = [
        (!add.is_empty()).then(|| Change::AddToSet("tags".to_owned(), values(add))),
        (!remove.is_empty()).then(|| Change::PullAll("tags".to_owned(), values(remove))),
    ];
    let write = |change| {
        let update = std::iter::once(change).chain(traces.iter().cloned()).collect();
        Write::Update { filter: filter.clone(), update, many: true, upsert: false }
    };
    changes.into_iter().flatten().map(write).collect()
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn only_running_tasks_have_an_active_duration() {
        let now = DateTime::from_millis(10_999);
        let started = DateTime::from_millis(2_000);
        let running = doc! {"status": "in_progress", "started": started};
        assert_eq!(active_duration(now, &running), Some(Change::set("active_duration", 8_i64)));
        assert_eq!(active_duration(now, &doc! {"status": "stopped", "started": started}), None);
        assert_eq!(active_duration(now, &doc! {"status": "in_progress"}), None);
    }
}
