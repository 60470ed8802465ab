//! Bringing the tables of a database up to date: each migration once, in order, in one transaction, by one process at a time.

use deadpool_postgres::Object;

use crate::store::StoreError;

/// The migrations, oldest first. `schema_version` says how many of them a database has.
const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/postgres/0001_init.sql"),
    include_str!("../../../migrations/postgres/0002_news.sql"),
    include_str!("../../../migrations/postgres/0003_dashboard.sql"),
    include_str!("../../../migrations/postgres/0004_replaced_secrets.sql"),
    include_str!("../../../migrations/postgres/0005_askers.sql"),
    include_str!("../../../migrations/postgres/0006_logs.sql"),
    include_str!("../../../migrations/postgres/0007_rows.sql"),
];

/// Whoever holds this lock may change tables. The number is ours: "refundki" in ASCII.
const LOCK: &str = "SELECT pg_advisory_xact_lock(8243113894009072489)";

/// Runs what is missing. Any number of processes may do so at once: they wait for the first, and find nothing left.
pub(super) async fn run(client: &mut Object) -> Result<(), StoreError> {
    let transaction = client.transaction().await?;
    transaction.batch_execute(LOCK).await?;
    transaction.batch_execute("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)").await?;
    let row = transaction.query_opt("SELECT version FROM schema_version", &[]).await?;
    let found: i64 = row.map_or(Ok(0), |row| row.try_get(0))?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.batch_execute(migration).await?;
    }
    if found < known {
        transaction.batch_execute("DELETE FROM schema_version").await?;
        transaction.execute("INSERT INTO schema_version (version) VALUES ($1)", &[&known]).await?;
    }
    Ok(transaction.commit().await?)
}
