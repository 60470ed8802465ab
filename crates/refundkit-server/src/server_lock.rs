//! One server to a SQLite file: a lock on a file beside it, held as long as the server runs.
//!
//! SQLite itself would let two servers share a file, but what a server knows (rate limits, requests under way, who waits for whom) is
//! its own, and a database that is replaced under a running server is lost. Commands that need the file to themselves take the same
//! lock. The kernel drops it with the process, however that ends, so that the file that stays behind means nothing.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use crate::{
    config::DatabaseUrl,
    setup::{self, SetupError},
};

/// Why the lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// A server runs.
    #[error("a server{} is running on {}", .process.as_ref().map_or_else(String::new, |id| format!(" (process {id})")), .database.display())]
    Held {
        /// The database's file.
        database: PathBuf,
        /// The server's process id, as it wrote it.
        process: Option<u32>,
    },
    /// The lock's file or folder.
    #[error(transparent)]
    Setup(#[from] SetupError),
}

/// The right to be the one server of a database. Given back when it is dropped.
#[derive(Debug)]
pub struct ServerLock {
    /// None where the database server itself keeps many servers apart.
    _file: Option<File>,
}

/// Takes the lock. PostgreSQL needs none: any number of servers share a database there.
pub fn take(url: &DatabaseUrl) -> Result<ServerLock, LockError> {
    match url {
        DatabaseUrl::Sqlite { path } => take_file(path).map(|file| ServerLock { _file: Some(file) }),
        DatabaseUrl::Postgres { .. } => Ok(ServerLock { _file: None }),
    }
}

fn take_file(database: &Path) -> Result<File, LockError> {
    if let Some(folder) = database.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        setup::make_private_folder(folder)?;
    }
    // By whatever name the database is reached, it has one lock.
    let path = fs::canonicalize(database).unwrap_or_else(|_| database.to_owned()).with_added_extension("lock");
    let failed = |cause: io::Error| SetupError::File { path: path.display().to_string(), cause };
    let mut options = OpenOptions::new();
    let opened = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let mut file = opened.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Whoever holds it may be about to write its number: then it stays unnamed.
            let _ = file.read_to_string(&mut holder);
            return Err(LockError::Held { database: database.to_owned(), process: holder.trim().parse().ok() });
        }
        Err(TryLockError::Error(cause)) => return Err(failed(cause).into()),
    }
    // For people only. A disk that is full is no reason not to serve.
    let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(file)
}
