//! Stripe fails, hangs or lies: the answer is truthful, nobody is refunded twice, and the refund gets to its end.

use std::time::Duration;

use refundkit::{
    ProcessorErrorDetail,
    processor::{Outcome, ProcessorError, ProcessorErrorKind},
};
use refundkit_core::lifecycle::Command;
use refundkit_sandbox::{Fault, FaultRule, Method};
use refundkit_server::{progress, store::refunds};
use serde_json::json;

use crate::support::{Setting, Stage};

const CHARGE: &str = "ch_1SandboxFirstRefund";
/// More tries than one call makes.
const ALL_TRIES: u32 = 3;

async fn create_under(fault: Fault, times: u32) -> (Stage, crate::support::Answer) {
    let stage = Stage::new().await;
    stage.fault(&FaultRule { times, ..FaultRule::once(Method::Post, "/v1/refunds", fault) }).await;
    let answer = stage.create(CHARGE, 4200).await;
    (stage, answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_found_again_within_the_call() {
    for fault in [Fault::DropAfterEffect, Fault::ErrorAfter { status: 503, stored: false }] {
        let (stage, answer) = create_under(fault.clone(), 1).await;
        assert_eq!(answer.data(201)["status"], "completed", "{fault:?}");
        assert_eq!(stage.refunded_at_stripe(CHARGE).await, (4200, 1), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_answer_the_outcome_is_unknown_and_found_out_later() {
    for fault in [
        Fault::DropAfterEffect,
        Fault::DropBeforeEffect,
        Fault::Unreadable,
        Fault::ErrorBefore { status: 503, stored: false },
    ] {
        let (stage, answer) = create_under(fault.clone(), ALL_TRIES).await;
        let refund = answer.data(202);
        assert_eq!((&refund["status"], &refund["stage"]), (&json!("pending"), &json!("outcome_unknown")), "{fault:?}");
        let id = refund["id"].as_str().unwrap();
        stage.until(id, "completed").await;
        assert_eq!(stage.refunded_at_stripe(CHARGE).await, (4200, 1), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_outcome_is_unknown_nobody_refunds_again_and_nobody_cancels() {
    let (stage, answer) = create_under(Fault::DropBeforeEffect, 200).await;
    let id = answer.data(202)["id"].as_str().unwrap().to_owned();
    let again = stage.create(CHARGE, 4200).await;
    assert_eq!(again.error(409, "refund_already_processed")["refundId"], json!(id));
    let cancel = stage.post(&format!("/v1/refunds/{id}/cancel"), json!({})).await;
    assert_eq!(cancel.error(409, "refund_not_cancellable")["retryable"], true);
    let rest = stage.create(CHARGE, 1).await;
    rest.error(422, "processor_error");
    stage.control(reqwest::Method::DELETE, "/_sandbox/faults", None).await;
    stage.until(&id, "completed").await;
    assert_eq!(stage.refunded_at_stripe(CHARGE).await, (4200, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remembered_500_is_not_success_and_not_failure() {
    // Stripe replays a stored 500 for the key: only the list of refunds can tell what happened.
    let (stage, answer) = create_under(Fault::ErrorAfter { status: 500, stored: true }, 1).await;
    let refund = answer.data(202);
    assert_eq!(refund["stage"], "outcome_unknown");
    stage.until(refund["id"].as_str().unwrap(), "completed").await;
    assert_eq!(stage.refunded_at_stripe(CHARGE).await, (4200, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn rate_limits_and_locks_queue_the_refund_and_it_is_sent_again() {
    for fault in [Fault::RateLimit { retry_after: None, reason: Some("global-rate".to_owned()) }, Fault::LockTimeout] {
        let (stage, answer) = create_under(fault.clone(), ALL_TRIES).await;
        let refund = answer.data(202);
        assert_eq!(refund["stage"], "queued", "{fault:?}");
        stage.until(refund["id"].as_str().unwrap(), "completed").await;
        assert_eq!(stage.refunded_at_stripe(CHARGE).await, (4200, 1), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_answer_is_202_at_the_deadline_and_arrives_behind_it() {
    let stage = Stage::with(Setting { submit_deadline: Duration::from_millis(100), ..Setting::default() }).await;
    stage.fault(&FaultRule::once(Method::Post, "/v1/refunds", Fault::Delay { ms: 1500 })).await;
    let answer = stage.create(CHARGE, 4200).await;
    let refund = answer.data(202);
    assert_eq!(refund["stage"], "submitting");
    stage.until(refund["id"].as_str().unwrap(), "completed").await;
    assert_eq!(stage.refunded_at_stripe(CHARGE).await, (4200, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_of_a_refund_that_has_moved_since_it_was_loaded_is_held_against_where_it_stands() {
    let stage = Stage::with(Setting { submit_deadline: Duration::from_millis(100), ..Setting::default() }).await;
    stage.fault(&FaultRule::once(Method::Post, "/v1/refunds", Fault::Delay { ms: 1500 })).await;
    let answer = stage.create(CHARGE, 4200).await;
    let id = answer.data(202)["id"].as_str().unwrap().to_owned();
    let loaded = {
        let (tenant, mut connection) = (stage.tenant().await, stage.app.store.read().await.unwrap());
        refunds::find(&mut connection, tenant, id.parse().unwrap()).await.unwrap().unwrap()
    };
    stage.until(&id, "completed").await;
    let trail = stage.trail(&id).await;
    // As by an attempt whose time-out is noticed late: the refund was being sent when this one began.
    let silence = ProcessorError {
        kind: ProcessorErrorKind::Unavailable,
        detail: ProcessorErrorDetail {
            name: "stripe".to_owned(),
            code: None,
            message: "Stripe did not answer.".to_owned(),
            request_id: None,
            status_code: None,
        },
        hint: None,
        retry_after_ms: None,
    };
    let command = Command::SubmissionAnswered(Outcome::Unknown(silence));
    let told = progress::apply_to(&stage.app, Box::new(loaded), command, progress::system(), None).await.unwrap();
    assert_eq!(told.state.status(), refundkit::RefundStatus::Completed);
    assert_eq!(stage.get(&format!("/v1/refunds/{id}")).await.data(200)["status"], "completed");
    assert_eq!(stage.trail(&id).await, trail);
    stage.assert_days_agree().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_hangs_up_gets_the_refund_all_the_same() {
    let stage = Stage::new().await;
    stage.fault(&FaultRule::once(Method::Post, "/v1/refunds", Fault::Delay { ms: 700 })).await;
    let body = json!({ "transactionId": CHARGE, "amount": 4200, "reason": "other" });
    let request =
        stage.request(reqwest::Method::POST, "/v1/refunds", &stage.admin_key).header("Idempotency-Key", "hang-up");
    let hung_up = request.json(&body).timeout(Duration::from_millis(300)).send().await;
    assert!(hung_up.unwrap_err().is_timeout());
    let listed = stage.get("/v1/refunds").await;
    let id = listed.data(200)[0]["id"].as_str().unwrap().to_owned();
    stage.until(&id, "completed").await;
    assert_eq!(stage.create_once("hang-up", body).await.data(201)["id"], json!(id));
    assert_eq!(stage.refunded_at_stripe(CHARGE).await, (4200, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_that_cannot_be_read_is_502_and_nothing_is_written() {
    let stage = Stage::new().await;
    let rule = FaultRule {
        times: ALL_TRIES,
        ..FaultRule::once(Method::Get, "/v1/charges", Fault::ErrorBefore { status: 500, stored: false })
    };
    stage.fault(&rule).await;
    let answer = stage.create(CHARGE, 4200).await;
    let error = answer.error(502, "processor_error");
    assert_eq!((&error["retryable"], &error["processor"]["statusCode"]), (&json!(true), &json!(500)));
    assert_eq!(stage.get("/v1/refunds").await.data(200), &json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_in_the_middle_finishes_what_it_holds() {
    let mut stage = Stage::with(Setting { submit_deadline: Duration::from_millis(50), ..Setting::default() }).await;
    stage.fault(&FaultRule::once(Method::Post, "/v1/refunds", Fault::Delay { ms: 800 })).await;
    let answer = stage.create(CHARGE, 4200).await;
    let id = answer.data(202)["id"].as_str().unwrap().to_owned();
    stage.restart().await;
    assert_eq!(stage.get(&format!("/v1/refunds/{id}")).await.data(200)["status"], "completed");
    assert_eq!(stage.refunded_at_stripe(CHARGE).await, (4200, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_that_is_not_read_in_time_is_502_and_nothing_is_written() {
    let stage = Stage::with(Setting { submit_deadline: Duration::from_millis(100), ..Setting::default() }).await;
    stage.fault(&FaultRule::once(Method::Get, "/v1/charges", Fault::Delay { ms: 3000 })).await;
    let answer = stage.create(CHARGE, 4200).await;
    let error = answer.error(502, "processor_error");
    assert_eq!((&error["retryable"], &error["processor"]["statusCode"]), (&json!(true), &json!(null)));
    assert_eq!(stage.get("/v1/refunds").await.data(200), &json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn whenever_a_caller_hangs_up_the_refund_is_made_once_and_a_repeat_gets_it() {
    let stage = Stage::new().await;
    for hang_up_after in 0..40_u64 {
        let key = format!("hang-up-{hang_up_after}");
        let amount = 100 + hang_up_after;
        let body = json!({ "transactionId": "ch_1N4HbSKz9cXRvFYr", "amount": amount, "reason": "other" });
        let request = stage.request(reqwest::Method::POST, "/v1/refunds", &stage.admin_key);
        let request = request.header("Idempotency-Key", &key).json(&body);
        let _ = request.timeout(Duration::from_micros(hang_up_after * 400)).send().await;
        // At once, as an agent would: the same request is the same refund, never a duplicate.
        let repeat = loop {
            let repeat = stage.create_once(&key, body.clone()).await;
            if repeat.body["error"]["code"] != "idempotency_key_in_use" {
                break repeat;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let id = repeat.data(repeat.status)["id"].as_str().unwrap().to_owned();
        stage.until(&id, "completed").await;
    }
    assert_eq!(stage.refunded_at_stripe("ch_1N4HbSKz9cXRvFYr").await.1, 40);
}
