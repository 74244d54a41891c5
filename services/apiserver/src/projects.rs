//! The `projects` service (spec 03 part 2).

pub(crate) mod endpoints;
pub(crate) mod schema;
pub(crate) mod tag_cache;

mod children;
mod contents;
mod create;
mod delete;
mod fields;
mod name;
mod names;
mod people;
mod publicity;
mod read;
mod relocate;
mod scope;
mod statistics;
mod tags;
mod tree;
mod update;
mod values;

pub(crate) use children::of_active_users;
pub(crate) use name::clean_name;
pub(crate) use tags::TagsFilter;
pub(crate) use tree::{
    ensure_special, find_or_create, invalid_project_id, move_under_project, texts, touch, writable_project,
};
