//! Drives the real server: starts the binary, and calls it over HTTP. Used by `tests/bench` and `tests/faults`.

mod client;
mod server;

pub use client::{Api, Body, CallError, Http, full};
pub use server::{Credentials, DataDir, Server};
