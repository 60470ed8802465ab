//! Jobs: at most one for a refund, saying when to take it up again: to submit it, or to look at it.
//!
//! A claim moves `run_at` past the lease, so a claimer that dies gives the job back by itself. Every job may run twice: what
//! it does is decided from the refund's state at that moment, and the processor executes a submission once for its
//! idempotency key.
//!
//! Looks are claimed for one connection at a time, and with their neighbours: refunds that were made at the processor one
//! after the other are read there in one call.

use refundkit::{ConnectionId, RefundId, Timestamp};

use super::{Connection, StoreError, Tenant, connection::params, row::Row};

/// A job that was claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedJob {
    /// The refund to submit.
    pub refund_id: RefundId,
    /// Whose it is.
    pub tenant: Tenant,
}

/// When and where to look at a refund that the processor has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The refund.
    pub refund_id: RefundId,
    /// When to look, at the latest.
    pub run_at: Timestamp,
    /// From when on a look in company is welcome.
    pub look_from: Timestamp,
    /// When the processor made it, which is where it stands in the processor's lists; none until that was told.
    pub external_created_at: Option<Timestamp>,
}

/// A connection that has looks due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueConnection {
    /// The connection.
    pub id: ConnectionId,
    /// Whose it is.
    pub tenant: Tenant,
    /// When its first look is due.
    pub run_at: Timestamp,
}

/// What a job is about: submitting a refund, or watching one that the processor has.
pub type Kind = &'static str;

/// Sets the refund's job. News that came since it was claimed are not forgotten: then it runs when they ask.
pub async fn put(
    connection: &mut Connection,
    tenant: Tenant,
    refund_id: RefundId,
    kind: Kind,
    run_at: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO jobs (refund_id, organization_id, environment, kind, run_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (refund_id) DO UPDATE SET kind = excluded.kind,
            run_at = CASE WHEN jobs.wanted_at < excluded.run_at THEN jobs.wanted_at ELSE excluded.run_at END";
    let params = params![refund_id, tenant.organization_id, tenant.environment, kind, run_at];
    connection.queue(SQL, params).await
}

/// Sets the refund's job to a look. What is known of its place at the processor stays known, and news stay asked for.
pub async fn put_look(
    connection: &mut Connection,
    tenant: Tenant,
    connection_id: ConnectionId,
    look: &Look,
) -> Result<(), StoreError> {
    const SQL: &str =
        "INSERT INTO jobs (refund_id, organization_id, environment, kind, run_at, connection_id, look_from,
            external_created_at)
        VALUES ($1, $2, $3, 'poll', $4, $5, $6, $7)
        ON CONFLICT (refund_id) DO UPDATE SET kind = excluded.kind, connection_id = excluded.connection_id,
            external_created_at = COALESCE(excluded.external_created_at, jobs.external_created_at),
            run_at = CASE WHEN jobs.wanted_at < excluded.run_at THEN jobs.wanted_at ELSE excluded.run_at END,
            look_from = CASE WHEN jobs.wanted_at < excluded.look_from THEN jobs.wanted_at ELSE excluded.look_from END";
    let Tenant { organization_id, environment } = tenant;
    let Look { refund_id, run_at, look_from, external_created_at } = *look;
    let params =
        params![refund_id, organization_id, environment, run_at, connection_id, look_from, external_created_at];
    connection.queue(SQL, params).await
}

/// Deletes the refund's job: nothing is left to be done.
pub async fn delete(connection: &mut Connection, refund_id: RefundId) -> Result<(), StoreError> {
    connection.queue("DELETE FROM jobs WHERE refund_id = $1", params![refund_id]).await
}

fn tenant(row: &Row<'_>) -> Result<Tenant, StoreError> {
    Ok(Tenant { organization_id: row.parse("organization_id")?, environment: row.parse("environment")? })
}

