//! Processor connections: one for each processor in an organization's environment.

use refundkit::{ConnectionId, ConnectionStatus, ProcessorConnection, ProcessorName, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Connection, StoreError, Tenant, connection::params, row::Row, to_json};

/// A connection with its sealed credential.
#[derive(Debug, Clone)]
pub struct StoredConnection {
    /// What callers see of it.
    pub connection: ProcessorConnection,
    /// The credential, sealed.
    pub sealed_secret_key: Vec<u8>,
    /// The secrets that its processor's notifications may be signed with, sealed.
    pub webhook_secrets: WebhookSecrets,
}

/// The webhook secrets of a connection, sealed: one, and those that it replaced for a while.
#[derive(Debug, Clone, Default)]
pub struct WebhookSecrets {
    /// The one that was saved last.
    pub sealed: Option<Vec<u8>>,
    /// Those before it, newest first.
    pub replaced: Vec<ReplacedSecret>,
}

/// A webhook secret that another has replaced.
#[derive(Debug, Clone)]
pub struct ReplacedSecret {
    /// The secret, sealed.
    pub sealed: Vec<u8>,
    /// From when on it is worth nothing.
    pub valid_until: Timestamp,
}

/// A replaced secret as the column holds it: bytes as hexadecimal digits, the time in milliseconds.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReplacedRow {
    sealed: String,
    valid_until: i64,
}

/// The columns that [`read`] reads: what every SELECT here begins with.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization_id, environment, processor, status, sealed_secret_key, secret_key_hint, account, ",
            "connect, sealed_webhook_secret, webhook_secret_hint, replaced_webhook_secrets, account_name, ",
            "missing_permissions, created_at, updated_at FROM connections WHERE ",
            $rest
        )
    };
}

/// The path at which a connection's notifications arrive. Callers are shown it behind the server's public address.
pub fn webhook_path(processor: ProcessorName, id: ConnectionId) -> String {
    format!("/webhooks/{processor}/{id}")
}

fn read(row: &Row<'_>) -> Result<StoredConnection, StoreError> {
    let (id, processor) = (row.parse("id")?, row.parse("processor")?);
    let webhook_secrets =
        WebhookSecrets { sealed: row.optional_bytes("sealed_webhook_secret")?, replaced: read_replaced(row)? };
    let connection = ProcessorConnection {
        id,
        processor,
        environment: row.parse("environment")?,
        status: row.parse("status")?,
        secret_key_hint: row.text("secret_key_hint")?,
        account: row.optional_text("account")?,
        account_name: row.optional_text("account_name")?,
        missing_permissions: row.json_optional("missing_permissions")?.unwrap_or_default(),
        connect: row.json_optional("connect")?,
        webhook_url: webhook_path(processor, id),
        webhook_secret_hint: row.optional_text("webhook_secret_hint")?,
        created_at: row.timestamp("created_at")?,
        updated_at: row.timestamp("updated_at")?,
    };
    Ok(StoredConnection { connection, sealed_secret_key: row.bytes("sealed_secret_key")?, webhook_secrets })
}

const REPLACED: &str = "replaced_webhook_secrets";

fn read_replaced(row: &Row<'_>) -> Result<Vec<ReplacedSecret>, StoreError> {
    let rows: Vec<ReplacedRow> = row.json_optional(REPLACED)?.unwrap_or_default();
    let read = |ReplacedRow { sealed, valid_until }| match hex::decode(sealed) {
        Ok(sealed) => Ok(ReplacedSecret { sealed, valid_until: Timestamp::from_millis(valid_until) }),
        Err(error) => Err(StoreError::Row { column: REPLACED, message: error.to_string() }),
    };
    rows.into_iter().map(read).collect()
}

/// The column's text; none when there is nothing to keep.
fn replaced_text(replaced: &[ReplacedSecret]) -> Result<Option<String>, StoreError> {
    let row = |secret: &ReplacedSecret| ReplacedRow {
        sealed: hex::encode(&secret.sealed),
        valid_until: secret.valid_until.as_millis(),
    };
    let rows: Vec<_> = replaced.iter().map(row).collect();
    (!rows.is_empty()).then(|| to_json(REPLACED, &rows)).transpose()
}

/// Finds the environment's connection to a processor.
pub async fn find(
    connection: &mut Connection,
    tenant: Tenant,
    processor: ProcessorName,
) -> Result<Option<StoredConnection>, StoreError> {
    const SQL: &str = select!("organization_id = $1 AND environment = $2 AND processor = $3");
    connection.fetch_optional(SQL, params![tenant.organization_id, tenant.environment, processor], read).await
}

/// Gets a connection by its id.
pub async fn get(
    connection: &mut Connection,
    tenant: Tenant,
    id: ConnectionId,
) -> Result<StoredConnection, StoreError> {
    const SQL: &str = select!("organization_id = $1 AND environment = $2 AND id = $3");
    connection.fetch_one(SQL, params![tenant.organization_id, tenant.environment, id], read).await
}

