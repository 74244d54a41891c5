//! The directory that holds everything a server stores on its machine.

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io::{Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::{ConfigError, Environment};

const LOCK_FILE: &str = "server.lock";

/// A data directory in use. Dropping it lets others use it.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// Locked as long as it is open; the system unlocks it when the process dies.
    _lock: Option<File>,
}

impl DataDir {
    /// `$XDG_DATA_HOME/clearml-server`, else `~/.clearml-server`, else one in the working directory.
    pub fn default_path(environment: &Environment) -> PathBuf {
        if let Some((_, data_home)) = environment.first(["XDG_DATA_HOME"]) {
            return Path::new(data_home).join("clearml-server");
        }
        match environment.first(["HOME"]) {
            Some((_, home)) => Path::new(home).join(".clearml-server"),
            None => PathBuf::from("clearml-server-data"),
        }
    }

    /// Creates the directory, for its owner alone, if it is missing.
    pub fn open_shared(path: &Path) -> Result<Self, ConfigError> {
        create(path)?;
        Ok(Self { path: path.to_owned(), _lock: None })
    }

    /// As [`Self::open_shared`], and keeps other servers out of it.
    pub fn open_alone(path: &Path) -> Result<Self, ConfigError> {
        create(path)?;
        let failed = |reason: String| ConfigError::DataDir { path: path.to_owned(), reason };
        let lock_path = path.join(LOCK_FILE);
        let mut lock = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path)
            .map_err(|error| failed(format!("{LOCK_FILE}: {error}")))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = lock.read_to_string(&mut holder);
                let holder = holder.trim();
                let holder = if holder.is_empty() { String::new() } else { format!(" (process {holder})") };
                return Err(failed(format!(
                    "in use by another server{holder}; hint: stop it, or choose another with --data-dir"
                )));
            }
            Err(TryLockError::Error(error)) => return Err(failed(format!("{LOCK_FILE}: {error}"))),
        }
        // Only for people who look who holds it: a failure does no harm.
        let _ = lock.set_len(0);
        let _ = lock.rewind();
        let _ = writeln!(lock, "{}", std::process::id());
        Ok(Self { path: path.to_owned(), _lock: Some(lock) })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file of generated secrets.
    pub fn secrets_file(&self) -> PathBuf {
        self.path.join("secrets.json")
    }
}

fn create(path: &Path) -> Result<(), ConfigError> {
    let failed =
        |error: std::io::Error| ConfigError::DataDir { path: path.to_owned(), reason: error.to_string() };
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    DirBuilder::new().mode(0o700).create(path).map_err(failed)
}