/// Claims refunds that are to be submitted, the longest due first.
pub async fn claim(
    connection: &mut Connection,
    now: Timestamp,
    leased_until: Timestamp,
    limit: i64,
) -> Result<Vec<ClaimedJob>, StoreError> {
    let sql = [
        "WITH due AS MATERIALIZED
            (SELECT refund_id FROM jobs WHERE kind = 'submit' AND run_at <= $1 ORDER BY run_at LIMIT $3",
        connection.taking_free_rows(),
        ") UPDATE jobs SET run_at = $2, wanted_at = NULL WHERE refund_id IN (SELECT refund_id FROM due)
        RETURNING refund_id, organization_id, environment",
    ]
    .concat();
    let params = params![now, leased_until, limit];
    let claimed = connection
        .fetch_all(&sql, params, |row| Ok(ClaimedJob { refund_id: row.parse("refund_id")?, tenant: tenant(row)? }));
    claimed.await
}

/// When the next refund is to be submitted.
pub async fn next_run_at(connection: &mut Connection) -> Result<Option<Timestamp>, StoreError> {
    const SQL: &str = "SELECT MIN(run_at) AS run_at FROM jobs WHERE kind = 'submit'";
    connection.fetch_one(SQL, params![], |row| row.optional_timestamp("run_at")).await
}

/// How many refunds are to be submitted now: a sign, when it grows, that the workers do not keep up.
pub async fn count_due(connection: &mut Connection, now: Timestamp) -> Result<i64, StoreError> {
    const SQL: &str = "SELECT COUNT(*) AS count FROM jobs WHERE kind = 'submit' AND run_at <= $1";
    connection.fetch_one(SQL, params![now], |row| row.integer("count")).await
}

/// Lists connections by their next look, the longest due first: one step into an index for each connection.
pub async fn list_by_next_look(connection: &mut Connection, limit: i64) -> Result<Vec<DueConnection>, StoreError> {
    const SQL: &str = "SELECT id, organization_id, environment, run_at FROM
            (SELECT id, organization_id, environment,
                (SELECT MIN(run_at) FROM jobs WHERE kind = 'poll' AND jobs.connection_id = connections.id) AS run_at
            FROM connections) AS next_looks
        WHERE run_at IS NOT NULL ORDER BY run_at LIMIT $1";
    let params = params![limit];
    let due = connection.fetch_all(SQL, params, |row| {
        Ok(DueConnection { id: row.parse("id")?, tenant: tenant(row)?, run_at: row.timestamp("run_at")? })
    });
    due.await
}

fn look(row: &Row<'_>) -> Result<Look, StoreError> {
    Ok(Look {
        refund_id: row.parse("refund_id")?,
        run_at: row.timestamp("run_at")?,
        look_from: row.timestamp("look_from")?,
        external_created_at: row.optional_timestamp("external_created_at")?,
    })
}

/// How many neighbours are considered for each one that is wanted: most of them were looked at not long ago.
const NEIGHBOURS_CONSIDERED: u32 = 2;

/// Claims the connection's longest due look, and with it looks at refunds that were made at the processor next after it, or
/// before it, and may be looked at too: at most `most` in all. Answers them as they were before, so that they can be given back.
pub async fn claim_looks(
    connection: &mut Connection,
    connection_id: ConnectionId,
    now: Timestamp,
    leased_until: Timestamp,
    most: u32,
) -> Result<Vec<Look>, StoreError> {
    const FIRST: &str = "SELECT refund_id, run_at, look_from, external_created_at FROM jobs
        WHERE kind = 'poll' AND connection_id = $1 AND run_at <= $2 ORDER BY run_at LIMIT 1";
    const NEWER: &str = "SELECT refund_id, run_at, look_from, external_created_at FROM
            (SELECT refund_id, run_at, look_from, external_created_at FROM jobs
            WHERE kind = 'poll' AND connection_id = $1 AND external_created_at >= $2
            ORDER BY external_created_at LIMIT $4) AS neighbours
        WHERE look_from <= $3 AND refund_id <> $5";
    const OLDER: &str = "SELECT refund_id, run_at, look_from, external_created_at FROM
            (SELECT refund_id, run_at, look_from, external_created_at FROM jobs
            WHERE kind = 'poll' AND connection_id = $1 AND external_created_at < $2
            ORDER BY external_created_at DESC LIMIT $4) AS neighbours
        WHERE look_from <= $3 AND refund_id <> $5";
    let first = [FIRST, connection.taking_free_rows()].concat();
    let Some(first) = connection.fetch_optional(&first, params![connection_id, now], look).await? else {
        return Ok(Vec::new());
    };
    let mut wanted = vec![first];
    let (most, considered) = (usize::try_from(most).unwrap_or(usize::MAX), most.saturating_mul(NEIGHBOURS_CONSIDERED));
    for neighbours in [NEWER, OLDER] {
        if let Some(place) = first.external_created_at
            && wanted.len() < most
        {
            let params = params![connection_id, place, now, considered, first.refund_id];
            wanted.extend(connection.fetch_all(neighbours, params, look).await?);
            wanted.truncate(most);
        }
    }
    take_looks(connection, connection_id, &wanted, now, leased_until).await
}

/// Takes these looks and what else lies between them and may be looked at. Answers those that were free, as they were before: rows
/// that another instance is taking at this moment are passed over, so that two never wait for each other in a circle.
async fn take_looks(
    connection: &mut Connection,
    connection_id: ConnectionId,
    wanted: &[Look],
    now: Timestamp,
    leased_until: Timestamp,
) -> Result<Vec<Look>, StoreError> {
    const BETWEEN: &str = "SELECT refund_id, run_at, look_from, external_created_at FROM jobs
        WHERE kind = 'poll' AND connection_id = $1 AND external_created_at >= $2 AND external_created_at <= $3
            AND look_from <= $4";
    const ONE: &str = "UPDATE jobs SET run_at = $3, look_from = $3, wanted_at = NULL
        WHERE refund_id = $1 AND look_from <= $2 RETURNING refund_id";
    let places = || wanted.iter().filter_map(|look| look.external_created_at);
    match (places().min(), places().max(), wanted) {
        (Some(oldest), Some(newest), _) => {
            let free = [BETWEEN, connection.taking_free_rows()].concat();
            let taken = connection.fetch_all(&free, params![connection_id, oldest, newest, now], look).await?;
            let update = [
                "WITH free AS MATERIALIZED (SELECT refund_id FROM jobs
                WHERE kind = 'poll' AND connection_id = $1 AND external_created_at >= $2 AND external_created_at <= $3
                    AND look_from <= $4",
                connection.taking_free_rows(),
                ") UPDATE jobs SET run_at = $5, look_from = $5, wanted_at = NULL
                WHERE refund_id IN (SELECT refund_id FROM free)",
            ]
            .concat();
            connection.execute(&update, params![connection_id, oldest, newest, now, leased_until]).await?;
            Ok(taken)
        }
        (_, _, [first, ..]) => {
            let params = params![first.refund_id, now, leased_until];
            let taken: Option<RefundId> = connection.fetch_optional(ONE, params, |row| row.parse("refund_id")).await?;
            Ok(taken.map(|_| *first).into_iter().collect())
        }
        _ => Ok(Vec::new()),
    }
}

/// Gives a claimed look back as it was, unless something moved it meanwhile.
pub async fn give_back(connection: &mut Connection, look: &Look, leased_until: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE jobs SET run_at = $2, look_from = $3 WHERE refund_id = $1 AND run_at = $4";
    connection.queue(SQL, params![look.refund_id, look.run_at, look.look_from, leased_until]).await
}

/// Brings the refund's job forward because of news: to now, or to when news may ask again. Answers whether it has a job.
pub async fn want(
    connection: &mut Connection,
    tenant: Tenant,
    refund_id: RefundId,
    now: Timestamp,
    again_at: impl Fn(Timestamp) -> Timestamp,
) -> Result<bool, StoreError> {
    const FIND: &str = "SELECT wanted_at, news_at FROM jobs
        WHERE organization_id = $1 AND environment = $2 AND refund_id = $3";
    const WANT: &str = "UPDATE jobs SET wanted_at = $4, news_at = $4,
            run_at = CASE WHEN run_at > $4 THEN $4 ELSE run_at END,
            look_from = CASE WHEN look_from > $4 THEN $4 ELSE look_from END
        WHERE organization_id = $1 AND environment = $2 AND refund_id = $3";
    let (organization_id, environment) = (tenant.organization_id, tenant.environment);
    let params = params![organization_id, environment, refund_id];
    let found = connection.fetch_optional(FIND, params, |row| {
        Ok((row.optional_timestamp("wanted_at")?, row.optional_timestamp("news_at")?))
    });
    let Some((wanted_at, news_at)) = found.await? else { return Ok(false) };
    // A look that is wanted and not claimed yet will see this too.
    if wanted_at.is_none() {
        let at = news_at.map_or(now, |news_at| again_at(news_at).max(now));
        connection.queue(WANT, params![organization_id, environment, refund_id, at]).await?;
    }
    Ok(true)
}
