//! The `models` service.

pub(crate) mod endpoints;
