//! Reading: lists and their pages, transactions, policies, the audit trail, the log.

use serde_json::{Value, json};

use crate::support::Stage;

fn ids(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|refund| refund["id"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_complete_and_stable_while_refunds_arrive() {
    let stage = Stage::new().await;
    for amount in 1..=7 {
        stage.create("ch_1N4HbSKz9cXRvFYr", amount).await.data(201);
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = stage.get(&format!("/v1/refunds?limit=3&reason=other{cursor}")).await.body;
        seen.extend(ids(&page).into_iter().map(str::to_owned));
        let Some(next) = page["page"]["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
        // A newcomer does not move the pages.
        stage.create("ch_1N4HbSKz9cXRvFYr", 100 + i64::try_from(seen.len()).unwrap()).await.data(201);
    }
    assert_eq!(seen.len(), 7);
    assert!(seen.windows(2).all(|pair| pair[0] > pair[1]), "newest first: {seen:?}");

    let first = stage.get("/v1/refunds?limit=3&reason=other").await.body;
    let next = first["page"]["nextCursor"].as_str().unwrap();
    let other = stage.get(&format!("/v1/refunds?limit=3&reason=agent_error&cursor={next}")).await;
    assert_eq!(other.error(400, "validation_error")["field"], "cursor");
    stage.get(&format!("/v1/refunds?cursor={next}&offset=1")).await.error(400, "validation_error");
    assert_eq!(ids(&stage.get("/v1/refunds?limit=1&offset=2").await.body), [ids(&first)[2]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_filter_filters() {
    let stage = Stage::new().await;
    let refund = stage.create("pi_1SandboxIntent", 1000).await.data(201).clone();
    let processing = stage.create("ch_1SandboxPending", 2000).await.data(201).clone();
    for (query, expected) in [
        ("status=completed".to_owned(), vec![&refund]),
        (format!("externalRefundId={}", refund["externalRefundId"].as_str().unwrap()), vec![&refund]),
        ("transactionId=ch_1SandboxOfIntent".to_owned(), vec![&refund]),
        ("transactionId=pi_1SandboxIntent".to_owned(), vec![&refund]),
        ("amountMin=1001".to_owned(), vec![&processing]),
        ("amountMax=1000".to_owned(), vec![&refund]),
        (format!("createdAfter={}", processing["createdAt"].as_str().unwrap()), vec![&processing]),
        (format!("createdBefore={}", processing["createdAt"].as_str().unwrap()), vec![&refund]),
        ("reason=other&initiatedBy=api&processor=stripe".to_owned(), vec![&processing, &refund]),
        ("initiatedBy=mcp".to_owned(), vec![]),
    ] {
        let page = stage.get(&format!("/v1/refunds?{query}")).await.body;
        let expected: Vec<_> = expected.iter().map(|refund| refund["id"].as_str().unwrap()).collect();
        let found: Vec<_> = ids(&page);
        if query.starts_with("status") {
            assert!(found.contains(&expected[0]), "{query}");
        } else {
            assert_eq!(found, expected, "{query}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_tells_what_is_left_and_who_refunded() {
    let stage = Stage::new().await;
    let refund = stage.create("ch_1SandboxPartlyRefunded", 2000).await.data(201).clone();
    let answer = stage.get("/v1/transactions/ch_1SandboxPartlyRefunded").await;
    let transaction = answer.data(200);
    for (field, value) in [("amount", 10_000), ("refundedAmount", 5_000), ("refundableAmount", 5_000)] {
        assert_eq!(transaction[field], value, "{field}");
    }
    assert_eq!((&transaction["valid"], &transaction["currency"]), (&json!(true), &json!("usd")));
    let refunds = transaction["refunds"].as_array().unwrap();
    assert_eq!(refunds.len(), 2);
    assert_eq!((&refunds[0]["refundId"], &refunds[1]["refundId"]), (&refund["id"], &json!(null)));

    let unpaid = stage.get("/v1/transactions/ch_1SandboxUnpaid").await;
    assert_eq!(unpaid.data(200)["valid"], false);
    assert!(unpaid.data(200)["invalidReason"].is_string());
    stage.get("/v1/transactions/ch_invalid").await.error(422, "processor_error");
    let pasted = stage.get("/v1/transactions/cus_123").await;
    assert!(pasted.error(400, "validation_error")["hint"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_check_says_what_a_create_would_say_and_writes_nothing() {
    let stage = Stage::new().await;
    for (transaction, amount, eligible, max) in [
        ("ch_1N4HbSKz9cXRvFYr", Some(2500), true, 10_000),
        ("ch_1N4HbSKz9cXRvFYr", None, true, 10_000),
        ("ch_1SandboxPartlyRefunded", Some(7001), false, 7_000),
        ("ch_1SandboxUncaptured", None, false, 0),
        ("ch_1SandboxUnpaid", None, false, 0),
        ("ch_1SandboxDisputed", None, true, 5_500),
    ] {
        let mut body = json!({ "transactionId": transaction });
        if let Some(amount) = amount {
            body["amount"] = json!(amount);
        }
        let answer = stage.post("/v1/policies/check", body).await;
        let decision = answer.data(200);
        assert_eq!(
            (&decision["eligible"], &decision["maxAmount"]),
            (&json!(eligible), &json!(max)),
            "{transaction}: {decision}"
        );
    }
    stage.post("/v1/policies/check", json!({ "transactionId": "ch_invalid" })).await.error(422, "processor_error");
    assert_eq!(stage.get("/v1/refunds").await.data(200), &json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trail_says_who_did_what_and_the_log_what_was_called() {
    let stage = Stage::new().await;
    let body = json!({ "transactionId": "ch_1N4HbSKz9cXRvFYr", "amount": 100, "reason": "other" });
    let request = stage.request(reqwest::Method::POST, "/v1/refunds", &stage.admin_key);
    let answer = crate::support::send(request.header("RefundKit-Client", "mcp; Some Agent; 1.2").json(&body)).await;
    let refund = answer.data(201);
    assert_eq!(refund["initiatedBy"], "mcp");
    let events = stage.get(&format!("/v1/refunds/{}/events", refund["id"].as_str().unwrap())).await.body;
    let [created, completed] = events["data"].as_array().unwrap().as_slice() else { panic!("{events}") };
    assert_eq!((&created["actor"]["type"], &created["actor"]["through"]), (&json!("caller"), &json!("mcp")));
    assert_eq!(created["actor"]["client"], "mcp; Some Agent; 1.2");
    assert_eq!(
        (&created["fromStatus"], &created["toStatus"], &created["attempt"]),
        (&json!(null), &json!("pending"), &json!(1))
    );
    assert!(completed["processorRequestId"].as_str().unwrap().starts_with("req_"));

    // The log is written behind.
    let waited = std::time::Instant::now();
    loop {
        let log = stage.get("/v1/logs").await.body;
        let entry = log["data"].as_array().unwrap().iter().find(|entry| entry["operation"] == "create_refund").cloned();
        if let Some(entry) = entry {
            assert_eq!((&entry["status"], &entry["client"]), (&json!(201), &json!("mcp; Some Agent; 1.2")));
            assert_eq!(entry["id"].as_str(), answer.header("request-id"));
            break;
        }
        assert!(waited.elapsed().as_secs() < 10, "{log}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
