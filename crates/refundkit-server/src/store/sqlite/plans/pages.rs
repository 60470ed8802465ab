//! What the dashboard's pages read: searches, counts, figures, notifications and calls.

use refundkit::{
    ConnectionId, Currency, InitiatedBy, KeyId, LogEntry, RefundId, RefundReason, RefundStage, RefundStatus, RequestId,
    Timestamp, UserId,
};
use refundkit_core::{
    days::{Counts, Day, Tally},
    lifecycle::{Accepted, State, Submission},
};

use super::{CONNECTION, COUNTS_MAX, Ordering, STEPS_COUNTED, TENANT, empty_database, refund};
use crate::{
    limits,
    operations::{SearchRefunds, askers::AskerId},
    store::{
        Connection, logs, organizations, processor_events,
        processor_events::ProcessorEvent,
        refund_days, refund_metadata, refunds,
        refunds::{
            Standing, StoredRefund, askers,
            search::{self, Found, Named},
        },
    },
};

/// Refunds of one tenant: more than twice as many as a search examines for a page.
const REFUNDS: u32 = 12_000;
/// What examining as many as may be costs at most: of refunds, and of those of a metadata value or a person. A walk through all of them
/// takes more.
const COUNTS_OF_A_PAGE_MAX: u64 = 600;
const COUNTS_OF_VALUES_MAX: u64 = 900;
/// What a page costs that an index finds, or that is full soon.
const COUNTS_OF_A_FULL_PAGE_MAX: u64 = 160;
const LIMIT: u32 = 25;

/// People and keys: one who asked once, and one who asked often.
const RARE_PERSON: UserId = UserId::from_bits(1);
const PERSON: UserId = UserId::from_bits(2);
const RARE_KEY: KeyId = KeyId::from_bits(1);
const KEY: KeyId = KeyId::from_bits(2);

/// The oldest need a person, and are the only ones of their reason. All carry an order's number and where it came from. A person
/// asked for every third, and a key for the others; another person and another key asked once, long ago.
fn seeded(number: u32) -> StoredRefund {
    let mut seeded = refund(number);
    let accepted =
        Accepted { external_refund_id: format!("re_{number}"), cancel_requested: false, contradiction: None };
    match number {
        0 => seeded.reason = RefundReason::AgentError,
        1 => seeded.state = State::OutcomeUnknown { submission: Submission::default() },
        2 => seeded.state = State::RequiresAction { accepted },
        _ => {}
    }
    match number {
        4 => seeded.api_key_id = Some(RARE_KEY),
        5 => seeded.user_id = Some(RARE_PERSON),
        _ if number.is_multiple_of(3) => seeded.user_id = Some(PERSON),
        _ => seeded.api_key_id = Some(KEY),
    }
    let sign = if number.is_multiple_of(2) { "even" } else { "odd" };
    let pairs = serde_json::json!({ "order": number, "channel": "web", sign: "yes" });
    seeded.metadata = Some(serde_json::from_value(pairs).unwrap());
    seeded
}

async fn seed(connection: &mut Connection) {
    for number in 0..REFUNDS {
        let refund = seeded(number);
        refunds::insert(connection, &refund).await.unwrap();
        refund_metadata::insert(connection, &refund).await.unwrap();
    }
}

fn numbers(found: &Found) -> Vec<i64> {
    let first = refund(0).created_at.as_seconds();
    found.refunds.iter().map(|refund| refund.created_at.as_seconds() - first).collect()
}

/// The refund that a search which ended early examined last.
fn examined_last(found: &Found) -> Option<i64> {
    found.searched_to.map(|at| at.as_seconds() - refund(0).created_at.as_seconds())
}

fn newest(count: u32) -> Vec<i64> {
    (REFUNDS - count..REFUNDS).rev().map(i64::from).collect()
}

const fn value(value: &str) -> Named<'_> {
    Named::Metadata { value, key: None }
}

const fn pair<'a>(key: &'a str, value: &'a str) -> Named<'a> {
    Named::Metadata { value, key: Some(key) }
}

