//! Sessions of people who are signed in, by the SHA-256 of what their browser holds.

use refundkit::{Environment, Timestamp, UserId};

use super::{Connection, StoreError, connection::params, row::Row};

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The SHA-256 of what the browser holds, in hexadecimal.
    pub token_hash: String,
    /// Who is signed in.
    pub user_id: UserId,
    /// The environment that pages show.
    pub environment: Environment,
    /// When the person signed in.
    pub created_at: Timestamp,
    /// When the person was last seen, to some minutes.
    pub seen_at: Timestamp,
}

fn read(row: &Row<'_>) -> Result<Session, StoreError> {
    Ok(Session {
        token_hash: row.text("token_hash")?,
        user_id: row.parse("user_id")?,
        environment: row.parse("environment")?,
        created_at: row.timestamp("created_at")?,
        seen_at: row.timestamp("seen_at")?,
    })
}

/// Inserts a session.
pub async fn insert(connection: &mut Connection, session: &Session) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO sessions (token_hash, user_id, environment, created_at, seen_at)
        VALUES ($1, $2, $3, $4, $5)";
    let Session { token_hash, user_id, environment, created_at, seen_at } = session;
    connection.queue(SQL, params![token_hash, *user_id, *environment, *created_at, *seen_at]).await
}

/// Finds a session.
pub async fn find(connection: &mut Connection, token_hash: &str) -> Result<Option<Session>, StoreError> {
    const SQL: &str =
        "SELECT token_hash, user_id, environment, created_at, seen_at FROM sessions WHERE token_hash = $1";
    connection.fetch_optional(SQL, params![token_hash], read).await
}

/// Notes that somebody was seen.
pub async fn mark_seen(connection: &mut Connection, token_hash: &str, at: Timestamp) -> Result<(), StoreError> {
    connection.queue("UPDATE sessions SET seen_at = $2 WHERE token_hash = $1", params![token_hash, at]).await
}

/// Shows another environment from now on.
pub async fn update_environment(
    connection: &mut Connection,
    token_hash: &str,
    environment: Environment,
) -> Result<(), StoreError> {
    connection
        .queue("UPDATE sessions SET environment = $2 WHERE token_hash = $1", params![token_hash, environment])
        .await
}

/// Ends a session.
pub async fn delete(connection: &mut Connection, token_hash: &str) -> Result<(), StoreError> {
    connection.queue("DELETE FROM sessions WHERE token_hash = $1", params![token_hash]).await
}

/// Ends all sessions of a person, but for the one that is to stay.
pub async fn delete_of_user(
    connection: &mut Connection,
    user_id: UserId,
    staying: Option<&str>,
) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM sessions WHERE user_id = $1 AND token_hash <> $2";
    connection.queue(SQL, params![user_id, staying.unwrap_or_default()]).await
}

/// Deletes sessions that were last seen before one time or began before another; answers how many.
pub async fn delete_old(
    connection: &mut Connection,
    seen_before: Timestamp,
    created_before: Timestamp,
) -> Result<u64, StoreError> {
    const SQL: &str = "DELETE FROM sessions WHERE seen_at < $1 OR created_at < $2";
    connection.execute(SQL, params![seen_before, created_before]).await
}
