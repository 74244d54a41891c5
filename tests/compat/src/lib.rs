//! Proof of the drop-in: the stores that an official server left behind, put into this server's stores, and
//! its recorded calls, answered by this server.
//!
//! The recording is no part of the repository. The tests read its folder from `CLEARML_COMPAT_DATA`; a
//! `README.md` there describes it.

mod answer;
mod compare;
mod dump;
mod load;
mod raw;
mod server;
mod shape;

pub use answer::json_value;
pub use compare::{Difference, Differences, Kind, Side};
pub use dump::{Call, Dump, Index, Indexed, StateEntry, StateValue};
pub use load::{embedded_stores, load, load_state};
pub use raw::Cluster;
pub use server::{Answer, Server};
pub use shape::Shape;

/// The folder of the recording, or `None` after a line that says so.
pub fn recording() -> Option<std::path::PathBuf> {
    let folder = std::env::var_os("CLEARML_COMPAT_DATA");
    if folder.is_none() {
        println!("skipped: CLEARML_COMPAT_DATA is not set");
    }
    folder.map(Into::into)
}
