//! The task as the API sees it (spec 02 §2.1, §13; spec 03 §1.2).

use clearml_documents::Collection;

use crate::{
    models::schema::MODEL,
    projects::schema::PROJECT,
    query::{Default, Entity, Field, Kind, LegacyTags, PathRules, QueryFields},
    queues::schema::QUEUE,
    users::schema::{COMPANY, USER},
};

/// A task.
pub(crate) static TASK: Entity = Entity {
    name: "Task",
    collection: Collection::Task,
    fields: &FIELDS,
    queries: QueryFields {
        pattern: &["name", "comment", "report"],
        list: &[
            "id",
            "user",
            "tags",
            "system_tags",
            "type",
            "status",
            "project",
            "parent",
            "hyperparams.*",
            "execution.queue",
            "models.input.model",
        ],
        range: &["created", "started", "active_duration", "last_metrics.*", "last_iteration"],
        datetime: &["status_changed", "last_update", "last_change"],
        equality: &["runtime.*"],
    },
    default_excluded: &["company_origin", "enqueue_status", "unique_metrics"],
    collated_prefixes: &["execution.parameters.", "hyperparams.", "last_metrics."],
    paths: PathRules {
        replacements: &[
            ("execution.parameters", "hyperparams.Args"),
            ("execution.model_desc", "configuration"),
            ("execution.docker_cmd", "container"),
        ],
        escaped_prefixes: &["hyperparams.", "configuration."],
        max_parts: 4,
        error: "invalid task field",
    },
    legacy_tags: LegacyTags { names: &["active", "archived", "development"], prefixes: &["annotat"] },
};

static FIELDS: [Field; 40] = [
    Field::new("name", Kind::Text),
    Field::new("user", Kind::Reference(&USER)),
    Field::new("company", Kind::Reference(&COMPANY)),
    Field::new("company_origin", Kind::Text),
    Field::new("created", Kind::Date),
    Field::new("type", Kind::Text),
    Field::with("status", Kind::Text, Default::Text("created")),
    Field::new("status_reason", Kind::Text),
    Field::new("status_message", Kind::Text),
    Field::new("status_changed", Kind::Date),
    Field::new("enqueue_status", Kind::Text),
    Field::new("comment", Kind::Text),
    Field::new("report", Kind::Text),
    Field::with("report_assets", Kind::Texts, Default::EmptyList),
    Field::new("started", Kind::Date),
    Field::new("completed", Kind::Date),
    Field::new("published", Kind::Date),
    Field::new("active_duration", Kind::Integer),
    Field::new("duration", Kind::Integer),
    Field::new("parent", Kind::Reference(&TASK)),
    Field::new("project", Kind::Reference(&PROJECT)),
    Field::with("tags", Kind::Texts, Default::EmptyList),
    Field::with("system_tags", Kind::Texts, Default::EmptyList),
    Field::with("output", Kind::Embedded(&OUTPUT), Default::EmptyObject),
    Field::with("execution", Kind::Embedded(&EXECUTION), Default::EmptyObject),
    Field::with("script", Kind::Embedded(&SCRIPT), Default::EmptyObject),
    Field::with("hyperparams", Kind::Map { depth: 2, fields: &PARAMETER }, Default::EmptyObject),
    Field::with("configuration", Kind::Map { depth: 1, fields: &CONFIGURATION }, Default::EmptyObject),
    Field::with("runtime", Kind::Any, Default::EmptyObject),
    Field::with("models", Kind::Embedded(&MODELS), Default::EmptyObject),
    Field::with("container", Kind::Any, Default::EmptyObject),
    Field::new("last_worker", Kind::Text),
    Field::new("last_worker_report", Kind::Date),
    Field::new("last_update", Kind::Date),
    Field::new("last_change", Kind::Date),
    Field::new("last_changed_by", Kind::Text),
    Field::with("last_iteration", Kind::Integer, Default::Integer(0)),
    Field::with("last_metrics", Kind::Map { depth: 2, fields: &METRIC_EVENT }, Default::EmptyObject),
    Field::with("unique_metrics", Kind::Texts, Default::EmptyList),
    Field::with("metric_stats", Kind::Map { depth: 1, fields: &METRIC_STATS }, Default::EmptyObject),
];