/// Finds a connection by its id alone, with its tenant: for its processor, which knows no other name for it.
pub async fn find_with_tenant(
    connection: &mut Connection,
    id: ConnectionId,
) -> Result<Option<(Tenant, StoredConnection)>, StoreError> {
    const SQL: &str = select!("id = $1");
    connection.fetch_optional(SQL, params![id], |row| Ok((tenant(row)?, read(row)?))).await
}

fn tenant(row: &Row<'_>) -> Result<Tenant, StoreError> {
    Ok(Tenant { organization_id: row.parse("organization_id")?, environment: row.parse("environment")? })
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
    const SQL: &str = select!("organization_id = $1 AND environment = $2 ORDER BY id");
    let params = params![tenant.organization_id, tenant.environment];
    connection.fetch_all(SQL, params, |row| Ok(read(row)?.connection)).await
}

/// Inserts a connection, or replaces the one with its id.
pub async fn put(connection: &mut Connection, tenant: Tenant, stored: &StoredConnection) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO connections (id, organization_id, environment, processor, status, sealed_secret_key,
            secret_key_hint, account, connect, sealed_webhook_secret, webhook_secret_hint, replaced_webhook_secrets,
            account_name, missing_permissions, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
        ON CONFLICT (id) DO UPDATE SET status = excluded.status, sealed_secret_key = excluded.sealed_secret_key,
            secret_key_hint = excluded.secret_key_hint, account = excluded.account, connect = excluded.connect,
            sealed_webhook_secret = excluded.sealed_webhook_secret, webhook_secret_hint = excluded.webhook_secret_hint,
            replaced_webhook_secrets = excluded.replaced_webhook_secrets, account_name = excluded.account_name,
            missing_permissions = excluded.missing_permissions, updated_at = excluded.updated_at";
    let shown = &stored.connection;
    let connect = shown.connect.as_ref().map(|connect| to_json("connect", connect)).transpose()?;
    let WebhookSecrets { sealed, replaced } = &stored.webhook_secrets;
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
        sealed.as_deref(),
        shown.webhook_secret_hint.as_ref(),
        replaced_text(replaced)?,
        shown.account_name.as_ref(),
        to_json("missing_permissions", &shown.missing_permissions)?,
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

/// Notes what trying a connection's credential told: whether it can be used, whose it is, and what it lacks.
pub async fn mark_tried(
    connection: &mut Connection,
    tenant: Tenant,
    tried: &ProcessorConnection,
) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE connections SET status = $4, account = $5, account_name = $6, missing_permissions = $7,
            updated_at = $8
        WHERE organization_id = $1 AND environment = $2 AND id = $3";
    let params = params![
        tenant.organization_id,
        tenant.environment,
        tried.id,
        tried.status,
        tried.account.as_ref(),
        tried.account_name.as_ref(),
        to_json("missing_permissions", &tried.missing_permissions)?,
        tried.updated_at,
    ];
    connection.queue(SQL, params).await
}

/// Lists the connections whose refunds are followed, and that were last compared before this time, in all tenants: the one that
/// waits longest comes first.
pub async fn list_unreconciled(
    connection: &mut Connection,
    before: Timestamp,
) -> Result<Vec<(Tenant, ConnectionId)>, StoreError> {
    const SQL: &str = "SELECT organization_id, environment, id FROM connections
        WHERE COALESCE(reconciled_at, created_at) <= $1 AND status = 'active' ORDER BY COALESCE(reconciled_at, created_at), id";
    connection.fetch_all(SQL, params![before], |row| Ok((tenant(row)?, row.parse("id")?))).await
}

/// Lists all connections whose refunds are followed, in all tenants.
pub async fn list_followed(connection: &mut Connection) -> Result<Vec<(Tenant, ConnectionId)>, StoreError> {
    const SQL: &str = "SELECT organization_id, environment, id FROM connections ORDER BY id";
    connection.fetch_all(SQL, params![], |row| Ok((tenant(row)?, row.parse("id")?))).await
}

/// Notes that a connection's refunds are being compared, unless another process was faster: then answers false.
pub async fn mark_reconciled(
    connection: &mut Connection,
    tenant: Tenant,
    id: ConnectionId,
    before: Timestamp,
    at: Timestamp,
) -> Result<bool, StoreError> {
    const SQL: &str = "UPDATE connections SET reconciled_at = $5
        WHERE organization_id = $1 AND environment = $2 AND id = $3 AND COALESCE(reconciled_at, created_at) <= $4";
    let params = params![tenant.organization_id, tenant.environment, id, before, at];
    Ok(connection.execute(SQL, params).await? == 1)
}
