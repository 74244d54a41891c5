//! The `serving` service: containers that serve models (spec 04 §4).

pub(crate) mod endpoints;
mod history;
mod machine_stats;
mod read;
mod registry;
mod report;
mod settings;

pub use settings::ServingSettings;
