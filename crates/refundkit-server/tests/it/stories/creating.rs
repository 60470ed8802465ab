//! Creating refunds: what is checked, what is refused, and that nobody is refunded twice.

use serde_json::json;

use crate::support::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn the_charge_of_the_documents_is_refunded_as_printed() {
    let stage = Stage::new().await;
    let body = json!({
        "transactionId": "ch_1N4HbSKz9cXRvFYr", "amount": 2500, "currency": "USD", "reason": "product_defective",
        "metadata": { "orderId": "1001", "line": 2, "gift": true },
    });
    let answer = stage.post("/v1/refunds", body).await;
    let refund = answer.data(201);
    assert_eq!(refund["status"], "completed");
    assert_eq!(refund["stage"], "settled");
    assert_eq!((&refund["amount"], &refund["currency"]), (&json!(2500), &json!("usd")));
    assert_eq!(refund["metadata"], json!({ "orderId": "1001", "line": 2, "gift": true }));
    assert!(refund["externalRefundId"].as_str().unwrap().starts_with("re_"));
    assert_eq!(stage.refunded_at_stripe("ch_1N4HbSKz9cXRvFYr").await, (2500, 1));

    let sent = stage
        .asked_of_stripe()
        .await
        .into_iter()
        .find(|sent| sent["path"] == "/v1/refunds" && sent["method"] == "POST")
        .unwrap();
    let form = sent["body"].as_str().unwrap();
    for part in [
        "reason=requested_by_customer",
        "amount=2500",
        "refundkit_refund_id",
        "refundkit_reason",
        "refundkit_organization_id",
    ] {
        assert!(form.contains(part), "{form}");
    }
    assert_eq!(sent["idempotency_key"], refund["id"]);
    let trail = stage.trail(refund["id"].as_str().unwrap()).await;
    assert_eq!(trail, ["refund.created", "refund.completed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_costs_two_calls_to_stripe() {
    let stage = Stage::new().await;
    let before = stage.asked_of_stripe().await.len();
    stage.create("ch_1SandboxFirstRefund", 100).await.data(201);
    assert_eq!(stage.asked_of_stripe().await.len() - before, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_amount_all_that_is_left_is_refunded() {
    let stage = Stage::new().await;
    let body = json!({ "transactionId": "ch_1SandboxPartlyRefunded", "reason": "other" });
    assert_eq!(stage.post("/v1/refunds", body).await.data(201)["amount"], 7000);
}

#[tokio::test(flavor = "multi_thread")]
async fn currencies_keep_their_units_and_payment_intents_and_bank_debits_are_payments_too() {
    let stage = Stage::new().await;
    for (transaction, amount, currency, charge) in [
        ("ch_1SandboxYen", 12_000, "jpy", "ch_1SandboxYen"),
        ("ch_1SandboxDinar", 5_120, "kwd", "ch_1SandboxDinar"),
        ("pi_1SandboxIntent", 2_500, "usd", "ch_1SandboxOfIntent"),
        ("py_1SandboxSepaDebit", 3_000, "eur", "py_1SandboxSepaDebit"),
    ] {
        let answer = stage.create(transaction, amount).await;
        let refund = answer.data(201);
        assert_eq!(
            (&refund["currency"], &refund["externalTransactionId"]),
            (&json!(currency), &json!(charge)),
            "{transaction}"
        );
        assert_eq!(stage.refunded_at_stripe(charge).await.0, amount, "{transaction}");
    }
    // A payment is found under either of its ids.
    for id in ["pi_1SandboxIntent", "ch_1SandboxOfIntent"] {
        assert_eq!(
            stage.get(&format!("/v1/refunds?transactionId={id}")).await.data(200).as_array().unwrap().len(),
            1,
            "{id}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stripe_would_refuse_is_refused_in_its_words_before_anything_is_written() {
    let stage = Stage::new().await;
    for (transaction, amount, message) in [
        ("ch_invalid", 1000, "No such charge: 'ch_invalid'"),
        ("pi_invalid", 1000, "No such payment_intent: 'pi_invalid'"),
        (
            "pi_1SandboxUnpaid",
            1500,
            "This PaymentIntent (pi_1SandboxUnpaid) does not have a successful charge to refund.",
        ),
        (
            "ch_1SandboxUncaptured",
            9000,
            "This uncaptured Charge was created by a PaymentIntent (pi_1SandboxUncaptured).",
        ),
        (
            "ch_1SandboxPartlyRefunded",
            7001,
            "Refund amount ($70.01) is greater than unrefunded amount on charge ($70.00)",
        ),
    ] {
        let answer = stage.create(transaction, amount).await;
        let error = answer.error(422, "processor_error");
        let said = error["message"].as_str().unwrap();
        assert!(said.starts_with(message), "{transaction}: {said}");
        assert_eq!(error["processor"]["message"], error["message"]);
        assert!(error["hint"].is_string(), "{error}");
    }
    assert_eq!(stage.get("/v1/refunds").await.data(200), &json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_stripe_refuses_becomes_a_failed_refund_and_keeps_its_words() {
    let stage = Stage::new().await;
    let body = json!({ "transactionId": "ch_1SandboxDisputed", "amount": 5500, "reason": "other" });
    let answer = stage.create_once("disputed", body.clone()).await;
    let error = answer.error(422, "processor_error");
    assert_eq!(error["message"], "Charge ch_1SandboxDisputed has been charged back; cannot issue a refund.");
    assert_eq!(
        (&error["processor"]["code"], &error["processor"]["statusCode"]),
        (&json!("charge_disputed"), &json!(400))
    );
    assert!(error["processor"]["requestId"].as_str().unwrap().starts_with("req_"));
    let id = error["refundId"].as_str().unwrap();
    let refund = stage.get(&format!("/v1/refunds/{id}")).await;
    assert_eq!(refund.data(200)["status"], "failed");
    assert_eq!(refund.data(200)["failure"]["code"], "charge_disputed");

    // A repeat gets the same refusal, and Stripe is not asked again.
    let asked = stage.asked_of_stripe().await.len();
    let repeat = stage.create_once("disputed", body).await;
    assert_eq!(repeat.error(422, "processor_error")["processor"], error["processor"]);
    assert_eq!(repeat.header("idempotent-replayed"), Some("true"));
    assert_eq!(stage.asked_of_stripe().await.len(), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_in_another_currency_or_unit_or_environment_is_refused() {
    let stage = Stage::new().await;
    let other = json!({ "transactionId": "ch_1SandboxYen", "amount": 100, "currency": "usd", "reason": "other" });
    assert_eq!(stage.post("/v1/refunds", other).await.error(400, "validation_error")["field"], "currency");
    assert_eq!(stage.create("ch_1SandboxDinar", 1234).await.error(400, "validation_error")["field"], "amount");
    let live = stage.create("ch_1SandboxLiveOnly", 100).await;
    assert!(live.error(422, "processor_error")["message"].as_str().unwrap().contains("exists in live mode"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_refund_again_is_a_duplicate_until_somebody_insists() {
    let stage = Stage::new().await;
    let first = stage.create("ch_1N4HbSKz9cXRvFYr", 1000).await.data(201)["id"].clone();
    let again = json!({ "transactionId": "ch_1N4HbSKz9cXRvFYr", "amount": 1000, "reason": "product_defective" });
    let refused = stage.post("/v1/refunds", again.clone()).await;
    assert_eq!(refused.error(409, "refund_already_processed")["refundId"], first);
    let mut insisted = again;
    insisted["allowDuplicate"] = json!(true);
    stage.post("/v1/refunds", insisted).await.data(201);
    // Another amount is another refund.
    stage.create("ch_1N4HbSKz9cXRvFYr", 1001).await.data(201);
    assert_eq!(stage.refunded_at_stripe("ch_1N4HbSKz9cXRvFYr").await, (3001, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_refund_again_names_the_refund_that_explains_it() {
    let stage = Stage::new().await;
    let first = stage.create("ch_1SandboxFirstRefund", 4200).await.data(201)["id"].clone();
    let again = stage.create("ch_1SandboxFirstRefund", 4200).await;
    let error = again.error(422, "processor_error");
    assert_eq!(error["message"], "Charge ch_1SandboxFirstRefund has already been refunded.");
    assert_eq!(error["processor"]["code"], "charge_already_refunded");
    assert_eq!(error["refundId"], first);
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_made_at_stripe_count_against_what_is_left() {
    let stage = Stage::new().await;
    stage
        .control(
            reqwest::Method::POST,
            "/_sandbox/refunds",
            Some(json!({ "charge": "ch_1N4HbSKz9cXRvFYr", "amount": 9000 })),
        )
        .await;
    let refused = stage.create("ch_1N4HbSKz9cXRvFYr", 1001).await;
    assert!(refused.error(422, "processor_error")["message"].as_str().unwrap().contains("($10.00)"));
    stage.create("ch_1N4HbSKz9cXRvFYr", 1000).await.data(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_gets_the_first_answer_again_and_nothing_else() {
    let mut stage = Stage::new().await;
    let body = json!({ "transactionId": "ch_1N4HbSKz9cXRvFYr", "amount": 2500, "reason": "other" });
    let first = stage.create_once("order-1001", body.clone()).await.data(201).clone();
    // The same request in another spelling, and after a restart.
    let spelled = json!({ "reason": "other", "amount": 2500, "transactionId": "ch_1N4HbSKz9cXRvFYr" });
    let repeat = stage.create_once("order-1001", spelled).await;
    assert_eq!(repeat.data(201), &first);
    assert_eq!(repeat.header("idempotent-replayed"), Some("true"));
    stage.restart().await;
    assert_eq!(stage.create_once("order-1001", body.clone()).await.data(201), &first);

    let mut other = body;
    other["amount"] = json!(2400);
    stage.create_once("order-1001", other).await.error(422, "idempotency_key_reused");
    assert_eq!(stage.refunded_at_stripe("ch_1N4HbSKz9cXRvFYr").await, (2500, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_before_it_was_written_binds_no_key() {
    let stage = Stage::new().await;
    let mut body = json!({ "transactionId": "ch_invalid", "amount": 2500, "reason": "other" });
    stage.create_once("k", body.clone()).await.error(422, "processor_error");
    body["transactionId"] = json!("ch_1N4HbSKz9cXRvFYr");
    stage.create_once("k", body).await.data(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_callers_racing_for_the_same_money_have_one_winner() {
    let stage = std::sync::Arc::new(Stage::new().await);
    let racing: Vec<_> = (0..40)
        .map(|_| {
            let stage = std::sync::Arc::clone(&stage);
            tokio::spawn(async move { stage.create("ch_1SandboxFirstRefund", 4200).await })
        })
        .collect();
    let mut won = 0;
    for answer in racing {
        let answer = answer.await.unwrap();
        match answer.status {
            201 => won += 1,
            409 => drop(answer.error(409, "refund_already_processed")["refundId"].as_str().unwrap()),
            _ => drop(answer.error(422, "processor_error")["refundId"].as_str().unwrap()),
        }
    }
    assert_eq!(won, 1);
    assert_eq!(stage.refunded_at_stripe("ch_1SandboxFirstRefund").await, (4200, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_repeats_of_one_key_make_one_refund() {
    let stage = std::sync::Arc::new(Stage::new().await);
    let racing: Vec<_> = (0..20)
        .map(|_| {
            let stage = std::sync::Arc::clone(&stage);
            let body = json!({ "transactionId": "ch_1N4HbSKz9cXRvFYr", "amount": 700, "reason": "other", "allowDuplicate": true });
            tokio::spawn(async move { stage.create_once("one", body).await })
        })
        .collect();
    for answer in racing {
        let answer = answer.await.unwrap();
        if answer.status != 201 {
            answer.error(409, "idempotency_key_in_use");
            assert!(answer.header("retry-after").is_some());
        }
    }
    assert_eq!(stage.refunded_at_stripe("ch_1N4HbSKz9cXRvFYr").await, (700, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_insist_on_a_duplicate_only_under_a_key_of_their_own() {
    let stage = Stage::new().await;
    let body =
        json!({ "transactionId": "ch_1N4HbSKz9cXRvFYr", "amount": 100, "reason": "other", "allowDuplicate": true });
    let agent = || {
        let request = stage.request(reqwest::Method::POST, "/v1/refunds", &stage.admin_key);
        request.header("RefundKit-Client", "mcp; agent; 1").json(&body)
    };
    let refused = crate::support::send(agent()).await;
    assert_eq!(refused.error(400, "validation_error")["field"], "allowDuplicate");
    for _ in 0..2 {
        crate::support::send(agent().header("Idempotency-Key", "agent-1")).await.data(201);
    }
    assert_eq!(stage.refunded_at_stripe("ch_1N4HbSKz9cXRvFYr").await, (100, 1));
}
