//! The `server` service: what the server says about itself (spec 01 §5.4).

mod about;
pub(crate) mod endpoints;
mod report;
mod resources;
mod statistics_option;

pub(crate) use about::server_uid;
pub(crate) use report::report;
pub(crate) use resources::ResourceMonitor;
