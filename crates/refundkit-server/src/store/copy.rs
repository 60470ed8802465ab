//! Moving from SQLite to PostgreSQL: every row of every table, read back and compared before the copy stands.
//!
//! Rows travel as the text of PostgreSQL's `COPY`. The same text, made from the SQLite file on the way in and by PostgreSQL on the way
//! back, is what is compared: all columns of all rows, in the order of their keys. There is one transaction, so that the target
//! is empty or whole.

use std::{mem, path::Path};

use rusqlite::{Connection, OpenFlags, types::ValueRef};
use secrecy::SecretString;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::{
    sync::mpsc::{self, Sender},
    task,
};

use super::{
    StoreError,
    backup::{self, BackupError},
    postgres::Target,
    sqlite::{migrations, tables, tables::Table},
};
use crate::limits;

/// Why nothing was copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The SQLite file.
    #[error("the database to copy from: {0}")]
    From(#[from] BackupError),
    /// The PostgreSQL database.
    #[error("the database to copy to: {0}")]
    To(StoreError),
    /// There is something in the target.
    #[error("the database to copy to is not empty: {0} has rows. Nothing was copied; use a new, empty database")]
    NotEmpty(String),
    /// The two have other tables.
    #[error("the two databases have other tables: {0}. Nothing was copied; use a new, empty database")]
    Schema(String),
    /// A row holds what cannot be copied.
    #[error("a row of {0} holds a value of a type that RefundKit does not write. Nothing was copied")]
    Value(String),
    /// What was read back differs.
    #[error("{0} was read back differently from how it was written. Nothing was copied")]
    Differs(String),
    /// A thread ended early.
    #[error("reading stopped: {0}")]
    Stopped(#[from] task::JoinError),
}

impl From<rusqlite::Error> for CopyError {
    fn from(error: rusqlite::Error) -> Self {
        Self::From(error.into())
    }
}

/// A table that was copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Copied {
    /// The table's name.
    pub table: String,
    /// How many rows.
    pub rows: u64,
    /// The digest of all columns of all rows, in the order of their keys: the same in both databases.
    pub sha256: String,
}

/// Copies a SQLite database, which nobody may be using, into an empty PostgreSQL database. Brings the tables of both up to date first.
pub async fn copy(from: &Path, to: &SecretString) -> Result<Vec<Copied>, CopyError> {
    let mut source = open(from)?;
    let tables = tables::tables(&source)?;
    let mut target = Target::open(to).await?;
    let transaction = target.begin(&tables).await?;
    let mut copied = Vec::with_capacity(tables.len());
    for table in &tables {
        let (sender, receiver) = mpsc::channel(limits::COPY_PIECES_WAITING_MAX);
        let reading = {
            let table = table.clone();
            task::spawn_blocking(move || {
                let read = read(&source, &table, &sender);
                (source, read)
            })
        };
        let written = transaction.write(table, receiver).await;
        let (returned, read) = reading.await?;
        source = returned;
        copied.push(read?);
        written?;
    }
    for (table, written) in tables.iter().zip(&copied) {
        if transaction.read_back(table).await? != *written {
            return Err(CopyError::Differs(table.name.clone()));
        }
    }
    transaction.commit().await?;
    Ok(copied)
}

/// Opens the source, brings its tables up to date, and holds on to it as it is at this moment.
fn open(path: &Path) -> Result<Connection, CopyError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut sqlite = Connection::open_with_flags(path, flags)?;
    sqlite.busy_timeout(limits::DATABASE_BUSY_WAIT)?;
    backup::check_version(&sqlite)?;
    migrations::run(&mut sqlite).map_err(|error| match error {
        StoreError::Sqlite(error) => CopyError::from(error),
        error => CopyError::To(error),
    })?;
    sqlite.execute_batch("BEGIN")?;
    Ok(sqlite)
}

/// What travels from the thread that reads to the task that writes.
pub(super) enum Piece {
    /// Some rows.
    Rows(Vec<u8>),
    /// There are no more. Without it, reading failed.
    End,
}

/// Reads a table from its first row to its last, in the order of its key.
fn read(sqlite: &Connection, table: &Table, pieces: &Sender<Piece>) -> Result<Copied, CopyError> {
    let mut statement = sqlite.prepare(&table.select())?;
    let mut rows = statement.query([])?;
    let mut counting = Counting::default();
    let mut piece = Vec::with_capacity(limits::COPY_PIECE_BYTES);
    while let Some(row) = rows.next()? {
        for place in 0..table.columns.len() {
            if place > 0 {
                piece.push(b'\t');
            }
            write_value(row.get_ref(place)?, &mut piece).ok_or_else(|| CopyError::Value(table.name.clone()))?;
        }
        piece.push(b'\n');
        if piece.len() >= limits::COPY_PIECE_BYTES {
            counting.add(&piece);
            // Nobody takes it when writing failed, which the writer tells.
            let _ = pieces.blocking_send(Piece::Rows(mem::take(&mut piece)));
            if pieces.is_closed() {
                return Ok(counting.copied(table));
            }
        }
    }
    counting.add(&piece);
    let _ = pieces.blocking_send(Piece::Rows(piece));
    let _ = pieces.blocking_send(Piece::End);
    Ok(counting.copied(table))
}

/// A value as PostgreSQL's `COPY` reads and writes it in its text format:
/// <https://www.postgresql.org/docs/current/sql-copy.html>. None for a value of another kind.
fn write_value(value: ValueRef<'_>, into: &mut Vec<u8>) -> Option<()> {
    match value {
        ValueRef::Null => into.extend(b"\\N"),
        ValueRef::Integer(number) => into.extend(number.to_string().bytes()),
        ValueRef::Text(text) => text.iter().for_each(|byte| write_byte(*byte, into)),
        ValueRef::Blob(bytes) => {
            into.extend(b"\\\\x");
            into.extend(hex::encode(bytes).bytes());
        }
        ValueRef::Real(_) => return None,
    }
    Some(())
}

fn write_byte(byte: u8, into: &mut Vec<u8>) {
    let escaped = match byte {
        b'\\' => b'\\',
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x0b => b'v',
        _ => return into.push(byte),
    };
    into.extend([b'\\', escaped]);
}

/// Counts rows and digests them, as they come by.
#[derive(Default)]
pub(super) struct Counting {
    rows: u64,
    digest: Sha256,
}

impl Counting {
    /// Some more of the text. A line is a row: line breaks inside values are escaped.
    pub(super) fn add(&mut self, text: &[u8]) {
        self.rows += text.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
        self.digest.update(text);
    }

    pub(super) fn copied(self, table: &Table) -> Copied {
        Copied { table: table.name.clone(), rows: self.rows, sha256: hex::encode(self.digest.finalize()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: ValueRef<'_>) -> String {
        let mut text = Vec::new();
        write_value(value, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn values_are_written_as_postgresql_writes_them() {
        assert_eq!(written(ValueRef::Null), r"\N");
        assert_eq!(written(ValueRef::Integer(i64::MIN)), "-9223372036854775808");
        assert_eq!(written(ValueRef::Text(b"")), "");
        assert_eq!(written(ValueRef::Text(br"\N")), r"\\N");
        assert_eq!(
            written(ValueRef::Text("Zürich\ta\\b\r\n\x08\x0b\x0c\x7f".as_bytes())),
            "Zürich\\ta\\\\b\\r\\n\\b\\v\\f\x7f"
        );
        assert_eq!(written(ValueRef::Blob(&[0, 0xab])), r"\\x00ab");
        assert!(write_value(ValueRef::Real(0.5), &mut Vec::new()).is_none(), "RefundKit writes no fractions");
    }
}
