//! Books that agree: what comparing with Stripe finds, sets right, and leaves alone.

use std::sync::Arc;

use refundkit::Timestamp;
use refundkit_sandbox::{Fault, FaultRule, Method as SandboxMethod};
use refundkit_server::{
    reconcile::{self, Kind, Report},
    store::{StoreError, connections, refunds},
    workers,
};
use reqwest::Method;
use serde_json::json;

use crate::support::{Setting, Stage, send};

const CHARGE: &str = "ch_1N4HbSKz9cXRvFYr";

/// In real time: nothing is looked at while the story runs.
async fn stage() -> Stage {
    Stage::with(Setting { speedup: 1, stripe_rate: Some(0), ..Setting::default() }).await
}

async fn compare(stage: &Stage) -> Report {
    compare_since(stage, stage.app.env.now().plus_millis(-60_000)).await
}

async fn compare_since(stage: &Stage, since: Timestamp) -> Report {
    let followed = connections::list_followed(&mut stage.app.store.read().await.unwrap()).await.unwrap();
    let (tenant, id) = followed[0];
    let report = reconcile::compare(&stage.app, tenant, id, since).await;
    assert_eq!(report.drift_count, report.drift.len());
    report
}

fn kinds(report: &Report) -> Vec<(Kind, bool)> {
    report.drift.iter().map(|drift| (drift.kind, drift.corrected)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn books_that_agree_have_no_drift() {
    let stage = stage().await;
    for (charge, amount) in
        [(CHARGE, 100), (CHARGE, 200), ("py_1SandboxActionNeeded", 8000), ("ch_1SandboxFirstRefund", 4200)]
    {
        stage.create(charge, amount).await.data(201);
    }
    stage.create(CHARGE, 99_999).await.error(422, "processor_error");
    let report = compare(&stage).await;
    assert_eq!((kinds(&report), report.compared, report.listed, report.error), (vec![], 4, 4, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_status_is_told_and_set_right_on_the_one_road() {
    let stage = stage().await;
    let answer = stage.create(CHARGE, 100).await;
    let refund = answer.data(201);
    let (id, external) = (refund["id"].as_str().unwrap(), refund["externalRefundId"].as_str().unwrap());
    stage.control(Method::POST, &format!("/_sandbox/refunds/{external}/fail"), None).await;
    let report = compare(&stage).await;
    assert_eq!(kinds(&report), [(Kind::StatusDiffers, true)]);
    assert_eq!(report.drift[0].refund_id.unwrap().to_string(), id);
    assert_eq!(stage.trail(id).await, ["refund.created", "refund.completed", "refund.failed"]);
    assert_eq!(kinds(&compare(&stage).await), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refunded_elsewhere_is_in_the_payments_view_and_told_once() {
    let stage = stage().await;
    let made = json!({ "charge": CHARGE, "amount": 500 });
    let foreign = stage.control(Method::POST, "/_sandbox/refunds", Some(made)).await;
    let shown = stage.get(&format!("/v1/transactions/{CHARGE}")).await;
    assert_eq!(
        (&shown.data(200)["refundedAmount"], &shown.data(200)["refunds"][0]["refundId"]),
        (&json!(500), &json!(null))
    );
    assert_eq!(kinds(&compare(&stage).await), [(Kind::MadeElsewhere, true)]);
    assert_eq!(kinds(&compare(&stage).await), []);
    let external = foreign["id"].as_str().unwrap();
    stage.control(Method::POST, &format!("/_sandbox/refunds/{external}/fail"), None).await;
    assert_eq!(kinds(&compare(&stage).await), [(Kind::MadeElsewhere, true)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_carries_our_mark_and_is_not_in_our_books_is_told_each_time() {
    let stage = stage().await;
    let stranger = stage.app.env.new_refund_id().to_string();
    let made = json!({ "charge": CHARGE, "amount": 500, "metadata": { "refundkit_refund_id": stranger } });
    stage.control(Method::POST, "/_sandbox/refunds", Some(made)).await;
    for _ in 0..2 {
        let report = compare(&stage).await;
        assert_eq!(kinds(&report), [(Kind::UnknownHere, false)]);
        assert_eq!(report.drift[0].refund_id.unwrap().to_string(), stranger);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_refund_for_one_of_ours_is_told_and_raised() {
    let stage = stage().await;
    let answer = stage.create(CHARGE, 100).await;
    let id = answer.data(201)["id"].as_str().unwrap();
    let made = json!({ "charge": CHARGE, "amount": 100, "metadata": { "refundkit_refund_id": id } });
    stage.control(Method::POST, "/_sandbox/refunds", Some(made)).await;
    assert_eq!(kinds(&compare(&stage).await), [(Kind::SecondRefund, false)]);
    assert_eq!(stage.trail(id).await.last().unwrap(), "refund.contradicted");
    let policy = stage.post("/v1/policies/check", json!({ "transactionId": CHARGE })).await;
    assert_eq!(policy.data(200)["maxAmount"], 9800, "both count against what is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_amount_is_told_each_time_and_raised() {
    let stage = stage().await;
    let rule = FaultRule::once(SandboxMethod::Post, "/v1/refunds", Fault::DropBeforeEffect);
    stage.fault(&FaultRule { times: 3, ..rule }).await;
    let answer = stage.create(CHARGE, 100).await;
    let id = answer.data(202)["id"].as_str().unwrap();
    // Our attempts came to nothing, and something else carries our id.
    let made = json!({ "charge": CHARGE, "amount": 50, "metadata": { "refundkit_refund_id": id } });
    stage.control(Method::POST, "/_sandbox/refunds", Some(made)).await;
    for _ in 0..2 {
        assert_eq!(kinds(&compare(&stage).await), [(Kind::AmountDiffers, false)]);
    }
    assert!(stage.trail(id).await.contains(&"refund.contradicted".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_stripe_does_not_have_is_told_and_changes_nothing() {
    let stage = stage().await;
    let answer = stage.create(CHARGE, 100).await;
    let refund = answer.data(201);
    let (id, external) = (refund["id"].as_str().unwrap(), refund["externalRefundId"].as_str().unwrap().to_owned());
    // As after a restore that went wrong: our books have an id that Stripe never gave, and Stripe's copy is not marked.
    let cleared = "metadata%5Brefundkit_refund_id%5D=";
    stage.at_stripe(Method::POST, &format!("/v1/refunds/{external}"), cleared).await;
    let (tenant, refund_id) = (stage.tenant().await, id.parse().unwrap());
    let changed = stage.app.store.write::<_, StoreError, _>(move |connection| {
        Box::pin(async move {
            let mut refund = refunds::find(connection, tenant, refund_id).await?.unwrap();
            let stored = serde_json::to_string(&refund.state).unwrap().replace(&external, "re_neverGiven");
            refund.state = serde_json::from_str(&stored).unwrap();
            refunds::state::update(connection, &refund).await
        })
    });
    changed.await.unwrap();
    let report = compare(&stage).await;
    assert_eq!(kinds(&report), [(Kind::MadeElsewhere, true), (Kind::MissingAtProcessor, false)]);
    assert_eq!(report.drift[1].external_refund_id.as_deref(), Some("re_neverGiven"));
    assert_eq!(kinds(&compare(&stage).await), [(Kind::MissingAtProcessor, false)]);
    assert_eq!(stage.get(&format!("/v1/refunds/{id}")).await.data(200)["status"], "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_whose_outcome_was_not_known_is_found() {
    let stage = stage().await;
    let rule = FaultRule::once(SandboxMethod::Post, "/v1/refunds", Fault::DropAfterEffect);
    stage.fault(&FaultRule { times: 3, ..rule }).await;
    let answer = stage.create(CHARGE, 100).await;
    let id = answer.data(202)["id"].as_str().unwrap();
    let report = compare(&stage).await;
    // A worker may have been faster by a moment; either way our books know it now.
    assert!(matches!(kinds(&report)[..], [] | [(Kind::StatusDiffers, true)]), "{report:?}");
    assert_eq!(stage.get(&format!("/v1/refunds/{id}")).await.data(200)["status"], "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_read_to_their_end_and_a_429_is_waited_for() {
    let stage = stage().await;
    for amount in 1..=5 {
        stage.create(CHARGE, amount).await.data(201);
    }
    for _ in 0..230 {
        stage.control(Method::POST, "/_sandbox/refunds", Some(json!({ "charge": CHARGE, "amount": 1 }))).await;
    }
    let limited = Fault::RateLimit { retry_after: None, reason: None };
    stage.fault(&FaultRule::once(SandboxMethod::Get, "/v1/refunds", limited)).await;
    let report = compare(&stage).await;
    assert_eq!((report.listed, report.compared, report.drift_count, report.error), (235, 5, 230, None));
    let before = stage.calls("GET", "/v1/refunds").await;
    assert_eq!(kinds(&compare(&stage).await), []);
    assert_eq!(stage.calls("GET", "/v1/refunds").await, before + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_that_cannot_be_made_says_why_and_tells_no_drift() {
    let stage = stage().await;
    stage.create(CHARGE, 100).await.data(201);
    let broken = Fault::ErrorBefore { status: 503, stored: false };
    stage.fault(&FaultRule::once(SandboxMethod::Get, "/v1/refunds", broken)).await;
    let report = compare(&stage).await;
    assert!(report.error.is_some() && report.drift.is_empty(), "{report:?}");
}

/// What the processor is always too busy for is compared no more than once a day, and keeps nobody waiting for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_processor_that_turns_every_call_away_ends_the_comparison() {
    // Ten minutes of patience pass in 600 ms.
    let stage = Stage::with(Setting { stripe_rate: Some(0), ..Setting::default() }).await;
    let limited = Fault::RateLimit { retry_after: None, reason: None };
    let rule = FaultRule::once(SandboxMethod::Get, "/v1/refunds", limited);
    stage.fault(&FaultRule { times: 1000, ..rule }).await;
    let report = compare(&stage).await;
    assert_eq!(report.error.as_deref(), Some("The processor is asked too often, and answers nothing."));
    assert_eq!((report.compared, report.listed, kinds(&report)), (0, 0, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_whose_processor_is_busy_does_not_hold_up_the_others() {
    let stage = stage().await;
    let other = stage.other_organization().await;
    let connected = json!({ "secretKey": refundkit_sandbox::DEV_SECRET_KEY });
    send(stage.request(Method::PUT, "/v1/processors/stripe", &other).json(&connected)).await.data(200);
    let followed = connections::list_followed(&mut stage.app.store.read().await.unwrap()).await.unwrap();
    let now = stage.app.env.now();
    // The processor wants to be left alone about the first, which is the first in turn as well.
    let (busy, environment) = (followed[0].1, followed[0].0.environment);
    stage.app.budgets.back_off(busy, environment, Some(3_600_000), now);
    for (place, (tenant, id)) in followed.into_iter().enumerate() {
        let at = now.plus_millis(-25 * 60 * 60 * 1000 + i64::try_from(place).unwrap());
        let marked = stage.app.store.write::<_, StoreError, _>(move |connection| {
            Box::pin(async move { connections::mark_reconciled(connection, tenant, id, now, at).await })
        });
        assert!(marked.await.unwrap());
    }
    tokio::spawn(workers::reconcile::run(Arc::clone(&stage.app)));
    // Nobody refunds anything here: only a comparison lists refunds, and the first one may not.
    while stage.calls("GET", "/v1/refunds").await == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(stage.app.budgets.take(busy, environment, stage.app.env.now()).is_err());
}
