//! The endpoints of `storage`: name, first version, access, handler.

use super::settings;
use crate::api::{Endpoint, document_endpoint, endpoint};

/// The table of contents of this service.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        document_endpoint("storage.get_settings", 1, 0, settings::get_settings),
        endpoint("storage.set_settings", 1, 0, settings::set_settings),
        endpoint("storage.reset_settings", 1, 0, settings::reset_settings),
    ]
}
