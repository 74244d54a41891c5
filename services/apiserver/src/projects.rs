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

pub(crate) use tree::{find_or_create, move_under_project, touch};
