//! Jobs: at most one for a refund, saying when to look at it again.
//!
//! A claim moves `run_at` past the lease, so a claimer that dies gives the job back by itself. Every job may run twice: what
//! it does is decided from the refund's state at that moment, and the processor executes a submission once for its
//! idempotency key.

use refundkit::{RefundId, Timestamp};

use super::{Connection, StoreError, Tenant, connection::params};

/// A job that was claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedJob {
    /// The refund to look at.
    pub refund_id: RefundId,
    /// Whose it is.
    pub tenant: Tenant,
}

/// What a job is about: submitting a refund, or watching one that the processor has.
pub type Kind = &'static str;

/// Sets the refund's job.
pub async fn put(
    connection: &mut Connection,
    tenant: Tenant,
    refund_id: RefundId,
    kind: Kind,
    run_at: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO jobs (refund_id, organization_id, environment, kind, run_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (refund_id) DO UPDATE SET kind = excluded.kind, run_at = excluded.run_at";
    let params = params![refund_id, tenant.organization_id, tenant.environment, kind, run_at];
    connection.queue(SQL, params).await
}

/// Deletes the refund's job: nothing is left to be done.
pub async fn delete(connection: &mut Connection, refund_id: RefundId) -> Result<(), StoreError> {
    connection.queue("DELETE FROM jobs WHERE refund_id = $1", params![refund_id]).await
}

/// Claims due jobs, the longest due first.
pub async fn claim(
    connection: &mut Connection,
    now: Timestamp,
    leased_until: Timestamp,
    limit: i64,
) -> Result<Vec<ClaimedJob>, StoreError> {
    let sql = [
        "WITH due AS MATERIALIZED (SELECT refund_id FROM jobs WHERE run_at <= $1 ORDER BY run_at LIMIT $3",
        connection.taking_free_rows(),
        ") UPDATE jobs SET run_at = $2 WHERE refund_id IN (SELECT refund_id FROM due)
        RETURNING refund_id, organization_id, environment",
    ]
    .concat();
    let params = params![now, leased_until, limit];
    let claimed = connection.fetch_all(&sql, params, |row| {
        Ok(ClaimedJob {
            refund_id: row.parse("refund_id")?,
            tenant: Tenant { organization_id: row.parse("organization_id")?, environment: row.parse("environment")? },
        })
    });
    claimed.await
}

/// When the next job is due.
pub async fn next_run_at(connection: &mut Connection) -> Result<Option<Timestamp>, StoreError> {
    const SQL: &str = "SELECT MIN(run_at) AS run_at FROM jobs";
    let at = connection.fetch_one(SQL, params![], |row| row.optional_integer("run_at")).await?;
    Ok(at.map(Timestamp::from_millis))
}

/// How many jobs are due: a sign, when it grows, that the workers do not keep up.
pub async fn count_due(connection: &mut Connection, now: Timestamp) -> Result<i64, StoreError> {
    const SQL: &str = "SELECT COUNT(*) AS count FROM jobs WHERE run_at <= $1";
    connection.fetch_one(SQL, params![now], |row| row.integer("count")).await
}
