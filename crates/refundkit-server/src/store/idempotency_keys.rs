//! Idempotency keys: which request each stands for, and what it made. Bound in the transaction that makes it.

use refundkit::Timestamp;
use sqlx::FromRow;

use super::{Connection, StoreError, Tenant};

/// A key and the request it stands for.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct BoundKey {
    /// The operation's name.
    pub operation: String,
    /// A digest of the request as parsed.
    pub fingerprint: String,
    /// The id of what the request made or changed.
    pub resource_id: String,
}

/// Finds what a key stands for.
pub async fn find(connection: &mut Connection, tenant: Tenant, key: &str) -> Result<Option<BoundKey>, StoreError> {
    const SQL: &str = "SELECT operation, fingerprint, resource_id FROM idempotency_keys
        WHERE organization_id = $1 AND environment = $2 AND key = $3";
    Ok(sqlx::query_as(SQL)
        .bind(tenant.organization_id.to_string())
        .bind(tenant.environment.as_str())
        .bind(key)
        .fetch_optional(connection)
        .await?)
}

/// Binds a key, unless it is bound already: then answers false and changes nothing.
pub async fn insert(
    connection: &mut Connection,
    tenant: Tenant,
    key: &str,
    bound: &BoundKey,
    created_at: Timestamp,
) -> Result<bool, StoreError> {
    const SQL: &str = "INSERT INTO idempotency_keys
            (organization_id, environment, key, operation, fingerprint, resource_id, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
    let done = sqlx::query(SQL)
        .bind(tenant.organization_id.to_string())
        .bind(tenant.environment.as_str())
        .bind(key)
        .bind(&bound.operation)
        .bind(&bound.fingerprint)
        .bind(&bound.resource_id)
        .bind(created_at.as_millis())
        .execute(connection)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Deletes some keys made before a time; answers how many.
pub async fn delete_before(connection: &mut Connection, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    const SQL: &str = "DELETE FROM idempotency_keys WHERE (organization_id, environment, key) IN
        (SELECT organization_id, environment, key FROM idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT $2)";
    Ok(sqlx::query(SQL).bind(before.as_millis()).bind(limit).execute(connection).await?.rows_affected())
}
