//! Backups of a SQLite database as files: written whole or not at all, and put back without losing what they replace.
//!
//! What is in them and whether it holds together is the store's ([`crate::store::backup`]). Here are names, modes, and the order of
//! steps in which the power may fail between any two.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use refundkit::Timestamp;
use serde::Serialize;

use crate::{
    config::DatabaseUrl,
    env::Env,
    server_lock::{self, LockError},
    store::backup::{self, Counted},
};

/// Characters that make the name of an unfinished file its own.
const UNFINISHED_NAME_CHARACTERS: usize = 8;

/// Why there is no backup, or it was not put back. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is no database.
    #[error("there is no database at {}", .0.display())]
    NoDatabase(PathBuf),
    /// There is a file of that name.
    #[error("{} exists already, and a backup replaces nothing; choose another name", .0.display())]
    Exists(PathBuf),
    /// The backup is the database.
    #[error("{} is the database itself", .0.display())]
    Same(PathBuf),
    /// Another program has the database open.
    #[error("another program has {} open; end it first", .0.display())]
    Open(PathBuf),
    /// What is in the file.
    #[error("{}: {cause}", .path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        cause: backup::BackupError,
    },
    /// A file could not be read or written.
    #[error("{}: {cause}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// A server runs.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// A backup that was made.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackedUp {
    /// The file.
    pub file: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// When it was begun: what was answered before is in it.
    pub taken_at: Timestamp,
    /// What is in it.
    pub tables: Vec<Counted>,
}

/// A backup that was put back.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Restored {
    /// The database.
    pub database: PathBuf,
    /// Where the database is now that was there before.
    pub replaced: Option<PathBuf>,
    /// What is in it.
    pub tables: Vec<Counted>,
}

/// Writes a backup of a database, which may be in use, to a file that does not exist.
pub fn back_up(database: &Path, file: &Path, env: &Env) -> Result<BackedUp, BackupError> {
    if !database.exists() {
        return Err(BackupError::NoDatabase(database.to_owned()));
    }
    if file.exists() {
        return Err(BackupError::Exists(file.to_owned()));
    }
    let taken_at = env.now();
    let unfinished = Unfinished::beside(file, env)?;
    let tables = backup::copy(database, &unfinished.0)
        .map_err(|cause| BackupError::Content { path: database.to_owned(), cause })?;
    let bytes = sync(&unfinished.0)?;
    // The name appears with the whole file behind it, and never in another's place.
    match fs::hard_link(&unfinished.0, file) {
        Ok(()) => {}
        Err(_) if file.exists() => return Err(BackupError::Exists(file.to_owned())),
        // Some file systems that backups go to have no links.
        Err(_) => fs::rename(&unfinished.0, file).map_err(|cause| failed(file, cause))?,
    }
    drop(unfinished);
    sync_folder(file)?;
    Ok(BackedUp { file: file.to_owned(), bytes, taken_at, tables })
}

/// Puts a backup where the database is, which no server may be using. What was there stays beside it under a dated name.
pub fn restore(file: &Path, database: &Path, env: &Env) -> Result<Restored, BackupError> {
    let _alone = server_lock::take(&DatabaseUrl::Sqlite { path: database.to_owned() })?;
    let given = fs::canonicalize(file).map_err(|cause| failed(file, cause))?;
    let target = fs::canonicalize(database).unwrap_or_else(|_| database.to_owned());
    if given == target {
        return Err(BackupError::Same(file.to_owned()));
    }
    // What is checked is what will be the database: a copy on its own disk.
    let unfinished = Unfinished::beside(&target, env)?;
    let tables = backup::copy_back(&given, &unfinished.0)
        .map_err(|cause| BackupError::Content { path: file.to_owned(), cause })?;
    sync(&unfinished.0)?;
    let replaced = set_aside(&target, env)?;
    fs::rename(&unfinished.0, &target).map_err(|cause| failed(&target, cause))?;
    sync_folder(&target)?;
    Ok(Restored { database: target, replaced, tables })
}

/// Gives what is there a second, dated name. At no moment is there no database: its own name stays until the backup takes it.
fn set_aside(database: &Path, env: &Env) -> Result<Option<PathBuf>, BackupError> {
    let now: String = env.now().to_string().chars().filter(char::is_ascii_alphanumeric).collect();
    let kept = database.with_added_extension(format!("replaced-{now}"));
    let log = with_suffix(database, "-wal");
    let mut links = Vec::new();
    if database.exists() {
        // With its log taken in it is one file. A database that is too broken for that keeps its log.
        if let Err(error) = backup::settle(database)
            && error.is_busy()
        {
            return Err(BackupError::Open(database.to_owned()));
        }
        links.push((database, kept.clone()));
    }
    if log.exists() {
        links.push((&log, with_suffix(&kept, "-wal")));
    }
    for (from, to) in &links {
        fs::hard_link(from, to).map_err(|cause| failed(to, cause))?;
    }
    sync_folder(database)?;
    // SQLite plays whatever log it finds beside a database into it, also that of another one.
    for of_the_old in [&log, &with_suffix(database, "-shm")] {
        if of_the_old.exists() {
            fs::remove_file(of_the_old).map_err(|cause| failed(of_the_old, cause))?;
        }
    }
    sync_folder(database)?;
    Ok((!links.is_empty()).then_some(kept))
}

/// A file that is not whole yet, for its owner only. Removed when it is dropped.
struct Unfinished(PathBuf);

impl Unfinished {
    fn beside(file: &Path, env: &Env) -> Result<Self, BackupError> {
        let path = file.with_added_extension(format!("unfinished-{}", env.random_text(UNFINISHED_NAME_CHARACTERS)));
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        made.map_err(|cause| failed(&path, cause))?;
        Ok(Self(path))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // It may have its final name by now.
        let _ = fs::remove_file(&self.0);
        let _ = fs::remove_file(with_suffix(&self.0, "-journal"));
    }
}

/// Waits until the file is on the disk; answers its size.
fn sync(file: &Path) -> Result<u64, BackupError> {
    let synced = File::open(file).and_then(|open| {
        open.sync_all()?;
        open.metadata()
    });
    synced.map(|metadata| metadata.len()).map_err(|cause| failed(file, cause))
}

/// Waits until the names in the file's folder are on the disk.
fn sync_folder(file: &Path) -> Result<(), BackupError> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|open| open.sync_all()).map_err(|cause| failed(folder, cause))
}

/// The file of this name that SQLite keeps beside a database.
fn with_suffix(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn failed(path: &Path, cause: io::Error) -> BackupError {
    BackupError::File { path: path.to_owned(), cause }
}
