//! Credentials of object stores: with them, files of deleted tasks and models are deleted (spec 06 §3).

mod configured;
mod credentials;
pub(crate) mod endpoints;
mod requests;
mod settings;

pub use configured::StorageSettings;
pub(crate) use credentials::{AwsBucket, Credentials};
pub(crate) use settings::credentials_of;
