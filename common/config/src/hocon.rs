//! HOCON: a superset of JSON for people. What is supported: comments, unquoted text and keys, dotted keys,
//! `=`/`:`/`+=`, `${path}` and `${?path}` (from the same file, else the environment), concatenation, triple
//! quotes and includes of files.
//!
//! More lenient than the HOCON specification in one point, as the official server's parser is: unquoted
//! values may hold `:` and `//`, so URLs need no quotes.

mod node;
mod parser;
mod resolve;

use std::path::Path;

use crate::{
    ConfigError, Environment,
    value::{Origin, Value},
};

/// Reads a file.
pub(crate) fn load(path: &Path, environment: &Environment) -> Result<Value, ConfigError> {
    let root = parser::parse_file(path, 0, &[])?;
    resolve::resolve(&root, environment)
}

/// Reads one value, for example `[a, b]`, from a text that is nothing else.
pub(crate) fn parse_single_value(
    text: &str,
    origin: &Origin,
    environment: &Environment,
) -> Result<Value, ConfigError> {
    let node = parser::parse_value(text, origin)?;
    resolve::resolve(&node, environment)
}
