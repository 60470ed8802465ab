//! The request log: written in batches behind the answers, read by page.

use super::{Connection, StoreError, Tenant, connection::params, to_json};
use refundkit::{LogEntry, RequestId, Timestamp};

/// Inserts an entry; one that is there already stays.
pub async fn insert(connection: &mut Connection, tenant: Tenant, entry: &LogEntry) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO logs (id, organization_id, environment, created_at, entry)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    let Tenant { organization_id, environment } = tenant;
    let params = params![entry.id, organization_id, environment, entry.created_at, to_json("entry", entry)?];
    connection.queue(SQL, params).await
}

/// Lists entries, newest first, older than `before`.
pub async fn list(
    connection: &mut Connection,
    tenant: Tenant,
    before: Option<RequestId>,
    limit: u32,
) -> Result<Vec<LogEntry>, StoreError> {
    const SQL: &str = "SELECT entry FROM logs WHERE organization_id = $1 AND environment = $2 AND id < $3
        ORDER BY id DESC LIMIT $4";
    let before = before.map_or_else(|| "req_z".to_owned(), |id| id.to_string());
    let params = params![tenant.organization_id, tenant.environment, before, limit];
    connection.fetch_all(SQL, params, |row| row.json("entry")).await
}

/// Finds an entry.
pub async fn find(connection: &mut Connection, tenant: Tenant, id: RequestId) -> Result<Option<LogEntry>, StoreError> {
    const SQL: &str = "SELECT entry FROM logs WHERE organization_id = $1 AND environment = $2 AND id = $3";
    let params = params![tenant.organization_id, tenant.environment, id];
    connection.fetch_optional(SQL, params, |row| row.json("entry")).await
}

/// Deletes some entries made before a time; answers how many. Ids sort by time, so that no index of times is needed: the oldest
/// of each organization and environment are looked at.
pub async fn delete_before(connection: &mut Connection, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    const SQL: &str = "DELETE FROM logs WHERE (organization_id, environment, id) IN
        (SELECT old.organization_id, old.environment, old.id
         FROM organizations CROSS JOIN logs AS old
         WHERE old.organization_id = organizations.id AND old.environment IN ('test', 'live') AND old.id < $1
         LIMIT $2)";
    let first_kept = RequestId::from_bits(u128::try_from(before.as_millis()).unwrap_or_default() << 80);
    connection.execute(SQL, params![first_kept, limit]).await
}
