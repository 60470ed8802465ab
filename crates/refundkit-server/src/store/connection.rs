//! A connection to the database, as the store's functions see it: SQL text and parameters in, rows out.
//!
//! SQLite runs inside the process, so a statement is a function call and every future here is ready at once. The functions are
//! async all the same: a statement of a database on another machine is not, and units of work are written for both.

use std::{borrow::Cow, cell::Cell, str::FromStr};

use refundkit::Timestamp;
use rusqlite::{
    ToSql,
    types::{ToSqlOutput, ValueRef},
};
use serde::de::DeserializeOwned;

use super::StoreError;

/// A connection, to write with or to read with.
pub struct Connection {
    sqlite: rusqlite::Connection,
    kind: Kind,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The one that writes, on a thread of its own.
    Writer,
    /// One of those that read, on whatever thread asks.
    Reader,
}

impl Connection {
    pub(super) fn new(sqlite: rusqlite::Connection, kind: Kind) -> Self {
        Self { sqlite, kind }
    }

    pub(super) fn sqlite(&mut self) -> &mut rusqlite::Connection {
        &mut self.sqlite
    }

    /// Runs a statement that changes rows; answers how many.
    #[expect(clippy::unused_async, reason = "a statement of another database waits here")]
    pub(super) async fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> Result<usize, StoreError> {
        let mut statement = self.sqlite.prepare_cached(&numbered(sql))?;
        Ok(statement.execute(rusqlite::params_from_iter(params))?)
    }

    /// Runs a statement that answers one row or none.
    #[expect(clippy::unused_async, reason = "a statement of another database waits here")]
    pub(super) async fn fetch_optional<T>(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut statement = self.sqlite.prepare_cached(&numbered(sql))?;
        let mut rows = statement.query(rusqlite::params_from_iter(params))?;
        rows.next()?.map(|row| read(&Row::new(row))).transpose()
    }

    /// Runs a statement that answers exactly one row.
    pub(super) async fn fetch_one<T>(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.fetch_optional(sql, params, read).await?.ok_or(StoreError::Database(rusqlite::Error::QueryReturnedNoRows))
    }

    /// Runs a statement that answers rows. On a reader this may take a while, and other requests go on meanwhile.
    #[expect(clippy::unused_async, reason = "a statement of another database waits here")]
    pub(super) async fn fetch_all<T>(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let kind = self.kind;
        let fetch = || {
            let mut statement = self.sqlite.prepare_cached(&numbered(sql))?;
            let mut rows = statement.query(rusqlite::params_from_iter(params))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(read(&Row::new(row))?);
            }
            Ok(found)
        };
        match kind {
            Kind::Writer => fetch(),
            Kind::Reader => tokio::task::block_in_place(fetch),
        }
    }
}

/// The statement with its parameters as SQLite numbers them: `$2` is a name there, and `?2` the second.
fn numbered(sql: &str) -> String {
    sql.replace('$', "?")
}

/// A row of an answer.
pub(super) struct Row<'a> {
    row: &'a rusqlite::Row<'a>,
    /// The place after the column read last: columns are read in the order of their SELECT, mostly.
    next: Cell<usize>,
}

impl<'a> Row<'a> {
    fn new(row: &'a rusqlite::Row<'a>) -> Self {
        Self { row, next: Cell::new(0) }
    }

    /// The place of a column.
    fn place(&self, column: &str) -> Result<usize, StoreError> {
        let next = self.next.get();
        let place = match self.row.as_ref().column_name(next) {
            Ok(name) if name == column => next,
            _ => self.row.as_ref().column_index(column)?,
        };
        self.next.set(place + 1);
        Ok(place)
    }

    fn get<T: rusqlite::types::FromSql>(&self, column: &'static str) -> Result<T, StoreError> {
        Ok(self.row.get(self.place(column)?)?)
    }

