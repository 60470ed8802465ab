//! API keys: rows by hash for authentication, by tenant for their owners.

use super::{Connection, StoreError, Tenant, connection::params, organizations, row::Row};
use crate::operations::askers::{Asker, AskerId};
use refundkit::{ApiKey, KeyId, Scope, Timestamp};

/// A key to insert.
pub struct NewApiKey {
    /// Its id.
    pub id: KeyId,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// Its first characters.
    pub prefix: String,
    /// The SHA-256 of the key.
    pub hash: String,
    /// When.
    pub created_at: Timestamp,
}

/// A key found by its hash: who calls.
#[derive(Debug, Clone)]
pub struct FoundKey {
    /// Whose it is.
    pub tenant: Tenant,
    /// The key's id.
    pub id: KeyId,
    /// What it may do.
    pub scope: Scope,
    /// Its first characters.
    pub prefix: String,
    /// For how long its organization takes a second refund like an earlier one for a repeat, in milliseconds.
    pub duplicate_window_ms: i64,
}

fn read(row: &Row<'_>) -> Result<ApiKey, StoreError> {
    Ok(ApiKey {
        id: row.parse("id")?,
        name: row.text("name")?,
        scope: row.parse("scope")?,
        environment: row.parse("environment")?,
        prefix: row.text("prefix")?,
        created_at: row.timestamp("created_at")?,
        last_used_at: row.optional_integer("last_used_at")?.map(Timestamp::from_millis),
    })
}

/// Finds the key with this hash that is not revoked.
pub async fn find_by_hash(connection: &mut Connection, hash: &str) -> Result<Option<FoundKey>, StoreError> {
    const SQL: &str = "SELECT api_keys.id, organization_id, environment, scope, prefix, duplicate_window_ms
        FROM api_keys JOIN organizations ON organizations.id = organization_id
        WHERE hash = $1 AND revoked_at IS NULL";
    let params = params![hash];
    let found = connection.fetch_optional(SQL, params, |row| {
        let tenant = Tenant { organization_id: row.parse("organization_id")?, environment: row.parse("environment")? };
        Ok(FoundKey {
            tenant,
            id: row.parse("id")?,
            scope: row.parse("scope")?,
            prefix: row.text("prefix")?,
            duplicate_window_ms: organizations::duplicate_window_ms(row)?,
        })
    });
    found.await
}

/// Whether any key, revoked or not, has this hash: whether a text is a key of RefundKit's.
pub async fn hash_exists(connection: &mut Connection, hash: &str) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM api_keys WHERE hash = $1) AS found";
    connection.fetch_one(SQL, params![hash], |row| Ok(row.integer("found")? == 1)).await
}

/// Inserts a key.
pub async fn insert(connection: &mut Connection, tenant: Tenant, key: &NewApiKey) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO api_keys (id, organization_id, environment, scope, name, prefix, hash, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let Tenant { organization_id, environment } = tenant;
    let params =
        params![key.id, organization_id, environment, key.scope, &key.name, &key.prefix, &key.hash, key.created_at];
    connection.queue(SQL, params).await
}

/// Finds a key that is not revoked.
pub async fn find(connection: &mut Connection, tenant: Tenant, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
    const SQL: &str = "SELECT id, environment, scope, name, prefix, created_at, last_used_at
        FROM api_keys WHERE organization_id = $1 AND environment = $2 AND id = $3 AND revoked_at IS NULL";
    connection.fetch_optional(SQL, params![tenant.organization_id, tenant.environment, id], read).await
}

/// Finds a key, revoked or not, as somebody who asked for refunds.
pub async fn find_asker(connection: &mut Connection, tenant: Tenant, id: KeyId) -> Result<Option<Asker>, StoreError> {
    const SQL: &str = "SELECT name, prefix, revoked_at FROM api_keys
        WHERE organization_id = $1 AND environment = $2 AND id = $3";
    let params = params![tenant.organization_id, tenant.environment, id];
    let found = connection.fetch_optional(SQL, params, |row| {
        let (name, key_prefix) = (row.text("name")?, row.optional_text("prefix")?);
        Ok(Asker { id: AskerId::Key(id), name, key_prefix, is_gone: row.optional_integer("revoked_at")?.is_some() })
    });
    found.await
}

/// Lists keys that are not revoked, newest first.
pub async fn list(connection: &mut Connection, tenant: Tenant) -> Result<Vec<ApiKey>, StoreError> {
    const SQL: &str = "SELECT id, environment, scope, name, prefix, created_at, last_used_at
        FROM api_keys WHERE organization_id = $1 AND environment = $2 AND revoked_at IS NULL ORDER BY id DESC";
    connection.fetch_all(SQL, params![tenant.organization_id, tenant.environment], read).await
}

/// Marks a key revoked.
pub async fn mark_revoked(
    connection: &mut Connection,
    tenant: Tenant,
    id: KeyId,
    at: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE api_keys SET revoked_at = $4
        WHERE organization_id = $1 AND environment = $2 AND id = $3 AND revoked_at IS NULL";
    connection.queue(SQL, params![tenant.organization_id, tenant.environment, id, at]).await
}

/// Notes when a key was last used.
pub async fn mark_used(connection: &mut Connection, id: KeyId, at: Timestamp) -> Result<(), StoreError> {
    connection.queue("UPDATE api_keys SET last_used_at = $2 WHERE id = $1", params![id, at]).await
}
