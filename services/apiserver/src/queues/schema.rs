//! The queue as the API sees it (spec 04 §2.1, §5.1; spec 03 §1.2).

use clearml_documents::Collection;

use crate::{
    models::schema::METADATA_ITEM,
    query::{Default, Entity, Field, Kind, LegacyTags, PathRules, QueryFields},
    tasks::schema::TASK,
    users::schema::COMPANY,
};

/// A queue.
pub(crate) static QUEUE: Entity = Entity {
    name: "Queue",
    collection: Collection::Queue,
    fields: &FIELDS,
    queries: QueryFields {
        pattern: &["name"],
        list: &["tags", "system_tags", "id", "metadata.*"],
        range: &[],
        datetime: &[],
        equality: &[],
    },
    default_excluded: &[],
    collated_prefixes: &["metadata."],
    paths: PathRules::METADATA,
    legacy_tags: LegacyTags::names(&["default"]),
};

static FIELDS: [Field; 10] = [
    Field::new("name", Kind::Text),
    Field::new("display_name", Kind::Text),
    Field::new("company", Kind::Reference(&COMPANY)),
    Field::new("created", Kind::Date),
    Field::with("tags", Kind::Texts, Default::EmptyList),
    Field::with("system_tags", Kind::Texts, Default::EmptyList),
    Field::with("entries", Kind::EmbeddedList(&ENTRY), Default::EmptyList),
    Field::new("last_update", Kind::Date),
    Field::new("resources", Kind::Any),
    Field::with("metadata", Kind::Map { depth: 1, fields: &METADATA_ITEM }, Default::EmptyObject),
];

static ENTRY: [Field; 2] = [Field::new("task", Kind::Reference(&TASK)), Field::new("added", Kind::Date)];
