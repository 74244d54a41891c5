//! The project as the API sees it (spec 03 "Stored documents", §1.2).

use clearml_documents::Collection;

use crate::{
    query::{Default, Entity, Field, Kind, LegacyTags, PathRules, QueryFields},
    users::schema::{COMPANY, USER},
};

/// A project.
pub(crate) static PROJECT: Entity = Entity {
    name: "Project",
    collection: Collection::Project,
    fields: &FIELDS,
    queries: QueryFields {
        pattern: &["name", "basename", "description"],
        list: &["tags", "system_tags", "id", "parent", "path"],
        range: &["last_update"],
        datetime: &[],
        equality: &[],
    },
    default_excluded: &["company_origin", "logo_blob", "path"],
    collated_prefixes: &[],
    paths: PathRules::NONE,
    legacy_tags: LegacyTags::names(&["archived", "public", "default"]),
};

static FIELDS: [Field; 16] = [
    Field::new("name", Kind::Text),
    Field::new("basename", Kind::Text),
    Field::new("description", Kind::Text),
    Field::new("user", Kind::Reference(&USER)),
    Field::new("company", Kind::Reference(&COMPANY)),
    Field::new("company_origin", Kind::Text),
    Field::new("created", Kind::Date),
    Field::with("tags", Kind::Texts, Default::EmptyList),
    Field::with("system_tags", Kind::Texts, Default::EmptyList),
    Field::new("default_output_destination", Kind::Text),
    Field::new("last_update", Kind::Date),
    Field::with("featured", Kind::Integer, Default::Integer(9999)),
    Field::new("logo_url", Kind::Text),
    Field::new("logo_blob", Kind::Text),
    Field::new("parent", Kind::Reference(&PROJECT)),
    Field::with("path", Kind::Texts, Default::EmptyList),
];
