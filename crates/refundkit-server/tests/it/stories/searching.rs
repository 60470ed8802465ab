//! Searching: what a text names, filters, pages that say how far they came, and the log.

use refundkit::Refund;
use refundkit_server::{
    caller::{Caller, Role},
    operations::{AskedRefund, GetLog, ListNotifications, ReadRefunds, SearchLogs, SearchRefunds, Searched},
};
use serde_json::{Value, json};

use crate::support::Stage;

async fn search(stage: &Stage, mia: &Caller, input: Value) -> Searched<AskedRefund> {
    stage.ask::<SearchRefunds>(mia, input).await.unwrap()
}

fn ids(found: &Searched<AskedRefund>) -> Vec<String> {
    found.data.iter().map(|asked| asked.refund.id.to_string()).collect()
}

async fn create(stage: &Stage, transaction: &str, amount: i64, metadata: Value) -> Refund {
    let body = json!({ "transactionId": transaction, "amount": amount, "reason": "other", "metadata": metadata });
    serde_json::from_value(stage.post("/v1/refunds", body).await.data(201).clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_is_found_by_everything_that_names_it() {
    let stage = Stage::new().await;
    let mia = stage.member(Role::Member).await;
    let pairs = json!({ "order": "A-17", "line": 3, "gift": true, "note": "a:b = c", "odd": "ch_unknown" });
    let refund = create(&stage, "pi_1SandboxIntent", 1000, pairs).await;
    let other = create(&stage, "ch_1N4HbSKz9cXRvFYr", 500, json!({ "order": "A-18", "pair": "A-17x" })).await;
    let (id, external) = (refund.id.to_string(), refund.external_refund_id.clone().unwrap());
    for text in [
        id.as_str(),
        &format!("  {id}\n"),
        "pi_1SandboxIntent",
        "ch_1SandboxOfIntent",
        &external,
        "A-17",
        "order:A-17",
        "order=A-17",
        " order : A-17 ",
        "3",
        "line=3",
        "true",
        "gift:true",
        "a:b = c",
        "note=a:b = c",
        "ch_unknown",
    ] {
        assert_eq!(ids(&search(&stage, &mia, json!({ "query": text })).await), std::slice::from_ref(&id), "{text:?}");
    }
    for text in ["A-1", "a-17", "line:A-17", "order:", "=A-17", "ref_", "re_nothing", "ch_", "'", "%", "false"] {
        let found = search(&stage, &mia, json!({ "query": text })).await;
        assert_eq!((ids(&found).len(), found.page.has_more, found.searched_to), (0, false, None), "{text:?}");
    }
    let all = [other.id.to_string(), id.clone()];
    assert_eq!(ids(&search(&stage, &mia, json!({ "query": "  " })).await), all);
    // What is filtered besides is filtered.
    assert_eq!(ids(&search(&stage, &mia, json!({ "query": id, "status": "failed" })).await), [""; 0]);
    let narrowed = json!({ "query": "A-17", "currency": refund.currency, "amountMax": 999 });
    assert_eq!(ids(&search(&stage, &mia, narrowed).await), [""; 0]);
    let together = json!({ "ids": [id, other.id, refund.id, "ref_00000000000000000000000000"] });
    let read = stage.ask::<ReadRefunds>(&mia, together).await.unwrap();
    assert_eq!(read.iter().map(|asked| asked.refund.id).collect::<Vec<_>>(), [refund.id, other.id]);
    assert_eq!(stage.ask::<ReadRefunds>(&mia, json!({ "ids": [] })).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_filter_filters_and_pages_go_on_with_their_filters_only() {
    let stage = Stage::new().await;
    let mia = stage.member(Role::Member).await;
    let done = create(&stage, "ch_1N4HbSKz9cXRvFYr", 500, json!({})).await;
    let waiting = create(&stage, "py_1SandboxActionNeeded", 8000, json!({ "order": "1" })).await;
    let (done_id, waiting_id) = (done.id.to_string(), waiting.id.to_string());
    let both = vec![waiting_id.clone(), done_id.clone()];
    let me = stage.get("/v1/me").await;
    let (key, person) = (me.data(200)["keyId"].clone(), mia.user().unwrap().0);
    for (input, expected) in [
        (json!({}), both.clone()),
        (json!({ "askedBy": key }), both.clone()),
        (json!({ "askedBy": key, "query": "1" }), vec![waiting_id.clone()]),
        (json!({ "askedBy": person }), vec![]),
        (json!({ "askedBy": person, "query": done_id }), vec![]),
        (json!({ "askedBy": person, "query": "1", "status": "pending" }), vec![]),
        (json!({ "status": "completed" }), vec![done_id.clone()]),
        (json!({ "stage": "requires_action" }), vec![waiting_id.clone()]),
        (json!({ "stage": "requires_action", "status": "completed" }), vec![]),
        (json!({ "stage": "requires_action", "status": "pending", "reason": "other" }), vec![waiting_id.clone()]),
        (json!({ "stage": "settled" }), vec![done_id.clone()]),
        (json!({ "stage": "submitting" }), vec![]),
        (json!({ "stage": "queued", "status": "completed" }), vec![]),
        (json!({ "processor": "stripe", "reason": "other", "initiatedBy": "api" }), both.clone()),
        (json!({ "initiatedBy": "dashboard" }), vec![]),
        (json!({ "currency": done.currency, "amountMin": 500, "amountMax": 500 }), vec![done_id.clone()]),
        (json!({ "createdAfter": waiting.created_at }), vec![waiting_id.clone()]),
        (json!({ "createdBefore": waiting.created_at }), vec![done_id.clone()]),
        (json!({ "createdAfter": done.created_at, "createdBefore": waiting.created_at }), vec![done_id.clone()]),
        (json!({ "query": "1", "createdBefore": waiting.created_at }), vec![]),
        (json!({ "query": "1", "createdAfter": waiting.created_at }), vec![waiting_id.clone()]),
    ] {
        let found = search(&stage, &mia, input.clone()).await;
        assert_eq!((ids(&found), found.searched_to), (expected, None), "{input}");
    }
    for road in [json!({}), json!({ "reason": "other" }), json!({ "query": "py_1SandboxActionNeeded" })] {
        let with = |more: Value| {
            let mut input = road.clone();
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            input
        };
        let first = search(&stage, &mia, with(json!({ "limit": 1 }))).await;
        assert_eq!(ids(&first), std::slice::from_ref(&waiting_id));
        let Some(next) = &first.page.next_cursor else {
            assert!(road["query"].is_string() && !first.page.has_more);
            continue;
        };
        let second = search(&stage, &mia, with(json!({ "limit": 1, "cursor": next }))).await;
        assert_eq!((ids(&second), second.page.has_more), (vec![done_id.clone()], false), "{road}");
        let other = stage.ask::<SearchRefunds>(&mia, with(json!({ "cursor": next, "status": "failed" }))).await;
        assert_eq!(field(&stage, &other.unwrap_err()), "cursor");
    }
}

fn field(stage: &Stage, error: &refundkit_server::error::Error) -> String {
    error.body(stage.app.env.new_request_id()).field.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_searched_is_refused_at_its_field() {
    let stage = Stage::new().await;
    let mia = stage.member(Role::Member).await;
    for (input, expected) in [
        (json!({ "amountMin": 1 }), "currency"),
        (json!({ "query": "x".repeat(501) }), "query"),
        (json!({ "query": "x\0" }), "query"),
        (json!({ "stage": "lost" }), "stage"),
        (json!({ "askedBy": "mia@acme.example" }), "askedBy"),
        (json!({ "askedBy": "ref_00000000000000000000000000" }), "askedBy"),
        (json!({ "askedBy": 1 }), "askedBy"),
    ] {
        let refused = stage.ask::<SearchRefunds>(&mia, input.clone()).await.unwrap_err();
        assert_eq!(field(&stage, &refused), expected, "{input}");
    }
    let ids: Vec<_> = (0..101).map(|_| stage.app.env.new_refund_id()).collect();
    let refused = stage.ask::<ReadRefunds>(&mia, json!({ "ids": ids })).await.unwrap_err();
    assert_eq!(field(&stage, &refused), "ids");
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_with_a_zero_character_is_kept_and_not_searched() {
    let stage = Stage::new().await;
    let mia = stage.member(Role::Member).await;
    let kept = create(&stage, "ch_1N4HbSKz9cXRvFYr", 500, json!({ "zero": "a\0b", "order": "9" })).await;
    assert!(kept.metadata.unwrap().iter().any(|(_, value)| value.to_string() == "a\0b"));
    assert_eq!(ids(&search(&stage, &mia, json!({ "query": "9" })).await), [kept.id.to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_found_by_door_operation_and_failure_and_shown_in_full() {
    let stage = Stage::new().await;
    let owner = stage.member(Role::Owner).await;
    stage.create("ch_1N4HbSKz9cXRvFYr", 500).await.data(201);
    stage.create("ch_1SandboxDisputed", 100).await.error(422, "processor_error");
    let wanted = json!({ "operation": "create_refund", "onlyErrors": true, "through": "api" });
    let found = loop {
        let found = stage.ask::<SearchLogs>(&owner, wanted.clone()).await.unwrap();
        if !found.data.is_empty() {
            break found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let [entry] = found.data.as_slice() else { panic!("{found:?}") };
    assert_eq!((entry.status, found.page.has_more, found.searched_to), (422, false, None));
    assert_eq!(stage.ask::<GetLog>(&owner, json!({ "id": entry.id })).await.unwrap(), *entry);
    let first = stage.ask::<SearchLogs>(&owner, json!({ "operation": "create_refund", "limit": 1 })).await.unwrap();
    assert_eq!(first.data, std::slice::from_ref(entry));
    let next = json!({ "operation": "create_refund", "limit": 1, "cursor": first.page.next_cursor.unwrap() });
    let second = stage.ask::<SearchLogs>(&owner, next).await.unwrap();
    assert_eq!((second.data[0].status, second.page.has_more), (201, false));
    let none = stage.ask::<SearchLogs>(&owner, json!({ "through": "mcp" })).await.unwrap();
    assert_eq!(none.data, []);
    let unknown = stage.ask::<GetLog>(&owner, json!({ "id": "req_00000000000000000000000000" })).await.unwrap_err();
    assert_eq!(unknown.code().as_str(), "not_found");
    assert_eq!(stage.ask::<ListNotifications>(&owner, json!({})).await.unwrap(), []);
}
