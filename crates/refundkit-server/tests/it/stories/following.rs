//! Following refunds to their end: pending, failing late, waiting for the customer, moved by somebody at Stripe.

use reqwest::Method;
use serde_json::json;

use crate::support::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_refund_is_processing_and_then_completed() {
    let stage = Stage::new().await;
    let answer = stage.create("ch_1SandboxPending", 6000).await;
    let refund = answer.data(201);
    assert_eq!((&refund["status"], &refund["stage"]), (&json!("processing"), &json!("awaiting_processor")));
    let id = refund["id"].as_str().unwrap();
    let settled = stage.until(id, "completed").await;
    assert!(settled["settledAt"].is_string());
    assert_eq!(stage.trail(id).await, ["refund.created", "refund.processing", "refund.completed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_that_fails_later_is_noticed_and_its_money_can_be_refunded_again() {
    let stage = Stage::new().await;
    let answer = stage.create("ch_1SandboxFails", 7000).await;
    let id = answer.data(201)["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.data(201)["status"], "completed");
    // Completed refunds are looked at daily: a day, sped up a thousand times, is longer than a test; so look now.
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    stage.look_now(&id).await;
    let failed = stage.until(&id, "failed").await;
    assert_eq!(failed["failure"]["code"], "expired_or_canceled_card");
    assert!(failed["failure"]["message"].as_str().unwrap().len() > 20);
    let policy = stage.post("/v1/policies/check", json!({ "transactionId": "ch_1SandboxFails" })).await;
    assert_eq!(policy.data(200)["maxAmount"], 7000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_waits_for_the_customer_says_so_and_moves_on() {
    let stage = Stage::new().await;
    let answer = stage.create("py_1SandboxActionNeeded", 8000).await;
    let refund = answer.data(201);
    assert_eq!((&refund["status"], &refund["stage"]), (&json!("pending"), &json!("requires_action")));
    let (id, external) = (refund["id"].as_str().unwrap(), refund["externalRefundId"].as_str().unwrap());
    stage.control(Method::POST, &format!("/_sandbox/refunds/{external}/pend"), None).await;
    stage.until(id, "processing").await;
    stage.control(Method::POST, &format!("/_sandbox/refunds/{external}/require_action"), None).await;
    stage.until(id, "pending").await;
    stage.control(Method::POST, &format!("/_sandbox/refunds/{external}/succeed"), None).await;
    stage.until(id, "completed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_in_the_dashboard_is_a_failure_here() {
    let stage = Stage::new().await;
    let answer = stage.create("py_1SandboxActionNeeded", 8000).await;
    let refund = answer.data(201);
    let (id, external) = (refund["id"].as_str().unwrap(), refund["externalRefundId"].as_str().unwrap());
    stage.control(Method::POST, &format!("/_sandbox/refunds/{external}/cancel"), None).await;
    assert_eq!(stage.until(id, "failed").await["failure"]["code"], "canceled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_nobody_knows_yet_is_pending_not_a_defect() {
    let stage = Stage::new().await;
    let answer = stage.create("py_1SandboxActionNeeded", 8000).await;
    let refund = answer.data(201);
    let (id, external) = (refund["id"].as_str().unwrap(), refund["externalRefundId"].as_str().unwrap());
    let body = json!({ "status": "under_review" });
    stage.control(Method::POST, &format!("/_sandbox/refunds/{external}/status"), Some(body)).await;
    let waited = std::time::Instant::now();
    loop {
        let now = stage.get(&format!("/v1/refunds/{id}")).await.data(200).clone();
        assert_eq!(now["status"], "pending");
        if now["stage"] == "awaiting_processor" {
            break;
        }
        assert!(waited.elapsed().as_secs() < 20, "{now}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn following_goes_on_after_a_restart() {
    let mut stage = Stage::new().await;
    let answer = stage.create("py_1SandboxActionNeeded", 8000).await;
    let refund = answer.data(201).clone();
    stage.restart().await;
    let external = refund["externalRefundId"].as_str().unwrap();
    stage.control(Method::POST, &format!("/_sandbox/refunds/{external}/succeed"), None).await;
    stage.until(refund["id"].as_str().unwrap(), "completed").await;
}
