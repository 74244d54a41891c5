//! The `pipelines` service (spec 03 §3.5, 09 §10.4).

mod delete;
pub(crate) mod endpoints;
mod naming;
mod start;
