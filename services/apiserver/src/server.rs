//! The `server` service.

pub(crate) mod endpoints;
