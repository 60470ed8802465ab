//! SQLite, inside the process: one connection writes, several read.
//!
//! A statement is a function call here, so none of this waits.

mod migrations;
#[cfg(test)]
mod plans;
mod readers;
mod writer;

use std::path::Path;

use rusqlite::{
    ToSql,
    types::{ToSqlOutput, ValueRef},
};

use super::{
    StoreError,
    connection::Param,
    row::{Row, Value},
};
use crate::limits;
pub(super) use readers::{Reader, Readers};
pub(super) use writer::Writer;

/// The database.
#[derive(Clone)]
pub(super) struct Database {
    pub(super) writer: Writer,
    pub(super) readers: Readers,
}

impl Database {
    /// Opens the database file, makes it when it is missing, and brings its tables up to date.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let mut sqlite = rusqlite::Connection::open(path)?;
        sqlite.busy_timeout(limits::DATABASE_BUSY_WAIT)?;
        sqlite.set_prepared_statement_cache_capacity(limits::STATEMENTS_CACHED_MAX);
        sqlite.pragma_update(None, "journal_mode", "WAL")?;
        sqlite.pragma_update(None, "synchronous", "FULL")?;
        sqlite.pragma_update(None, "foreign_keys", true)?;
        sqlite.pragma_update(None, "cache_size", -limits::WRITER_CACHE_KIB)?;
        sqlite.pragma_update(None, "wal_autocheckpoint", limits::CHECKPOINT_PAGES)?;
        keep_plans(&sqlite)?;
        migrations::run(&mut sqlite)?;
        let readers = Readers::open(path)?;
        Ok(Self { writer: Writer::start(Handle::new(sqlite, Kind::Writer)), readers })
    }

    /// Finishes what waits to be written, then closes.
    pub(super) async fn close(&self) {
        self.writer.close().await;
        self.readers.close();
    }
}

/// Keeps a statement's plan whatever values it is given. Without this SQLite plans anew, on every call, each statement whose plan
/// could gain from a value: a `LIMIT $5` is enough.
fn keep_plans(sqlite: &rusqlite::Connection) -> Result<(), StoreError> {
    sqlite.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The one that writes, on a thread of its own.
    Writer,
    /// One of those that read, on whatever thread asks.
    Reader,
}

/// One connection.
pub struct Handle {
    sqlite: rusqlite::Connection,
    kind: Kind,
}

impl Handle {
    fn new(sqlite: rusqlite::Connection, kind: Kind) -> Self {
        Self { sqlite, kind }
    }

    pub(super) fn execute(&self, sql: &str, params: &[Param<'_>]) -> Result<u64, StoreError> {
        let mut statement = self.sqlite.prepare_cached(&numbered(sql))?;
        let changed = statement.execute(rusqlite::params_from_iter(params))?;
        Ok(u64::try_from(changed).unwrap_or(u64::MAX))
    }

    pub(super) fn fetch_optional<T>(
        &self,
        sql: &str,
        params: &[Param<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut statement = self.sqlite.prepare_cached(&numbered(sql))?;
        let mut rows = statement.query(rusqlite::params_from_iter(params))?;
        rows.next()?.map(|row| read(&Row::of_sqlite(row))).transpose()
    }

    /// On a reader this may take a while, and other requests go on meanwhile.
    pub(super) fn fetch_all<T>(
        &self,
        sql: &str,
        params: &[Param<'_>],
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let fetch = || {
            let mut statement = self.sqlite.prepare_cached(&numbered(sql))?;
            let mut rows = statement.query(rusqlite::params_from_iter(params))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(read(&Row::of_sqlite(row))?);
            }
            Ok(found)
        };
        match self.kind {
            Kind::Writer => fetch(),
            Kind::Reader => tokio::task::block_in_place(fetch),
        }
    }
}

/// The statement with its parameters as SQLite numbers them: `$2` is a name there, and `?2` the second.
fn numbered(sql: &str) -> String {
    sql.replace('$', "?")
}

/// What the column at this place holds.
pub(super) fn value<'a>(row: &'a rusqlite::Row<'a>, place: usize) -> Result<Value<'a>, StoreError> {
    Ok(match row.get_ref(place)? {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Text(text) => Value::Text(std::str::from_utf8(text).map_err(rusqlite::Error::from)?),
        ValueRef::Blob(bytes) => Value::Bytes(bytes),
        ValueRef::Real(_) => {
            return Err(StoreError::Row { column: "", message: "a column holds a fraction".to_owned() });
        }
    })
}

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// Whether the trouble is the world's (disk, lock, memory) rather than a defect of a statement.
pub(super) fn is_environmental(error: &rusqlite::Error) -> bool {
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
