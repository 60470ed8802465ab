//! The receiving end of a copy: one transaction that fills empty tables and reads them back.

use std::{collections::BTreeSet, io::Cursor, pin::pin};

use deadpool_postgres::{Object, Transaction};
use futures_util::{SinkExt as _, StreamExt as _};
use secrecy::SecretString;
use tokio::sync::mpsc::Receiver;

use super::pool::Database;
use crate::store::{
    StoreError,
    copy::{Copied, CopyError, Counting, Piece},
    sqlite::tables::Table,
};

/// What holds for the transaction: it may take hours, and bytes are read back as they are written.
const SETTINGS: &str = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL bytea_output = 'hex'";

/// The columns of all tables but the one that counts migrations.
const COLUMNS: &str = "SELECT table_name::text, column_name::text FROM information_schema.columns \
    WHERE table_schema = current_schema() AND table_name <> 'schema_version'";

/// A database to copy to.
pub(in crate::store) struct Target {
    session: Object,
    // The pool of the session.
    _database: Database,
}

/// A copy that does not stand yet. Dropped, it never will.
pub(in crate::store) struct Filling<'target> {
    transaction: Transaction<'target>,
    /// The tables, as a statement lists them.
    tables: String,
}

impl From<tokio_postgres::Error> for CopyError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::To(StoreError::Postgres(error))
    }
}

impl Target {
    /// Connects, and brings the tables up to date.
    pub(in crate::store) async fn open(url: &SecretString) -> Result<Self, CopyError> {
        let database = Database::open(url).await.map_err(CopyError::To)?;
        Ok(Self { session: database.session().await.map_err(CopyError::To)?, _database: database })
    }

    /// Begins to fill these tables. They must be all there are, with the same columns, and empty; nobody else can use them until the
    /// end.
    pub(in crate::store) async fn begin(&mut self, tables: &[Table]) -> Result<Filling<'_>, CopyError> {
        let transaction = self.session.transaction().await?;
        transaction.batch_execute(SETTINGS).await?;
        let found =
            transaction.query(COLUMNS, &[]).await?.into_iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        let found = found.collect::<Result<BTreeSet<(String, String)>, tokio_postgres::Error>>()?;
        let column_of =
            |table: &Table| table.columns.iter().map(|column| (table.name.clone(), column.clone())).collect();
        let expected: BTreeSet<_> = tables.iter().flat_map::<Vec<_>, _>(column_of).collect();
        if let Some((table, column)) = found.symmetric_difference(&expected).next() {
            return Err(CopyError::Schema(format!("{table}.{column} is in one of them only")));
        }
        let listed = tables.iter().map(Table::quoted).collect::<Vec<_>>().join(", ");
        transaction.batch_execute(&format!("LOCK TABLE {listed} IN ACCESS EXCLUSIVE MODE")).await?;
        for table in tables {
            let any = format!("SELECT EXISTS (SELECT 1 FROM {})", table.quoted());
            if transaction.query_one(&any, &[]).await?.try_get(0)? {
                return Err(CopyError::NotEmpty(table.name.clone()));
            }
        }
        Ok(Filling { transaction, tables: listed })
    }
}

impl Filling<'_> {
    /// Writes the rows of a table as they come.
    pub(in crate::store) async fn write(&self, table: &Table, mut pieces: Receiver<Piece>) -> Result<(), CopyError> {
        let sql = format!("COPY {} ({}) FROM STDIN", table.quoted(), table.quoted_columns());
        let mut sink = pin!(self.transaction.copy_in::<_, Cursor<Vec<u8>>>(&sql).await?);
        while let Some(piece) = pieces.recv().await {
            match piece {
                Piece::Rows(rows) => sink.send(Cursor::new(rows)).await?,
                Piece::End => {
                    sink.as_mut().finish().await?;
                    return Ok(());
                }
            }
        }
        // Reading failed, and says why. Without its end the statement fails too.
        Ok(())
    }

    /// Reads a table back.
    pub(in crate::store) async fn read_back(&self, table: &Table) -> Result<Copied, CopyError> {
        let mut stream = pin!(self.transaction.copy_out(&format!("COPY ({}) TO STDOUT", table.select())).await?);
        let mut counting = Counting::default();
        while let Some(text) = stream.next().await {
            counting.add(&text?);
        }
        Ok(counting.copied(table))
    }

    /// Lets the copy stand.
    pub(in crate::store) async fn commit(self) -> Result<(), CopyError> {
        // So that the first queries are planned for what is there.
        self.transaction.batch_execute(&format!("ANALYZE {}", self.tables)).await?;
        Ok(self.transaction.commit().await?)
    }
}
