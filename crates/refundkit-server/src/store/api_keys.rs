//! API keys: rows by hash for authentication, by tenant for their owners.

use refundkit::{ApiKey, KeyId, OrganizationId, Scope, Timestamp};
use sqlx::FromRow;

use super::{Connection, StoreError, Tenant, parse};

const TABLE: &str = "api_keys";

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
pub struct FoundKey {
    /// Whose it is.
    pub tenant: Tenant,
    /// The key's id.
    pub id: KeyId,
    /// What it may do.
    pub scope: Scope,
    /// Its first characters.
    pub prefix: String,
}

#[derive(FromRow)]
struct Row {
    id: String,
    organization_id: String,
    environment: String,
    scope: String,
    name: String,
    prefix: String,
    created_at: i64,
    last_used_at: Option<i64>,
}

impl Row {
    fn into_key(self) -> Result<ApiKey, StoreError> {
        Ok(ApiKey {
            id: parse(TABLE, &self.id)?,
            name: self.name,
            scope: parse(TABLE, &self.scope)?,
            environment: parse(TABLE, &self.environment)?,
            prefix: self.prefix,
            created_at: Timestamp::from_millis(self.created_at),
            last_used_at: self.last_used_at.map(Timestamp::from_millis),
        })
    }
}

/// Finds the key with this hash that is not revoked.
pub async fn find_by_hash(connection: &mut Connection, hash: &str) -> Result<Option<FoundKey>, StoreError> {
    const SQL: &str = "SELECT id, organization_id, environment, scope, name, prefix, created_at, last_used_at
        FROM api_keys WHERE hash = $1 AND revoked_at IS NULL";
    let Some(row) = sqlx::query_as::<_, Row>(SQL).bind(hash).fetch_optional(connection).await? else {
        return Ok(None);
    };
    let organization_id: OrganizationId = parse(TABLE, &row.organization_id)?;
    let tenant = Tenant { organization_id, environment: parse(TABLE, &row.environment)? };
    Ok(Some(FoundKey { tenant, id: parse(TABLE, &row.id)?, scope: parse(TABLE, &row.scope)?, prefix: row.prefix }))
}

/// Whether any key, revoked or not, has this hash: whether a text is a key of RefundKit's.
pub async fn hash_exists(connection: &mut Connection, hash: &str) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM api_keys WHERE hash = $1)";
    Ok(sqlx::query_scalar(SQL).bind(hash).fetch_one(connection).await?)
}

/// Inserts a key.
pub async fn insert(connection: &mut Connection, tenant: Tenant, key: &NewApiKey) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO api_keys (id, organization_id, environment, scope, name, prefix, hash, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    sqlx::query(SQL)
        .bind(key.id.to_string())
        .bind(tenant.organization_id.to_string())
        .bind(tenant.environment.as_str())
        .bind(key.scope.as_str())
        .bind(&key.name)
        .bind(&key.prefix)
        .bind(&key.hash)
        .bind(key.created_at.as_millis())
        .execute(connection)
        .await?;
    Ok(())
}

/// Finds a key that is not revoked.
pub async fn find(connection: &mut Connection, tenant: Tenant, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
    const SQL: &str = "SELECT id, organization_id, environment, scope, name, prefix, created_at, last_used_at
        FROM api_keys WHERE organization_id = $1 AND environment = $2 AND id = $3 AND revoked_at IS NULL";
    let row = sqlx::query_as::<_, Row>(SQL)
        .bind(tenant.organization_id.to_string())
        .bind(tenant.environment.as_str())
        .bind(id.to_string())
        .fetch_optional(connection)
        .await?;
    row.map(Row::into_key).transpose()
}

/// Lists keys that are not revoked, newest first.
pub async fn list(connection: &mut Connection, tenant: Tenant) -> Result<Vec<ApiKey>, StoreError> {
    const SQL: &str = "SELECT id, organization_id, environment, scope, name, prefix, created_at, last_used_at
        FROM api_keys WHERE organization_id = $1 AND environment = $2 AND revoked_at IS NULL ORDER BY id DESC";
    let rows = sqlx::query_as::<_, Row>(SQL)
        .bind(tenant.organization_id.to_string())
        .bind(tenant.environment.as_str())
        .fetch_all(connection)
        .await?;
    rows.into_iter().map(Row::into_key).collect()
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
    sqlx::query(SQL)
        .bind(tenant.organization_id.to_string())
        .bind(tenant.environment.as_str())
        .bind(id.to_string())
        .bind(at.as_millis())
        .execute(connection)
        .await?;
    Ok(())
}

/// Notes when a key was last used.
pub async fn mark_used(connection: &mut Connection, id: KeyId, at: Timestamp) -> Result<(), StoreError> {
    sqlx::query("UPDATE api_keys SET last_used_at = $2 WHERE id = $1")
        .bind(id.to_string())
        .bind(at.as_millis())
        .execute(connection)
        .await?;
    Ok(())
}
