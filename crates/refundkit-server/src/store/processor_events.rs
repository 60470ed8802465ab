//! Notifications of processors: each is kept once for its connection, until it was digested and for a while after.
//!
//! What is kept is what an event names. What it says of people stays at the processor: the refund is read there again.

use refundkit::{ConnectionId, RefundId, Timestamp, processor::ReportedStatus};

use super::{Connection, StoreError, Tenant, connection::params, row::Row, to_json};

/// A notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessorEvent {
    /// Its id at the processor: the same in every delivery.
    pub id: String,
    /// Through which connection it came.
    pub connection_id: ConnectionId,
    /// Whose it is.
    pub tenant: Tenant,
    /// What happened, in the processor's word.
    pub event_type: String,
    /// When it arrived.
    pub received_at: Timestamp,
    /// The processor's id of the refund that it is about.
    pub external_refund_id: Option<String>,
    /// Where the refund stood then, where the event says.
    pub reported: Option<ReportedStatus>,
    /// Our id, where the refund carries it.
    pub refund_id: Option<RefundId>,
    /// The charge concerned.
    pub charge: Option<String>,
}

/// What became of a notification.
pub type Outcome = &'static str;

/// The outcome of a notification that is to be digested.
pub const WAITING: Outcome = "waiting";

/// Inserts a notification that is to be digested at `due_at` (never, when none); answers false when it came before.
pub async fn insert(
    connection: &mut Connection,
    event: &ProcessorEvent,
    due_at: Option<Timestamp>,
    outcome: Outcome,
) -> Result<bool, StoreError> {
    const SQL: &str =
        "INSERT INTO processor_events (connection_id, external_event_id, organization_id, environment, type,
            received_at, external_refund_id, reported, refund_id, charge, due_at, outcome)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING";
    let reported = event.reported.as_ref().map(|reported| to_json("reported", reported)).transpose()?;
    let params = params![
        event.connection_id,
        &event.id,
        event.tenant.organization_id,
        event.tenant.environment,
        &event.event_type,
        event.received_at,
        event.external_refund_id.as_ref(),
        reported,
        event.refund_id,
        event.charge.as_ref(),
        due_at,
        outcome,
    ];
    Ok(connection.execute(SQL, params).await? == 1)
}

fn read(row: &Row<'_>) -> Result<ProcessorEvent, StoreError> {
    Ok(ProcessorEvent {
        id: row.text("external_event_id")?,
        connection_id: row.parse("connection_id")?,
        tenant: Tenant { organization_id: row.parse("organization_id")?, environment: row.parse("environment")? },
        event_type: row.text("type")?,
        received_at: row.timestamp("received_at")?,
        external_refund_id: row.optional_text("external_refund_id")?,
        reported: row.json_optional("reported")?,
        refund_id: row.parse_optional("refund_id")?,
        charge: row.optional_text("charge")?,
    })
}

/// Claims notifications that are to be digested now, the longest due first. A claimer that dies gives them back by itself.
pub async fn claim(
    connection: &mut Connection,
    now: Timestamp,
    leased_until: Timestamp,
    limit: i64,
) -> Result<Vec<ProcessorEvent>, StoreError> {
    let sql = [
        "WITH due AS MATERIALIZED (SELECT connection_id, external_event_id FROM processor_events
            WHERE due_at <= $1 ORDER BY due_at LIMIT $3",
        connection.taking_free_rows(),
        ") UPDATE processor_events SET due_at = $2
        WHERE (connection_id, external_event_id) IN (SELECT connection_id, external_event_id FROM due)
        RETURNING connection_id, external_event_id, organization_id, environment, type, received_at,
            external_refund_id, reported, refund_id, charge",
    ]
    .concat();
    connection.fetch_all(&sql, params![now, leased_until, limit], read).await
}

/// When the next notification is to be digested.
pub async fn next_due_at(connection: &mut Connection) -> Result<Option<Timestamp>, StoreError> {
    const SQL: &str = "SELECT MIN(due_at) AS due_at FROM processor_events WHERE due_at IS NOT NULL";
    connection.fetch_one(SQL, params![], |row| row.optional_timestamp("due_at")).await
}

/// Notes that a notification was digested, and when its refund was looked at, or a look asked for, because of it.
pub async fn mark_digested(
    connection: &mut Connection,
    event: &ProcessorEvent,
    outcome: Outcome,
    looked_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE processor_events SET due_at = NULL, outcome = $3, looked_at = $4
        WHERE connection_id = $1 AND external_event_id = $2";
    connection.queue(SQL, params![event.connection_id, &event.id, outcome, looked_at]).await
}

/// Puts a notification off.
pub async fn mark_due(
    connection: &mut Connection,
    event: &ProcessorEvent,
    due_at: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE processor_events SET due_at = $3
        WHERE connection_id = $1 AND external_event_id = $2 AND due_at IS NOT NULL";
    connection.queue(SQL, params![event.connection_id, &event.id, due_at]).await
}

/// When a notification last had a refund looked at.
pub async fn last_looked_at(
    connection: &mut Connection,
    connection_id: ConnectionId,
    external_refund_id: &str,
) -> Result<Option<Timestamp>, StoreError> {
    const SQL: &str = "SELECT MAX(looked_at) AS looked_at FROM processor_events
        WHERE connection_id = $1 AND external_refund_id = $2 AND looked_at IS NOT NULL";
    let params = params![connection_id, external_refund_id];
    connection.fetch_one(SQL, params, |row| row.optional_timestamp("looked_at")).await
}

/// Counts a connection's notifications by what became of them.
pub async fn count_by_outcome(
    connection: &mut Connection,
    connection_id: ConnectionId,
) -> Result<Vec<(String, i64)>, StoreError> {
    const SQL: &str = "SELECT outcome, COUNT(*) AS count FROM processor_events WHERE connection_id = $1
        GROUP BY outcome ORDER BY outcome";
    connection.fetch_all(SQL, params![connection_id], |row| Ok((row.text("outcome")?, row.integer("count")?))).await
}

/// Lists a connection's newest notifications, each with what became of it.
pub async fn list_newest(
    connection: &mut Connection,
    connection_id: ConnectionId,
    limit: u32,
) -> Result<Vec<(ProcessorEvent, String)>, StoreError> {
    const SQL: &str = "SELECT connection_id, external_event_id, organization_id, environment, type, received_at,
            external_refund_id, reported, refund_id, charge, outcome
        FROM processor_events WHERE connection_id = $1 ORDER BY received_at DESC LIMIT $2";
    connection.fetch_all(SQL, params![connection_id, limit], |row| Ok((read(row)?, row.text("outcome")?))).await
}

/// Deletes some notifications that arrived before a time; answers how many.
pub async fn delete_before(connection: &mut Connection, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    const SQL: &str = "DELETE FROM processor_events WHERE (connection_id, external_event_id) IN
        (SELECT connection_id, external_event_id FROM processor_events WHERE received_at < $1 ORDER BY received_at LIMIT $2)";
    connection.execute(SQL, params![before, limit]).await
}
