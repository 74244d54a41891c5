//! Drives the real programs: starts them, alone or as replicas behind a balancer, and calls them over HTTP. Used
//! by `tests/bench`, `tests/cluster` and `tests/faults`.

mod client;
mod cluster;
mod process;
mod proxy;
mod report;
mod server;
mod stores;

pub use client::{Api, Body, CallError, Http, full};
pub use cluster::{Cluster, Programs, Replica};
pub use process::{cpu_time, memory};
pub use proxy::{Fault, Proxy};
pub use report::Report;
pub use server::{Credentials, DataDir, Server};
pub use stores::{StoreAddresses, Stores};
