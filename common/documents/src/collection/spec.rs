//! The facts of each collection: dates, arrays, indexes and text search (spec 01 §6, 02 §2, 03 and 04 §5.1, 06 §6).

use super::{CollectionSpec, Index};

const fn index(fields: &'static [&'static str]) -> Index {
    Index { fields, unique: false, sparse: false, numeric_collation: false }
}

const fn unique(fields: &'static [&'static str]) -> Index {
    Index { fields, unique: true, sparse: false, numeric_collation: false }
}

/// No indexes beyond `_id`.
pub(super) const PLAIN: CollectionSpec =
    CollectionSpec { dates: &["created"], arrays: &[], indexes: &[], text: &[] };

pub(super) const TASK: CollectionSpec = CollectionSpec {
    dates: &[
        "created",
        "started",
        "completed",
        "published",
        "status_changed",
        "last_update",
        "last_change",
        "last_worker_report",
    ],
    arrays: &["tags", "system_tags", "models.input.model", "models.output.model"],
    indexes: &[
        index(&["created"]),
        index(&["started"]),
        index(&["completed"]),
        index(&["active_duration"]),
        index(&["parent"]),
        index(&["project"]),
        index(&["last_update"]),
        index(&["status_changed"]),
        index(&["models.input.model"]),
        index(&["company", "name"]),
        index(&["company", "status", "type"]),
        index(&["company", "last_update", "system_tags"]),
        index(&["company", "type", "system_tags", "status"]),
        index(&["company", "project", "type", "system_tags", "status"]),
        index(&["status", "last_update"]),
        Index { fields: &["company", "project"], unique: false, sparse: false, numeric_collation: true },
        index(&["company", "tags"]),
        index(&["company", "system_tags"]),
        index(&["company", "project", "tags"]),
        index(&["company", "project", "system_tags"]),
        index(&["company", "user"]),
        index(&["company", "project", "user"]),
        index(&["company", "parent"]),
        index(&["company", "project", "parent"]),
        index(&["company", "type"]),
        index(&["company", "project", "type"]),
    ],
    text: &[
        ("name", 10),
        ("_id", 10),
        ("comment", 10),
        ("report", 10),
        ("models.input.model", 2),
        ("models.output.model", 2),
        ("script.repository", 1),
        ("script.entry_point", 1),
    ],
};

pub(super) const TASK_TRASH: CollectionSpec =
    CollectionSpec { dates: TASK.dates, arrays: &[], indexes: &[], text: &[] };

pub(super) const PROJECT: CollectionSpec = CollectionSpec {
    dates: &["created", "last_update"],
    arrays: &["path", "tags", "system_tags"],
    indexes: &[
        index(&["parent"]),
        index(&["path"]),
        index(&["company", "name"]),
        index(&["company", "basename"]),
        index(&["company", "parent", "system_tags", "featured", "last_update"]),
        unique(&["name", "company"]),
    ],
    text: &[("name", 10), ("_id", 10), ("description", 10)],
};

pub(super) const MODEL: CollectionSpec = CollectionSpec {
    dates: &["created", "last_update", "last_change"],
    arrays: &["tags", "system_tags"],
    indexes: &[
        index(&["parent"]),
        index(&["project"]),
        index(&["task"]),
        index(&["last_update"]),
        index(&["company", "last_update"]),
        index(&["company", "name"]),
        index(&["company", "uri"]),
        index(&["company", "tags"]),
        index(&["company", "system_tags"]),
        index(&["company", "project", "tags"]),
        index(&["company", "project", "system_tags"]),
        index(&["company", "user"]),
        index(&["company", "project", "user"]),
        index(&["company", "framework"]),
        index(&["company", "project", "framework"]),
    ],
    text: &[("name", 10), ("_id", 1), ("comment", 10), ("parent", 5), ("task", 3), ("project", 3)],
};

pub(super) const QUEUE: CollectionSpec = CollectionSpec {
    dates: &["created", "last_update"],
    arrays: &["tags", "system_tags", "entries.task"],
    indexes: &[unique(&["name", "company"])],
    text: &[],
};

pub(super) const VERSIONS: CollectionSpec =
    CollectionSpec { dates: &["created"], arrays: &[], indexes: &[index(&["-created", "-num"])], text: &[] };

pub(super) const URL_TO_DELETE: CollectionSpec = CollectionSpec {
    dates: &["created", "last_failure_time"],
    arrays: &[],
    indexes: &[
        index(&["company", "user", "task"]),
        index(&["company", "storage_type", "url"]),
        index(&["status", "retry_count", "storage_type"]),
        Index { fields: &["url", "company"], unique: true, sparse: true, numeric_collation: false },
    ],
    text: &[],
};

pub(super) const STORAGE_SETTINGS: CollectionSpec =
    CollectionSpec { dates: &["last_update"], arrays: &[], indexes: &[unique(&["company"])], text: &[] };

pub(super) const AUTH_USER: CollectionSpec = CollectionSpec {
    dates: &["created", "validated"],
    arrays: &["credentials.key"],
    indexes: &[Index { fields: &["email"], unique: true, sparse: true, numeric_collation: false }],
    text: &[],
};
