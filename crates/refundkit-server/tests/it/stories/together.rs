//! Looks are made side by side: how many calls polling costs, and who makes room for whom.

use std::time::Duration;

use refundkit_sandbox::{Fault, FaultRule, Method as SandboxMethod};
use refundkit_server::store::{StoreError, connections, jobs, jobs::Look};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Setting, Stage};

const CHARGE: &str = "ch_1N4HbSKz9cXRvFYr";

/// In real time, so that nothing is looked at unless a story asks for it.
async fn stage() -> Stage {
    Stage::with(Setting { speedup: 1, ..Setting::default() }).await
}

/// Makes so many refunds; answers their ids here and at Stripe.
async fn refunds(stage: &Stage, count: i64) -> Vec<(String, String)> {
    let mut made = Vec::new();
    for amount in 1..=count {
        let answer = stage.create(CHARGE, amount).await;
        let text = |name: &str| answer.data(201)[name].as_str().unwrap().to_owned();
        made.push((text("id"), text("externalRefundId")));
    }
    made
}

/// Makes looks at all of them due at once.
async fn look_at_all(stage: &Stage, refunds: &[(String, String)]) {
    let ids: Vec<_> = refunds.iter().map(|(id, _)| id.parse().unwrap()).collect();
    let (tenant, now) = (stage.tenant().await, stage.app.env.now());
    let wanted = stage.app.store.write::<_, StoreError, _>(move |connection| {
        Box::pin(async move {
            for id in ids {
                assert!(jobs::want(connection, tenant, id, now, |asked_at| asked_at).await?);
            }
            Ok(())
        })
    });
    wanted.await.unwrap();
    stage.app.job_put.notify_one();
}