#[tokio::test]
async fn a_search_examines_so_many_refunds_and_no_more() {
    let (mut connection, counts) = empty_database();
    let connection = &mut connection;
    seed(connection).await;
    counts.store(0, Ordering::Relaxed);
    let any = SearchRefunds::default;
    let status = |status| SearchRefunds { status: Some(status), ..any() };
    let stage = |stage| SearchRefunds { stage: Some(stage), ..any() };
    let usd: Option<Currency> = Some("usd".parse().unwrap());
    let oldest_examined = Some(i64::from(REFUNDS - limits::SEARCH_EXAMINED_MAX));
    let oldest_value = Some(i64::from(REFUNDS - limits::SEARCH_VALUES_EXAMINED_MAX));
    let (full, page, values) = (COUNTS_OF_A_FULL_PAGE_MAX, COUNTS_OF_A_PAGE_MAX, COUNTS_OF_VALUES_MAX);
    let asked_by = |id, other: SearchRefunds| SearchRefunds { asked_by: Some(id), ..other };
    let (person, key) =
        (|id, other| asked_by(AskerId::Person(id), other), |id, other| asked_by(AskerId::Key(id), other));
    let thirds = |count: u32| (1..=count).map(|place| i64::from(REFUNDS - 3 * place)).collect();
    let oldest_of_person = Some(i64::from(REFUNDS - 3 * limits::SEARCH_VALUES_EXAMINED_MAX));
    let between = SearchRefunds {
        created_after: Some(refund(7).created_at),
        created_before: Some(refund(9).created_at),
        ..any()
    };
    for (named, filters, expected, ended_at, most) in [
        (None, any(), newest(LIMIT), None, full),
        (None, status(RefundStatus::Completed), newest(LIMIT), None, full),
        (None, status(RefundStatus::Failed), vec![], None, full),
        (None, stage(RefundStage::OutcomeUnknown), vec![1], None, full),
        (None, stage(RefundStage::RequiresAction), vec![2], None, full),
        (None, stage(RefundStage::Submitting), vec![], None, full),
        (None, stage(RefundStage::Settled), newest(LIMIT), None, full),
        (None, SearchRefunds { currency: usd, ..any() }, newest(LIMIT), None, full),
        (None, between.clone(), vec![8, 7], None, full),
        (Some(Named::Refund(refund(7).id)), any(), vec![7], None, full),
        (Some(Named::Payment("ch_7")), any(), vec![7], None, full),
        (Some(Named::Payment("pi_7")), status(RefundStatus::Completed), vec![7], None, full),
        (Some(Named::External("re_7")), any(), vec![7], None, full),
        (Some(value("7")), any(), vec![7], None, full),
        (Some(pair("order", "7")), any(), vec![7], None, full),
        (Some(pair("channel", "7")), any(), vec![], None, full),
        (Some(value("web")), any(), newest(LIMIT), None, full),
        (Some(value("web")), status(RefundStatus::Completed), newest(LIMIT), None, full),
        (
            Some(pair("odd", "yes")),
            any(),
            (0..LIMIT).map(|place| i64::from(REFUNDS - 1 - 2 * place)).collect(),
            None,
            full,
        ),
        (None, person(RARE_PERSON, any()), vec![5], None, full),
        (None, person(PERSON, any()), thirds(LIMIT), None, full),
        (None, person(PERSON, status(RefundStatus::Completed)), thirds(LIMIT), None, full),
        (None, person(RARE_PERSON, stage(RefundStage::OutcomeUnknown)), vec![], None, full),
        (None, person(RARE_PERSON, between.clone()), vec![], None, full),
        (None, key(RARE_KEY, stage(RefundStage::OutcomeUnknown)), vec![], None, full),
        (None, key(KEY, stage(RefundStage::OutcomeUnknown)), vec![1], None, full),
        (Some(Named::External("re_6")), person(PERSON, any()), vec![6], None, full),
        (Some(Named::Payment("pi_7")), person(PERSON, any()), vec![], None, full),
        (Some(Named::Payment("pi_7")), key(KEY, any()), vec![7], None, full),
        (Some(value("6")), person(PERSON, any()), vec![6], None, full),
        // Nothing among the newest, and no index that knows: the page says how far it came.
        (None, SearchRefunds { reason: Some(RefundReason::AgentError), ..any() }, vec![], oldest_examined, page),
        (None, SearchRefunds { initiated_by: Some(InitiatedBy::Mcp), ..any() }, vec![], oldest_examined, page),
        (None, stage(RefundStage::AwaitingProcessor), vec![], oldest_examined, page),
        (None, key(RARE_KEY, any()), vec![], oldest_examined, page),
        (None, key(RARE_KEY, status(RefundStatus::Completed)), vec![], oldest_examined, page),
        (None, person(PERSON, status(RefundStatus::Failed)), vec![], oldest_of_person, values),
        (None, person(PERSON, stage(RefundStage::RequiresAction)), vec![], oldest_of_person, values),
        (Some(value("web")), person(RARE_PERSON, any()), vec![], oldest_value, values),
        (
            None,
            SearchRefunds { initiated_by: Some(InitiatedBy::Mcp), ..status(RefundStatus::Completed) },
            vec![],
            oldest_examined,
            page,
        ),
        (Some(value("web")), status(RefundStatus::Pending), vec![], oldest_value, values),
        (Some(pair("none", "web")), any(), vec![], oldest_value, values),
        (Some(pair("channel", "web")), stage(RefundStage::RequiresAction), vec![], oldest_value, values),
    ] {
        let found = search::search(connection, TENANT, named, &filters, None, LIMIT).await.unwrap();
        let cost = counts.swap(0, Ordering::Relaxed);
        let what = format!("{named:?} {filters:?}");
        assert_eq!((numbers(&found), examined_last(&found)), (expected, ended_at), "{what}");
        assert!(cost <= most, "{what} took {cost} times {STEPS_COUNTED} steps");
        if let Some(named) = named {
            assert!(search::finds(connection, TENANT, named).await.unwrap());
            let cost = counts.swap(0, Ordering::Relaxed);
            assert!(cost <= COUNTS_MAX, "whether {named:?} is anything took {cost} times {STEPS_COUNTED} steps");
        }
    }
}

