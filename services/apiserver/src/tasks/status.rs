//! The status machine of tasks and the one way to change a status (spec 02 §3).

use bson::{Bson, Document};
use clearml_documents::{Change, Collection, DocumentStoreExt, Filter, Update};

use crate::{
    App,
    api::{ApiError, ApiResult, codes},
    projects,
};

/// The status of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum TaskStatus {
    Created,
    Queued,
    InProgress,
    Stopped,
    Publishing,
    Published,
    Closed,
    Failed,
    Completed,
    Unknown,
}

impl TaskStatus {
    /// Every status.
    pub(crate) const ALL: [Self; 10] = [
        Self::Created,
        Self::Queued,
        Self::InProgress,
        Self::Stopped,
        Self::Publishing,
        Self::Published,
        Self::Closed,
        Self::Failed,
        Self::Completed,
        Self::Unknown,
    ];

    /// As stored and answered.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Queued => "queued",
            Self::InProgress => "in_progress",
            Self::Stopped => "stopped",
            Self::Publishing => "publishing",
            Self::Published => "published",
            Self::Closed => "closed",
            Self::Failed => "failed",
            Self::Completed => "completed",
            Self::Unknown => "unknown",
        }
    }

    /// The status with this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// The status of a stored task; a missing one is `created`, one that is not known `unknown`.
    pub(crate) fn of(task: &Document) -> Self {
        task.get_str("status").map_or(Self::Created, |name| Self::parse(name).unwrap_or(Self::Unknown))
    }

    /// The statuses that can follow this one without force (spec 02 §3.1).
    const fn followers(self) -> &'static [Self] {
        match self {
            Self::Created => &[Self::Queued, Self::InProgress],
            Self::Queued => &[Self::Created, Self::InProgress, Self::Stopped],
            Self::InProgress => &[Self::Stopped, Self::Failed, Self::Created, Self::Completed],
            Self::Stopped => &[
                Self::Closed,
                Self::Created,
                Self::Failed,
                Self::Queued,
                Self::InProgress,
                Self::Published,
                Self::Publishing,
                Self::Completed,
            ],
            Self::Closed => &[Self::Created, Self::Failed, Self::Published, Self::Publishing, Self::Stopped],
            Self::Failed => &[Self::Created, Self::Stopped, Self::Published, Self::Queued],
            Self::Publishing => &[Self::Published],
            Self::Completed => &[Self::Published, Self::InProgress, Self::Created],
            Self::Published | Self::Unknown => &[],
        }
    }

    /// Checks that `to` may follow this status. A status may follow itself only where `same_allowed`
    /// (everywhere but in publish). Errors: 400/110.
    pub(crate) fn check_transition(self, to: Self, same_allowed: bool) -> ApiResult<()> {
        if self == Self::Unknown {
            return Err(ApiError::new(codes::INVALID_TASK_STATUS)
                .extra("Current status unknown not supported by state machine"));
        }
        if (same_allowed && self == to) || self.followers().contains(&to) {
            return Ok(());
        }
        Err(ApiError::new(codes::INVALID_TASK_STATUS)
            .extra("Invalid status change")
            .with("current_status", self.as_str())
            .with("new_status", to.as_str()))
    }
}

/// What a status change did, as answered by most operations.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Changed {
    /// Number of tasks matched.
    pub(crate) updated: u64,
    /// The direct assignments, with dotted names.
    pub(crate) fields: Document,
}

impl Changed {
    /// Nothing was changed.
    pub(crate) fn nothing() -> Self {
        Self { updated: 0, fields: Document::new() }
    }
}

/// A change of a task's status (spec 02 §3.2), to be completed with its extras and applied.
#[derive(Debug)]
pub(crate) struct StatusChange<'a> {
    task: &'a Document,
    to: TaskStatus,
    force: bool,
    reason: String,
    message: String,
    assignments: Document,
    silent: Update,
    condition: Filter,
}

impl<'a> StatusChange<'a> {
    /// A change of `task` (read with `_id`, `status`, `project`) to another status. Reason and message are
    /// emptied unless given.
    pub(crate) fn new(task: &'a Document, to: TaskStatus) -> Self {
        Self {
            task,
            to,
            force: false,
            reason: String::new(),
            message: String::new(),
            assignments: Document::new(),
            silent: Update::new(),
            condition: Filter::Everything,
        }
    }

