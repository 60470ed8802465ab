//! Refunds that somebody else made at the processor, as they were last seen there: so that they are news only once.

use refundkit::{ConnectionId, Timestamp, processor::ProcessorRefund};

use super::{Connection, StoreError, Tenant, connection::params};

/// Keeps a refund as it was seen now; answers false when it was known to stand there already.
pub async fn put(
    connection: &mut Connection,
    tenant: Tenant,
    connection_id: ConnectionId,
    seen: &ProcessorRefund,
    now: Timestamp,
) -> Result<bool, StoreError> {
    const SQL: &str = "INSERT INTO outside_refunds (connection_id, external_refund_id, organization_id, environment,
            external_transaction_id, amount, currency, status, external_created_at, imported_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (connection_id, external_refund_id) DO UPDATE SET status = excluded.status,
            amount = excluded.amount, imported_at = excluded.imported_at
        WHERE outside_refunds.status <> excluded.status OR outside_refunds.amount <> excluded.amount";
    let params = params![
        connection_id,
        &seen.id,
        tenant.organization_id,
        tenant.environment,
        seen.charge.as_ref(),
        seen.amount,
        seen.currency.as_str(),
        seen.status.status(),
        seen.created_at,
        now,
    ];
    Ok(connection.execute(SQL, params).await? == 1)
}
