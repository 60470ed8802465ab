//! `database copy`: from SQLite to PostgreSQL, all of it or nothing.

use refundkit_server::{config::DatabaseUrl, store::Store};
use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::installation::{Installation, Served};
use crate::support::postgres;

/// What a caller may write, and a careless copy would change.
const NOTE: &str = "tab\tbackslash \\N \\. line\r\nbreak\u{b}\u{7f} Zürich 🙂 \"quoted\" {} ";

fn address(database: &DatabaseUrl) -> &str {
    let DatabaseUrl::Postgres { url } = database else { panic!("not a PostgreSQL database") };
    url.expose_secret()
}

fn create(serving: &Served, charge: &str, amount: i64) -> reqwest::RequestBuilder {
    let body = json!({ "transactionId": charge, "amount": amount, "reason": "other", "metadata": { "note": NOTE } });
    serving.request(Method::POST, "/v1/refunds").header("Idempotency-Key", format!("{charge}-{amount}")).json(&body)
}

async fn everything(serving: &Served) -> Vec<Value> {
    let refunds = serving.get("/v1/refunds?limit=100").await;
    let mut all = Vec::new();
    for refund in refunds["data"].as_array().unwrap() {
        all.push(serving.get(&format!("/v1/refunds/{}/events", refund["id"].as_str().unwrap())).await);
    }
    all.push(refunds);
    for path in ["/v1/me", "/v1/processors", "/v1/transactions/ch_1N4HbSKz9cXRvFYr"] {
        all.push(serving.get(path).await);
    }
    all
}

fn stop(mut serving: Served) {
    serving.program.signal("TERM");
    assert_eq!(serving.program.ended().code(), Some(0));
}

