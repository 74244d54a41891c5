//! Requests through the real router: a module per service. On the embedded stores; with
//! `CLEARML_TEST_STORES=cluster` on MongoDB, Elasticsearch and Redis at `CLEARML_MONGODB_URL`,
//! `CLEARML_ELASTIC_URL` and `CLEARML_REDIS_URL`.
#![allow(clippy::unwrap_used, unreachable_pub, reason = "all of this is a test")]

mod access;
mod auth;
mod bad_input;
mod catalogue;
mod contract;
mod events;
mod lifecycle;
mod login;
mod models;
mod openapi;
mod organization;
mod pipelines;
mod projects;
mod protocol;
mod query;
mod queues;
mod reports;
mod server;
mod serving;
mod storage;
mod support;
mod tasks;
mod users;
mod workers;
