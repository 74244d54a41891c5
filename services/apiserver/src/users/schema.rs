//! User and company as the API sees them (spec 01 §5.3, §6; spec 03 §1.2).

use clearml_documents::Collection;

use crate::query::{Default, Entity, Field, Kind, LegacyTags, PathRules, QueryFields};

/// A user's profile. Credentials live in another collection, which the query language can't reach.
pub(crate) static USER: Entity = Entity {
    name: "User",
    collection: Collection::User,
    fields: &USER_FIELDS,
    queries: QueryFields { pattern: &["name"], list: &["id"], range: &[], datetime: &[], equality: &[] },
    default_excluded: &["preferences"],
    collated_prefixes: &[],
    paths: PathRules::NONE,
    legacy_tags: LegacyTags::NONE,
};

static USER_FIELDS: [Field; 8] = [
    Field::new("name", Kind::Text),
    Field::new("family_name", Kind::Text),
    Field::new("given_name", Kind::Text),
    Field::new("avatar", Kind::Text),
    Field::new("company", Kind::Reference(&COMPANY)),
    Field::with("preferences", Kind::Any, Default::Text("")),
    Field::new("created", Kind::Date),
    Field::new("created_in_version", Kind::Text),
];

/// A company.
pub(crate) static COMPANY: Entity = Entity {
    name: "Company",
    collection: Collection::Company,
    fields: &COMPANY_FIELDS,
    queries: QueryFields {
        pattern: &["name"],
        list: &["tags", "system_tags", "id"],
        range: &[],
        datetime: &[],
        equality: &[],
    },
    default_excluded: &[],
    collated_prefixes: &[],
    paths: PathRules::NONE,
    legacy_tags: LegacyTags::NONE,
};

static COMPANY_FIELDS: [Field; 2] = [
    Field::new("name", Kind::Text),
    Field::with("defaults", Kind::Embedded(&DEFAULTS), Default::EmptyObject),
];

static DEFAULTS: [Field; 2] =
    [Field::new("cluster", Kind::Text), Field::new("stats_option", Kind::Embedded(&STATS_OPTION))];

static STATS_OPTION: [Field; 4] = [
    Field::with("enabled", Kind::Boolean, Default::Boolean(false)),
    Field::new("enabled_version", Kind::Text),
    Field::new("enabled_time", Kind::Date),
    Field::new("enabled_user", Kind::Text),
];
