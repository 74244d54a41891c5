//! The model as the API sees it (spec 04 §1.1, §5.1; spec 03 §1.2).

use clearml_documents::Collection;

use crate::{
    projects::schema::PROJECT,
    query::{Default, Entity, Field, Kind, LegacyTags, PathRules, QueryFields},
    tasks::schema::{METRIC_EVENT, TASK},
    users::schema::{COMPANY, USER},
};

/// A model.
pub(crate) static MODEL: Entity = Entity {
    name: "Model",
    collection: Collection::Model,
    fields: &FIELDS,
    queries: QueryFields {
        pattern: &["name", "comment"],
        list: &[
            "tags",
            "system_tags",
            "framework",
            "uri",
            "id",
            "user",
            "project",
            "task",
            "parent",
            "metadata.*",
        ],
        range: &["created", "last_metrics.*", "last_iteration"],
        datetime: &["last_update", "last_change"],
        equality: &["ready"],
    },
    default_excluded: &["company_origin", "ui_cache", "unique_metrics"],
    collated_prefixes: &["metadata.", "last_metrics."],
    paths: PathRules::METADATA,
    legacy_tags: LegacyTags::names(&["active", "archived"]),
};

static FIELDS: [Field; 24] = [
    Field::new("name", Kind::Text),
    Field::new("user", Kind::Reference(&USER)),
    Field::new("company", Kind::Reference(&COMPANY)),
    Field::new("company_origin", Kind::Text),
    Field::new("created", Kind::Date),
    Field::new("parent", Kind::Reference(&MODEL)),
    Field::new("project", Kind::Reference(&PROJECT)),
    Field::new("task", Kind::Reference(&TASK)),
    Field::new("comment", Kind::Text),
    Field::with("tags", Kind::Texts, Default::EmptyList),
    Field::with("system_tags", Kind::Texts, Default::EmptyList),
    Field::with("uri", Kind::Text, Default::Text("")),
    Field::new("framework", Kind::Text),
    Field::with("design", Kind::Any, Default::EmptyObject),
    Field::with("labels", Kind::Any, Default::EmptyObject),
    Field::new("ready", Kind::Boolean),
    Field::new("last_update", Kind::Date),
    Field::new("last_change", Kind::Date),
    Field::new("last_changed_by", Kind::Text),
    Field::with("ui_cache", Kind::Any, Default::EmptyObject),
    Field::with("metadata", Kind::Map { depth: 1, fields: &METADATA_ITEM }, Default::EmptyObject),
    Field::with("last_iteration", Kind::Integer, Default::Integer(0)),
    Field::with("last_metrics", Kind::Map { depth: 2, fields: &METRIC_EVENT }, Default::EmptyObject),
    Field::with("unique_metrics", Kind::Texts, Default::EmptyList),
];

/// One metadata item (spec 04 §0.2); queues have the same.
pub(crate) static METADATA_ITEM: [Field; 3] =
    [Field::new("key", Kind::Text), Field::new("type", Kind::Text), Field::new("value", Kind::Text)];
