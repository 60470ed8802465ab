//! PostgreSQL, on a server: a pool of sessions, each of which runs statements alone or in one transaction.
//!
//! A transaction begins with its first statement and ends with its last: `BEGIN`, statements that nobody waits for, and `COMMIT`
//! travel together with a neighbour, so that a unit of work costs as few round trips as it has questions.

mod copy;
mod migrations;
mod pool;

use std::mem;

use deadpool_postgres::Object;
use futures_util::future::{join_all, join3};
use sha2::{Digest as _, Sha256};
use tokio_postgres::{
    Row as PostgresRow, Statement,
    error::SqlState,
    types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked},
};

use super::{
    StoreError,
    connection::{Lock, Param, params},
    row::{Row, Value},
};
use crate::limits;
pub(super) use copy::Target;
pub(super) use pool::Database;

/// A session at the server.
pub struct Session {
    /// There until the session ends.
    client: Option<Object>,
    transaction: Transaction,
    queued: Vec<Queued>,
    /// A statement of the transaction failed: the server will not commit it.
    failed: bool,
}

/// Where a session stands with its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transaction {
    /// Each statement is one of its own.
    None,
    /// The next statement begins it.
    ToBegin,
    /// The server has begun it.
    Open,
}

/// A statement that travels with the next one.
struct Queued {
    statement: Statement,
    params: Vec<Param<'static>>,
}

impl Session {
    /// A session whose statements each stand alone.
    fn to_read(client: Object) -> Self {
        Self::new(client, Transaction::None)
    }

    /// A session whose statements are one transaction.
    fn to_write(client: Object) -> Self {
        Self::new(client, Transaction::ToBegin)
    }

    fn new(client: Object, transaction: Transaction) -> Self {
        Self { client: Some(client), transaction, queued: Vec::new(), failed: false }
    }

    pub(super) async fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64, StoreError> {
        let statement = self.prepare(sql).await?;
        let params = as_sql(params);
        self.together(async |client| client.execute(&statement, &params).await).await
    }

