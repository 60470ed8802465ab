//! The audit trail: written in the transaction of the change it tells of, never changed, never deleted.

use super::{Connection, StoreError, Tenant, connection::params, row::Row, to_json};
use refundkit::{EventId, RefundEvent, RefundId};

fn read(row: &Row<'_>) -> Result<RefundEvent, StoreError> {
    Ok(RefundEvent {
        id: row.parse("id")?,
        refund_id: row.parse("refund_id")?,
        event_type: row.parse("type")?,
        created_at: row.timestamp("created_at")?,
        actor: row.json("actor")?,
        from_status: row.parse_optional("from_status")?,
        to_status: row.parse("to_status")?,
        stage: row.parse("stage")?,
        attempt: row.optional_integer("attempt")?.and_then(|attempt| u32::try_from(attempt).ok()),
        processor_request_id: row.optional_text("processor_request_id")?,
        message: row.optional_text("message")?,
    })
}

/// Inserts an entry.
pub async fn insert(connection: &mut Connection, tenant: Tenant, event: &RefundEvent) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO refund_events (id, organization_id, environment, refund_id, type, created_at, actor,
            from_status, to_status, stage, attempt, processor_request_id, message)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    let params = params![
        event.id,
        tenant.organization_id,
        tenant.environment,
        event.refund_id,
        event.event_type,
        event.created_at,
        to_json("actor", &event.actor)?,
        event.from_status,
        event.to_status,
        event.stage,
        event.attempt,
        event.processor_request_id.as_ref(),
        event.message.as_ref(),
    ];
    connection.queue(SQL, params).await
}

/// Lists a refund's entries, oldest first, after the entry `after`.
pub async fn list(
    connection: &mut Connection,
    tenant: Tenant,
    refund_id: RefundId,
    after: Option<EventId>,
    limit: u32,
) -> Result<Vec<RefundEvent>, StoreError> {
    const SQL: &str = "SELECT id, refund_id, type, created_at, actor, from_status, to_status, stage, attempt,
            processor_request_id, message
        FROM refund_events WHERE refund_id = $3 AND organization_id = $1 AND environment = $2 AND id > $4
        ORDER BY id LIMIT $5";
    let after = after.map_or_else(String::new, |id| id.to_string());
    let params = params![tenant.organization_id, tenant.environment, refund_id, after, limit];
    connection.fetch_all(SQL, params, read).await
}