static OUTPUT: [Field; 3] = [
    Field::new("destination", Kind::Text),
    Field::new("error", Kind::Text),
    Field::new("result", Kind::Text),
];

pub(crate) static EXECUTION: [Field; 7] = [
    Field::new("framework", Kind::Text),
    Field::new("queue", Kind::Reference(&QUEUE)),
    Field::with("test_split", Kind::Integer, Default::Integer(0)),
    Field::with("parameters", Kind::Any, Default::EmptyObject),
    Field::with("model_desc", Kind::Any, Default::EmptyObject),
    Field::with("model_labels", Kind::Any, Default::EmptyObject),
    Field::with("artifacts", Kind::Map { depth: 1, fields: &ARTIFACT }, Default::EmptyObject),
];

pub(crate) static ARTIFACT: [Field; 9] = [
    Field::new("key", Kind::Text),
    Field::new("type", Kind::Text),
    Field::with("mode", Kind::Text, Default::Text("output")),
    Field::new("uri", Kind::Text),
    Field::new("hash", Kind::Text),
    Field::new("content_size", Kind::Integer),
    Field::new("timestamp", Kind::Integer),
    Field::new("type_data", Kind::Embedded(&ARTIFACT_TYPE_DATA)),
    Field::with("display_data", Kind::Any, Default::EmptyList),
];

static ARTIFACT_TYPE_DATA: [Field; 3] = [
    Field::new("preview", Kind::Text),
    Field::new("content_type", Kind::Text),
    Field::new("data_hash", Kind::Text),
];

pub(crate) static SCRIPT: [Field; 9] = [
    Field::with("binary", Kind::Text, Default::Text("python")),
    Field::with("repository", Kind::Text, Default::Text("")),
    Field::new("tag", Kind::Text),
    Field::new("branch", Kind::Text),
    Field::new("version_num", Kind::Text),
    Field::with("entry_point", Kind::Text, Default::Text("")),
    Field::new("working_dir", Kind::Text),
    Field::with("requirements", Kind::Any, Default::EmptyObject),
    Field::new("diff", Kind::Text),
];

pub(crate) static PARAMETER: [Field; 5] = [
    Field::new("section", Kind::Text),
    Field::new("name", Kind::Text),
    Field::new("value", Kind::Text),
    Field::new("type", Kind::Text),
    Field::new("description", Kind::Text),
];

pub(crate) static CONFIGURATION: [Field; 4] = [
    Field::new("name", Kind::Text),
    Field::new("value", Kind::Text),
    Field::new("type", Kind::Text),
    Field::new("description", Kind::Text),
];

pub(crate) static MODELS: [Field; 2] = [
    Field::with("input", Kind::EmbeddedList(&MODEL_ITEM), Default::EmptyList),
    Field::with("output", Kind::EmbeddedList(&MODEL_ITEM), Default::EmptyList),
];

pub(crate) static MODEL_ITEM: [Field; 3] = [
    Field::new("name", Kind::Text),
    Field::new("model", Kind::Reference(&MODEL)),
    Field::new("updated", Kind::Date),
];

/// Latest and extreme values of one scalar (spec 02 §10); models have the same.
pub(crate) static METRIC_EVENT: [Field; 12] = [
    Field::new("metric", Kind::Text),
    Field::new("variant", Kind::Text),
    Field::new("value", Kind::Float),
    Field::new("min_value", Kind::Float),
    Field::new("min_value_iteration", Kind::Integer),
    Field::new("max_value", Kind::Float),
    Field::new("max_value_iteration", Kind::Integer),
    Field::new("first_value", Kind::Float),
    Field::new("first_value_iteration", Kind::Integer),
    Field::new("count", Kind::Integer),
    Field::new("mean_value", Kind::Float),
    Field::new("x_axis_label", Kind::Text),
];

static METRIC_STATS: [Field; 2] = [
    Field::new("metric", Kind::Text),
    Field::with("event_stats_by_type", Kind::Map { depth: 1, fields: &EVENT_STATS }, Default::EmptyObject),
];

static EVENT_STATS: [Field; 1] = [Field::new("last_update", Kind::Integer)];
