//! The `workers` service.

pub(crate) mod endpoints;
