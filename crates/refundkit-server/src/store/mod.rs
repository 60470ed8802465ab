//! The store: the only place that speaks SQL. Rows in, rows out; it decides nothing.
//!
//! There are two databases, and one text of every statement. On SQLite one connection writes and several read: units of work that
//! arrive while a commit is under way are committed together in the next one, so that many refunds share one fsync. A unit that
//! fails before it wrote fails alone; one that fails half done, and a commit that fails, fail every unit of the group. On
//! PostgreSQL each unit is a transaction of its own, and units that must not run side by side take a [`Lock`].

pub mod api_keys;
mod connection;
pub mod connections;
pub mod copy;
pub mod idempotency_keys;
pub mod invitations;
pub mod jobs;
pub mod logs;
mod memory;
pub mod organizations;
pub mod outside_refunds;
mod postgres;
pub mod processor_events;
pub mod refund_days;
pub mod refund_events;
pub mod refund_metadata;
pub mod refunds;
mod row;
pub mod sessions;
pub mod simulated;
mod sqlite;
pub mod users;

use std::{
    ops::{Deref, DerefMut},
    path::Path,
    sync::Arc,
};

use futures_util::future::BoxFuture;
use refundkit::{Environment, ErrorCode, OrganizationId};

pub use connection::{Connection, Lock};
pub use memory::{Age, Memory};
pub use sqlite::backup;

use crate::{config::DatabaseUrl, error::Error, interfaces::idempotency, limits};

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
    /// SQLite did not answer as it should.
    #[error("SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL did not answer as it should.
    #[error("PostgreSQL: {}", postgres::words(.0))]
    Postgres(tokio_postgres::Error),
    /// Another instance bound the idempotency key first.
    #[error("the idempotency key was bound by another instance")]
    KeyTaken,
    /// PostgreSQL cannot be reached.
    #[error("PostgreSQL cannot be reached: {0}")]
    Unreachable(String),
    /// A row that must exist does not.
    #[error("a row that must exist does not")]
    NoRow,
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

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        if postgres::is_key_taken(&error) { Self::KeyTaken } else { Self::Postgres(error) }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::TooManyRefunds => {
                Self::new(ErrorCode::Conflict, format!("{error}, more than RefundKit decides on."))
                    .hint("Make further refunds of it at the processor.")
            }
            StoreError::KeyTaken => idempotency::in_use(),
            StoreError::Row { .. } | StoreError::Newer { .. } | StoreError::NoRow => Self::internal(error),
            StoreError::Sqlite(ref cause) if !sqlite::is_environmental(cause) => Self::internal(error),
            StoreError::Postgres(ref cause) if !postgres::is_environmental(cause) => Self::internal(error),
            StoreError::Sqlite(_)
            | StoreError::Postgres(_)
            | StoreError::Unreachable(_)
            | StoreError::Commit(_)
            | StoreError::Closed
            | StoreError::Full => {
                tracing::error!(cause = %error, "the database cannot be used right now");
                Self::unavailable("The database cannot be used right now; nothing was lost. Try again in a moment.")
            }
        }
    }
}

/// A value as the JSON of a column. Values here always serialise; a defect is an error, not a panic.
pub(crate) fn to_json<T: serde::Serialize>(column: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Row { column, message: error.to_string() })
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store(Database);

#[derive(Clone)]
enum Database {
    Sqlite(sqlite::Database),
    Postgres(postgres::Database),
    Simulated(simulated::Database),
}

impl Store {
    /// Opens the database, and brings its tables up to date. A SQLite file that is missing is made.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        Ok(Self(match url {
            DatabaseUrl::Sqlite { path } => Database::Sqlite(sqlite::Database::open(path)?),
            DatabaseUrl::Postgres { url } => Database::Postgres(postgres::Database::open(url).await?),
        }))
    }

    /// Opens a database for a simulation, which decides what becomes of every read and write.
    pub fn simulated(path: &Path, fates: Arc<dyn simulated::Fates>) -> Result<Self, StoreError> {
        Ok(Self(Database::Simulated(simulated::Database::open(path, fates)?)))
    }

    /// Runs a unit of work and answers when it is durable. Nothing that waits for a network, except for the database, belongs in it.
    pub async fn write<T, E, F>(&self, unit: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, E>> + Send + 'static,
    {
        match &self.0 {
            Database::Sqlite(database) => database.writer.run(unit).await,
            Database::Postgres(database) => Box::pin(database.write(unit)).await,
            Database::Simulated(database) => Box::pin(database.write(unit)).await,
        }
    }

    /// A connection to read with.
    pub async fn read(&self) -> Result<Reader, StoreError> {
        Ok(Reader(match &self.0 {
            Database::Sqlite(database) => Lent::Sqlite(database.readers.acquire().await?),
            Database::Postgres(database) => Lent::Own(Box::pin(database.read()).await?),
            Database::Simulated(database) => Lent::Sqlite(Box::pin(database.read()).await?),
        }))
    }

    /// How often API keys and connections have changed: what was read of them after this was asked is true until it grows.
    pub fn age(&self) -> Age {
        match &self.0 {
            Database::Sqlite(database) => database.writer.changes.now(),
            Database::Postgres(_) | Database::Simulated(_) => Age::UNKNOWN,
        }
    }

    /// Finishes what waits to be written, then closes the database.
    pub async fn close(&self) {
        match &self.0 {
            Database::Sqlite(database) => database.close().await,
            Database::Postgres(database) => database.close(),
            Database::Simulated(_) => {}
        }
    }
}

/// A connection to read with, given back when it is dropped.
pub struct Reader(Lent);

enum Lent {
    Sqlite(sqlite::Reader),
    Own(Connection),
}

impl Deref for Reader {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        match &self.0 {
            Lent::Sqlite(reader) => reader,
            Lent::Own(connection) => connection,
        }
    }
}

impl DerefMut for Reader {
    fn deref_mut(&mut self) -> &mut Connection {
        match &mut self.0 {
            Lent::Sqlite(reader) => reader,
            Lent::Own(connection) => connection,
        }
    }
}
