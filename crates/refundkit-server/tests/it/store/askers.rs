//! Who asked for refunds: made from the audit trail of a database that already has refunds, and told by the names of now.

use refundkit::{Environment, KeyId, OrganizationId, RefundId, UserId};
use refundkit_server::{
    config::{DatabaseUrl, parse_database_url},
    operations::askers::{Asker, AskerId},
    store::{Store, Tenant, refunds::askers},
};

use crate::support::postgres;

const ORGANIZATION: OrganizationId = OrganizationId::from_bits(1);
const TENANT: Tenant = Tenant { organization_id: ORGANIZATION, environment: Environment::Test };
const MEMBER: UserId = UserId::from_bits(1);
const LEFT: UserId = UserId::from_bits(2);
const KEY: KeyId = KeyId::from_bits(1);
const REVOKED: KeyId = KeyId::from_bits(2);
const UNKNOWN_KEY: KeyId = KeyId::from_bits(3);

fn refund_id(number: u128) -> RefundId {
    RefundId::from_bits(number)
}

/// A refund as the version before stored it, with the first line of its audit trail and a later one by somebody else.
fn stored_before(number: u128, user_id: Option<UserId>, actor: &str) -> String {
    let id = refund_id(number);
    let user_id = user_id.map_or("NULL".to_owned(), |id| format!("'{id}'"));
    let state = r#"{"state": "queued", "attempts": 0}"#;
    format!(
        r#"INSERT INTO refunds (id, organization_id, environment, connection_id, processor, transaction_id,
            external_transaction_id, amount, currency, reason, status, stage, state, prepared, initiated_by, created_at,
            updated_at, user_id)
        VALUES ('{id}', '{ORGANIZATION}', 'test', 'conn', 'stripe', 'ch_1', 'ch_1', 1, 'usd', 'other', 'pending', 'queued',
            '{state}', '{{}}', 'api', 0, 0, {user_id});
        INSERT INTO refund_events (id, organization_id, environment, refund_id, type, created_at, actor, to_status, stage)
        VALUES ('evt_1', '{ORGANIZATION}', 'test', '{id}', 'refund.created', 0, '{actor}', 'pending', 'queued'),
            ('evt_2', '{ORGANIZATION}', 'test', '{id}', 'refund.cancel_requested', 0,
                '{{"type": "caller", "through": "api", "keyId": "{UNKNOWN_KEY}", "userId": null}}', 'pending', 'queued');"#
    )
}

fn actor(key_id: Option<KeyId>, user: Option<(UserId, &str)>, client: &str) -> String {
    let (user_id, email) = user.unzip();
    serde_json::json!({ "type": "caller", "through": "api", "keyId": key_id, "userId": user_id, "userEmail": email,
        "client": client })
    .to_string()
}

/// The rows of a database of the version before: refunds that a key, a revoked key, a member and somebody who left asked for.
fn before(sealed: &str) -> String {
    let user = |id, email| {
        format!(
            "INSERT INTO users (id, organization_id, email, role, password_hash, created_at)
            VALUES ('{id}', '{ORGANIZATION}', '{email}', 'member', '', 0);"
        )
    };
    let key = |id, name, revoked_at| {
        format!(
            "INSERT INTO api_keys (id, organization_id, environment, scope, name, prefix, hash, created_at, revoked_at)
            VALUES ('{id}', '{ORGANIZATION}', 'test', 'write', '{name}', 'rk_test_{name}', '{name}', 0, {revoked_at});"
        )
    };
    [
        &format!("INSERT INTO organizations (id, name, created_at) VALUES ('{ORGANIZATION}', 'Acme', 0);"),
        &format!(
            "INSERT INTO connections (id, organization_id, environment, processor, status, sealed_secret_key,
                secret_key_hint, created_at, updated_at)
            VALUES ('conn', '{ORGANIZATION}', 'test', 'stripe', 'active', {sealed}, '', 0, 0);"
        ),
        &user(MEMBER, "mia@acme.example"),
        &key(KEY, "Shop", "NULL"),
        &key(REVOKED, "Old", "7"),
        // A client may say anything of itself, also what looks like a key.
        &stored_before(1, None, &actor(Some(KEY), None, "\"keyId\":\"key_zero\" \0")),
        &stored_before(2, None, &actor(Some(REVOKED), None, "")),
        &stored_before(3, Some(MEMBER), &actor(None, Some((MEMBER, "mia@then.example")), "")),
        &stored_before(4, Some(LEFT), &actor(None, Some((LEFT, "leo@acme.example")), "")),
        &stored_before(5, None, r#"{"type": "worker"}"#),
    ]
    .map(String::as_str)
    .concat()
}