/// Rows that a database has, in all its tables.
fn rows(database: &DatabaseUrl) -> String {
    let name = address(database).rsplit('/').next().unwrap();
    let counted = "SELECT coalesce(sum((xpath('/row/c/text()', query_to_xml(format('SELECT count(*) AS c FROM %I', table_name), \
         false, true, '')))[1]::text::bigint), -1) FROM information_schema.tables \
         WHERE table_schema = 'public' AND table_name <> 'schema_version'";
    postgres::server().psql(name, counted).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_copied_compared_and_served_from_postgresql_as_before() {
    let installation = Installation::new();
    let serving = installation.serve();
    serving.connect_stripe().await;
    for (charge, amount, status) in
        [("ch_1N4HbSKz9cXRvFYr", 2500, 201), ("ch_1SandboxYen", 12, 201), ("ch_1SandboxDisputed", 100, 422)]
    {
        assert_eq!(create(&serving, charge, amount).send().await.unwrap().status(), status, "{charge}");
    }
    let target = postgres::new_database().await;
    let command = format!("database copy --to {} --json", address(&target));
    let refused = installation.run(&command);
    assert!(
        refused.failed(1).contains("a server (process") && refused.stderr.contains("would not be copied"),
        "{refused:?}"
    );
    let before = everything(&serving).await;
    stop(serving);

    let copied = installation.run(&command).json();
    let tables = copied["tables"].as_array().unwrap();
    let rows_of = |name: &str| tables.iter().find(|table| table["table"] == name).unwrap()["rows"].as_u64().unwrap();
    assert_eq!((rows_of("refunds"), rows_of("idempotency_keys"), rows_of("master_key_check")), (3, 3, 1), "{copied}");
    assert_eq!(copied["rows"].as_u64().unwrap().to_string(), rows(&target), "PostgreSQL counts as many");

    let moved = [("REFUNDKIT_DATABASE_URL", address(&target)), ("REFUNDKIT_MASTER_KEY_FILE", ".refundkit/master.key")];
    let serving = installation.serve_with(&moved);
    let after = everything(&serving).await;
    assert_eq!(before, after);
    assert!(
        before.iter().any(|answer| answer["data"][0]["metadata"]["note"] == NOTE),
        "the note is compared: {before:?}"
    );
    let repeat = create(&serving, "ch_1N4HbSKz9cXRvFYr", 2500).send().await.unwrap();
    assert_eq!(repeat.headers().get("idempotent-replayed").unwrap(), "true");
    // The sealed Stripe key opens: the master key is the same.
    assert_eq!(create(&serving, "ch_1N4HbSKz9cXRvFYr", 2600).send().await.unwrap().status(), 201);

    let second = installation.run(&command);
    assert!(second.failed(1).contains("is not empty") && second.stderr.contains("Nothing was copied"), "{second:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_told_what_was_copied_and_what_to_do_next() {
    let installation = Installation::new();
    let target = postgres::new_database().await;
    let told = installation.run(&format!("database copy --to {}", address(&target)));
    for words in [
        "TABLE",
        "SHA-256",
        "refund_events",
        "counts and digests are equal",
        "start none on the file again",
        "The master key stays as it is",
    ] {
        assert!(told.done().contains(words), "{words:?} is not in: {}", told.stdout);
    }
    assert!(!told.stdout.contains(address(&target)), "an address may hold a password");
    for (to, words) in [("sqlite://other.db", "from a SQLite database"), ("mysql://x", "--to")] {
        let refused = installation.run(&format!("database copy --to {to}"));
        assert!(matches!(refused.code, Some(1 | 2)) && refused.stderr.contains(words), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_differs_or_fails_half_way_does_not_stand() {
    let installation = Installation::new();
    let differing = postgres::new_database().await;
    Store::open(&differing).await.unwrap().close().await;
    let name = address(&differing).rsplit('/').next().unwrap();
    let tampering = "CREATE FUNCTION tamper() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name = NEW.name || ' '; RETURN NEW; END $$; \
         CREATE TRIGGER tamper BEFORE INSERT ON organizations FOR EACH ROW EXECUTE FUNCTION tamper()";
    postgres::server().psql(name, tampering);
    let differs = installation.run(&format!("database copy --to {}", address(&differing)));
    assert!(differs.failed(1).contains("organizations was read back differently"), "{differs:?}");
    assert_eq!(rows(&differing), "0");

    // PostgreSQL has no text with a zero in it.
    let target = postgres::new_database().await;
    let sqlite = rusqlite::Connection::open(installation.database()).unwrap();
    sqlite.execute("UPDATE users SET role = 'own' || char(0) || 'er'", []).unwrap();
    drop(sqlite);
    let failed = installation.run(&format!("database copy --to {}", address(&target)));
    assert!(failed.failed(1).contains("the database to copy to: PostgreSQL"), "{failed:?}");
    assert_eq!(rows(&target), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_databases_have_the_same_tables_and_columns_of_kinds_that_can_be_compared() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("refundkit.db");
    Store::open(&DatabaseUrl::Sqlite { path: path.clone() }).await.unwrap().close().await;
    let sqlite = rusqlite::Connection::open(&path).unwrap();
    let columns = "SELECT m.name || '.' || c.name || ' ' || c.type FROM sqlite_schema m, pragma_table_info(m.name) c \
         WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    let mut expected: Vec<String> =
        sqlite.prepare(columns).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    expected.sort();

    let target = postgres::new_database().await;
    Store::open(&target).await.unwrap().close().await;
    // Texts sort by their bytes, as on SQLite, and no column makes its own values, which would begin anew behind a copy.
    let columns = "SELECT table_name || '.' || column_name || ' ' || CASE \
         WHEN column_default IS NOT NULL OR is_identity = 'YES' THEN 'makes its own values' \
         WHEN data_type IN ('bigint', 'integer') THEN 'INTEGER' WHEN data_type = 'bytea' THEN 'BLOB' \
         WHEN data_type = 'text' AND collation_name = 'C' THEN 'TEXT' ELSE data_type END \
         FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'schema_version'";
    let found = postgres::server().psql(address(&target).rsplit('/').next().unwrap(), columns);
    let mut found: Vec<_> = found.lines().map(str::to_owned).collect();
    found.sort();
    assert!(expected.len() > 50, "{expected:?}");
    assert_eq!(found, expected, "left: PostgreSQL, right: SQLite");
}
