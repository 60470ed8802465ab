//! The figures of each day: kept while refunds end side by side, and made from the refunds that a database already has.

use std::collections::BTreeMap;

use refundkit::{
    Amount, ConnectionId, Currency, Environment, Failure, InitiatedBy, OrganizationId, ProcessorName, RefundId,
    RefundReason, Timestamp, processor::PreparedRefund,
};
use refundkit_core::{
    days::{DAY_MS, Day, Tally},
    lifecycle::{Accepted, State},
};
use refundkit_server::{
    config::DatabaseUrl,
    progress,
    store::{Store, StoreError, Tenant, refund_days, refunds::StoredRefund},
};

use super::store;
use crate::support::{figures::days_agree, postgres};

const CURRENCIES: [&str; 4] = ["usd", "eur", "jpy", "gbp"];
/// The middle of a day.
const FIRST: Timestamp = Timestamp::from_seconds(1_700_000_000);

fn accepted(number: u32) -> Accepted {
    Accepted { external_refund_id: format!("re_{number}"), cancel_requested: false, contradiction: None }
}

fn state(number: u32) -> State {
    let settled_at = FIRST.plus_millis(i64::from(number) * DAY_MS / 7 + 123);
    let failure = Failure { code: "declined".to_owned(), message: "No.".to_owned() };
    match number % 5 {
        0 => State::Failed { accepted: None, failure, settled_at },
        1 => State::Cancelled { accepted: Some(accepted(number)), settled_at },
        2 => State::Processing { accepted: accepted(number) },
        _ => State::Completed { accepted: accepted(number), settled_at },
    }
}

