//! A server that is killed in the middle of a create. The next one finds the refund and ends it, once.
//!
//! An attempt counts as dead after a minute, which no setting shortens. These tests do not wait for it: they check that the
//! dead server's job is due within that minute, and then make it due.

use std::time::{Duration, Instant};

use refundkit::{Environment, RefundId};
use refundkit_server::config::DatabaseUrl;
use refundkit_server::{
    env::Env,
    limits::JOB_LEASE_MS,
    store::{Store, StoreError, Tenant, jobs},
};
use serde_json::{Value, json};

use super::{
    installation::{Installation, Served},
    program::{PATIENCE, control, refunds_at_stripe},
};

const CHARGE: &str = "ch_1N4HbSKz9cXRvFYr";
const AMOUNT: i64 = 2500;
const CALLERS_KEY: &str = "order-1001";

fn create(serving: &Served) -> reqwest::RequestBuilder {
    let body = json!({ "transactionId": CHARGE, "amount": AMOUNT, "reason": "other" });
    serving.request(reqwest::Method::POST, "/v1/refunds").header("Idempotency-Key", CALLERS_KEY).json(&body)
}

/// Begins a create, and kills the server while Stripe is being asked. Answers the refund's id.
async fn kill_in_the_middle(installation: &Installation, fault: Value) -> RefundId {
    let serving = installation.serve();
    serving.connect_stripe().await;
    let sandbox = &installation.sandbox.url;
    let rule = json!({ "method": "POST", "path_prefix": "/v1/refunds", "times": 3, "fault": fault });
    control(sandbox, reqwest::Method::POST, "faults", rule).await;
    let unanswered = tokio::spawn(create(&serving).send());
    let id = loop {
        let log = control(sandbox, reqwest::Method::GET, "requests", Value::Null).await;
        let sent = log["data"].as_array().unwrap().iter().find(|sent| sent["method"] == "POST").cloned();
        if let Some(sent) = sent {
            // A refund is submitted under its own id.
            break sent["idempotency_key"].as_str().unwrap().parse().unwrap();
        }
        tokio::task::yield_now().await;
    };
    serving.program.kill();
    assert!(unanswered.await.unwrap().is_err(), "the server died before it could answer");
    control(sandbox, reqwest::Method::DELETE, "faults", Value::Null).await;
    id
}

/// What a minute does.
async fn let_the_lease_lapse(installation: &Installation, id: RefundId) {
    let store = Store::open(&DatabaseUrl::Sqlite { path: installation.database() }).await.unwrap();
    let now = Env::default().now();
    let due = jobs::next_run_at(&mut store.read().await.unwrap()).await.unwrap();
    // A refund is never written without its job.
    let wait_ms = due.unwrap().millis_since(now);
    assert!(wait_ms <= JOB_LEASE_MS, "due in {wait_ms} ms, long after the attempt counts as dead");
    let organization_id = installation.made["organizationId"].as_str().unwrap().parse().unwrap();
    let tenant = Tenant { organization_id, environment: Environment::Test };
    store
        .write::<_, StoreError, _>(move |connection| {
            Box::pin(async move { jobs::put(connection, tenant, id, "submit", now).await })
        })
        .await
        .unwrap();
    store.close().await;
}

async fn completed(serving: &Served, id: RefundId) -> Value {
    let waited = Instant::now();
    loop {
        let refund = serving.get(&format!("/v1/refunds/{id}")).await["data"].clone();
        if refund["status"] == "completed" {
            return refund;
        }
        assert!(waited.elapsed() < PATIENCE, "{refund}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn ends_once(installation: &Installation, id: RefundId) {
    let serving = installation.serve();
    // Until somebody knows better, nobody is promised anything.
    let refund = completed(&serving, id).await;
    assert_eq!((&refund["amount"], &refund["stage"]), (&json!(AMOUNT), &json!("settled")));
    let at_stripe = refunds_at_stripe(&installation.sandbox.url, CHARGE).await;
    let [once] = &at_stripe[..] else { panic!("not once: {at_stripe:?}") };
    assert_eq!((&once["amount"], &once["refund"]), (&json!(AMOUNT), &refund["externalRefundId"]));
    assert_eq!(once["metadata"]["refundkit_refund_id"], json!(id));

    // The caller, who got no answer, repeats the request as told: the same refund.
    let repeat = create(&serving).send().await.unwrap();
    let replayed = repeat.headers().get("idempotent-replayed").cloned();
    let repeat: Value = repeat.json().await.unwrap();
    assert_eq!(
        (repeat["data"]["id"].clone(), replayed.as_ref().map(AsRef::as_ref)),
        (json!(id), Some(&b"true"[..])),
        "{repeat}"
    );
    assert_eq!(refunds_at_stripe(&installation.sandbox.url, CHARGE).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_happened_without_the_server_hearing_of_it_is_found() {
    let installation = Installation::new();
    let id = kill_in_the_middle(&installation, json!({ "kind": "delay", "ms": 10_000 })).await;
    assert_eq!(refunds_at_stripe(&installation.sandbox.url, CHARGE).await.len(), 1, "it happened");
    let_the_lease_lapse(&installation, id).await;
    ends_once(&installation, id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_did_not_happen_before_the_server_died_is_made() {
    let installation = Installation::new();
    let id = kill_in_the_middle(&installation, json!({ "kind": "drop_before_effect" })).await;
    assert_eq!(refunds_at_stripe(&installation.sandbox.url, CHARGE).await, Vec::<Value>::new(), "it did not happen");
    let_the_lease_lapse(&installation, id).await;
    ends_once(&installation, id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_dead_servers_attempt_may_still_arrive_the_refund_is_told_as_it_is_and_not_made_again() {
    let installation = Installation::new();
    let id = kill_in_the_middle(&installation, json!({ "kind": "delay", "ms": 10_000 })).await;
    let serving = installation.serve();
    let refund = serving.get(&format!("/v1/refunds/{id}")).await["data"].clone();
    assert_eq!((&refund["status"], &refund["stage"]), (&json!("pending"), &json!("submitting")));
    let body = json!({ "transactionId": CHARGE, "amount": AMOUNT, "reason": "wrong_product" });
    let again = serving.request(reqwest::Method::POST, "/v1/refunds").json(&body).send().await.unwrap();
    assert_eq!(again.status(), 409);
    let error = again.json::<Value>().await.unwrap()["error"].clone();
    assert_eq!((&error["code"], &error["refundId"]), (&json!("refund_already_processed"), &json!(id)));
    let repeat = create(&serving).send().await.unwrap();
    assert_eq!(
        (repeat.status().as_u16(), repeat.json::<Value>().await.unwrap()["data"]["id"].clone()),
        (202, json!(id))
    );
}
