//! The `users` service: profiles and preferences (spec 01 §5.3).

mod active;
pub(crate) mod endpoints;
mod preferences;
mod profile;
mod requests;
pub(crate) mod schema;

pub(crate) use profile::{NewUser, insert_user};