#[tokio::test]
async fn pages_that_end_early_lead_to_the_end_and_miss_nothing() {
    let (mut connection, _) = empty_database();
    let connection = &mut connection;
    seed(connection).await;
    let rare = SearchRefunds { reason: Some(RefundReason::AgentError), ..SearchRefunds::default() };
    let of_person = SearchRefunds { asked_by: Some(AskerId::Person(PERSON)), ..rare.clone() };
    let odd = SearchRefunds { status: Some(RefundStatus::Completed), ..SearchRefunds::default() };
    for (named, filters, limit, expected, pages) in [
        (None, &rare, 25, vec![0], 3),
        (None, &of_person, 25, vec![0], 3),
        (Some(value("web")), &rare, 25, vec![0], 9),
        (
            Some(pair("odd", "yes")),
            &odd,
            100,
            (3..i64::from(REFUNDS)).rev().filter(|number| number % 2 == 1).collect(),
            60,
        ),
    ] {
        let (mut below, mut all, mut read) = (None::<RefundId>, Vec::new(), 0);
        loop {
            let found = search::search(connection, TENANT, named, filters, below, limit).await.unwrap();
            assert!(found.searched_to.is_none() || found.next_below.is_some());
            all.extend(numbers(&found));
            read += 1;
            below = found.next_below;
            if below.is_none() {
                break;
            }
        }
        assert_eq!((all, read), (expected, pages), "{named:?}");
    }
}

