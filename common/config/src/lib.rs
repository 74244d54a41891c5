//! Configuration: HOCON files and the environment, merged over the defaults and read into typed settings
//! (spec 01 §7, 06 §9).
//!
//! Sources, later ones win: defaults, the `*.conf` files of the configuration directories, generated
//! secrets (only where none is configured), `TRAINS__*` variables, `CLEARML__*` variables, dedicated
//! variables such as `CLEARML_REDIS_SERVICE_HOST`.
//!
//! The HOCON parser is our own: the crates that exist refuse or cut unquoted URLs, take an object that is
//! never closed for an empty one, and can't tell the line of a value, which our errors name.

mod config;
mod data_dir;
mod dedicated;
mod deserialize;
mod environment;
mod error;
mod hocon;
mod merge;
mod options;
mod secrets;
pub mod settings;
mod value;

pub use config::{Config, Sources, config_directories};
pub use data_dir::DataDir;
pub use environment::Environment;
pub use error::ConfigError;
pub use options::{CommonOptions, Loaded, Locking};
pub use secrets::{GeneratedSecrets, generate_key, generate_secret};
pub use settings::{Seconds, Secret, Settings};
