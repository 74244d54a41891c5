//! The `login` service.

pub(crate) mod endpoints;
