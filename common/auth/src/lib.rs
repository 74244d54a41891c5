//! Who somebody is and what they may do: roles, tokens, passwords, credential pairs (spec 01 §3).
//!
//! Nothing here reads a database or knows HTTP: the API server and the file server share it.

mod credentials;
mod password;
mod revocation;
mod role;
mod token;

pub use credentials::{Credentials, fixed_user_id};
pub use password::{Password, same_text};
pub use revocation::Revocations;
pub use role::Role;
pub use token::{Claims, Identity, TokenError, TokenKey};
