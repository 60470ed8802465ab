//! Idempotency keys: which request each stands for, and what it made. Bound in the transaction that makes it.

use super::{
    Connection, StoreError, Tenant,
    connection::{Param, params},
};
use refundkit::Timestamp;

/// A key and the request it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundKey {
    /// The operation's name.
    pub operation: String,
    /// A digest of the request as parsed.
    pub fingerprint: String,
    /// The id of what the request made or changed.
    pub resource_id: String,
}

macro_rules! insert {
    ($rest:literal) => {
        concat!(
            "INSERT INTO idempotency_keys (organization_id, environment, key, operation, fingerprint, resource_id, created_at) ",
            "VALUES ($1, $2, $3, $4, $5, $6, $7) ",
            $rest
        )
    };
}

/// Finds what a key stands for.
pub async fn find(connection: &mut Connection, tenant: Tenant, key: &str) -> Result<Option<BoundKey>, StoreError> {
    const SQL: &str = "SELECT operation, fingerprint, resource_id FROM idempotency_keys
        WHERE organization_id = $1 AND environment = $2 AND key = $3";
    let params = params![tenant.organization_id, tenant.environment, key];
    let found = connection.fetch_optional(SQL, params, |row| {
        Ok(BoundKey {
            operation: row.text("operation")?,
            fingerprint: row.text("fingerprint")?,
            resource_id: row.text("resource_id")?,
        })
    });
    found.await
}

/// Binds a key that nobody has bound when this unit looked. If another instance did so since, the unit fails as a whole:
/// `idempotency_key_in_use`.
pub async fn insert_new(
    connection: &mut Connection,
    tenant: Tenant,
    key: &str,
    bound: &BoundKey,
    created_at: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = insert!("");
    connection.queue(SQL, &row(tenant, key, bound, created_at)).await
}

/// Binds a key, unless it is bound already: then answers false and changes nothing.
pub async fn insert(
    connection: &mut Connection,
    tenant: Tenant,
    key: &str,
    bound: &BoundKey,
    created_at: Timestamp,
) -> Result<bool, StoreError> {
    const SQL: &str = insert!("ON CONFLICT DO NOTHING");
    Ok(connection.execute(SQL, &row(tenant, key, bound, created_at)).await? == 1)
}

fn row<'a>(tenant: Tenant, key: &'a str, bound: &'a BoundKey, created_at: Timestamp) -> [Param<'a>; 7] {
    let BoundKey { operation, fingerprint, resource_id } = bound;
    [
        tenant.organization_id.into(),
        tenant.environment.into(),
        key.into(),
        operation.into(),
        fingerprint.into(),
        resource_id.into(),
        created_at.into(),
    ]
}

/// Deletes some keys made before a time; answers how many.
pub async fn delete_before(connection: &mut Connection, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    const SQL: &str = "DELETE FROM idempotency_keys WHERE (organization_id, environment, key) IN
        (SELECT organization_id, environment, key FROM idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT $2)";
    connection.execute(SQL, params![before, limit]).await
}
