//! The `users` service.

pub(crate) mod endpoints;
pub(crate) mod schema;
