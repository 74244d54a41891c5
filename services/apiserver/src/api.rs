//! The wire protocol (spec 01): paths and versions, envelope, errors, validation, access. It knows nothing
//! of tasks or projects: it reaches a service only through the [`Endpoint`] table of its [`Registry`].

mod access;
mod batch;
mod body;
mod call;
pub mod check;
mod cookie;
mod cors;
mod endpoint;
mod envelope;
mod error;
mod headers;
pub mod json;
mod last_used;
mod memory;
mod parameters;
mod path;
mod registry;
mod request;
mod router;
mod settings;
mod version;

pub(crate) use access::{identity_of, seconds};
pub(crate) use batch::{BYTES_AT_ONCE, VALUES_AT_ONCE};
pub use batch::{Line, Many, lines};
pub use call::{Call, Identity, Role};
pub use cookie::{CookieDomain, CookieSettings};
pub use endpoint::{Access, ApiResult, Endpoint, Reply, document_endpoint, endpoint};
pub(crate) use error::python_text;
pub use error::{ApiError, ErrorCode, codes};
pub(crate) use last_used::LastUsed;
pub(crate) use memory::RequestMemory;
#[cfg(test)]
pub(crate) use memory::Reserved;
pub use registry::Registry;
pub(crate) use request::is_truthy;
pub use request::{Any, Object, Patch, from_document};
pub use router::router;
pub use settings::{ApiSettings, AuthSettings, CorsSettings, FixedUser, FixedUsers, GuestSettings};
pub use version::ApiVersion;
