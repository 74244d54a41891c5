//! The wire protocol (spec 01): paths and versions, envelope, errors, validation, access. It knows nothing
//! of tasks or projects: it reaches a service only through the [`endpoint::Endpoint`] table.

mod call;
mod endpoint;
mod error;
mod version;

pub use call::{Call, Identity, Role};
pub use endpoint::{Access, ApiResult, Endpoint, Reply, endpoint};
pub use error::{ApiError, ErrorCode, codes};
pub use version::ApiVersion;
