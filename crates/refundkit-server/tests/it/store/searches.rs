//! What a search reads on PostgreSQL, by the server's own count of rows. On SQLite the store counts the steps of its machine.

use std::time::{Duration, Instant};

use refundkit::{
    ConnectionId, Currency, Environment, InitiatedBy, KeyId, OrganizationId, RefundId, RefundReason, RefundStage,
    RefundStatus, UserId, processor::PreparedRefund,
};
use refundkit_core::lifecycle::{Accepted, State};
use refundkit_server::{
    config::parse_database_url,
    limits,
    operations::{SearchRefunds, askers::AskerId},
    store::{
        Store, Tenant, refunds,
        refunds::{
            Standing,
            search::{self, Named},
        },
    },
};

use crate::support::postgres;

/// Refunds of one tenant.
const REFUNDS: i64 = 40_000;
/// Searches that are made one after the other: from the sixth on, PostgreSQL may use a plan that fits any values.
const REPEATED: i64 = 12;
/// Rows and index entries that a search reads at most for each refund it examines: in the window, again to try the filters, and
/// a metadata value's in an index of its own.
const READ_FOR_EACH: i64 = 3;

const TENANT: Tenant = Tenant { organization_id: OrganizationId::from_bits(1), environment: Environment::Test };

/// A person and a key who asked once, long ago; a person who asked for every third, and one who did so until some time ago; a key that
/// asked for the others.
const RARE_PERSON: UserId = UserId::from_bits(1);
const PERSON: UserId = UserId::from_bits(2);
const PERSON_BEFORE: UserId = UserId::from_bits(3);
const RARE_KEY: KeyId = KeyId::from_bits(1);
const KEY: KeyId = KeyId::from_bits(2);

/// Ids in the order of their numbers: decimal digits are letters of an id too.
fn id(number: i64) -> RefundId {
    format!("ref_{number:026}").parse().unwrap()
}

fn quoted(json: &impl serde::Serialize) -> String {
    format!("'{}'", serde_json::to_string(json).unwrap())
}

/// Refunds that are completed, the oldest three excepted; each has an order's number, and all came from the web.
fn seed(database: &str) {
    let (organization, connection) = (TENANT.organization_id, ConnectionId::from_bits(1));
    let accepted = Accepted { external_refund_id: "re_1".to_owned(), cancel_requested: false, contradiction: None };
    let settled_at = refundkit::Timestamp::from_seconds(1);
    let state = quoted(&State::Completed { accepted, settled_at });
    let currency: Currency = "usd".parse().unwrap();
    let prepared = quoted(&PreparedRefund {
        idempotency_key: "k".to_owned(),
        body: "x".repeat(300),
        api_version: String::new(),
        account: None,
        amount: 100,
        currency,
    });
    let sql = format!(
        "INSERT INTO organizations VALUES ('{organization}', 'Acme', 0);
        INSERT INTO connections (id, organization_id, environment, processor, status, sealed_secret_key, secret_key_hint,
            created_at, updated_at)
        VALUES ('{connection}', '{organization}', 'test', 'stripe', 'active', '', '', 0, 0);
        INSERT INTO refunds (id, organization_id, environment, connection_id, processor, transaction_id,
            external_transaction_id, payment_intent, external_refund_id, amount, currency, reason, status, stage, state,
            prepared, initiated_by, created_at, updated_at, user_id, api_key_id)
        SELECT 'ref_' || lpad(n::text, 26, '0'), '{organization}', 'test', '{connection}', 'stripe', 'pi_' || n, 'ch_' || n,
            'pi_' || n, 're_' || n, 100, 'usd', CASE n WHEN 1 THEN 'agent_error' ELSE 'other' END,
            CASE WHEN n <= 3 THEN 'pending' ELSE 'completed' END,
            CASE WHEN n = 1 THEN 'outcome_unknown' WHEN n <= 3 THEN 'requires_action' ELSE 'settled' END, {state}, {prepared},
            'api', n, n,
            CASE WHEN n = 5 THEN '{RARE_PERSON}' WHEN n % 3 = 0 THEN '{PERSON}'
                WHEN n % 3 = 1 AND n BETWEEN 6 AND {REFUNDS} / 2 THEN '{PERSON_BEFORE}' END,
            CASE WHEN n = 4 THEN '{RARE_KEY}' WHEN n % 3 = 2 AND n > 5 OR n % 3 = 1 AND n > {REFUNDS} / 2 THEN '{KEY}' END
        FROM generate_series(1, {REFUNDS}) AS n;
        INSERT INTO refund_metadata
        SELECT '{organization}', 'test', n::text, 'ref_' || lpad(n::text, 26, '0'), 'order'
        FROM generate_series(1, {REFUNDS}) AS n;
        INSERT INTO refund_metadata
        SELECT '{organization}', 'test', 'web', 'ref_' || lpad(n::text, 26, '0'), 'channel'
        FROM generate_series(1, {REFUNDS}) AS n;
        ANALYZE"
    );
    postgres::server().psql(database, &sql);
}

