//! The `projects` service (spec 03 part 2).

pub(crate) mod endpoints;
pub(crate) mod schema;
pub(crate) mod tag_cache;

mod name;
mod tree;

pub(crate) use tree::{ensure, find_or_create, invalid_project_id, move_under_project, touch};
