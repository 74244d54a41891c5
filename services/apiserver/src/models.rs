//! The `models` service (spec 04 §1).

mod access;
mod create;
mod delete;
mod edit;
pub(crate) mod endpoints;
mod for_task;
mod metadata;
mod organize;
mod publish;
mod read;
pub(crate) mod schema;
mod values;

pub(crate) use read::convert;
