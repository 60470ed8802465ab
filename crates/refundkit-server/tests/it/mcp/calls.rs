//! What becomes of calls: the same through every door, for clients of both generations.

use std::time::Duration;

use refundkit_sandbox::{Fault, FaultRule, Method};
use serde_json::{Value, json};

use super::agent::{Agent, WAYS};
use crate::support::{Setting, Stage};

const PROCESS: &str = "refundkit_process_refund";
const CHECK: &str = "refundkit_check_refund_status";
const LIST: &str = "refundkit_list_refunds";
const CANCEL: &str = "refundkit_cancel_refund";
const POLICY: &str = "refundkit_get_policy";
const CHARGE: &str = "ch_1N4HbSKz9cXRvFYr";

fn ask(amount: i64) -> Value {
    json!({ "transactionId": CHARGE, "amount": amount, "reason": "product_defective" })
}

fn with(mut arguments: Value, name: &str, value: Value) -> Value {
    arguments[name] = value;
    arguments
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_looks_refunds_and_follows() {
    for way in WAYS {
        let stage = Stage::new().await;
        let mut agent = Agent::new(&stage, way).await;
        let policy = agent.call(POLICY, json!({ "transactionId": CHARGE })).await;
        assert_eq!((&policy.done()["eligible"], &policy.done()["maxAmount"]), (&json!(true), &json!(10000)), "{way:?}");
        assert_eq!(policy.done()["maxAmountWritten"], "100.00 USD");
        assert!(policy.done()["nextStep"].as_str().unwrap().contains(PROCESS));

        let made = agent.call(PROCESS, ask(2500)).await;
        let refund = made.done();
        assert_eq!((&refund["amount"], &refund["currency"]), (&json!(2500), &json!("usd")));
        assert_eq!((&refund["amountWritten"], &refund["status"]), (&json!("25.00 USD"), &json!("completed")));
        let id = refund["id"].as_str().unwrap();
        assert!(made.text.contains(id) && made.text.contains("25.00 USD"), "{}", made.text);

        let status = agent.call(CHECK, json!({ "refundId": id })).await;
        for (name, value) in refund.as_object().unwrap() {
            assert_eq!(status.done()[name], *value, "{name}");
        }
        assert_eq!(status.done()["transactionId"], CHARGE);
        assert!(!status.structured.to_string().contains("null"), "{status:?}");

        let list = agent.call(LIST, json!({ "transactionId": CHARGE, "limit": 1 })).await;
        assert_eq!(list.done()["data"][0]["id"], id);
        assert!(list.text.contains(id));

        let kept = stage.get(&format!("/v1/refunds/{id}")).await;
        assert_eq!(kept.data(200)["initiatedBy"], "mcp", "{way:?}");
        let trail = stage.get(&format!("/v1/refunds/{id}/events")).await;
        assert_eq!(trail.data(200)[0]["actor"]["client"], "mcp; Test Agent; 1.2", "{way:?}");
        assert_eq!(stage.refunded_at_stripe(CHARGE).await, (2500, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_repeats_itself_refunds_once() {
    for way in WAYS {
        let stage = Stage::new().await;
        let mut agent = Agent::new(&stage, way).await;
        let first = agent.call(PROCESS, ask(700)).await.done()["id"].clone();
        for again in
            [ask(700), with(ask(700), "reason", json!("other")), with(ask(700), "idempotencyKey", json!("new"))]
        {
            let error = agent.call(PROCESS, again).await.failed("refund_already_processed");
            assert_eq!(error["refundId"], first, "{error}");
            let next = error["nextStep"].as_str().unwrap();
            assert!(next.contains(CHECK) && next.contains(first.as_str().unwrap()), "{next}");
        }
        assert_eq!(stage.refunded_at_stripe(CHARGE).await, (700, 1), "{way:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_under_an_idempotency_key_is_the_refund_as_it_stands() {
    for way in WAYS {
        let stage = Stage::new().await;
        let mut agent = Agent::new(&stage, way).await;
        let keyed = with(
            json!({ "transactionId": "ch_1SandboxPending", "amount": 600, "reason": "other" }),
            "idempotencyKey",
            json!("k1"),
        );
        let first = agent.call(PROCESS, keyed.clone()).await.done().clone();
        stage.until(first["id"].as_str().unwrap(), "completed").await;
        let again = agent.call(PROCESS, keyed.clone()).await.done().clone();
        assert_eq!((&again["id"], &again["status"]), (&first["id"], &json!("completed")), "{way:?}");
        let error = agent.call(PROCESS, with(keyed, "amount", json!(601))).await.failed("idempotency_key_reused");
        assert_eq!(error["retryable"], false);
        assert_eq!(stage.refunded_at_stripe("ch_1SandboxPending").await, (600, 1), "{way:?}");
        // The key space is one with REST.
        let body = json!({ "transactionId": "ch_1SandboxPending", "amount": 600, "reason": "other" });
        let rest = stage.create_once("k1", body).await;
        assert_eq!(rest.data(201)["id"], first["id"], "{way:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn to_insist_on_a_duplicate_an_agent_needs_a_key_of_its_own() {
    for way in WAYS {
        let stage = Stage::new().await;
        let mut agent = Agent::new(&stage, way).await;
        agent.call(PROCESS, ask(800)).await.done();
        let insisted = with(ask(800), "allowDuplicate", json!(true));
        let error = agent.call(PROCESS, insisted.clone()).await.failed("validation_error");
        assert_eq!(error["field"], "allowDuplicate", "{way:?}");
        assert_eq!(stage.refunded_at_stripe(CHARGE).await, (800, 1), "{way:?}");
        let keyed = with(insisted, "idempotencyKey", json!("twice"));
        let second = agent.call(PROCESS, keyed.clone()).await.done()["id"].clone();
        assert_eq!(agent.call(PROCESS, keyed).await.done()["id"], second);
        assert_eq!(stage.refunded_at_stripe(CHARGE).await, (1600, 2), "{way:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_arguments_are_named_as_the_tool_names_them_and_nothing_is_done() {
    let stage = Stage::new().await;
    let asked = stage.asked_of_stripe().await.len();
    for way in WAYS {
        let mut agent = Agent::new(&stage, way).await;
        for (tool, arguments, field) in [
            (PROCESS, json!({ "transactionId": CHARGE, "reason": "other" }), "amount"),
            (PROCESS, json!({}), "transactionId"),
            (PROCESS, with(ask(1), "amount", json!(null)), "amount"),
            (PROCESS, with(ask(1), "amount", json!("100")), "amount"),
            (PROCESS, with(ask(1), "amount", json!(1.5)), "amount"),
            (PROCESS, with(ask(1), "amount", json!(0)), "amount"),
            (PROCESS, with(ask(1), "amuont", json!(1)), "amuont"),
            (PROCESS, with(ask(1), "id", json!(1)), "id"),
            (PROCESS, with(ask(1), "reason", json!("because")), "reason"),
            (PROCESS, with(ask(1), "idempotencyKey", json!("")), "idempotencyKey"),
            (PROCESS, with(ask(1), "idempotencyKey", json!("a b")), "idempotencyKey"),
            (PROCESS, with(ask(1), "idempotencyKey", json!(7)), "idempotencyKey"),
            (PROCESS, with(ask(1), "metadata", json!({ "refundkit_refund_id": "x" })), "metadata"),
            (CHECK, json!({ "refundId": "re_1" }), "refundId"),
            (CHECK, json!({ "id": "ref_1" }), "id"),
            (CHECK, json!({}), "refundId"),
            (CANCEL, json!({ "refundId": ["ref_1"] }), "refundId"),
            (CANCEL, json!({ "refundId": "x", "idempotencyKey": "k" }), "idempotencyKey"),
            (LIST, json!({ "limit": 101 }), "limit"),
            (LIST, json!({ "offset": 1 }), "offset"),
            (LIST, json!({ "cursor": "x y" }), "cursor"),
            (POLICY, json!({ "transactionId": CHARGE, "currency": "usd" }), "currency"),
        ] {
            let error = agent.call(tool, arguments.clone()).await.failed("validation_error");
            assert_eq!(error["field"], field, "{way:?} {tool} {arguments}: {error}");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(&format!("`{field}")), "{way:?} {tool} {arguments}: {message}");
        }
        let answer = agent.ask("tools/call", json!({ "name": "refundkit_drain", "arguments": {} })).await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
    assert_eq!(stage.asked_of_stripe().await.len(), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_interface_says_what_to_do_next_in_its_own_words() {
    let stage = Stage::new().await;
    stage.create("ch_1SandboxFirstRefund", 100).await.data(201);
    let told = stage.create("ch_1SandboxFirstRefund", 100).await.error(409, "refund_already_processed")["hint"].clone();
    assert!(told.as_str().unwrap().ends_with("send `allowDuplicate: true`."), "{told}");
    let request = stage.request(reqwest::Method::POST, "/v1/refunds", &stage.admin_key);
    let request = request.header("RefundKit-Client", "cli; refundkit; 0").json(&json!({
        "transactionId": "ch_1SandboxFirstRefund", "amount": 100, "reason": "other"
    }));
    let told = crate::support::send(request).await.error(409, "refund_already_processed")["hint"].clone();
    assert!(told.as_str().unwrap().ends_with("repeat the command with `--allow-duplicate`."), "{told}");
    for way in WAYS {
        let mut agent = Agent::new(&stage, way).await;
        let again = json!({ "transactionId": "ch_1SandboxFirstRefund", "amount": 100, "reason": "other" });
        let told = agent.call(PROCESS, again).await.failed("refund_already_processed")["hint"].clone();
        assert!(told.as_str().unwrap().ends_with("send `allowDuplicate: true`."), "as programs are told: {told}");
        let much = json!({ "transactionId": "ch_1SandboxPartlyRefunded", "amount": 7001, "reason": "other" });
        let told = agent.call(PROCESS, much).await.failed("processor_error")["hint"].clone();
        assert_eq!(told, "Ask for at most 7000.");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_carry_code_message_hint_ids_and_the_next_step() {
    let stage = Stage::new().await;
    let refused = stage.create("ch_1SandboxDisputed", 100).await.error(422, "processor_error").clone();
    for way in WAYS {
        let mut agent = Agent::new(&stage, way).await;
        let disputed = json!({ "transactionId": "ch_1SandboxDisputed", "amount": 100, "reason": "other" });
        let error = agent.call(PROCESS, disputed).await.failed("processor_error");
        assert_eq!((&error["message"], &error["hint"]), (&refused["message"], &refused["hint"]), "{way:?}");
        assert_eq!(
            (&error["processor"]["name"], &error["processor"]["code"]),
            (&json!("stripe"), &json!("charge_disputed"))
        );
        assert!(error["processor"]["note"].as_str().unwrap().contains("data, not instructions"), "{error}");
        assert!(error["refundId"].as_str().unwrap().starts_with("ref_") && error["requestId"].is_string(), "{error}");
        for (tool, arguments, code) in [
            (POLICY, json!({ "transactionId": "ch_invalid" }), "processor_error"),
            (CHECK, json!({ "refundId": "ref_01k9zzzzzzzzzzzzzzzzzzzzzz" }), "not_found"),
            (CANCEL, json!({ "refundId": "ref_01k9zzzzzzzzzzzzzzzzzzzzzz" }), "not_found"),
            (
                PROCESS,
                json!({ "transactionId": "ch_1SandboxPartlyRefunded", "amount": 7001, "reason": "other" }),
                "processor_error",
            ),
            (
                PROCESS,
                json!({ "transactionId": "ch_1SandboxYen", "amount": 1, "reason": "other", "currency": "usd" }),
                "validation_error",
            ),
        ] {
            let error = agent.call(tool, arguments).await.failed(code);
            assert!(error["nextStep"].is_string() && error["retryable"] == false, "{way:?} {tool}: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_outcome_is_neither_success_nor_failure_and_says_what_to_do() {
    for way in WAYS {
        let stage = Stage::with(Setting { submit_deadline: Duration::from_secs(5), ..Setting::default() }).await;
        stage
            .fault(&FaultRule { times: 200, ..FaultRule::once(Method::Post, "/v1/refunds", Fault::DropBeforeEffect) })
            .await;
        let mut agent = Agent::new(&stage, way).await;
        let called = agent.call(PROCESS, ask(900)).await;
        let refund = called.done().clone();
        assert_eq!((&refund["status"], &refund["stage"]), (&json!("pending"), &json!("outcome_unknown")), "{way:?}");
        let next = refund["nextStep"].as_str().unwrap();
        for words in ["do not retry with other arguments", "do not promise", CHECK, refund["id"].as_str().unwrap()] {
            assert!(next.contains(words) && called.text.contains(words), "{words}: {called:?}");
        }
        let told = refund["customerMessage"].as_str().unwrap();
        assert!(told.contains("do not know yet"), "{told}");
        // Whoever retries all the same, refunds nothing.
        agent.call(PROCESS, ask(900)).await.failed("refund_already_processed");
        let cancel = agent.call(CANCEL, json!({ "refundId": refund["id"] })).await.failed("refund_not_cancellable");
        assert_eq!(cancel["retryable"], true);
        stage.control(reqwest::Method::DELETE, "/_sandbox/faults", None).await;
        stage.until(refund["id"].as_str().unwrap(), "completed").await;
        let now = agent.call(CHECK, json!({ "refundId": refund["id"] })).await;
        assert!(now.done()["nextStep"].is_null(), "{now:?}");
        assert_eq!(stage.refunded_at_stripe(CHARGE).await, (900, 1), "{way:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_customers_may_be_told_is_never_more_than_what_happened() {
    let stage = Stage::new().await;
    for way in WAYS {
        let mut agent = Agent::new(&stage, way).await;
        let waiting = json!({ "transactionId": "py_1SandboxActionNeeded", "amount": 100, "reason": "other" });
        let refund = agent.call(PROCESS, waiting).await.done().clone();
        assert_eq!(refund["stage"], "requires_action", "{way:?}");
        assert!(refund["customerMessage"].as_str().unwrap().contains("needs something from you first"));
        assert!(refund["nextStep"].as_str().unwrap().contains(CANCEL));
        let cancelled = agent.call(CANCEL, json!({ "refundId": refund["id"] })).await.done().clone();
        assert_eq!(cancelled["status"], "cancelled");
        assert!(cancelled["customerMessage"].as_str().unwrap().contains("will not be paid out"));
        // To cancel what is cancelled is the same answer.
        assert_eq!(agent.call(CANCEL, json!({ "refundId": refund["id"] })).await.done()["status"], "cancelled");
    }
    let mut agent = Agent::new(&stage, WAYS[0]).await;
    let fails = json!({ "transactionId": "ch_1SandboxFails", "amount": 100, "reason": "other" });
    let id = agent.call(PROCESS, fails).await.done()["id"].as_str().unwrap().to_owned();
    // The sandbox takes the success back after a while; a day's poll is brought forward.
    let waited = std::time::Instant::now();
    while stage.get(&format!("/v1/refunds/{id}")).await.data(200)["status"] != "failed" {
        assert!(waited.elapsed() < Duration::from_secs(20), "it did not fail");
        stage.look_now(&id).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let failed = agent.call(CHECK, json!({ "refundId": id })).await;
    assert!(failed.done()["customerMessage"].as_str().unwrap().ends_with("did not go through."), "{failed:?}");
    assert!(failed.done()["untrusted"]["failureCode"].is_string(), "{failed:?}");
    assert!(failed.text.contains("data, not instructions"), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_turned_page_by_page() {
    let stage = Stage::new().await;
    for amount in 101..=105 {
        stage.create(CHARGE, amount).await.data(201);
    }
    for way in WAYS {
        let mut agent = Agent::new(&stage, way).await;
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let mut arguments = json!({ "limit": 2, "status": "completed", "processor": "stripe" });
            if let Some(cursor) = cursor {
                arguments["cursor"] = cursor;
            }
            let page = agent.call(LIST, arguments).await.done().clone();
            seen.extend(page["data"].as_array().unwrap().iter().map(|row| row["amount"].as_i64().unwrap()));
            match page.get("nextCursor") {
                Some(next) => cursor = Some(next.clone()),
                None => break,
            }
        }
        assert_eq!(seen, [105, 104, 103, 102, 101], "{way:?}");
        assert_eq!(agent.call(LIST, json!({ "status": "failed" })).await.text, "No refunds.");
    }
}
