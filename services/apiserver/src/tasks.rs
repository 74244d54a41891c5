//! The `tasks` service.

pub(crate) mod access;
pub(crate) mod endpoints;
pub(crate) mod schema;
pub(crate) mod touch;
