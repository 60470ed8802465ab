//! Bringing the tables of a database up to date: each migration once, in order, in one transaction.

use rusqlite::{Connection, TransactionBehavior};

use crate::store::StoreError;

/// The migrations, oldest first. A database's `user_version` says how many of them it has.
const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/sqlite/0001_init.sql"),
    include_str!("../../../migrations/sqlite/0002_news.sql"),
    include_str!("../../../migrations/sqlite/0003_dashboard.sql"),
    include_str!("../../../migrations/sqlite/0004_replaced_secrets.sql"),
    include_str!("../../../migrations/sqlite/0005_askers.sql"),
    include_str!("../../../migrations/sqlite/0006_logs.sql"),
    include_str!("../../../migrations/sqlite/0007_rows.sql"),
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
    if (1..known).contains(&found) {
        tracing::info!(
            found,
            known,
            "bringing the tables of an older version up to date; with many rows this takes a while"
        );
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
    fn a_webhook_secret_that_was_replaced_before_the_update_keeps_its_day() {
        let mut connection = Connection::open_in_memory().unwrap();
        for migration in &MIGRATIONS[..3] {
            connection.execute_batch(migration).unwrap();
        }
        connection.pragma_update(None, "user_version", 3).unwrap();
        let before = "INSERT INTO organizations (id, name, created_at) VALUES ('org', 'Acme', 1);
            INSERT INTO connections (id, organization_id, environment, processor, status, sealed_secret_key,
                secret_key_hint, sealed_webhook_secret_before, webhook_secret_before_until, created_at, updated_at)
            VALUES ('conn', 'org', 'test', 'stripe', 'active', x'00', '', x'01ab', 86400000, 1, 1);";
        connection.execute_batch(before).unwrap();
        run(&mut connection).unwrap();
        let kept: String =
            connection.query_row("SELECT replaced_webhook_secrets FROM connections", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, r#"[{"sealed":"01ab","validUntil":86400000}]"#);
    }

    #[test]
    fn the_log_is_kept_over_the_update() {
        let mut connection = Connection::open_in_memory().unwrap();
        for migration in &MIGRATIONS[..5] {
            connection.execute_batch(migration).unwrap();
        }
        connection.pragma_update(None, "user_version", 5).unwrap();
        connection.execute_batch("INSERT INTO logs VALUES ('req_1', 'org', 'test', 7, '{}');").unwrap();
        run(&mut connection).unwrap();
        let columns = "SELECT id || organization_id || environment || created_at || entry FROM logs";
        let kept: String = connection.query_row(columns, [], |row| row.get(0)).unwrap();
        assert_eq!(kept, "req_1orgtest7{}");
    }

    /// All of a table, each row by the names of its columns.
    fn dump(connection: &Connection, table: &str) -> Vec<String> {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table} ORDER BY id")).unwrap();
        let mut names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        names.sort_unstable();
        let rows = statement.query_map([], |row| {
            let of = |name: &String| row.get_ref(name.as_str()).map(|value| format!("{name}={value:?}"));
            Ok(names.iter().map(of).collect::<Result<Vec<_>, _>>()?.join(", "))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    fn indexes(connection: &Connection) -> Vec<String> {
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY name";
        connection.prepare(sql).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn refunds_their_audit_trails_and_the_log_are_kept_as_they_are_over_the_update_of_rows() {
        let mut connection = Connection::open_in_memory().unwrap();
        for migration in &MIGRATIONS[..6] {
            connection.execute_batch(migration).unwrap();
        }
        connection.pragma_update(None, "user_version", 6).unwrap();
        let before = "INSERT INTO organizations (id, name, created_at) VALUES ('org', 'Acme', 1);
            INSERT INTO connections (id, organization_id, environment, processor, status, sealed_secret_key,
                secret_key_hint, created_at, updated_at)
            VALUES ('conn', 'org', 'test', 'stripe', 'active', x'00', '', 1, 1);
            INSERT INTO refunds (id, organization_id, environment, connection_id, processor, transaction_id,
                external_transaction_id, payment_intent, external_refund_id, amount, currency, reason, metadata, status,
                state, prepared, refusal, initiated_by, created_at, updated_at, user_id, stage, api_key_id)
            VALUES ('ref_2', 'org', 'test', 'conn', 'stripe', 'pi_1', 'ch_1', 'pi_1', 're_1', 5, 'usd', 'other', '{}',
                    'failed', '{1}', '{2}', '{3}', 'api', 6, 7, 'usr_1', 'settled', 'key_1'),
                ('ref_1', 'org', 'live', 'conn', 'stripe', 'ch_2', 'ch_2', NULL, NULL, 8, 'jpy', 'other', NULL,
                    'pending', '{4}', '{5}', NULL, 'mcp', 9, 10, NULL, 'queued', NULL);
            INSERT INTO refund_events VALUES
                ('evt_2', 'org', 'test', 'ref_2', 'refund.created', 6, '{6}', NULL, 'pending', 'queued', 1, 'req_7', 'Said.'),
                ('evt_1', 'org', 'test', 'ref_2', 'refund.failed', 7, '{8}', 'pending', 'failed', 'settled', NULL, NULL, NULL);
            INSERT INTO logs VALUES ('req_2', 'org', 'test', 7, '{9}'), ('req_1', 'org', 'live', 6, '{10}');";
        connection.execute_batch(before).unwrap();
        let tables = ["refunds", "refund_events", "logs"];
        let rows = tables.map(|table| dump(&connection, table));
        assert_eq!(rows.each_ref().map(Vec::len), [2, 2, 2]);
        let indexes_before = indexes(&connection);
        run(&mut connection).unwrap();
        assert_eq!(tables.map(|table| dump(&connection, table)), rows);
        assert_eq!(indexes(&connection), indexes_before);
    }

    #[test]
    fn a_second_run_changes_nothing_and_a_newer_database_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        run(&mut connection).unwrap();
        run(&mut connection).unwrap();
        connection.pragma_update(None, "user_version", 1000).unwrap();
        assert!(matches!(run(&mut connection), Err(StoreError::Newer { found: 1000, .. })));
    }
}
