//! Processor connections: one for each processor in an organization's environment.

use refundkit::{ConnectionId, ConnectionStatus, ProcessorConnection, ProcessorName, StripeConnect, Timestamp};
use sqlx::FromRow;

use super::{Connection, StoreError, Tenant, parse, parse_json, to_json};

const TABLE: &str = "connections";

/// A connection with its sealed credential.
#[derive(Debug, Clone)]
pub struct StoredConnection {
    /// What callers see of it.
    pub connection: ProcessorConnection,
    /// The credential, sealed.
    pub sealed_secret_key: Vec<u8>,
}

#[derive(FromRow)]
struct Row {
    id: String,
    environment: String,
    processor: String,
    status: String,
    sealed_secret_key: Vec<u8>,
    secret_key_hint: String,
    account: Option<String>,
    connect: Option<String>,
    created_at: i64,
    updated_at: i64,
}

impl Row {
    fn into_connection(self) -> Result<StoredConnection, StoreError> {
        let connect: Option<StripeConnect> = self.connect.map(|text| parse_json(TABLE, &text)).transpose()?;
        Ok(StoredConnection {
            connection: ProcessorConnection {
                id: parse(TABLE, &self.id)?,
                processor: parse(TABLE, &self.processor)?,
                environment: parse(TABLE, &self.environment)?,
                status: parse(TABLE, &self.status)?,
                secret_key_hint: self.secret_key_hint,
                account: self.account,
                connect,
                created_at: Timestamp::from_millis(self.created_at),
                updated_at: Timestamp::from_millis(self.updated_at),
            },
            sealed_secret_key: self.sealed_secret_key,
        })
    }
}

/// Finds the environment's connection to a processor.
pub async fn find(
    connection: &mut Connection,
    tenant: Tenant,
    processor: ProcessorName,
) -> Result<Option<StoredConnection>, StoreError> {
    const SQL: &str = "SELECT id, environment, processor, status, sealed_secret_key, secret_key_hint, account, connect,
        created_at, updated_at FROM connections WHERE organization_id = $1 AND environment = $2 AND processor = $3";
    let row = sqlx::query_as::<_, Row>(SQL)
        .bind(tenant.organization_id.to_string())
        .bind(tenant.environment.as_str())
        .bind(processor.as_str())
        .fetch_optional(connection)
        .await?;
    row.map(Row::into_connection).transpose()
}

/// Gets a connection by its id.
pub async fn get(
    connection: &mut Connection,
    tenant: Tenant,
    id: ConnectionId,
) -> Result<StoredConnection, StoreError> {
    const SQL: &str = "SELECT id, environment, processor, status, sealed_secret_key, secret_key_hint, account, connect,
        created_at, updated_at FROM connections WHERE organization_id = $1 AND environment = $2 AND id = $3";
    sqlx::query_as::<_, Row>(SQL)
        .bind(tenant.organization_id.to_string())
        .bind(tenant.environment.as_str())
        .bind(id.to_string())
        .fetch_one(connection)
        .await?
        .into_connection()
}

/// Lists the environment's connections.
pub async fn list(connection: &mut Connection, tenant: Tenant) -> Result<Vec<ProcessorConnection>, StoreError> {
    const SQL: &str = "SELECT id, environment, processor, status, sealed_secret_key, secret_key_hint, account, connect,
        created_at, updated_at FROM connections WHERE organization_id = $1 AND environment = $2 ORDER BY id";
    let rows = sqlx::query_as::<_, Row>(SQL)
        .bind(tenant.organization_id.to_string())
        .bind(tenant.environment.as_str())
        .fetch_all(connection)
        .await?;
    rows.into_iter().map(|row| Ok(row.into_connection()?.connection)).collect()
}

/// Inserts a connection, or replaces the one with its id.
pub async fn put(connection: &mut Connection, tenant: Tenant, stored: &StoredConnection) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO connections (id, organization_id, environment, processor, status, sealed_secret_key,
            secret_key_hint, account, connect, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (id) DO UPDATE SET status = excluded.status, sealed_secret_key = excluded.sealed_secret_key,
            secret_key_hint = excluded.secret_key_hint, account = excluded.account, connect = excluded.connect,
            updated_at = excluded.updated_at";
    let shown = &stored.connection;
    let connect = shown.connect.as_ref().map(|connect| to_json(TABLE, connect)).transpose()?;
    sqlx::query(SQL)
        .bind(shown.id.to_string())
        .bind(tenant.organization_id.to_string())
        .bind(tenant.environment.as_str())
        .bind(shown.processor.as_str())
        .bind(shown.status.as_str())
        .bind(&stored.sealed_secret_key)
        .bind(&shown.secret_key_hint)
        .bind(&shown.account)
        .bind(connect)
        .bind(shown.created_at.as_millis())
        .bind(shown.updated_at.as_millis())
        .execute(connection)
        .await?;
    Ok(())
}

/// Notes whether a connection can be used.
pub async fn mark_status(
    connection: &mut Connection,
    tenant: Tenant,
    id: ConnectionId,
    status: ConnectionStatus,
    at: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE connections SET status = $4, updated_at = $5
        WHERE organization_id = $1 AND environment = $2 AND id = $3";
    sqlx::query(SQL)
        .bind(tenant.organization_id.to_string())
        .bind(tenant.environment.as_str())
        .bind(id.to_string())
        .bind(status.as_str())
        .bind(at.as_millis())
        .execute(connection)
        .await?;
    Ok(())
}
