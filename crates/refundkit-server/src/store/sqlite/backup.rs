//! Copies of a SQLite database in one file, made while servers work on it, and whether such a file can be trusted.

use std::path::Path;

use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup, StepResult},
};
use serde::Serialize;

use super::{migrations, tables};
use crate::{limits, store::StoreError};

/// Why a file is no backup, or no backup was made.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// SQLite could not read or write.
    #[error("SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// It is something else.
    #[error("this is no database of RefundKit")]
    Foreign,
    /// It was made by a newer version of the program.
    #[error("{0}")]
    Newer(StoreError),
    /// What is in it does not hold together.
    #[error("the file is damaged: {0}")]
    Damaged(String),
    /// The database was being written to in a way that kept it from being read.
    #[error("the database is busy; try again in a moment")]
    Busy,
}

/// A table and how many rows it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// The table's name.
    pub table: String,
    /// How many rows.
    pub rows: u64,
}

/// Copies a database as it is at this moment into a file that is empty, checks the copy against it, and counts its rows. Servers go
/// on working: they wait for nothing. The copy is one file, without a log beside it.
pub fn copy(database: &Path, into: &Path) -> Result<Vec<Counted>, BackupError> {
    // Whoever is the last to close a database clears its log away, and must be able to write for that.
    copy_from(&open(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?, into)
}

/// The same of a file that is a backup: it is only read.
pub fn copy_back(backup: &Path, into: &Path) -> Result<Vec<Counted>, BackupError> {
    copy_from(&open(backup, OpenFlags::SQLITE_OPEN_READ_ONLY)?, into)
}

fn copy_from(from: &Connection, into: &Path) -> Result<Vec<Counted>, BackupError> {
    check_version(from)?;
    // One snapshot for the counts and the copy.
    from.execute_batch("BEGIN")?;
    let expected = count(from)?;
    let mut to = open(into, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    to.pragma_update(None, "synchronous", "FULL")?;
    match Backup::new(from, &mut to)?.step(-1)? {
        StepResult::Done => {}
        // All pages were asked for at once, so that a server that writes meanwhile does not make it begin again.
        _ => return Err(BackupError::Busy),
    }
    from.execute_batch("COMMIT")?;
    settle_connection(&to)?;
    drop(to);
    let found = check(into)?;
    if found != expected {
        return Err(BackupError::Damaged("the copy has other rows than the database".to_owned()));
    }
    Ok(found)
}

/// Checks that a file is a whole database of RefundKit, and counts its rows.
fn check(file: &Path) -> Result<Vec<Counted>, BackupError> {
    let sqlite = open(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    check_version(&sqlite)?;
    let said: String = sqlite.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if said != "ok" {
        return Err(BackupError::Damaged(said));
    }
    let mut statement = sqlite.prepare(r#"SELECT "table" FROM pragma_foreign_key_check LIMIT 1"#)?;
    if let Some(row) = statement.query([])?.next()? {
        let table: String = row.get(0)?;
        return Err(BackupError::Damaged(format!("{table} refers to rows that are not there")));
    }
    count(&sqlite)
}

/// Takes what is in the log beside a database into the file itself, which is then all of it. Fails as busy when anybody else has the
/// database open.
pub fn settle(database: &Path) -> Result<(), BackupError> {
    settle_connection(&open(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?)
}

fn settle_connection(sqlite: &Connection) -> Result<(), BackupError> {
    let mode: String = sqlite.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get(0))?;
    if mode == "delete" { Ok(()) } else { Err(BackupError::Busy) }
}

impl BackupError {
    /// Whether somebody else has the database open.
    pub fn is_busy(&self) -> bool {
        match self {
            Self::Busy => true,
            Self::Sqlite(error) => {
                use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
                matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked))
            }
            Self::Foreign | Self::Newer(_) | Self::Damaged(_) => false,
        }
    }
}

fn open(file: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    let sqlite = Connection::open_with_flags(file, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    sqlite.busy_timeout(limits::DATABASE_BUSY_WAIT)?;
    Ok(sqlite)
}

/// Checks that a database is RefundKit's, and of a version that this program knows.
pub(in crate::store) fn check_version(sqlite: &Connection) -> Result<(), BackupError> {
    let foreign = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => BackupError::Foreign,
        _ => error.into(),
    };
    let found: i64 = sqlite.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(foreign)?;
    let marks = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('refunds', 'master_key_check')";
    let marks: i64 = sqlite.query_row(marks, [], |row| row.get(0))?;
    if found < 1 || marks != 2 {
        return Err(BackupError::Foreign);
    }
    let known = migrations::known();
    if found > known { Err(BackupError::Newer(StoreError::Newer { found, known })) } else { Ok(()) }
}

fn count(sqlite: &Connection) -> Result<Vec<Counted>, BackupError> {
    let tables = tables::tables(sqlite)?.into_iter();
    tables.map(|table| Ok(Counted { rows: table.count(sqlite)?, table: table.name })).collect()
}
