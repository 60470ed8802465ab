//! What came to an end on each day, by currency: written in the transaction that ends a refund, so that it is never behind.
//!
//! A day's figures lie in a few rows that differ by their slot, and are added up when they are read: on PostgreSQL a row that a
//! transaction has changed is its own until it is durable, and one row would make all refunds of a tenant end one after another.

use refundkit::RefundId;
use refundkit_core::days::{Counts, Day, Tally};

use super::{Connection, StoreError, Tenant, connection::params};

/// Rows that a day and currency has at most.
const SLOTS: u8 = 8;

/// The slot in which a unit of work counts that ends this refund first.
fn slot(id: RefundId) -> i64 {
    let last = id.to_string().bytes().next_back().unwrap_or_default();
    i64::from(last % SLOTS)
}

/// Adds what a unit of work has ended, the refund `first` among others: its last statements, in one order everywhere, so that
/// two units never wait for each other in a circle.
pub async fn add(
    connection: &mut Connection,
    tenant: Tenant,
    first: RefundId,
    ended: &Tally,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO refund_days (organization_id, environment, day, currency, slot, completed,
            completed_amount, settle_ms, failed, cancelled)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (organization_id, environment, day, currency, slot) DO UPDATE SET
            completed = refund_days.completed + excluded.completed,
            completed_amount = refund_days.completed_amount + excluded.completed_amount,
            settle_ms = refund_days.settle_ms + excluded.settle_ms,
            failed = refund_days.failed + excluded.failed,
            cancelled = refund_days.cancelled + excluded.cancelled";
    for (day, currency, counts) in ended.iter() {
        let params = params![
            tenant.organization_id,
            tenant.environment,
            day.number(),
            currency.as_str(),
            slot(first),
            counts.completed,
            counts.completed_amount,
            counts.settle_ms,
            counts.failed,
            counts.cancelled,
        ];
        connection.queue(SQL, params).await?;
    }
    Ok(())
}

/// What came to an end on this day and after it.
pub async fn since(connection: &mut Connection, tenant: Tenant, first: Day) -> Result<Tally, StoreError> {
    const SQL: &str = "SELECT day, currency, CAST(SUM(completed) AS BIGINT) AS completed,
            CAST(SUM(completed_amount) AS BIGINT) AS completed_amount, CAST(SUM(settle_ms) AS BIGINT) AS settle_ms,
            CAST(SUM(failed) AS BIGINT) AS failed, CAST(SUM(cancelled) AS BIGINT) AS cancelled
        FROM refund_days WHERE organization_id = $1 AND environment = $2 AND day >= $3
        GROUP BY day, currency";
    let params = params![tenant.organization_id, tenant.environment, first.number()];
    let rows = connection.fetch_all(SQL, params, |row| {
        let (day, currency) = (Day::from_number(row.integer("day")?), row.parse("currency")?);
        let counts = Counts {
            completed: row.integer("completed")?,
            completed_amount: row.integer("completed_amount")?,
            settle_ms: row.integer("settle_ms")?,
            failed: row.integer("failed")?,
            cancelled: row.integer("cancelled")?,
        };
        Ok((day, currency, counts))
    });
    let mut tally = Tally::default();
    for (day, currency, counts) in rows.await? {
        tally.add(day, currency, counts);
    }
    Ok(tally)
}
