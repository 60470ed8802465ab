//! The audit trail: written in the transaction of the change it tells of, never changed, never deleted.

use refundkit::{EventId, RefundEvent, RefundId, Timestamp};
use sqlx::FromRow;

use super::{Connection, StoreError, Tenant, parse, parse_json, to_json};

const TABLE: &str = "refund_events";

#[derive(FromRow)]
struct Row {
    id: String,
    refund_id: String,
    r#type: String,
    created_at: i64,
    actor: String,
    from_status: Option<String>,
    to_status: String,
    stage: String,
    attempt: Option<i64>,
    processor_request_id: Option<String>,
    message: Option<String>,
}

impl Row {
    fn into_event(self) -> Result<RefundEvent, StoreError> {
        Ok(RefundEvent {
            id: parse(TABLE, &self.id)?,
            refund_id: parse(TABLE, &self.refund_id)?,
            event_type: parse(TABLE, &self.r#type)?,
            created_at: Timestamp::from_millis(self.created_at),
            actor: parse_json(TABLE, &self.actor)?,
            from_status: self.from_status.as_deref().map(|text| parse(TABLE, text)).transpose()?,
            to_status: parse(TABLE, &self.to_status)?,
            stage: parse(TABLE, &self.stage)?,
            attempt: self.attempt.and_then(|attempt| u32::try_from(attempt).ok()),
            processor_request_id: self.processor_request_id,
            message: self.message,
        })
    }
}

/// Inserts an entry.
pub async fn insert(connection: &mut Connection, tenant: Tenant, event: &RefundEvent) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO refund_events (id, organization_id, environment, refund_id, type, created_at, actor,
            from_status, to_status, stage, attempt, processor_request_id, message)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    sqlx::query(SQL)
        .bind(event.id.to_string())
        .bind(tenant.organization_id.to_string())
        .bind(tenant.environment.as_str())
        .bind(event.refund_id.to_string())
        .bind(event.event_type.as_str())
        .bind(event.created_at.as_millis())
        .bind(to_json(TABLE, &event.actor)?)
        .bind(event.from_status.map(refundkit::RefundStatus::as_str))
        .bind(event.to_status.as_str())
        .bind(event.stage.as_str())
        .bind(event.attempt.map(i64::from))
        .bind(&event.processor_request_id)
        .bind(&event.message)
        .execute(connection)
        .await?;
    Ok(())
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
    let rows = sqlx::query_as::<_, Row>(SQL)
        .bind(tenant.organization_id.to_string())
        .bind(tenant.environment.as_str())
        .bind(refund_id.to_string())
        .bind(after.map_or_else(String::new, |id| id.to_string()))
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?;
    rows.into_iter().map(Row::into_event).collect()
}
