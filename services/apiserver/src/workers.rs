//! The `workers` service.

pub(crate) mod endpoints;
mod machine_stats;
mod read;
mod register;
pub(crate) mod registry;
mod schema_check;
mod settings;
mod statistics;

pub(crate) use registry::{Moment, is_watched};
pub use settings::WorkerSettings;
pub(crate) use statistics::check_size;
