//! The `queues` service.

pub(crate) mod endpoints;
pub(crate) mod schema;
