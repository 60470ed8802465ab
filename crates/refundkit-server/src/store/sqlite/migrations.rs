//! Bringing the tables of a database up to date: each migration once, in order, in one transaction.

use rusqlite::{Connection, TransactionBehavior};

use crate::store::StoreError;

/// The migrations, oldest first. A database's `user_version` says how many of them it has.
const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/sqlite/0001_init.sql"),
    include_str!("../../../migrations/sqlite/0002_news.sql"),
    include_str!("../../../migrations/sqlite/0003_dashboard.sql"),
];

/// The newest version that this program knows.
pub(in crate::store) fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Runs what is missing. Several processes may do so at once: the second finds nothing left.
pub(in crate::store) fn run(connection: &mut Connection) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = known();
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    Ok(transaction.commit()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_changes_nothing_and_a_newer_database_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        run(&mut connection).unwrap();
        run(&mut connection).unwrap();
        connection.pragma_update(None, "user_version", 1000).unwrap();
        assert!(matches!(run(&mut connection), Err(StoreError::Newer { found: 1000, .. })));
    }
}
