//! The `tasks` service.

pub(crate) mod endpoints;
