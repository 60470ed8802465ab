//! Processor connections: one for each processor in an organization's environment.

use refundkit::{ConnectionId, ConnectionStatus, ProcessorConnection, ProcessorName, Timestamp};

use super::{Connection, StoreError, Tenant, connection::params, row::Row, to_json};

/// A connection with its sealed credential.
#[derive(Debug, Clone)]
pub struct StoredConnection {
    /// What callers see of it.
    pub connection: ProcessorConnection,
    /// The credential, sealed.
    pub sealed_secret_key: Vec<u8>,
}

/// The columns that [`read`] reads: what every SELECT here begins with.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, environment, processor, status, sealed_secret_key, secret_key_hint, account, connect, ",
            "created_at, updated_at FROM connections WHERE organization_id = $1 AND environment = $2 ",
            $rest
        )
    };
}

fn read(row: &Row<'_>) -> Result<StoredConnection, StoreError> {
    let connection = ProcessorConnection {
        id: row.parse("id")?,
        processor: row.parse("processor")?,
        environment: row.parse("environment")?,
        status: row.parse("status")?,
        secret_key_hint: row.text("secret_key_hint")?,
        account: row.optional_text("account")?,
        connect: row.json_optional("connect")?,
        created_at: row.timestamp("created_at")?,
        updated_at: row.timestamp("updated_at")?,
    };
    Ok(StoredConnection { connection, sealed_secret_key: row.bytes("sealed_secret_key")? })
}

/// Finds the environment's connection to a processor.
pub async fn find(
    connection: &mut Connection,
    tenant: Tenant,
    processor: ProcessorName,
) -> Result<Option<StoredConnection>, StoreError> {
    const SQL: &str = select!("AND processor = $3");
    connection.fetch_optional(SQL, params![tenant.organization_id, tenant.environment, processor], read).await
}

/// Gets a connection by its id.
pub async fn get(
    connection: &mut Connection,
    tenant: Tenant,
    id: ConnectionId,
) -> Result<StoredConnection, StoreError> {
    const SQL: &str = select!("AND id = $3");
    connection.fetch_one(SQL, params![tenant.organization_id, tenant.environment, id], read).await
}

/// Gets whether a connection can be used, and when it last changed.
pub async fn get_status(
    connection: &mut Connection,
    tenant: Tenant,
    id: ConnectionId,
) -> Result<(ConnectionStatus, Timestamp), StoreError> {
    const SQL: &str =
        "SELECT status, updated_at FROM connections WHERE organization_id = $1 AND environment = $2 AND id = $3";
    let params = params![tenant.organization_id, tenant.environment, id];
    connection.fetch_one(SQL, params, |row| Ok((row.parse("status")?, row.timestamp("updated_at")?))).await
}

/// Lists the environment's connections.
pub async fn list(connection: &mut Connection, tenant: Tenant) -> Result<Vec<ProcessorConnection>, StoreError> {
    const SQL: &str = select!("ORDER BY id");
    let params = params![tenant.organization_id, tenant.environment];
    connection.fetch_all(SQL, params, |row| Ok(read(row)?.connection)).await
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
    let connect = shown.connect.as_ref().map(|connect| to_json("connect", connect)).transpose()?;
    let params = params![
        shown.id,
        tenant.organization_id,
        tenant.environment,
        shown.processor,
        shown.status,
        stored.sealed_secret_key.as_slice(),
        &shown.secret_key_hint,
        shown.account.as_ref(),
        connect,
        shown.created_at,
        shown.updated_at,
    ];
    connection.queue(SQL, params).await
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
    connection.queue(SQL, params![tenant.organization_id, tenant.environment, id, status, at]).await
}
