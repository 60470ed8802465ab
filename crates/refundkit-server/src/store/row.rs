//! A row of an answer, from either database: columns by name, as the types that they stand for.

use std::{cell::Cell, str::FromStr};

use refundkit::Timestamp;
use serde::de::DeserializeOwned;

use super::StoreError;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Null,
    Integer(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// A row of an answer.
pub(super) struct Row<'a> {
    from: From<'a>,
    /// The place after the column read last: columns are read in the order of their SELECT, mostly.
    next: Cell<usize>,
}

enum From<'a> {
    Sqlite { row: &'a rusqlite::Row<'a>, columns: &'a [String] },
    Postgres(&'a tokio_postgres::Row),
}

impl<'a> Row<'a> {
    pub(super) fn of_sqlite(row: &'a rusqlite::Row<'a>, columns: &'a [String]) -> Self {
        Self { from: From::Sqlite { row, columns }, next: Cell::new(0) }
    }

    pub(super) fn of_postgres(row: &'a tokio_postgres::Row) -> Self {
        Self { from: From::Postgres(row), next: Cell::new(0) }
    }

    /// What a column holds.
    pub(super) fn value(&self, column: &'static str) -> Result<Value<'_>, StoreError> {
        let next = self.next.get();
        let place = if self.name(next) == Some(column) {
            next
        } else {
            let found = (0..).map_while(|place| self.name(place)).position(|name| name == column);
            found.ok_or_else(|| StoreError::Row { column, message: "the answer has no such column".to_owned() })?
        };
        self.next.set(place + 1);
        self.value_at(place)
    }

    fn name(&self, place: usize) -> Option<&str> {
        match self.from {
            From::Sqlite { columns, .. } => columns.get(place).map(String::as_str),
            From::Postgres(row) => row.columns().get(place).map(tokio_postgres::Column::name),
        }
    }

    /// What the column at this place holds.
    pub(super) fn value_at(&self, place: usize) -> Result<Value<'_>, StoreError> {
        match self.from {
            From::Sqlite { row, .. } => super::sqlite::value(row, place),
            From::Postgres(row) => super::postgres::value(row, place),
        }
    }

    /// A text column.
    pub(super) fn text(&self, column: &'static str) -> Result<String, StoreError> {
        self.str(column).map(str::to_owned)
    }

    /// A text column that may be null.
    pub(super) fn optional_text(&self, column: &'static str) -> Result<Option<String>, StoreError> {
        Ok(self.optional_str(column)?.map(str::to_owned))
    }

    /// An integer column.
    pub(super) fn integer(&self, column: &'static str) -> Result<i64, StoreError> {
        self.optional_integer(column)?.ok_or_else(|| is_null(column))
    }

    /// An integer column that may be null.
    pub(super) fn optional_integer(&self, column: &'static str) -> Result<Option<i64>, StoreError> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Integer(number) => Ok(Some(number)),
            other => Err(is_not(column, "an integer", other)),
        }
    }

    /// A column of bytes.
    pub(super) fn bytes(&self, column: &'static str) -> Result<Vec<u8>, StoreError> {
        match self.value(column)? {
            Value::Bytes(bytes) => Ok(bytes.to_owned()),
            other => Err(is_not(column, "bytes", other)),
        }
    }

    /// A column of bytes that may be null.
    pub(super) fn optional_bytes(&self, column: &'static str) -> Result<Option<Vec<u8>>, StoreError> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Bytes(bytes) => Ok(Some(bytes.to_owned())),
            other => Err(is_not(column, "bytes", other)),
        }
    }

    /// An instant that may be null.
    pub(super) fn optional_timestamp(&self, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.optional_integer(column)?.map(Timestamp::from_millis))
    }

    /// An instant.
    pub(super) fn timestamp(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::from_millis(self.integer(column)?))
    }

    /// A text column as the type it stands for.
    pub(super) fn parse<T: FromStr<Err: std::fmt::Display>>(&self, column: &'static str) -> Result<T, StoreError> {
        self.parse_optional(column)?.ok_or_else(|| is_null(column))
    }

    /// A text column that may be null, as the type it stands for.
    pub(super) fn parse_optional<T: FromStr<Err: std::fmt::Display>>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, StoreError> {
        let Some(text) = self.optional_str(column)? else { return Ok(None) };
        text.parse().map(Some).map_err(|error| StoreError::Row { column, message: format!("`{text}` {error}") })
    }

    /// A JSON column as the type it stands for.
    pub(super) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, StoreError> {
        self.json_optional(column)?.ok_or_else(|| is_null(column))
    }

    /// A JSON column that may be null, as the type it stands for.
    pub(super) fn json_optional<T: DeserializeOwned>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        let Some(text) = self.optional_str(column)? else { return Ok(None) };
        serde_json::from_str(text).map(Some).map_err(|error| StoreError::Row { column, message: error.to_string() })
    }

    fn str(&self, column: &'static str) -> Result<&str, StoreError> {
        self.optional_str(column)?.ok_or_else(|| is_null(column))
    }

    fn optional_str(&self, column: &'static str) -> Result<Option<&str>, StoreError> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text)),
            other => Err(is_not(column, "text", other)),
        }
    }
}

fn is_null(column: &'static str) -> StoreError {
    StoreError::Row { column, message: "it is null".to_owned() }
}

/// What a column holds is not repeated: it may be a secret.
fn is_not(column: &'static str, expected: &str, found: Value<'_>) -> StoreError {
    let found = match found {
        Value::Null => "null",
        Value::Integer(_) => "an integer",
        Value::Text(_) => "text",
        Value::Bytes(_) => "bytes",
    };
    StoreError::Row { column, message: format!("expected {expected}, found {found}") }
}
