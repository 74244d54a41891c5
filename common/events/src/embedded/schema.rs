//! The tables, and how a file becomes one of the present version.

use std::{
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::{EventError, EventResult};

/// Step `n` brings a file of version `n` to version `n + 1`. Steps are never changed once released.
const MIGRATIONS: [&str; 1] = [include_str!("schema/v1.sql")];

/// How long a connection waits for another one's lock. Within the process there is only one writer, so this
/// is about checkpoints and recovery.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Statements that a connection keeps compiled.
const STATEMENT_CACHE: usize = 64;

/// Opens the file for the one writer, makes or migrates it.
pub(super) fn open_for_writing(path: &Path) -> EventResult<Connection> {
    make_private(path).map_err(|error| EventError::Unavailable(format!("{}: {error}", path.display())))?;
    let mut connection = Connection::open(path)?;
    prepare(&connection)?;
    connection.execute_batch(
        "PRAGMA page_size = 4096;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA cache_size = -8192;
         PRAGMA wal_autocheckpoint = 8192;
         PRAGMA journal_size_limit = 67108864;",
    )?;
    migrate(&mut connection)?;
    Ok(connection)
}

/// What others than the owner may do.
const OTHERS: u32 = 0o077;

/// Makes the file, for its owner alone; also one that an earlier version left readable for others. SQLite gives
/// its side files the same mode.
fn make_private(path: &Path) -> std::io::Result<()> {
    let file = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    let is_private = file.metadata()?.mode() & OTHERS == 0;
    if !is_private {
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        for suffix in ["-wal", "-shm"] {
            let mut side = path.as_os_str().to_owned();
            side.push(suffix);
            if let Ok(side) = std::fs::OpenOptions::new().append(true).open(side) {
                side.set_permissions(std::fs::Permissions::from_mode(0o600))?;
            }
        }
    }
    Ok(())
}

/// Opens the file for reading. The writer has opened it before.
pub(super) fn open_for_reading(path: &Path) -> EventResult<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -2048;")?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    Ok(())
}

fn migrate(connection: &mut Connection) -> EventResult<()> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = MIGRATIONS.len() as i64;
    if !(0..=known).contains(&version) {
        let problem = format!("events.db has version {version}, this server knows versions up to {known}");
        return Err(EventError::Backend(problem));
    }
    for (step, statements) in (version..).zip(&MIGRATIONS[version as usize..]) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(statements)?;
        transaction.pragma_update(None, "user_version", step + 1)?;
        transaction.commit()?;
    }
    Ok(())
}

impl From<rusqlite::Error> for EventError {
    fn from(error: rusqlite::Error) -> Self {
        let text = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull(text),
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::SystemIoFailure,
            ) => Self::Unavailable(text),
            _ => Self::Backend(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_their_owner_s_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.db");
        let modes = || {
            let files = std::fs::read_dir(directory.path()).unwrap();
            files.map(|file| file.unwrap().metadata().unwrap().mode() & 0o777).collect::<Vec<_>>()
        };
        let connection = open_for_writing(&path).unwrap();
        assert_eq!(modes(), [0o600; 3]);
        drop(connection);
        // As an earlier version made it.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let _connection = open_for_writing(&path).unwrap();
        assert_eq!(modes(), [0o600; 3]);
    }

    #[test]
    fn newer_files_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.db");
        open_for_writing(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        let error = open_for_writing(&path).unwrap_err();
        assert!(error.to_string().contains("version 99"), "{error}");
    }
}
