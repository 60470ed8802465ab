//! A connection to the database, as the store's functions see it: SQL text and parameters in, rows out.
//!
//! The text is the same for both databases. What differs is behind here: how a statement runs ([`super::sqlite`],
//! [`super::postgres`]), and the two things that SQLite needs no words for: locks and claims.

use std::borrow::Cow;

use refundkit::{IdText, Timestamp};

use super::{StoreError, memory::Age, postgres::Session, row::Row, sqlite::Handle};

/// A connection, to write with or to read with.
pub enum Connection {
    /// To a database inside the process.
    Sqlite(Handle),
    /// To a database server.
    Postgres(Session),
}

// What waits for a database server is in a box of its own: whatever is asked of SQLite, which answers at once, stays small without
// it, and so does every future that asks.
impl Connection {
    /// Runs a statement that changes rows; answers how many.
    pub(super) async fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.execute(sql, params),
            Self::Postgres(session) => Box::pin(session.execute(sql, params)).await,
        }
    }

    /// Runs a statement that changes rows, when nothing hangs on how many. A database server is sent it together with the next
    /// statement or the commit, which saves a round trip; if it fails, those fail.
    pub(super) async fn queue(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.execute(sql, params).map(drop),
            Self::Postgres(session) => Box::pin(session.queue(sql, params)).await,
        }
    }

    /// Runs a statement that answers one row or none.
    pub(super) async fn fetch_optional<T>(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.fetch_optional(sql, params, read),
            Self::Postgres(session) => Box::pin(session.fetch_optional(sql, params, read)).await,
        }
    }

    /// Runs a statement that answers exactly one row.
    pub(super) async fn fetch_one<T>(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.fetch_optional(sql, params, read).await?.ok_or(StoreError::NoRow)
    }

    /// Runs a statement that answers rows.
    pub(super) async fn fetch_all<T>(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.fetch_all(sql, params, read),
            Self::Postgres(session) => Box::pin(session.fetch_all(sql, params, read)).await,
        }
    }

    /// Whether API keys and connections are certainly as they were at this age. A unit of work can know it where nobody else writes.
    pub fn is_unchanged_since(&self, age: Age) -> bool {
        match self {
            Self::Sqlite(sqlite) => sqlite.is_unchanged_since(age),
            Self::Postgres(_) => false,
        }
    }

    /// Makes every other unit of work that locks the same thing wait until this one is over. SQLite runs one at a time anyway.
    pub async fn lock(&mut self, thing: &Lock<'_>) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(session) => session.lock("SELECT pg_advisory_xact_lock($1)", thing).await,
        }
    }

    /// Makes every other unit of work that [locks](Self::lock) the same thing wait; those that share it go on.
    pub async fn lock_shared(&mut self, thing: &Lock<'_>) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(session) => session.lock("SELECT pg_advisory_xact_lock_shared($1)", thing).await,
        }
    }

    /// What a SELECT ends with that takes rows for itself and passes over those that others have taken.
    pub(super) const fn taking_free_rows(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "",
            Self::Postgres(_) => " FOR UPDATE SKIP LOCKED",
        }
    }
}

/// What a unit of work can have for itself.
#[derive(Debug, Clone, Copy)]
pub enum Lock<'a> {
    /// A charge of a connection: duplicates and what is left of it are decided by one at a time.
    Charge(refundkit::ConnectionId, &'a str),
    /// A refund: it moves one step at a time.
    Refund(refundkit::RefundId),
    /// A tenant's processor connections.
    Connections(super::Tenant),
    /// A tenant's API keys.
    ApiKeys(super::Tenant),
    /// An organization's people and settings.
    Organization(refundkit::OrganizationId),
    /// An e-mail address: it becomes one person's.
    Address(&'a str),
    /// The first rows of a new database.
    Setup,
}

/// A parameter of a statement.
#[derive(Debug, Clone)]
pub(super) enum Param<'a> {
    Null,
    Integer(i64),
    Text(Cow<'a, str>),
    Id(IdText),
    Bytes(Cow<'a, [u8]>),
}

impl Param<'_> {
    /// The parameter with everything it refers to, to be sent later.
    pub(super) fn into_owned(self) -> Param<'static> {
        match self {
            Self::Null => Param::Null,
            Self::Integer(number) => Param::Integer(number),
            Self::Text(text) => Param::Text(Cow::Owned(text.into_owned())),
            Self::Id(id) => Param::Id(id),
            Self::Bytes(bytes) => Param::Bytes(Cow::Owned(bytes.into_owned())),
        }
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
        Self::Bytes(Cow::Borrowed(bytes))
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
            fn from(id: refundkit::$id) -> Self { Self::Id(id.text()) }
        }
    )+ };
}
ids_as_text!(OrganizationId KeyId ConnectionId RefundId EventId RequestId UserId InvitationId);

impl From<crate::caller::Role> for Param<'_> {
    fn from(role: crate::caller::Role) -> Self {
        Self::Text(role.as_str().into())
    }
}

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