#[tokio::test]
async fn the_overview_costs_the_same_however_many_refunds_there_are() {
    let (mut connection, counts) = empty_database();
    let connection = &mut connection;
    seed(connection).await;
    let today = Day::of(refund(REFUNDS).created_at);
    let currencies: Vec<Currency> = ["eur", "gbp", "jpy", "usd"].map(|code| code.parse().unwrap()).to_vec();
    for back in 0..1000 {
        let mut ended = Tally::default();
        for currency in &currencies {
            ended.add(today.back(back), *currency, Counts { completed: 1, completed_amount: 100, ..Counts::default() });
        }
        for bits in 0..8 {
            refund_days::add(connection, TENANT, RefundId::from_bits(bits), &ended).await.unwrap();
        }
    }
    counts.store(0, Ordering::Relaxed);
    let kept = refund_days::since(connection, TENANT, today.back(29)).await.unwrap();
    let cost = counts.swap(0, Ordering::Relaxed);
    assert_eq!(kept.iter().count(), 4 * 30);
    assert!(kept.iter().all(|(_, _, counts)| (counts.completed, counts.completed_amount) == (8, 800)));
    assert!(cost <= 300, "the figures of a month took {cost} times {STEPS_COUNTED} steps");

    for (standing, most, expected) in [
        (Standing::Status(RefundStatus::Pending), 10, 2),
        (Standing::Status(RefundStatus::Processing), 10, 1),
        (Standing::Needing(RefundStage::OutcomeUnknown), 10, 1),
        (Standing::Needing(RefundStage::RequiresAction), 10, 1),
        (Standing::Status(RefundStatus::Completed), 100, 100),
    ] {
        assert_eq!(refunds::count_up_to(connection, TENANT, standing, most).await.unwrap(), expected, "{standing:?}");
        let cost = counts.swap(0, Ordering::Relaxed);
        assert!(cost <= COUNTS_MAX, "counting {standing:?} took {cost} times {STEPS_COUNTED} steps");
    }
    let ids: Vec<RefundId> = (0..100).map(|number| refund(number * 100).id).collect();
    let read = refunds::read_many(connection, TENANT, &ids).await.unwrap();
    assert_eq!(read.iter().map(|refund| refund.id).collect::<Vec<_>>(), ids);
    let cost = counts.swap(0, Ordering::Relaxed);
    assert!(cost <= COUNTS_OF_A_FULL_PAGE_MAX, "reading a hundred took {cost} times {STEPS_COUNTED} steps");
    let named = askers::list_of(connection, TENANT, &ids).await.unwrap();
    assert_eq!(named.len(), ids.len());
    let cost = counts.swap(0, Ordering::Relaxed);
    assert!(
        cost <= COUNTS_OF_A_FULL_PAGE_MAX,
        "naming who asked for a hundred took {cost} times {STEPS_COUNTED} steps"
    );
    let left = askers::find(connection, TENANT, AskerId::Person(RARE_PERSON)).await.unwrap();
    assert!(left.unwrap().is_gone);
    let cost = counts.swap(0, Ordering::Relaxed);
    assert!(cost <= COUNTS_MAX, "finding somebody who left took {cost} times {STEPS_COUNTED} steps");
}

#[tokio::test]
async fn the_newest_notifications_and_one_call_cost_the_same_however_many_there_are() {
    let (mut connection, counts) = empty_database();
    let connection = &mut connection;
    let at = |number: u32| refund(0).created_at.plus_millis(number.into());
    for number in 0..REFUNDS {
        let event = ProcessorEvent {
            id: format!("evt_{number}"),
            connection_id: if number.is_multiple_of(2) { CONNECTION } else { ConnectionId::from_bits(2) },
            tenant: TENANT,
            event_type: "refund.updated".to_owned(),
            received_at: at(number),
            external_refund_id: None,
            reported: None,
            refund_id: None,
            charge: None,
        };
        processor_events::insert(connection, &event, None, "not_ours").await.unwrap();
        logs::insert(connection, TENANT, &entry(number, at(number))).await.unwrap();
    }
    counts.store(0, Ordering::Relaxed);
    let newest = processor_events::list_newest(connection, CONNECTION, 3).await.unwrap();
    let newest: Vec<_> = newest.iter().map(|(event, outcome)| (event.id.as_str(), outcome.as_str())).collect();
    assert_eq!(newest, [("evt_11998", "not_ours"), ("evt_11996", "not_ours"), ("evt_11994", "not_ours")]);
    assert!(counts.swap(0, Ordering::Relaxed) <= COUNTS_MAX, "the newest notifications");
    let found = logs::find(connection, TENANT, entry(7, at(7)).id).await.unwrap();
    assert_eq!(found, Some(entry(7, at(7))));
    assert!(counts.swap(0, Ordering::Relaxed) <= COUNTS_MAX, "one call");
    organizations::insert(connection, TENANT.organization_id, "Acme", at(0)).await.unwrap();
    counts.store(0, Ordering::Relaxed);
    assert_eq!(logs::delete_before(connection, at(0), 10).await.unwrap(), 10);
    assert!(counts.swap(0, Ordering::Relaxed) <= COUNTS_MAX, "ten old calls");
}

fn entry(number: u32, at: Timestamp) -> LogEntry {
    LogEntry {
        id: RequestId::from_bits(number.into()),
        created_at: at,
        operation: "get_me".to_owned(),
        method: "GET".to_owned(),
        path: "/v1/me".to_owned(),
        status: 200,
        error_code: None,
        error_message: None,
        duration_ms: 1,
        key_id: None,
        user_id: None,
        user_email: None,
        through: InitiatedBy::Api,
        client: None,
        idempotency_key: None,
        refund_id: None,
        input: None,
    }
}
