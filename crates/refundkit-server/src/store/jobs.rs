//! Jobs: at most one for a refund, saying when to look at it again.
//!
//! A claim moves `run_at` past the lease, so a claimer that dies gives the job back by itself, and counts `claims`, which
//! tells a claimer that overslept that the job is no longer its own. Every job may run twice: what it does is decided from
//! the refund's state at that moment, and the processor executes a submission once for its idempotency key.

use refundkit::{RefundId, Timestamp};
use sqlx::FromRow;

use super::{Connection, StoreError, Tenant, parse};

const TABLE: &str = "jobs";

/// A job that was claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedJob {
    /// The refund to look at.
    pub refund_id: RefundId,
    /// Whose it is.
    pub tenant: Tenant,
    /// The fence.
    pub claims: i64,
}

#[derive(FromRow)]
struct Row {
    refund_id: String,
    organization_id: String,
    environment: String,
    claims: i64,
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
    const SQL: &str = "INSERT INTO jobs (refund_id, organization_id, environment, kind, run_at, claims)
        VALUES ($1, $2, $3, $4, $5, 1)
        ON CONFLICT (refund_id) DO UPDATE SET kind = excluded.kind, run_at = excluded.run_at, claims = jobs.claims + 1";
    sqlx::query(SQL)
        .bind(refund_id.to_string())
        .bind(tenant.organization_id.to_string())
        .bind(tenant.environment.as_str())
        .bind(kind)
        .bind(run_at.as_millis())
        .execute(connection)
        .await?;
    Ok(())
}

/// Deletes the refund's job: nothing is left to be done.
pub async fn delete(connection: &mut Connection, refund_id: RefundId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM jobs WHERE refund_id = $1").bind(refund_id.to_string()).execute(connection).await?;
    Ok(())
}

/// Claims due jobs, the longest due first.
pub async fn claim(
    connection: &mut Connection,
    now: Timestamp,
    leased_until: Timestamp,
    limit: i64,
) -> Result<Vec<ClaimedJob>, StoreError> {
    const SQL: &str = "WITH due AS MATERIALIZED
            (SELECT refund_id FROM jobs WHERE run_at <= $1 ORDER BY run_at LIMIT $3)
        UPDATE jobs SET run_at = $2, claims = claims + 1 WHERE refund_id IN (SELECT refund_id FROM due)
        RETURNING refund_id, organization_id, environment, claims";
    let rows = sqlx::query_as::<_, Row>(SQL)
        .bind(now.as_millis())
        .bind(leased_until.as_millis())
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.into_iter()
        .map(|row| {
            Ok(ClaimedJob {
                refund_id: parse(TABLE, &row.refund_id)?,
                tenant: Tenant {
                    organization_id: parse(TABLE, &row.organization_id)?,
                    environment: parse(TABLE, &row.environment)?,
                },
                claims: row.claims,
            })
        })
        .collect()
}

/// Gives a claimed job back at a time of the claimer's choosing, if it is still the claimer's.
pub async fn release(connection: &mut Connection, job: &ClaimedJob, run_at: Timestamp) -> Result<(), StoreError> {
    sqlx::query("UPDATE jobs SET run_at = $3 WHERE refund_id = $1 AND claims = $2")
        .bind(job.refund_id.to_string())
        .bind(job.claims)
        .bind(run_at.as_millis())
        .execute(connection)
        .await?;
    Ok(())
}

/// When the next job is due.
pub async fn next_run_at(connection: &mut Connection) -> Result<Option<Timestamp>, StoreError> {
    let at: Option<i64> = sqlx::query_scalar("SELECT MIN(run_at) FROM jobs").fetch_one(connection).await?;
    Ok(at.map(Timestamp::from_millis))
}

/// How many jobs are overdue by more than their lease: a sign that the workers do not keep up.
pub async fn count_due(connection: &mut Connection, now: Timestamp) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("SELECT COUNT(*) FROM jobs WHERE run_at <= $1")
        .bind(now.as_millis())
        .fetch_one(connection)
        .await?)
}
