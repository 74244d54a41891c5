//! The `queues` service.

mod edit;
pub(crate) mod endpoints;
pub(crate) mod entries;
mod history;
pub(crate) mod lookup;
pub(crate) mod metrics;
mod read;
mod release;
pub(crate) mod schema;
mod settings;
mod tasks;

pub use settings::QueueSettings;