fn refund(tenant: Tenant, number: u32) -> StoredRefund {
    let currency: Currency = CURRENCIES[number as usize % CURRENCIES.len()].parse().unwrap();
    StoredRefund {
        id: RefundId::from_bits(u128::from(number)),
        tenant,
        connection_id: ConnectionId::from_bits(1),
        processor: ProcessorName::Stripe,
        transaction_id: "ch_1".parse().unwrap(),
        external_transaction_id: "ch_1".to_owned(),
        payment_intent: None,
        amount: Amount::new(i64::from(number) + 1).unwrap(),
        currency,
        reason: RefundReason::Other,
        metadata: None,
        state: state(number),
        prepared: PreparedRefund {
            idempotency_key: String::new(),
            body: String::new(),
            api_version: String::new(),
            account: None,
            amount: 1,
            currency,
        },
        refusal: None,
        initiated_by: InitiatedBy::Api,
        user_id: None,
        api_key_id: None,
        created_at: FIRST,
        updated_at: FIRST,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn units_that_end_refunds_of_many_days_and_currencies_side_by_side_do_not_wait_in_a_circle() {
    const UNITS: u32 = 60;
    const EACH: u32 = 25;
    let (_folder, store, _, tenant) = store().await;
    let all: Vec<StoredRefund> = (0..UNITS * EACH).map(|number| refund(tenant, number)).collect();
    let writing: Vec<_> = (0..UNITS)
        .map(|unit| {
            // Each unit has refunds of all days and currencies, in an order of its own.
            let of_unit: Vec<_> =
                (0..EACH).map(|place| all[(unit + (place * 7 + unit) % EACH * UNITS) as usize].clone()).collect();
            let store = store.clone();
            tokio::spawn(async move {
                store
                    .write::<_, StoreError, _>(move |connection| {
                        Box::pin(async move {
                            let mut ended = Tally::default();
                            for refund in &of_unit {
                                let before = State::created_with_first_attempt(FIRST);
                                ended.moved(&progress::subject(refund), &before, &refund.state);
                            }
                            refund_days::add(connection, tenant, of_unit[0].id, &ended).await
                        })
                    })
                    .await
            })
        })
        .collect();
    for unit in writing {
        unit.await.unwrap().unwrap();
    }
    let mut connection = store.read().await.unwrap();
    days_agree(&mut connection, tenant, &all).await.unwrap();
    let all_days = refund_days::since(&mut connection, tenant, Day::from_number(0)).await.unwrap();
    let last = all_days.iter().map(|(day, _, _)| day).max().unwrap();
    let of_last: Vec<_> = all_days.iter().filter(|(day, _, _)| *day == last).collect();
    let since_last = refund_days::since(&mut connection, tenant, last).await.unwrap();
    assert_eq!(since_last.iter().collect::<Vec<_>>(), of_last);
    let others = Tenant { environment: Environment::Live, ..tenant };
    assert_eq!(refund_days::since(&mut connection, others, Day::from_number(0)).await.unwrap(), Tally::default());
}

/// A refund as the version before the dashboard stored it.
fn stored_before(number: u32, metadata: &str) -> String {
    let tenant = Tenant { organization_id: OrganizationId::from_bits(1), environment: Environment::Test };
    let StoredRefund { id, connection_id, amount, currency, state, prepared, created_at, .. } = refund(tenant, number);
    let (organization, status) = (tenant.organization_id, state.status());
    let (state, prepared) = (serde_json::to_string(&state).unwrap(), serde_json::to_string(&prepared).unwrap());
    let (amount, created_at) = (amount.minor(), created_at.as_millis());
    format!(
        "INSERT INTO refunds (id, organization_id, environment, connection_id, processor, transaction_id,
            external_transaction_id, amount, currency, reason, metadata, status, state, prepared, initiated_by, created_at,
            updated_at)
        VALUES ('{id}', '{organization}', 'test', '{connection_id}', 'stripe', 'ch_1', 'ch_1', {amount}, '{currency}',
            'other', '{metadata}', '{status}', '{state}', '{prepared}', 'api', {created_at}, {created_at});"
    )
}

/// The rows of a database before the dashboard: refunds that stand in every way, and metadata of every kind.
fn before_the_dashboard(sealed: &str) -> String {
    let (organization, connection) = (OrganizationId::from_bits(1), ConnectionId::from_bits(1));
    let mut sql = format!(
        "INSERT INTO master_key_check VALUES ({sealed});
        INSERT INTO organizations VALUES ('{organization}', 'Acme', 0);
        INSERT INTO connections (id, organization_id, environment, processor, status, sealed_secret_key, secret_key_hint,
            created_at, updated_at)
        SELECT '{connection}', '{organization}', 'test', 'stripe', 'active', sealed, '', 0, 0 FROM master_key_check;"
    );
    for number in 0..40 {
        let metadata = match number % 3 {
            0 => r#"{"order": "A-17", "line": 3, "gift": true, "paid": false}"#.to_owned(),
            1 => r#"{"zero": "a\u0000b"}"#.to_owned(),
            _ => "{}".to_owned(),
        };
        sql.push_str(&stored_before(number, &metadata));
    }
    sql
}

async fn figures_and_pairs_are_made(url: &DatabaseUrl, pairs: &[(String, i64)]) {
    let tenant = Tenant { organization_id: OrganizationId::from_bits(1), environment: Environment::Test };
    let store = Store::open(url).await.unwrap();
    let all: Vec<StoredRefund> = (0..40).map(|number| refund(tenant, number)).collect();
    days_agree(&mut store.read().await.unwrap(), tenant, &all).await.unwrap();
    store.close().await;
    let expected = ["gift=true", "line=3", "order=A-17", "paid=false"].map(|pair| (pair.to_owned(), 14));
    assert_eq!(pairs, expected);
}

/// The migrations before the dashboard's.
macro_rules! before {
    ($database:literal) => {
        concat!(
            include_str!(concat!("../../../migrations/", $database, "/0001_init.sql")),
            include_str!(concat!("../../../migrations/", $database, "/0002_news.sql"))
        )
    };
}

const PAIRS: &str = "SELECT key || '=' || value, count(*) FROM refund_metadata GROUP BY key, value ORDER BY key";

#[tokio::test(flavor = "multi_thread")]
async fn a_sqlite_file_from_before_gets_the_figures_of_its_refunds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("refundkit.db");
    let sqlite = rusqlite::Connection::open(&path).unwrap();
    sqlite
        .execute_batch(&[before!("sqlite"), &before_the_dashboard("x'00'"), "PRAGMA user_version = 2"].concat())
        .unwrap();
    let url = DatabaseUrl::Sqlite { path };
    Store::open(&url).await.unwrap().close().await;
    let pairs: BTreeMap<String, i64> = sqlite
        .prepare(PAIRS)
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    figures_and_pairs_are_made(&url, &pairs.into_iter().collect::<Vec<_>>()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_database_from_before_gets_the_figures_of_its_refunds() {
    let address = tokio::task::spawn_blocking(|| postgres::server().new_database_url()).await.unwrap();
    let url = refundkit_server::config::parse_database_url(&address).unwrap();
    let database = address.rsplit('/').next().unwrap().to_owned();
    let version = "CREATE TABLE schema_version (version BIGINT NOT NULL); INSERT INTO schema_version VALUES (2);";
    let made = [before!("postgres"), &before_the_dashboard("'\\x00'"), version].concat();
    let name = database.clone();
    tokio::task::spawn_blocking(move || postgres::server().psql(&name, &made)).await.unwrap();
    Store::open(&url).await.unwrap().close().await;
    let pairs = tokio::task::spawn_blocking(move || postgres::server().psql(&database, PAIRS)).await.unwrap();
    let pairs: Vec<(String, i64)> = pairs
        .lines()
        .map(|line| line.split_once('|').unwrap())
        .map(|(pair, count)| (pair.to_owned(), count.parse().unwrap()))
        .collect();
    figures_and_pairs_are_made(&url, &pairs).await;
}
