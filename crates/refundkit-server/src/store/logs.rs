//! The request log: written in batches behind the answers, read by page.

use refundkit::{LogEntry, RequestId, Timestamp};
use sqlx::QueryBuilder;

use super::{Connection, StoreError, Tenant, parse_json, to_json};

const TABLE: &str = "logs";

/// Inserts entries in one statement.
pub async fn insert(connection: &mut Connection, entries: &[(Tenant, LogEntry)]) -> Result<(), StoreError> {
    let mut rows = Vec::with_capacity(entries.len());
    for (tenant, entry) in entries {
        rows.push((tenant, entry, to_json(TABLE, entry)?));
    }
    let mut sql = QueryBuilder::new("INSERT INTO logs (id, organization_id, environment, created_at, entry) ");
    sql.push_values(rows, |mut row, (tenant, entry, json)| {
        row.push_bind(entry.id.to_string())
            .push_bind(tenant.organization_id.to_string())
            .push_bind(tenant.environment.as_str())
            .push_bind(entry.created_at.as_millis())
            .push_bind(json);
    });
    sql.push(" ON CONFLICT DO NOTHING");
    sql.build().execute(connection).await?;
    Ok(())
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
    let rows: Vec<String> = sqlx::query_scalar(SQL)
        .bind(tenant.organization_id.to_string())
        .bind(tenant.environment.as_str())
        .bind(before.map_or_else(|| "req_z".to_owned(), |id| id.to_string()))
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?;
    rows.iter().map(|text| parse_json(TABLE, text)).collect()
}

/// Deletes some entries made before a time; answers how many.
pub async fn delete_before(connection: &mut Connection, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    const SQL: &str =
        "DELETE FROM logs WHERE id IN (SELECT id FROM logs WHERE created_at < $1 ORDER BY created_at LIMIT $2)";
    Ok(sqlx::query(SQL).bind(before.as_millis()).bind(limit).execute(connection).await?.rows_affected())
}