/// Rows and index entries that were read so far, once every session has told.
async fn rows_read(database: &str) -> i64 {
    const SESSIONS: &str = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
    const READ: &str = "SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE relname LIKE 'refund%')
        + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname LIKE 'refund%')";
    let asked = Instant::now();
    let number = async |sql: &'static str| -> i64 {
        let database = database.to_owned();
        let answer = tokio::task::spawn_blocking(move || postgres::server().psql(&database, sql)).await.unwrap();
        answer.trim().parse().unwrap()
    };
    while number(SESSIONS).await > 0 {
        assert!(asked.elapsed() < Duration::from_secs(20), "sessions do not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    number(READ).await
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgresql_no_search_walks_through_a_tenant() {
    let url = tokio::task::spawn_blocking(|| postgres::server().new_database_url()).await.unwrap();
    let database = url.rsplit('/').next().unwrap().to_owned();
    let url = parse_database_url(&url).unwrap();
    Store::open(&url).await.unwrap().close().await;
    let seeded = database.clone();
    tokio::task::spawn_blocking(move || seed(&seeded)).await.unwrap();

    let any = SearchRefunds::default;
    let status = |status| SearchRefunds { status: Some(status), ..any() };
    let rare = |other: SearchRefunds| SearchRefunds { initiated_by: Some(InitiatedBy::Mcp), ..other };
    let needing = SearchRefunds { stage: Some(RefundStage::OutcomeUnknown), ..any() };
    let value = |value| Some(Named::Metadata { value, key: None });
    let pair = |key, value| Some(Named::Metadata { value, key: Some(key) });
    let asked_by = |id, other: SearchRefunds| SearchRefunds { asked_by: Some(id), ..other };
    let person = |id, other| asked_by(AskerId::Person(id), other);
    let key = |id, other| asked_by(AskerId::Key(id), other);
    let examined = i64::from(limits::SEARCH_EXAMINED_MAX);
    let few = 1_000;
    let page = examined * READ_FOR_EACH + few;
    for (named, filters, expected, most) in [
        (None, any(), 25, few),
        (None, status(RefundStatus::Completed), 25, few),
        (None, status(RefundStatus::Failed), 0, few),
        (None, needing.clone(), 1, few),
        (None, SearchRefunds { currency: Some("usd".parse().unwrap()), ..any() }, 25, 1_500),
        (Some(Named::Refund(id(7))), any(), 1, few),
        (Some(Named::Payment("ch_7")), any(), 1, few),
        (Some(Named::Payment("pi_7")), status(RefundStatus::Completed), 1, few),
        (Some(Named::External("re_7")), any(), 1, few),
        (value("7"), status(RefundStatus::Completed), 1, few),
        (pair("order", "7"), any(), 1, few),
        (value("web"), any(), 25, few),
        (None, person(RARE_PERSON, any()), 1, few),
        (None, person(PERSON, any()), 25, few),
        (None, person(PERSON_BEFORE, any()), 25, few),
        (None, person(PERSON, status(RefundStatus::Completed)), 25, 1_500),
        (None, person(PERSON_BEFORE, status(RefundStatus::Completed)), 25, 1_500),
        (None, person(PERSON_BEFORE, rare(any())), 0, page),
        (None, person(RARE_PERSON, status(RefundStatus::Failed)), 0, few),
        (Some(Named::External("re_6")), person(PERSON, any()), 1, few),
        (Some(Named::Payment("pi_8")), key(KEY, any()), 1, few),
        (None, key(KEY, any()), 25, 1_500),
        (None, key(RARE_KEY, any()), 0, page),
        (None, key(RARE_KEY, status(RefundStatus::Completed)), 0, page),
        (None, person(PERSON, status(RefundStatus::Failed)), 0, page),
        (None, person(PERSON, rare(any())), 0, page),
        (None, person(PERSON, needing.clone()), 0, page),
        (value("web"), person(RARE_PERSON, any()), 0, page),
        (None, SearchRefunds { reason: Some(RefundReason::AgentError), ..any() }, 0, page),
        (None, rare(status(RefundStatus::Completed)), 0, page),
        (pair("none", "web"), any(), 0, page),
        (value("web"), rare(any()), 0, page),
        (pair("channel", "web"), rare(status(RefundStatus::Completed)), 0, page),
    ] {
        let before = rows_read(&database).await;
        let store = Store::open(&url).await.unwrap();
        for _ in 0..REPEATED {
            let mut connection = store.read().await.unwrap();
            let found = search::search(&mut connection, TENANT, named, &filters, None, 25).await.unwrap();
            assert_eq!((found.refunds.len(), found.searched_to.is_some()), (expected, expected == 0 && most == page));
            if let Some(named) = named {
                assert!(search::finds(&mut connection, TENANT, named).await.unwrap());
            }
        }
        store.close().await;
        let read = (rows_read(&database).await - before) / REPEATED;
        assert!(read <= most, "{named:?} {filters:?} read {read} rows");
    }

    let before = rows_read(&database).await;
    let store = Store::open(&url).await.unwrap();
    for _ in 0..REPEATED {
        let mut connection = store.read().await.unwrap();
        for (standing, most, expected) in [
            (Standing::Status(RefundStatus::Pending), 100, 3),
            (Standing::Status(RefundStatus::Processing), 100, 0),
            (Standing::Needing(RefundStage::RequiresAction), 100, 2),
            (Standing::Status(RefundStatus::Completed), 100, 100),
        ] {
            let counted = refunds::count_up_to(&mut connection, TENANT, standing, most).await.unwrap();
            assert_eq!(counted, expected, "{standing:?}");
        }
    }
    store.close().await;
    let read = (rows_read(&database).await - before) / REPEATED;
    assert!(read <= few, "counting read {read} rows");
}