/// The calls that looked at refunds: lists bounded by time, and single ones.
async fn looks(stage: &Stage) -> (usize, usize) {
    let asked = stage.asked_of_stripe().await;
    let text = |request: &Value, name: &str| request[name].as_str().unwrap().to_owned();
    let is_list = |request: &&Value| {
        text(request, "path") == "/v1/refunds" && text(request, "query").contains("created%5Blte%5D")
    };
    let is_single =
        |request: &&Value| text(request, "method") == "GET" && text(request, "path").starts_with("/v1/refunds/");
    (asked.iter().filter(is_list).count(), asked.iter().filter(is_single).count())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_looks_are_one_call() {
    let stage = stage().await;
    let refunds = refunds(&stage, 100).await;
    let (id, external) = &refunds[37];
    stage.control(Method::POST, &format!("/_sandbox/refunds/{external}/fail"), None).await;
    look_at_all(&stage, &refunds).await;
    stage.until(id, "failed").await;
    assert_eq!(looks(&stage).await, (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn neighbours_that_are_due_soon_come_along_in_the_same_call() {
    let stage = stage().await;
    let refunds = refunds(&stage, 10).await;
    let (tenant, now) = (stage.tenant().await, stage.app.env.now());
    let soon: Vec<_> = refunds[1..].iter().map(|(id, _)| id.parse().unwrap()).collect();
    let followed = connections::list_followed(&mut stage.app.store.read().await.unwrap()).await.unwrap();
    let connection_id = followed[0].1;
    let put = stage.app.store.write::<_, StoreError, _>(move |connection| {
        Box::pin(async move {
            for refund_id in soon {
                let run_at = now.plus_millis(60 * 60 * 1000);
                let look = Look { refund_id, run_at, look_from: now, external_created_at: None };
                jobs::put_look(connection, tenant, connection_id, &look).await?;
            }
            Ok(())
        })
    });
    put.await.unwrap();
    let (neighbour, external) = &refunds[9];
    stage.control(Method::POST, &format!("/_sandbox/refunds/{external}/fail"), None).await;
    look_at_all(&stage, &refunds[..1]).await;
    stage.until(neighbour, "failed").await;
    assert_eq!(looks(&stage).await, (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn neighbours_that_were_just_looked_at_stay_where_they_are() {
    let stage = stage().await;
    let refunds = refunds(&stage, 10).await;
    look_at_all(&stage, &refunds[..1]).await;
    while looks(&stage).await != (0, 1) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn among_strangers_a_look_never_costs_more_than_a_call() {
    let stage = stage().await;
    let mut ours = Vec::new();
    for round in 0..4_i64 {
        ours.push(stage.create(CHARGE, 1000 + round).await.data(201).clone());
        // More refunds of others than a page holds lie between ours.
        stage.control(Method::POST, "/_sandbox/clock", Some(json!({ "advance_ms": 2000 }))).await;
        for _ in 0..120 {
            stage.control(Method::POST, "/_sandbox/refunds", Some(json!({ "charge": CHARGE, "amount": 1 }))).await;
        }
        stage.control(Method::POST, "/_sandbox/clock", Some(json!({ "advance_ms": 5000 }))).await;
    }
    let text = |refund: &Value, name: &str| refund[name].as_str().unwrap().to_owned();
    let refunds: Vec<_> = ours.iter().map(|refund| (text(refund, "id"), text(refund, "externalRefundId"))).collect();
    for (_, external) in &refunds {
        stage.control(Method::POST, &format!("/_sandbox/refunds/{external}/fail"), None).await;
    }
    look_at_all(&stage, &refunds).await;
    for (id, _) in &refunds {
        stage.until(id, "failed").await;
    }
    let (lists, single) = looks(&stage).await;
    assert!(lists + single <= refunds.len(), "{lists} lists and {single} single looks for {}", refunds.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_cannot_be_read_loses_nothing() {
    let stage = stage().await;
    let refunds = refunds(&stage, 3).await;
    // The list cannot be read this time.
    stage.fault(&FaultRule::once(SandboxMethod::Get, "/v1/refunds", Fault::Unreadable)).await;
    let (id, external) = &refunds[1];
    stage.control(Method::POST, &format!("/_sandbox/refunds/{external}/fail"), None).await;
    look_at_all(&stage, &refunds).await;
    while looks(&stage).await == (0, 0) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Not lost: it comes again, here because somebody asks for it.
    look_at_all(&stage, &refunds).await;
    stage.until(id, "failed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn looks_yield_to_429_creates_do_not_wait_for_them_and_nothing_is_lost() {
    let stage = stage().await;
    let refunds = refunds(&stage, 5).await;
    let (id, external) = &refunds[2];
    stage.control(Method::POST, &format!("/_sandbox/refunds/{external}/fail"), None).await;
    let limited = Fault::RateLimit { retry_after: Some(1), reason: Some("global-rate".to_owned()) };
    stage.fault(&FaultRule { times: 1, ..FaultRule::once(SandboxMethod::Get, "/v1/refunds", limited) }).await;
    look_at_all(&stage, &refunds).await;
    while looks(&stage).await == (0, 0) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // While the background keeps quiet, a create goes through.
    stage.create("ch_1SandboxFirstRefund", 4200).await.data(201);
    assert_eq!(looks(&stage).await, (1, 0), "it was not asked again at once");
    stage.until(id, "failed").await;
    assert_eq!(looks(&stage).await, (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_is_used_up_delays_looks_and_loses_none() {
    let stage = Stage::with(Setting { speedup: 1, stripe_rate: Some(1), ..Setting::default() }).await;
    // Far apart, so that each look is a call.
    let mut refunds = Vec::new();
    for charge in ["ch_1SandboxFirstRefund", "ch_1SandboxYen", "ch_1SandboxDinar"] {
        let answer = stage.create(charge, 100).await;
        let text = |name: &str| answer.data(201)[name].as_str().unwrap().to_owned();
        refunds.push((text("id"), text("externalRefundId")));
        for _ in 0..101 {
            stage.control(Method::POST, "/_sandbox/refunds", Some(json!({ "charge": CHARGE, "amount": 1 }))).await;
        }
        stage.control(Method::POST, "/_sandbox/clock", Some(json!({ "advance_ms": 5000 }))).await;
    }
    for (_, external) in &refunds {
        stage.control(Method::POST, &format!("/_sandbox/refunds/{external}/fail"), None).await;
    }
    look_at_all(&stage, &refunds).await;
    for (id, _) in &refunds {
        stage.until(id, "failed").await;
    }
}
