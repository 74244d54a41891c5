//! How people sign in here: fixed users, guest, or simple mode.

use std::sync::Arc;

use bson::{Document, doc};

use crate::{
    App,
    api::{ApiResult, Call},
};

/// `auth.fixed_users_mode`.
pub(super) async fn fixed_users_mode(app: Arc<App>, _: Arc<Call>, _: Document) -> ApiResult {
    // Server errors appear here only when there are some, and there are none: see `login.supported_modes`.
    Ok(doc! {"enabled": is_fixed_mode(&app), "guest": guest_mode(&app), "server_errors": {}}.into())
}

/// Whether users come from the configuration and sign in with a password.
pub(crate) fn is_fixed_mode(app: &App) -> bool {
    app.settings.auth.fixed_users.enabled
}

/// `{enabled[, name, username, password]}`: what the sign-in page needs to offer a guest session.
pub(crate) fn guest_mode(app: &App) -> Document {
    match app.settings.auth.fixed_users.active_guest() {
        None => doc! {"enabled": false},
        Some(guest) => doc! {
            "enabled": true,
            "name": &guest.name,
            "username": &guest.username,
            "password": &guest.shown_password,
        },
    }
}
