//! The `queues` service.

pub(crate) mod endpoints;
