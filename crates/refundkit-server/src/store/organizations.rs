//! Organizations, their owner, and the check of the master key. These rows are above tenants.

use refundkit::{OrganizationId, Timestamp};

use super::{Connection, StoreError, parse};

/// How many organizations there are.
pub async fn count(connection: &mut Connection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("SELECT COUNT(*) FROM organizations").fetch_one(connection).await?)
}

/// The first organization, if there is one.
pub async fn find_first(connection: &mut Connection) -> Result<Option<OrganizationId>, StoreError> {
    let id: Option<String> =
        sqlx::query_scalar("SELECT id FROM organizations ORDER BY id LIMIT 1").fetch_optional(connection).await?;
    id.map(|id| parse("organizations", &id)).transpose()
}

/// Inserts an organization.
pub async fn insert(
    connection: &mut Connection,
    id: OrganizationId,
    name: &str,
    created_at: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO organizations (id, name, created_at) VALUES ($1, $2, $3)")
        .bind(id.to_string())
        .bind(name)
        .bind(created_at.as_millis())
        .execute(connection)
        .await?;
    Ok(())
}

/// A person with a password, to insert.
pub struct NewUser<'a> {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The e-mail address, unique.
    pub email: &'a str,
    /// The role: `owner`.
    pub role: &'a str,
    /// The Argon2id hash of the password.
    pub password_hash: &'a str,
    /// When.
    pub created_at: Timestamp,
}

/// Inserts a person.
pub async fn insert_user(connection: &mut Connection, user: NewUser<'_>) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO users (organization_id, email, role, password_hash, created_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(user.organization_id.to_string())
    .bind(user.email)
    .bind(user.role)
    .bind(user.password_hash)
    .bind(user.created_at.as_millis())
    .execute(connection)
    .await?;
    Ok(())
}

/// The value sealed under the master key when the database was made.
pub async fn find_master_key_check(connection: &mut Connection) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(sqlx::query_scalar("SELECT sealed FROM master_key_check LIMIT 1").fetch_optional(connection).await?)
}

/// Inserts the value sealed under the master key.
pub async fn insert_master_key_check(connection: &mut Connection, sealed: &[u8]) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO master_key_check (sealed) VALUES ($1)").bind(sealed).execute(connection).await?;
    Ok(())
}
