//! Requests through the real router on the embedded stores: a module per service.

mod access;
mod auth;
mod bad_input;
mod lifecycle;
mod login;
mod projects;
mod protocol;
mod query;
mod queues;
mod server;
mod support;
mod tasks;
mod users;
mod workers;
