//! The `auth` service.

pub(crate) mod endpoints;
