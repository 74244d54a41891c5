//! The `events` service.

pub(crate) mod endpoints;
mod line_format;
mod plot_text;
mod settings;
pub(crate) mod statistics;

pub use settings::EventSettings;
