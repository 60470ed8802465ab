//! Taking refunds back: where it is possible, where it is too late, and where the answer is lost.

use refundkit_sandbox::{Fault, FaultRule, Method as StripeMethod};
use reqwest::Method;
use serde_json::json;

use crate::support::Stage;

async fn waiting_refund(stage: &Stage) -> (String, String) {
    let answer = stage.create("py_1SandboxActionNeeded", 8000).await;
    let refund = answer.data(201);
    (refund["id"].as_str().unwrap().to_owned(), refund["externalRefundId"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_waits_for_the_customer_can_be_taken_back_and_twice_is_once() {
    let stage = Stage::new().await;
    let (id, _) = waiting_refund(&stage).await;
    for _ in 0..2 {
        let cancelled = stage.post(&format!("/v1/refunds/{id}/cancel"), json!({})).await;
        assert_eq!(
            (&cancelled.data(200)["status"], &cancelled.data(200)["stage"]),
            (&json!("cancelled"), &json!("settled"))
        );
    }
    assert_eq!(
        stage.trail(&id).await,
        ["refund.created", "refund.requires_action", "refund.cancel_requested", "refund.cancelled"]
    );
    assert_eq!(stage.refunded_at_stripe("py_1SandboxActionNeeded").await.0, 0);
    // Its money is free again.
    stage.create("py_1SandboxActionNeeded", 8000).await.data(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_executed_or_under_way_cannot_be_taken_back() {
    let stage = Stage::new().await;
    for (charge, status) in [("ch_1SandboxFirstRefund", "completed"), ("ch_1SandboxPending", "processing")] {
        let answer = stage.create(charge, 100).await;
        let id = answer.data(201)["id"].as_str().unwrap();
        let refused = stage.post(&format!("/v1/refunds/{id}/cancel"), json!({})).await;
        let error = refused.error(409, "refund_not_cancellable");
        assert!(error["message"].as_str().unwrap().contains(status), "{error}");
        assert_eq!(error["retryable"], false);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_was_never_sent_is_cancelled_here() {
    let stage = Stage::new().await;
    let limited = Fault::RateLimit { retry_after: Some(60), reason: None };
    let rule = FaultRule { times: 100, ..FaultRule::once(StripeMethod::Post, "/v1/refunds", limited) };
    stage.fault(&rule).await;
    let answer = stage.create("ch_1SandboxFirstRefund", 4200).await;
    let refund = answer.data(202);
    assert_eq!(refund["stage"], "queued");
    let id = refund["id"].as_str().unwrap();
    let cancelled = stage.post(&format!("/v1/refunds/{id}/cancel"), json!({})).await;
    assert_eq!(cancelled.data(200)["status"], "cancelled");
    assert_eq!(stage.refunded_at_stripe("ch_1SandboxFirstRefund").await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_without_an_answer_is_remembered_and_asked_again() {
    let stage = Stage::new().await;
    let (id, external) = waiting_refund(&stage).await;
    let cut = FaultRule {
        times: 1000,
        ..FaultRule::once(StripeMethod::Post, &format!("/v1/refunds/{external}/cancel"), Fault::DropBeforeEffect)
    };
    stage.fault(&cut).await;
    let answer = stage.post(&format!("/v1/refunds/{id}/cancel"), json!({})).await;
    assert_eq!(answer.data(202)["status"], "pending");
    stage.control(Method::DELETE, "/_sandbox/faults", None).await;
    stage.until(&id, "cancelled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stripe_will_not_take_back_is_said_in_its_words() {
    let stage = Stage::new().await;
    let (id, external) = waiting_refund(&stage).await;
    // It moves on at Stripe between our last look and the request.
    stage.control(Method::POST, &format!("/_sandbox/refunds/{external}/pend"), None).await;
    let refused = stage.post(&format!("/v1/refunds/{id}/cancel"), json!({})).await;
    let error = refused.error(409, "refund_not_cancellable");
    if error["processor"].is_object() {
        assert_eq!(error["processor"]["message"], "Canceling this refund is unsupported.");
    }
}
