//! The `reports` service: tasks of type `report`, in hidden projects of their own (spec 03 §3.6).

mod access;
mod data;
mod edit;
pub(crate) mod endpoints;
mod excerpt;
mod location;
mod read;
