//! The `projects` service.

pub(crate) mod endpoints;
