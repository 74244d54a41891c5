//! The `events` service.

pub(crate) mod endpoints;
