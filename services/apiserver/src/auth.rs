//! The `auth` service: sessions, credentials, and the users' roles (spec 01 §5.1).

mod credentials;
pub(crate) mod endpoints;
mod modes;
mod requests;
mod session;
pub(crate) mod token;
mod users;

pub(crate) use modes::{guest_mode, is_fixed_mode};
pub(crate) use session::logout;