    /// Skips the check of the transition.
    #[must_use]
    pub(crate) fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Sets `status_reason`.
    #[must_use]
    pub(crate) fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }

    /// Sets `status_message`.
    #[must_use]
    pub(crate) fn message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// One more assignment, listed in the answer's `fields`.
    #[must_use]
    pub(crate) fn set(mut self, path: &str, value: impl Into<Bson>) -> Self {
        self.assignments.insert(path, value.into());
        self
    }

    /// More changes, not listed in `fields`.
    #[must_use]
    pub(crate) fn silently(mut self, changes: impl IntoIterator<Item = Change>) -> Self {
        self.silent.extend(changes);
        self
    }

    /// One more condition on the stored task; where it fails the answer is 400/121.
    #[must_use]
    pub(crate) fn only_if(mut self, condition: Filter) -> Self {
        self.condition = condition;
        self
    }

    /// Checks and stores the change in one conditional update, and touches the project.
    ///
    /// Errors: 400/110 transition not allowed, 400/121 the status is no longer the one that was read.
    pub(crate) async fn apply(self, app: &App, user: &str) -> ApiResult<Changed> {
        let current = TaskStatus::of(self.task);
        if !self.force {
            current.check_transition(self.to, true)?;
        }
        let id = self.task.get_str("_id").unwrap_or_default();
        let now = app.now();
        let mut fields = Document::from_iter([
            ("status".to_owned(), Bson::from(self.to.as_str())),
            ("status_reason".to_owned(), self.reason.into()),
            ("status_message".to_owned(), self.message.into()),
            ("status_changed".to_owned(), now.into()),
            ("last_update".to_owned(), now.into()),
            ("last_change".to_owned(), now.into()),
            ("last_changed_by".to_owned(), user.into()),
        ]);
        fields.extend(self.assignments);

        let mut update: Update =
            fields.iter().map(|(path, value)| Change::set(path.as_str(), value.clone())).collect();
        if self.to == TaskStatus::Queued {
            update.push(Change::PullAll("system_tags".to_owned(), vec![Bson::from("development")]));
        }
        update.extend(self.silent);

        // The status just read, raw: a stored status that we don't know matches as well.
        let read_status = self.task.get("status").cloned().unwrap_or(Bson::Null);
        let unchanged =
            Filter::id(id).and(Filter::Equal("status".to_owned(), read_status)).and(self.condition);
        let outcome = app.documents.update_one(Collection::Task, unchanged, update).await?;
        if outcome.matched == 0 {
            return Err(ApiError::new(codes::FAILED_CHANGING_TASK_STATUS)
                .with("task_id", id)
                .with("current_status", current.as_str())
                .with("new_status", self.to.as_str()));
        }
        if let Ok(project) = self.task.get_str("project") {
            projects::touch(app, [project]).await?;
        }
        Ok(Changed { updated: outcome.matched, fields })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec 02 §3.1, row by row.
    const TABLE: [(&str, &[&str]); 9] = [
        ("created", &["queued", "in_progress"]),
        ("queued", &["created", "in_progress", "stopped"]),
        ("in_progress", &["stopped", "failed", "created", "completed"]),
        (
            "stopped",
            &["closed", "created", "failed", "queued", "in_progress", "published", "publishing", "completed"],
        ),
        ("closed", &["created", "failed", "published", "publishing", "stopped"]),
        ("failed", &["created", "stopped", "published", "queued"]),
        ("publishing", &["published"]),
        ("published", &[]),
        ("completed", &["published", "in_progress", "created"]),
    ];

    #[test]
    fn transitions_are_those_of_the_table() {
        for (from, followers) in TABLE {
            for to in TaskStatus::ALL {
                let current = TaskStatus::parse(from).unwrap();
                let listed = followers.contains(&to.as_str());
                assert_eq!(current.check_transition(to, false).is_ok(), listed, "{from} -> {to:?}");
                assert_eq!(
                    current.check_transition(to, true).is_ok(),
                    listed || current == to,
                    "{from} -> {to:?}"
                );
            }
        }
    }

    #[test]
    fn refusals_say_why() {
        let refused = TaskStatus::Published.check_transition(TaskStatus::Queued, true).unwrap_err();
        assert_eq!((refused.code.status, refused.code.subcode), (400, 110));
        assert_eq!(
            refused.message(),
            "Invalid task status (Invalid status change): current_status=published, new_status=queued"
        );
        let unknown = TaskStatus::Unknown.check_transition(TaskStatus::Stopped, true).unwrap_err();
        assert_eq!((unknown.code.status, unknown.code.subcode), (400, 110));
        assert_eq!(
            unknown.message(),
            "Invalid task status (Current status unknown not supported by state machine)"
        );
    }

    #[test]
    fn names_round_trip() {
        for status in TaskStatus::ALL {
            assert_eq!(TaskStatus::parse(status.as_str()), Some(status));
        }
        assert_eq!(TaskStatus::parse("running"), None);
    }
}