    pub(super) async fn queue(&mut self, sql: &str, params: &[Param<'_>]) -> Result<(), StoreError> {
        if self.transaction == Transaction::None {
            return self.execute(sql, params).await.map(drop);
        }
        if self.queued.len() >= limits::STATEMENTS_QUEUED_MAX {
            self.together(async |_| Ok(())).await?;
        }
        let statement = self.prepare(sql).await?;
        let params = params.iter().cloned().map(Param::into_owned).collect();
        self.queued.push(Queued { statement, params });
        Ok(())
    }

    pub(super) async fn fetch_optional<T>(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.query(sql, params).await?.first().map(|row| read(&Row::of_postgres(row))).transpose()
    }

    pub(super) async fn fetch_all<T>(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.query(sql, params).await?.iter().map(|row| read(&Row::of_postgres(row))).collect()
    }

    /// Takes a lock until the end of the transaction. It is a number to the server: two things of one number wait for each other
    /// without need, and nothing worse.
    pub(super) async fn lock(&mut self, sql: &'static str, thing: &Lock<'_>) -> Result<(), StoreError> {
        let digest = Sha256::digest(format!("{thing:?}"));
        let number = digest.iter().take(8).fold(0_i64, |number, byte| (number << 8) | i64::from(*byte));
        self.queue(sql, params![number]).await
    }

    async fn query(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Vec<PostgresRow>, StoreError> {
        let statement = self.prepare(sql).await?;
        let params = as_sql(params);
        self.together(async |client| client.query(&statement, &params).await).await
    }

    /// Prepares a statement, or finds it among those that this session has prepared.
    async fn prepare(&mut self, sql: &str) -> Result<Statement, StoreError> {
        let client = self.client.as_ref().ok_or(StoreError::Closed)?;
        if client.statement_cache.size() >= limits::STATEMENTS_CACHED_MAX {
            client.statement_cache.clear();
        }
        client.prepare_cached(sql).await.map_err(|error| self.failed(error))
    }

    /// Sends what is pending and `last` in one go. The server runs them in that order, and the first failure is the answer: those
    /// behind it fail because of it.
    async fn together<T>(
        &mut self,
        last: impl AsyncFnOnce(&tokio_postgres::Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, StoreError> {
        let begins = self.transaction == Transaction::ToBegin;
        if begins {
            self.transaction = Transaction::Open;
        }
        let queued = mem::take(&mut self.queued);
        let client = self.client.as_ref().ok_or(StoreError::Closed)?;
        let begin = async { if begins { client.batch_execute("BEGIN").await } else { Ok(()) } };
        let before = queued.iter().map(|queued| client.execute_raw(&queued.statement, &queued.params));
        let (first, before, last) = join3(begin, join_all(before), last(client)).await;
        let ran = first.and_then(|()| before.into_iter().try_for_each(|ran| ran.map(drop))).and(last);
        ran.map_err(|error| self.failed(error))
    }

    fn failed(&mut self, error: tokio_postgres::Error) -> StoreError {
        self.failed = true;
        error.into()
    }

    /// Ends the transaction: what it wrote stands.
    async fn commit(mut self) -> Result<(), StoreError> {
        if self.failed {
            // A COMMIT would be answered as if all were well, after rolling back.
            self.roll_back().await;
            return Err(StoreError::Commit("a statement of the unit of work had failed".to_owned()));
        }
        if self.transaction == Transaction::Open || !self.queued.is_empty() {
            self.together(async |client| client.batch_execute("COMMIT").await).await?;
        }
        self.transaction = Transaction::None;
        Ok(())
    }

    /// Ends the transaction: nothing of it stands.
    async fn roll_back(&mut self) {
        self.queued.clear();
        if self.transaction == Transaction::Open
            && let Some(client) = &self.client
            && client.batch_execute("ROLLBACK").await.is_ok()
        {
            self.transaction = Transaction::None;
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A session that was left in the middle of a transaction must not be lent to the next one: the server ends it.
        if self.transaction == Transaction::Open
            && let Some(client) = self.client.take()
        {
            drop(Object::take(client));
        }
    }
}

fn as_sql<'a>(params: &'a [Param<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    params.iter().map(|param| param as &(dyn ToSql + Sync)).collect()
}

impl ToSql for Param<'_> {
    fn to_sql(&self, wanted: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(number) if *wanted == Type::INT4 => i32::try_from(*number)?.to_sql(wanted, out),
            Self::Integer(number) => number.to_sql(wanted, out),
            Self::Text(text) => text.as_ref().to_sql(wanted, out),
            Self::Id(id) => id.as_str().to_sql(wanted, out),
            Self::Bytes(bytes) => bytes.as_ref().to_sql(wanted, out),
        }
    }

    fn accepts(wanted: &Type) -> bool {
        [Type::INT4, Type::INT8, Type::TEXT, Type::VARCHAR, Type::BYTEA].contains(wanted)
    }

    to_sql_checked!();
}

/// What the column at this place holds.
pub(super) fn value(row: &PostgresRow, place: usize) -> Result<Value<'_>, StoreError> {
    let column = row.columns().get(place).map(tokio_postgres::Column::type_);
    let value = match column {
        Some(&Type::INT8) => row.try_get::<_, Option<i64>>(place)?.map(Value::Integer),
        Some(&Type::INT4) => row.try_get::<_, Option<i32>>(place)?.map(|number| Value::Integer(number.into())),
        Some(&Type::BOOL) => row.try_get::<_, Option<bool>>(place)?.map(|yes| Value::Integer(yes.into())),
        Some(&Type::BYTEA) => row.try_get::<_, Option<&[u8]>>(place)?.map(Value::Bytes),
        _ => row.try_get::<_, Option<&str>>(place)?.map(Value::Text),
    };
    Ok(value.unwrap_or(Value::Null))
}

/// What the server or the driver says, without the values that a statement was about.
pub(super) fn words(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) => format!("{} ({})", said.message(), said.code().code()),
        None => match std::error::Error::source(error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        },
    }
}

/// Whether the trouble is the world's (connection, restart, disk, locks) rather than a defect of a statement.
pub(super) fn is_environmental(error: &tokio_postgres::Error) -> bool {
    /// Classes of PostgreSQL's error codes: connection, rolled back to be tried again, resources, locks, intervention, system.
    const CLASSES: [&str; 6] = ["08", "40", "53", "55", "57", "58"];
    match error.code() {
        Some(code) => {
            *code == SqlState::READ_ONLY_SQL_TRANSACTION || CLASSES.iter().any(|class| code.code().starts_with(class))
        }
        None => {
            error.is_closed()
                || std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
        }
    }
}

/// Whether a statement failed because the idempotency key that it binds was bound by another transaction.
pub(super) fn is_key_taken(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|said| said.constraint() == Some("idempotency_keys_pkey"))
}
