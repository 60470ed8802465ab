//! SQLite, inside the process: one connection writes, several read.
//!
//! A statement is a function call here, so none of this waits.

pub mod backup;
pub(super) mod migrations;
#[cfg(test)]
mod plans;
mod readers;
pub(super) mod tables;
mod writer;

use std::{cell::RefCell, collections::BTreeMap, path::Path, sync::Arc};

use rusqlite::{
    CachedStatement, OpenFlags, ToSql,
    types::{ToSqlOutput, ValueRef},
};

use super::{
    StoreError,
    connection::Param,
    memory::Age,
    row::{Row, Value},
};
use crate::limits;
pub(super) use readers::{Reader, Readers};
use writer::Counting;
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
        let handle = Handle::open_to_write(path, Kind::Writer)?;
        let readers = Readers::open(path, Kind::Reader)?;
        Ok(Self { writer: Writer::start(handle)?, readers })
    }

    /// Finishes what waits to be written, then closes. What is left is one file.
    pub(super) async fn close(&self) {
        // Whoever is the last to close folds the log into the file and removes it, and those that read may not.
        self.readers.close();
        self.writer.close().await;
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
pub(super) enum Kind {
    /// One on a thread where nobody else waits.
    Writer,
    /// One of those that read, on whatever thread asks.
    Reader,
}

/// One connection.
pub struct Handle {
    sqlite: rusqlite::Connection,
    kind: Kind,
    /// Of the one that writes.
    counting: Option<Counting>,
    /// By where the text is: nearly every statement is a constant.
    known: RefCell<BTreeMap<(usize, usize), Arc<Known>>>,
}

/// What is found out of a statement once: asking SQLite for the names of columns, row after row, costs more than the values do.
struct Known {
    /// The text as it was given: another one may come to stand where a forgotten one stood.
    text: Box<str>,
    /// The text with its parameters as SQLite numbers them: `$2` is a name there, and `?2` the second.
    sql: String,
    columns: Vec<String>,
}

impl Handle {
    fn new(sqlite: rusqlite::Connection, kind: Kind) -> Self {
        Self { sqlite, kind, counting: None, known: RefCell::default() }
    }

    /// A connection that writes, to a file that is made when it is missing and whose tables are brought up to date.
    pub(super) fn open_to_write(path: &Path, kind: Kind) -> Result<Self, StoreError> {
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
        Ok(Self::new(sqlite, kind))
    }

    /// A connection that reads.
    fn open_to_read(path: &Path, kind: Kind) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let sqlite = rusqlite::Connection::open_with_flags(path, flags)?;
        sqlite.busy_timeout(limits::DATABASE_BUSY_WAIT)?;
        sqlite.set_prepared_statement_cache_capacity(limits::STATEMENTS_CACHED_MAX);
        keep_plans(&sqlite)?;
        Ok(Self::new(sqlite, kind))
    }

    /// Whether what may be remembered is certainly as it was at this age.
    pub(super) fn is_unchanged_since(&self, age: Age) -> bool {
        self.counting.as_ref().is_some_and(|counting| counting.is_unchanged_since(age))
    }

    /// The connection as SQLite's own library sees it.
    pub(super) fn sqlite(&self) -> &rusqlite::Connection {
        &self.sqlite
    }

    /// The statement, ready to run, and what is known of it.
    fn prepare(&self, sql: &str) -> Result<(CachedStatement<'_>, Arc<Known>), StoreError> {
        let place = (sql.as_ptr().addr(), sql.len());
        let known = self.known.borrow().get(&place).map(Arc::clone);
        if let Some(known) = known.filter(|known| *known.text == *sql) {
            return Ok((self.sqlite.prepare_cached(&known.sql)?, known));
        }
        let numbered = sql.replace('$', "?");
        let statement = self.sqlite.prepare_cached(&numbered)?;
        let columns = statement.column_names().map(str::to_owned).collect();
        let known = Arc::new(Known { text: sql.into(), sql: numbered, columns });
        let mut all = self.known.borrow_mut();
        if all.len() >= limits::STATEMENTS_CACHED_MAX {
            all.clear();
        }
        all.insert(place, Arc::clone(&known));
        Ok((statement, known))
    }

    pub(super) fn execute(&self, sql: &str, params: &[Param<'_>]) -> Result<u64, StoreError> {
        let (mut statement, _) = self.prepare(sql)?;
        let changed = statement.execute(rusqlite::params_from_iter(params))?;
        Ok(u64::try_from(changed).unwrap_or(u64::MAX))
    }

    pub(super) fn fetch_optional<T>(
        &self,
        sql: &str,
        params: &[Param<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let (mut statement, known) = self.prepare(sql)?;
        let mut rows = statement.query(rusqlite::params_from_iter(params))?;
        rows.next()?.map(|row| read(&Row::of_sqlite(row, &known.columns))).transpose()
    }

    /// On a reader this may take a while, and other requests go on meanwhile.
    pub(super) fn fetch_all<T>(
        &self,
        sql: &str,
        params: &[Param<'_>],
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let fetch = || {
            let (mut statement, known) = self.prepare(sql)?;
            let mut rows = statement.query(rusqlite::params_from_iter(params))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(read(&Row::of_sqlite(row, &known.columns))?);
            }
            Ok(found)
        };
        match self.kind {
            Kind::Writer => fetch(),
            Kind::Reader => tokio::task::block_in_place(fetch),
        }
    }
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
            Self::Id(id) => ValueRef::Text(id.as_bytes()),
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
