//! What must not cost more with every refund that exists: statements are counted in steps of the database's machine, which
//! are the same on every run.

use refundkit::{
    Amount, ConnectionId, Environment, InitiatedBy, OrganizationId, ProcessorName, RefundId, RefundReason,
    RefundStatus, Timestamp, operations::ListRefunds, processor::PreparedRefund,
};
use refundkit_core::lifecycle::{Accepted, State};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::{Handle, Kind, migrations};
use crate::store::{
    Connection, Tenant, refunds,
    refunds::{PageStart, StoredRefund},
};

/// Refunds of one tenant in the test.
const REFUNDS: u32 = 4000;
/// Steps between two counts.
const STEPS_COUNTED: i32 = 100;
/// More than any of these statements needs, and far less than a walk through the tenant's refunds.
const COUNTS_MAX: u64 = 60;

const TENANT: Tenant = Tenant { organization_id: OrganizationId::from_bits(1), environment: Environment::Test };
const CONNECTION: ConnectionId = ConnectionId::from_bits(1);

fn refund(number: u32) -> StoredRefund {
    let at = Timestamp::from_seconds(1_700_000_000 + i64::from(number));
    let accepted =
        Accepted { external_refund_id: format!("re_{number}"), cancel_requested: false, contradiction: None };
    // The oldest is open, all others are done.
    let state =
        if number == 0 { State::Processing { accepted } } else { State::Completed { accepted, settled_at: at } };
    let currency = "usd".parse().unwrap();
    StoredRefund {
        id: RefundId::from_bits(u128::try_from(at.as_millis()).unwrap() << 80),
        tenant: TENANT,
        connection_id: CONNECTION,
        processor: ProcessorName::Stripe,
        transaction_id: format!("pi_{number}").parse().unwrap(),
        external_transaction_id: format!("ch_{number}"),
        payment_intent: Some(format!("pi_{number}")),
        amount: Amount::new(100).unwrap(),
        currency,
        reason: RefundReason::Other,
        metadata: None,
        state,
        prepared: PreparedRefund {
            idempotency_key: number.to_string(),
            body: String::new(),
            api_version: String::new(),
            account: None,
            amount: 100,
            currency,
        },
        refusal: None,
        initiated_by: InitiatedBy::Api,
        created_at: at,
        updated_at: at,
    }
}

/// A database with many refunds, and the count of its machine's steps since it was last read.
async fn database() -> (Connection, Arc<AtomicU64>) {
    let mut sqlite = rusqlite::Connection::open_in_memory().unwrap();
    migrations::run(&mut sqlite).unwrap();
    sqlite.pragma_update(None, "foreign_keys", false).unwrap();
    let counts = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&counts);
    let count = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        false
    };
    sqlite.progress_handler(STEPS_COUNTED, Some(count)).unwrap();
    let mut connection = Connection::Sqlite(Handle::new(sqlite, Kind::Writer));
    for number in 0..REFUNDS {
        refunds::insert(&mut connection, &refund(number)).await.unwrap();
    }
    counts.store(0, Ordering::Relaxed);
    (connection, counts)
}

#[tokio::test]
async fn finding_refunds_costs_the_same_however_many_there_are() {
    let (mut connection, counts) = database().await;
    let connection = &mut connection;
    let cheap = |what: &str| {
        let counts = counts.swap(0, Ordering::Relaxed);
        assert!(counts <= COUNTS_MAX, "{what} took {counts} times {STEPS_COUNTED} steps");
    };

    assert!(refunds::find(connection, TENANT, refund(7).id).await.unwrap().is_some());
    cheap("finding one");
    assert_eq!(refunds::list_of_transaction(connection, TENANT, CONNECTION, "ch_7").await.unwrap().len(), 1);
    cheap("listing those of a charge");
    assert!(refunds::any_open(connection, TENANT, CONNECTION).await.unwrap());
    cheap("asking whether any is open");
    assert_eq!(refunds::list_open_external_ids(connection, TENANT, CONNECTION, 10).await.unwrap(), ["re_0"]);
    cheap("listing the open ones");

    let old = refund(3).created_at;
    for (filters, expected) in [
        (ListRefunds { transaction_id: Some("ch_7".parse().unwrap()), ..ListRefunds::default() }, 1),
        (ListRefunds { transaction_id: Some("pi_7".parse().unwrap()), ..ListRefunds::default() }, 1),
        (ListRefunds { external_refund_id: Some("re_7".parse().unwrap()), ..ListRefunds::default() }, 1),
        (ListRefunds { status: Some(RefundStatus::Processing), ..ListRefunds::default() }, 1),
        (ListRefunds { status: Some(RefundStatus::Failed), ..ListRefunds::default() }, 0),
        (ListRefunds { created_after: Some(refund(REFUNDS - 1).created_at), ..ListRefunds::default() }, 1),
        (
            ListRefunds {
                created_after: Some(old),
                created_before: Some(refund(4).created_at),
                ..ListRefunds::default()
            },
            1,
        ),
        (ListRefunds::default(), 25),
    ] {
        let listed = refunds::list(connection, TENANT, &filters, PageStart::Newest, 25).await.unwrap();
        assert_eq!(listed.len(), expected, "{filters:?}");
        // A day of slack for clocks that went back is walked: these refunds are all of one hour.
        if filters.created_before.is_none() {
            cheap(&format!("{filters:?}"));
        }
        counts.store(0, Ordering::Relaxed);
    }
}
