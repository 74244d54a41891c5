//! The endpoints of `users`: name, first version, access, handler.

use super::{active, preferences, profile};
use crate::api::{Endpoint, Role, document_endpoint, endpoint};

/// Callers that act for the server itself.
const SYSTEM: &[Role] = &[Role::System, Role::Root];

/// The table of contents of this service.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        endpoint("users.get_by_id", 1, 0, profile::get_by_id),
        document_endpoint("users.get_current_user", 1, 0, profile::get_current_user),
        document_endpoint("users.get_all", 1, 0, profile::get_all),
        document_endpoint("users.get_all_ex", 1, 0, profile::get_all_ex),
        document_endpoint("users.get_all_ex", 2, 8, active::get_all_ex),
        endpoint("users.create", 1, 0, profile::create).roles(SYSTEM),
        endpoint("users.delete", 1, 0, profile::delete).roles(SYSTEM),
        endpoint("users.update", 1, 0, profile::update),
        document_endpoint("users.get_preferences", 1, 0, preferences::get),
        endpoint("users.set_preferences", 1, 0, preferences::set),
    ]
}
