//! Requests of `users`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::api::{Any, Object};

/// `users.get_by_id`, `users.delete`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct UserRequest {
    pub(super) user: String,
}

/// `users.create`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct CreateRequest {
    pub(super) id: String,
    pub(super) company: String,
    pub(super) name: String,
    pub(super) given_name: Option<String>,
    pub(super) family_name: Option<String>,
    pub(super) avatar: Option<String>,
}

/// `users.update`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct UpdateRequest {
    pub(super) user: String,
    pub(super) name: Option<Any>,
    pub(super) given_name: Option<Any>,
    pub(super) family_name: Option<Any>,
}

/// `users.set_preferences`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct SetPreferencesRequest {
    pub(super) preferences: Object,
    /// Whether the answer holds all preferences; default true.
    pub(super) return_updated: Option<bool>,
}

/// The part of `users.get_all_ex` beyond the query language.
#[derive(Debug, Deserialize)]
pub(super) struct ActiveInRequest {
    /// `None`: all users; empty: active in any project.
    pub(super) active_in_projects: Option<Vec<String>>,
}
