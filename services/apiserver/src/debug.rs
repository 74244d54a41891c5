//! The `debug` service.

pub(crate) mod endpoints;
