//! A disk that is full and a file that somebody else has locked: requests fail and may be repeated, nothing is lost, nothing is
//! made twice, and service resumes by itself.
//!
//! The disk is full for the server alone: the kernel lets it write no file beyond its first byte, and takes that back.

use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    crash::{completed, let_the_lease_lapse},
    installation::{Installation, Served},
    program::{Program, control, refunds_at_stripe},
};

const BEFORE: &str = "ch_1SandboxFirstRefund";
const UNDER_WAY: &str = "ch_1N4HbSKz9cXRvFYr";
const MEANWHILE: &str = "ch_1SandboxYen";

fn create(serving: &Served, charge: &str) -> reqwest::RequestBuilder {
    let body = json!({ "transactionId": charge, "amount": 1000, "reason": "other" });
    serving.request(Method::POST, "/v1/refunds").header("Idempotency-Key", charge).json(&body)
}

/// Asks for a refund, which must be answered with this status.
fn created(serving: &Served, charge: &str, status: u16) -> impl Future<Output = Value> + use<> {
    let request = create(serving, charge);
    async move {
        let answer = request.send().await.unwrap();
        let (found, body) = (answer.status(), answer.json::<Value>().await.unwrap());
        assert_eq!(found, status, "{body}");
        body["data"].clone()
    }
}

/// What a server goes through that cannot write for a while.
async fn goes_through<T>(
    installation: &Installation,
    serving: &Served,
    begin: impl FnOnce() -> T,
    end: impl FnOnce(T),
) {
    serving.connect_stripe().await;
    let sandbox = &installation.sandbox.url;
    let before = created(serving, BEFORE, 201).await;
    let delay = json!({ "method": "POST", "path_prefix": "/v1/refunds", "fault": { "kind": "delay", "ms": 1500 } });
    control(sandbox, Method::POST, "faults", delay).await;
    let under_way = tokio::spawn(created(serving, UNDER_WAY, 202));
    while refunds_at_stripe(sandbox, UNDER_WAY).await.is_empty() {
        tokio::task::yield_now().await;
    }

    let trouble = begin();
    for _ in 0..2 {
        let refused = create(serving, MEANWHILE).send().await.unwrap();
        let retry_after = refused.headers().get("retry-after").cloned();
        let (status, body) = (refused.status(), refused.json::<Value>().await.unwrap());
        assert_eq!((status.as_u16(), &body["error"]["code"]), (503, &json!("service_unavailable")), "{body}");
        assert_eq!((&body["error"]["retryable"], retry_after.is_some()), (&json!(true), true), "{body}");
    }
    // Stripe executed it, and that could not be written down: so nobody is promised anything.
    let under_way = under_way.await.unwrap();
    assert_eq!((&under_way["status"], &under_way["stage"]), (&json!("pending"), &json!("submitting")), "{under_way}");
    let read = serving.get(&format!("/v1/refunds/{}", before["id"].as_str().unwrap())).await;
    assert_eq!(read["data"]["amount"], 1000, "what can be read is told: {read}");
    assert!(refunds_at_stripe(sandbox, MEANWHILE).await.is_empty(), "what is not written down is not sent");
    end(trouble);

    // The caller repeats what failed, as told.
    let made = created(serving, MEANWHILE, 201).await;
    let id = under_way["id"].as_str().unwrap().parse().unwrap();
    let_the_lease_lapse(installation, id).await;
    let ended = completed(serving, id).await;
    for (charge, refund) in [(BEFORE, &before), (MEANWHILE, &made), (UNDER_WAY, &ended)] {
        let at_stripe = refunds_at_stripe(sandbox, charge).await;
        assert_eq!(at_stripe.len(), 1, "{charge}: {at_stripe:?}");
        assert_eq!(at_stripe[0]["metadata"]["refundkit_refund_id"], refund["id"], "{charge}");
    }
    let listed = serving.get("/v1/refunds").await["data"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 3, "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_nothing_and_service_resumes_when_there_is_room() {
    let installation = Installation::new();
    let program = Program::start_with_limits(installation.folder.path(), &["serve"], &installation.variables());
    let serving = installation.served(program);
    let process = serving.program.id().to_string();
    let files_may_have = |bytes: &str| {
        let limit = format!("--fsize={bytes}:unlimited");
        let set = Command::new("prlimit").args(["--pid", &process, &limit]).status().unwrap();
        assert!(set.success(), "prlimit {limit}");
    };
    goes_through(&installation, &serving, || files_may_have("1"), |()| files_may_have("unlimited")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_another_process_has_locked_loses_nothing_and_service_resumes_when_it_lets_go() {
    let installation = Installation::new();
    let serving = installation.serve();
    let lock = || {
        let other = rusqlite::Connection::open(installation.database()).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        other
    };
    goes_through(&installation, &serving, lock, drop).await;
}
