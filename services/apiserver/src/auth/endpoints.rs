//! The endpoints of `auth`: name, first version, access, handler.

use super::{credentials, modes, session, users};
use crate::api::{Access, Endpoint, Role, document_endpoint, endpoint};

/// Callers that act for the server itself.
const SYSTEM: &[Role] = &[Role::System, Role::Root];

/// The table of contents of this service.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        endpoint("auth.login", 1, 0, session::login),
        document_endpoint("auth.logout", 2, 2, session::logout),
        endpoint("auth.get_token_for_user", 1, 0, session::get_token_for_user).roles(SYSTEM),
        endpoint("auth.validate_token", 1, 0, session::validate_token).roles(SYSTEM),
        endpoint("auth.create_user", 1, 0, users::create_user).roles(SYSTEM),
        endpoint("auth.edit_user", 1, 0, users::edit_user).roles(&[Role::System, Role::Root, Role::Admin]),
        endpoint("auth.create_credentials", 1, 0, credentials::create),
        document_endpoint("auth.get_credentials", 1, 0, credentials::get),
        endpoint("auth.edit_credentials", 1, 0, credentials::edit),
        endpoint("auth.revoke_credentials", 1, 0, credentials::revoke),
        document_endpoint("auth.fixed_users_mode", 1, 0, modes::fixed_users_mode).access(Access::Open),
    ]
}