/// The migrations before.
macro_rules! migrations {
    ($database:literal) => {
        concat!(
            include_str!(concat!("../../../migrations/", $database, "/0001_init.sql")),
            include_str!(concat!("../../../migrations/", $database, "/0002_news.sql")),
            include_str!(concat!("../../../migrations/", $database, "/0003_dashboard.sql")),
            include_str!(concat!("../../../migrations/", $database, "/0004_replaced_secrets.sql"))
        )
    };
}

async fn everybody_is_named(url: &DatabaseUrl) {
    let store = Store::open(url).await.unwrap();
    let mut connection = store.read().await.unwrap();
    let connection = &mut connection;
    let asker = |id, name: &str, key_prefix: Option<&str>, is_gone| Asker {
        id,
        name: name.to_owned(),
        key_prefix: key_prefix.map(str::to_owned),
        is_gone,
    };
    let key = asker(AskerId::Key(KEY), "Shop", Some("rk_test_Shop"), false);
    let revoked = asker(AskerId::Key(REVOKED), "Old", Some("rk_test_Old"), true);
    let member = asker(AskerId::Person(MEMBER), "mia@acme.example", None, false);
    let left = asker(AskerId::Person(LEFT), "leo@acme.example", None, true);
    let all: Vec<_> = (1..=5).map(refund_id).collect();
    let found = askers::list_of(connection, TENANT, &all).await.unwrap();
    let named = [Some(key), Some(revoked), Some(member), Some(left), None];
    for (id, expected) in all.iter().zip(&named) {
        assert_eq!(found.get(id), expected.as_ref());
    }
    assert_eq!(askers::list_of(connection, TENANT, &[]).await.unwrap().len(), 0);
    for expected in named.into_iter().flatten() {
        assert_eq!(askers::find(connection, TENANT, expected.id).await.unwrap(), Some(expected));
    }
    let other = Tenant { organization_id: OrganizationId::from_bits(2), ..TENANT };
    let live = Tenant { environment: Environment::Live, ..TENANT };
    for (tenant, id, is_known) in [
        (TENANT, AskerId::Key(UNKNOWN_KEY), false),
        (TENANT, AskerId::Person(UserId::from_bits(9)), false),
        (other, AskerId::Person(MEMBER), false),
        (other, AskerId::Person(LEFT), false),
        (other, AskerId::Key(KEY), false),
        (live, AskerId::Key(KEY), false),
        // People belong to both environments.
        (live, AskerId::Person(MEMBER), true),
        (live, AskerId::Person(LEFT), false),
    ] {
        assert_eq!(askers::find(connection, tenant, id).await.unwrap().is_some(), is_known, "{tenant:?} {id}");
        assert_eq!(askers::list_of(connection, tenant, &all).await.unwrap().is_empty(), tenant != TENANT);
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sqlite_file_from_before_knows_which_key_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("refundkit.db");
    let sqlite = rusqlite::Connection::open(&path).unwrap();
    sqlite.execute_batch(&[migrations!("sqlite"), &before("x'00'"), "PRAGMA user_version = 4"].concat()).unwrap();
    drop(sqlite);
    everybody_is_named(&DatabaseUrl::Sqlite { path }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_database_from_before_knows_which_key_asked() {
    let address = tokio::task::spawn_blocking(|| postgres::server().new_database_url()).await.unwrap();
    let database = address.rsplit('/').next().unwrap().to_owned();
    let version = "CREATE TABLE schema_version (version BIGINT NOT NULL); INSERT INTO schema_version VALUES (4);";
    let made = [migrations!("postgres"), &before("'\\x00'"), version].concat();
    tokio::task::spawn_blocking(move || postgres::server().psql(&database, &made)).await.unwrap();
    everybody_is_named(&parse_database_url(&address).unwrap()).await;
}