    fn value(&self, column: &'static str) -> Result<ValueRef<'_>, StoreError> {
        Ok(self.row.get_ref(self.place(column)?)?)
    }

    fn is_null(&self, column: &'static str) -> Result<bool, StoreError> {
        let is_null = matches!(self.value(column)?, ValueRef::Null);
        self.next.set(self.next.get() - 1);
        Ok(is_null)
    }

    /// A text column.
    pub(super) fn text(&self, column: &'static str) -> Result<String, StoreError> {
        self.get(column)
    }

    /// A text column that may be null.
    pub(super) fn optional_text(&self, column: &'static str) -> Result<Option<String>, StoreError> {
        self.get(column)
    }

    /// An integer column.
    pub(super) fn integer(&self, column: &'static str) -> Result<i64, StoreError> {
        self.get(column)
    }

    /// An integer column that may be null.
    pub(super) fn optional_integer(&self, column: &'static str) -> Result<Option<i64>, StoreError> {
        self.get(column)
    }

    /// A column of bytes.
    pub(super) fn bytes(&self, column: &'static str) -> Result<Vec<u8>, StoreError> {
        self.get(column)
    }

    /// An instant.
    pub(super) fn timestamp(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::from_millis(self.integer(column)?))
    }

    /// A text column as the type it stands for.
    pub(super) fn parse<T: FromStr<Err: std::fmt::Display>>(&self, column: &'static str) -> Result<T, StoreError> {
        let text = self.str(column)?;
        text.parse().map_err(|error| StoreError::Row { column, message: format!("`{text}` {error}") })
    }

    /// A text column that may be null, as the type it stands for.
    pub(super) fn parse_optional<T: FromStr<Err: std::fmt::Display>>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, StoreError> {
        if self.is_null(column)? { Ok(None) } else { self.parse(column).map(Some) }
    }

    /// A JSON column as the type it stands for.
    pub(super) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, StoreError> {
        let text = self.str(column)?;
        serde_json::from_str(text).map_err(|error| StoreError::Row { column, message: error.to_string() })
    }

    /// A JSON column that may be null, as the type it stands for.
    pub(super) fn json_optional<T: DeserializeOwned>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        if self.is_null(column)? { Ok(None) } else { self.json(column).map(Some) }
    }

    fn str(&self, column: &'static str) -> Result<&str, StoreError> {
        let value = self.value(column)?;
        value.as_str().map_err(|error| StoreError::Row { column, message: error.to_string() })
    }
}

/// A parameter of a statement.
#[derive(Debug, Clone)]
pub(super) enum Param<'a> {
    Null,
    Integer(i64),
    Text(Cow<'a, str>),
    Bytes(&'a [u8]),
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

impl From<i64> for Param<'_> {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<u32> for Param<'_> {
    fn from(number: u32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<Timestamp> for Param<'_> {
    fn from(at: Timestamp) -> Self {
        Self::Integer(at.as_millis())
    }
}

impl<'a> From<&'a str> for Param<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}

impl<'a> From<&'a String> for Param<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text.as_str().into())
    }
}

impl From<String> for Param<'_> {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl<'a> From<&'a [u8]> for Param<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a, T: Into<Param<'a>>> From<Option<T>> for Param<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

macro_rules! ids_as_text {
    ($($id:ident)+) => { $(
        impl From<refundkit::$id> for Param<'_> {
            fn from(id: refundkit::$id) -> Self { Self::Text(id.to_string().into()) }
        }
    )+ };
}
ids_as_text!(OrganizationId KeyId ConnectionId RefundId EventId RequestId);

macro_rules! words_as_text {
    ($($word:ident)+) => { $(
        impl From<refundkit::$word> for Param<'_> {
            fn from(word: refundkit::$word) -> Self { Self::Text(word.as_str().into()) }
        }
    )+ };
}
words_as_text!(Environment Scope ProcessorName ConnectionStatus RefundStatus RefundStage RefundReason RefundEventType InitiatedBy);

/// The parameters of a statement, `$1` first.
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::store::connection::Param::from($value)),*] };
}
pub(super) use params;
