//! The endpoints of `events`: name, first version, access, handler.

use crate::api::Endpoint;

/// The table of contents of this service.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    Vec::new()
}
