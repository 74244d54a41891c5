//! The REST API of the server: `api` is the wire protocol, `query` the language of the `get_all*`
//! endpoints, and each other folder one service, named as in the API.

pub mod api;
pub mod app;
pub mod query;

mod auth;
mod debug;
mod events;
mod jobs;
mod login;
mod models;
mod projects;
mod python;
mod queues;
mod server;
mod tasks;
mod users;
mod workers;

pub use app::App;
pub use events::EventSettings;
