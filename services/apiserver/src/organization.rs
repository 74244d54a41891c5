//! The `organization` service: what concerns a whole company (spec 03 §3.1 to §3.4, 09 §4).

mod companies;
mod counts;
mod download;
pub(crate) mod endpoints;
mod settings;
mod tags;
mod usages;

pub use settings::{DownloadSettings, OrganizationSettings, UsageSettings};
