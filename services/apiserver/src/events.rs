//! The `events` service.

pub(crate) mod endpoints;
pub(crate) mod statistics;
