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
    Connection, Tenant,
    connection::params,
    jobs,
    jobs::Look,
    processor_events,
    processor_events::ProcessorEvent,
    refunds,
    refunds::{PageStart, StoredRefund},
};

mod pages;

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
        user_id: None,
        api_key_id: None,
        created_at: at,
        updated_at: at,
    }
}

/// A database with many refunds, and the count of its machine's steps since it was last read.
async fn database() -> (Connection, Arc<AtomicU64>) {
    let (mut connection, counts) = empty_database();
    for number in 0..REFUNDS {
        refunds::insert(&mut connection, &refund(number)).await.unwrap();
    }
    counts.store(0, Ordering::Relaxed);
    (connection, counts)
}

fn empty_database() -> (Connection, Arc<AtomicU64>) {
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
    (Connection::Sqlite(Handle::new(sqlite, Kind::Writer)), counts)
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
    let open = refunds::list_open(connection, TENANT, CONNECTION, 10).await.unwrap();
    assert_eq!(open.iter().map(|open| open.external_refund_id.as_deref()).collect::<Vec<_>>(), [Some("re_0")]);
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

/// A connection's row, and a look at every refund: the newest is due longest, as after a night without a server.
async fn watched(connection: &mut Connection, due_at: Timestamp) {
    const SQL: &str = "INSERT INTO connections (id, organization_id, environment, processor, status, sealed_secret_key,
            secret_key_hint, created_at, updated_at)
        VALUES ($1, $2, $3, 'stripe', 'active', $4, '', 0, 0)";
    let sealed: &[u8] = &[];
    let params = params![CONNECTION, TENANT.organization_id, TENANT.environment, sealed];
    connection.execute(SQL, params).await.unwrap();
    for number in 0..REFUNDS {
        let refund = refund(number);
        let run_at = due_at.plus_millis(-i64::from(number));
        let external_created_at = Some(Timestamp::from_seconds(refund.created_at.as_seconds()));
        let look = Look { refund_id: refund.id, run_at, look_from: run_at, external_created_at };
        jobs::put_look(connection, TENANT, CONNECTION, &look).await.unwrap();
    }
}

/// What claiming a hundred may cost: each is a step into three indexes and a row.
const COUNTS_OF_A_CLAIM_MAX: u64 = 300;

#[tokio::test]
async fn choosing_due_looks_costs_the_same_however_many_refunds_are_watched() {
    let (mut connection, counts) = database().await;
    let connection = &mut connection;
    let now = refund(REFUNDS).created_at.plus_millis(1_000_000);
    let leased_until = now.plus_millis(60_000);
    watched(connection, now).await;
    let cost = || counts.swap(0, Ordering::Relaxed);
    cost();

    let due = jobs::list_by_next_look(connection, 10).await.unwrap();
    assert_eq!((due.len(), due[0].id, due[0].tenant), (1, CONNECTION, TENANT));
    assert!(cost() <= COUNTS_MAX, "finding the connections that have looks due");
    assert_eq!(jobs::next_run_at(connection).await.unwrap(), None);
    assert_eq!(jobs::count_due(connection, now).await.unwrap(), 0);
    assert!(cost() <= COUNTS_MAX, "finding what is to be submitted");

    // The longest due is the newest, so that only older ones keep it company; then it is the oldest.
    let claimed = jobs::claim_looks(connection, CONNECTION, now, leased_until, 100).await.unwrap();
    let has = |claimed: &[Look], number| claimed.iter().any(|look| look.refund_id == refund(number).id);
    assert!(claimed.len() == 100 && has(&claimed, REFUNDS - 1) && has(&claimed, REFUNDS - 100));
    let steps = cost();
    assert!(steps <= COUNTS_OF_A_CLAIM_MAX, "claiming a hundred took {steps}");
    let longest = now.plus_millis(-1_000_000);
    let (refund_id, external_created_at) = (refund(0).id, Some(refund(0).created_at));
    let oldest = Look { refund_id, run_at: longest, look_from: longest, external_created_at };
    jobs::put_look(connection, TENANT, CONNECTION, &oldest).await.unwrap();
    cost();
    let claimed = jobs::claim_looks(connection, CONNECTION, now, leased_until, 100).await.unwrap();
    assert!(claimed.len() == 100 && claimed.contains(&oldest) && has(&claimed, 99), "{}", claimed.len());
    let steps = cost();
    assert!(steps <= COUNTS_OF_A_CLAIM_MAX, "claiming a hundred took {steps}");
    let before_all = now.plus_millis(-10_000_000);
    assert_eq!(jobs::claim_looks(connection, CONNECTION, before_all, leased_until, 100).await.unwrap(), []);
    assert!(cost() <= COUNTS_MAX, "finding that nothing is due");

    jobs::give_back(connection, &claimed[7], leased_until).await.unwrap();
    assert!(jobs::want(connection, TENANT, claimed[9].refund_id, now, |at| at).await.unwrap());
    assert!(cost() <= COUNTS_MAX, "giving one back, wanting another");
}

#[tokio::test]
async fn finding_what_is_to_be_digested_costs_the_same_however_much_was() {
    let (mut connection, counts) = database().await;
    let connection = &mut connection;
    let at = refund(0).created_at;
    for number in 0..REFUNDS {
        let event = ProcessorEvent {
            id: format!("evt_{number}"),
            connection_id: CONNECTION,
            tenant: TENANT,
            event_type: "refund.updated".to_owned(),
            received_at: at.plus_millis(number.into()),
            external_refund_id: Some(format!("re_{number}")),
            reported: None,
            refund_id: None,
            charge: None,
        };
        let due_at = number.is_multiple_of(1000).then_some(at);
        assert!(processor_events::insert(connection, &event, due_at, processor_events::WAITING).await.unwrap());
        assert!(!processor_events::insert(connection, &event, due_at, processor_events::WAITING).await.unwrap());
    }
    counts.store(0, Ordering::Relaxed);
    assert_eq!(processor_events::next_due_at(connection).await.unwrap(), Some(at));
    let (lease, later) = (at.plus_millis(60_000), at.plus_millis(59_999));
    let due = processor_events::claim(connection, at, lease, 32).await.unwrap();
    assert_eq!(due.len(), 4);
    assert_eq!(processor_events::claim(connection, later, lease, 32).await.unwrap(), []);
    for event in &due {
        processor_events::mark_digested(connection, event, "looked", Some(at)).await.unwrap();
    }
    assert_eq!(processor_events::last_looked_at(connection, CONNECTION, "re_1000").await.unwrap(), Some(at));
    assert_eq!(processor_events::claim(connection, lease, lease, 32).await.unwrap(), []);
    assert_eq!(processor_events::delete_before(connection, at.plus_millis(10), 100).await.unwrap(), 10);
    let steps = counts.load(Ordering::Relaxed);
    assert!(steps <= COUNTS_MAX, "took {steps}");
}
