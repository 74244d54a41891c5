//! The `tasks` service.

pub(crate) mod access;
mod activity;
mod artifacts;
mod clone;
mod configuration;
pub(crate) mod conversion;
mod create;
mod edit;
pub(crate) mod endpoints;
mod hyperparams;
mod legacy;
mod models;
mod organize;
mod project_effects;
mod read;
mod references;
mod requests;
mod runtime;
pub(crate) mod schema;
mod strictly;
pub(crate) mod touch;
mod update;
