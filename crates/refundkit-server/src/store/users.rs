//! People who sign in to the dashboard: one organization each, both environments.

use refundkit::{OrganizationId, Timestamp, UserId};

use super::{Connection, StoreError, connection::params, row::Row};
use crate::caller::Role;

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The person's id.
    pub id: UserId,
    /// The organization.
    pub organization_id: OrganizationId,
    /// The e-mail address, in lower case; unique.
    pub email: String,
    /// What the person may do.
    pub role: Role,
    /// When the person became a member.
    pub created_at: Timestamp,
    /// When the person last signed in.
    pub signed_in_at: Option<Timestamp>,
}

/// The columns that [`read`] reads: what every SELECT here begins with.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization_id, email, role, created_at, signed_in_at, password_hash FROM users WHERE ",
            $rest
        )
    };
}

fn read(row: &Row<'_>) -> Result<User, StoreError> {
    Ok(User {
        id: row.parse("id")?,
        organization_id: row.parse("organization_id")?,
        email: row.text("email")?,
        role: row.parse("role")?,
        created_at: row.timestamp("created_at")?,
        signed_in_at: row.optional_timestamp("signed_in_at")?,
    })
}

/// Inserts a person with the Argon2id hash of a password.
pub async fn insert(connection: &mut Connection, user: &User, password_hash: &str) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO users (id, organization_id, email, role, password_hash, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)";
    let params = params![user.id, user.organization_id, &user.email, user.role, password_hash, user.created_at];
    connection.queue(SQL, params).await
}

/// Finds a person.
pub async fn find(connection: &mut Connection, id: UserId) -> Result<Option<User>, StoreError> {
    connection.fetch_optional(select!("id = $1"), params![id], read).await
}

/// Finds the person with this address, and the hash of the person's password. The address must be in lower case.
pub async fn find_by_email(connection: &mut Connection, email: &str) -> Result<Option<(User, String)>, StoreError> {
    let both = |row: &Row<'_>| Ok((read(row)?, row.text("password_hash")?));
    connection.fetch_optional(select!("email = $1"), params![email], both).await
}

/// Finds a member of an organization.
pub async fn find_member(
    connection: &mut Connection,
    organization_id: OrganizationId,
    id: UserId,
) -> Result<Option<User>, StoreError> {
    const SQL: &str = select!("organization_id = $1 AND id = $2");
    connection.fetch_optional(SQL, params![organization_id, id], read).await
}

/// Lists the members of an organization, the first one first.
pub async fn list(connection: &mut Connection, organization_id: OrganizationId) -> Result<Vec<User>, StoreError> {
    connection.fetch_all(select!("organization_id = $1 ORDER BY id"), params![organization_id], read).await
}

/// Gives a member another role.
pub async fn update_role(
    connection: &mut Connection,
    organization_id: OrganizationId,
    id: UserId,
    role: Role,
) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE users SET role = $3 WHERE organization_id = $1 AND id = $2";
    connection.queue(SQL, params![organization_id, id, role]).await
}

/// Removes a member, whose sessions must be over. What the person did stays in the audit trail.
pub async fn delete(
    connection: &mut Connection,
    organization_id: OrganizationId,
    id: UserId,
) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM users WHERE organization_id = $1 AND id = $2";
    connection.queue(SQL, params![organization_id, id]).await
}

/// Finds the hash of a person's password.
pub async fn find_password(connection: &mut Connection, id: UserId) -> Result<Option<String>, StoreError> {
    const SQL: &str = "SELECT password_hash FROM users WHERE id = $1";
    connection.fetch_optional(SQL, params![id], |row| row.text("password_hash")).await
}

/// Writes a new password's hash.
pub async fn update_password(connection: &mut Connection, id: UserId, password_hash: &str) -> Result<(), StoreError> {
    connection.queue("UPDATE users SET password_hash = $2 WHERE id = $1", params![id, password_hash]).await
}

/// Notes when a person signed in.
pub async fn mark_signed_in(connection: &mut Connection, id: UserId, at: Timestamp) -> Result<(), StoreError> {
    connection.queue("UPDATE users SET signed_in_at = $2 WHERE id = $1", params![id, at]).await
}
