//! The store: the only place that speaks SQL. Rows in, rows out; it decides nothing.
//!
//! One connection writes and many read. Units of work that arrive while a commit is under way are committed together in
//! the next one, so that many refunds share one fsync. A unit that fails is rolled back alone; a commit that fails, fails
//! every unit in it.

pub mod api_keys;
pub mod connections;
pub mod idempotency_keys;
pub mod jobs;
pub mod logs;
pub mod organizations;
pub mod refund_events;
pub mod refunds;
mod writer;

use std::{path::Path, str::FromStr};

use futures_util::future::BoxFuture;
use refundkit::{Environment, OrganizationId};
use sqlx::{
    Sqlite, SqliteConnection, SqlitePool,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{error::Error, limits};

/// What a unit of work runs its statements on.
pub type Connection = SqliteConnection;

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
    Database(#[from] sqlx::Error),
    /// The migrations did not run.
    #[error("migration: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A row does not parse.
    #[error("a row of {table} does not parse: {message}")]
    Row {
        /// The table.
        table: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// The group that the unit belonged to was not committed.
    #[error("commit: {0}")]
    Commit(String),
    /// The writer has stopped.
    #[error("the database is shutting down")]
    Closed,
    /// Too much is waiting to be written.
    #[error("too many writes are waiting")]
    Full,
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Row { .. } | StoreError::Migration(_) => Self::internal(error),
            StoreError::Database(ref cause) if !is_environmental(cause) => Self::internal(error),
            StoreError::Database(_) | StoreError::Commit(_) | StoreError::Closed | StoreError::Full => {
                tracing::error!(cause = %error, "the database cannot be used right now");
                Self::unavailable("The database cannot be used right now; nothing was lost. Try again in a moment.")
            }
        }
    }
}

/// Whether the trouble is the world's (disk, lock, memory) rather than a defect of a statement.
fn is_environmental(error: &sqlx::Error) -> bool {
    /// SQLITE_ERROR, SQLITE_CONSTRAINT, SQLITE_MISMATCH, SQLITE_MISUSE, SQLITE_RANGE: a statement of ours is wrong.
    const DEFECTS: [i32; 5] = [1, 19, 20, 21, 25];
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or_default();
            !DEFECTS.contains(&(code & 0xff))
        }
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

/// A row's text as the type it stands for.
pub(crate) fn parse<T: FromStr<Err: std::fmt::Display>>(table: &'static str, text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|error| StoreError::Row { table, message: format!("`{text}` {error}") })
}

/// A row's JSON as the type it stands for.
pub(crate) fn parse_json<T: serde::de::DeserializeOwned>(table: &'static str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Row { table, message: error.to_string() })
}

/// A value as the JSON of a column. Values here always serialise; a defect is an error, not a panic.
pub(crate) fn to_json<T: serde::Serialize>(table: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Row { table, message: error.to_string() })
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    writer: writer::Writer,
    readers: SqlitePool,
}

impl Store {
    /// Opens the database file, makes it when it is missing, and brings its tables up to date.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(limits::DATABASE_BUSY_WAIT)
            .pragma("wal_autocheckpoint", "4000")
            .statement_cache_capacity(256);
        let mut connection = <SqliteConnection as sqlx::Connection>::connect_with(&options).await?;
        sqlx::migrate!("migrations/sqlite").run(&mut connection).await?;
        let readers = SqlitePoolOptions::new()
            .min_connections(1)
            .max_connections(limits::READERS_MAX)
            .test_before_acquire(false)
            .connect_with(options.read_only(true))
            .await?;
        Ok(Self { writer: writer::Writer::start(connection), readers })
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
    pub async fn read(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        Ok(self.readers.acquire().await?)
    }

    /// Finishes what waits to be written, then closes the database.
    pub async fn close(&self) {
        self.writer.close().await;
        self.readers.close().await;
    }
}
