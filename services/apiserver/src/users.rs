//! The `users` service.

pub(crate) mod endpoints;
