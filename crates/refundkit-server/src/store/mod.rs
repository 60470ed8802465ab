//! The store: the only place that speaks SQL. Rows in, rows out; it decides nothing.
//!
//! One connection writes and several read. Units of work that arrive while a commit is under way are committed together in
//! the next one, so that many refunds share one fsync. A unit that fails before it wrote fails alone; one that fails
//! half done, and a commit that fails, fail every unit of the group.

pub mod api_keys;
mod connection;
pub mod connections;
pub mod idempotency_keys;
pub mod jobs;
pub mod logs;
mod migrations;
pub mod organizations;
#[cfg(test)]
mod plans;
mod readers;
pub mod refund_events;
pub mod refunds;
mod writer;

use std::path::Path;

use futures_util::future::BoxFuture;
use refundkit::{Environment, ErrorCode, OrganizationId};

pub use connection::Connection;
pub use readers::Reader;

use crate::{error::Error, limits};
use connection::Kind;

/// Whose rows: every statement on a tenant's rows takes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tenant {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The environment.
    pub environment: Environment,
}

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database did not answer as it should.
    #[error("database: {0}")]
    Database(#[from] rusqlite::Error),
    /// The database was made by a newer version of the program.
    #[error(
        "this database was made by a newer version of RefundKit (its tables are at {found}, this program knows {known})"
    )]
    Newer {
        /// The version of its tables.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// A row does not parse.
    #[error("the column {column} of a row does not parse: {message}")]
    Row {
        /// The column.
        column: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// A charge has more refunds than can be decided on.
    #[error("this payment has more than {} refunds", limits::REFUNDS_PER_TRANSACTION_MAX)]
    TooManyRefunds,
    /// The group that the unit belonged to was not committed.
    #[error("commit: {0}")]
    Commit(String),
    /// The database has stopped.
    #[error("the database is shutting down")]
    Closed,
    /// Too much is waiting to be written.
    #[error("too many writes are waiting")]
    Full,
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::TooManyRefunds => {
                Self::new(ErrorCode::Conflict, format!("{error}, more than RefundKit decides on."))
                    .hint("Make further refunds of it at the processor.")
            }
            StoreError::Row { .. } | StoreError::Newer { .. } => Self::internal(error),
            StoreError::Database(ref cause) if !is_environmental(cause) => Self::internal(error),
            StoreError::Database(_) | StoreError::Commit(_) | StoreError::Closed | StoreError::Full => {
                tracing::error!(cause = %error, "the database cannot be used right now");
                Self::unavailable("The database cannot be used right now; nothing was lost. Try again in a moment.")
            }
        }
    }
}

/// Whether the trouble is the world's (disk, lock, memory) rather than a defect of a statement.
fn is_environmental(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, FileLockingProtocolFailed, OperationInterrupted,
        OutOfMemory, PermissionDenied, ReadOnly, SystemIoFailure,
    };
    error.sqlite_error_code().is_some_and(|code| {
        matches!(
            code,
            CannotOpen
                | DatabaseBusy
                | DatabaseLocked
                | DiskFull
                | FileLockingProtocolFailed
                | OperationInterrupted
                | OutOfMemory
                | PermissionDenied
                | ReadOnly
                | SystemIoFailure
        )
    })
}

/// A value as the JSON of a column. Values here always serialise; a defect is an error, not a panic.
pub(crate) fn to_json<T: serde::Serialize>(column: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Row { column, message: error.to_string() })
}

/// Keeps a statement's plan whatever values it is given. Without this SQLite plans anew, on every call, each statement whose plan
/// could gain from a value: a `LIMIT $5` is enough.
fn keep_plans(sqlite: &rusqlite::Connection) -> Result<(), StoreError> {
    sqlite.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    writer: writer::Writer,
    readers: readers::Readers,
}

impl Store {
    /// Opens the database file, makes it when it is missing, and brings its tables up to date.
    #[expect(clippy::unused_async, reason = "opening another database waits here")]
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let mut writer = rusqlite::Connection::open(path)?;
        writer.busy_timeout(limits::DATABASE_BUSY_WAIT)?;
        writer.set_prepared_statement_cache_capacity(limits::STATEMENTS_CACHED_MAX);
        writer.pragma_update(None, "journal_mode", "WAL")?;
        writer.pragma_update(None, "synchronous", "FULL")?;
        writer.pragma_update(None, "foreign_keys", true)?;
        writer.pragma_update(None, "cache_size", -limits::WRITER_CACHE_KIB)?;
        writer.pragma_update(None, "wal_autocheckpoint", limits::CHECKPOINT_PAGES)?;
        // What a unit could have to undo is kept in memory, not in a file that is made and deleted for it.
        writer.pragma_update(None, "temp_store", "MEMORY")?;
        keep_plans(&writer)?;
        migrations::run(&mut writer)?;
        let readers = readers::Readers::open(path)?;
        Ok(Self { writer: writer::Writer::start(Connection::new(writer, Kind::Writer)), readers })
    }

    /// Runs a unit of work and answers when it is durable. Nothing that waits for a network belongs in it.
    pub async fn write<T, E, F>(&self, unit: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
    {
        self.writer.run(unit).await
    }

    /// A connection to read with.
    pub async fn read(&self) -> Result<Reader, StoreError> {
        self.readers.acquire().await
    }

    /// Finishes what waits to be written, then closes the database.
    pub async fn close(&self) {
        self.writer.close().await;
        self.readers.close();
    }
}
