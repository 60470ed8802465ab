//! What the owner sets: how much members refund, and when a second refund is a repeat.

use refundkit::operations::{CheckPolicy, CreateRefund};
use refundkit_server::{caller::Role, error::Error, operations::UpdateOrganization};
use serde_json::{Value, json};

use super::visitor::{OWNER, Visitor};
use crate::support::Stage;

const CHARGE: &str = "ch_1N4HbSKz9cXRvFYr";

fn refund(amount: i64) -> Value {
    json!({ "transactionId": CHARGE, "amount": amount, "reason": "other" })
}

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, Error>, words: &str) {
    let error = answer.unwrap_err();
    assert_eq!(error.code().as_str(), "unauthorized", "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_refunds_up_to_the_owners_limit_in_one_refund_or_in_several() {
    let stage = Stage::new().await;
    let bob = stage.member(Role::Member).await;
    refused(stage.ask::<CreateRefund>(&bob, refund(100)).await, "Members cannot refund in USD");
    let none = stage.ask::<CheckPolicy>(&bob, json!({ "transactionId": CHARGE })).await.unwrap();
    assert_eq!((none.eligible, none.max_amount), (false, 0), "{none:?}");

    let ada = Visitor::signed_in(&stage, OWNER).await;
    let wrong = ada.post("/settings/organization/limits", &[("currency", "USD"), ("amount", "20,000")]).await;
    wrong.has(400, &["value=\"20,000\"", "value=\"USD\""]).wrong("amount");
    let wrong = ada.post("/settings/organization/limits", &[("currency", "dollar"), ("amount", "20")]).await;
    wrong.has(400, &[]).wrong("currency");
    let set = ada.post("/settings/organization/limits", &[("currency", "USD"), ("amount", "$20,00")]).await;
    set.leads_to("/settings/organization?notice=limit");
    ada.get("/settings/organization").await.has(200, &["20.00 USD"]);

    let some = stage.ask::<CheckPolicy>(&bob, json!({ "transactionId": CHARGE })).await.unwrap();
    assert_eq!((some.eligible, some.max_amount), (true, 2000), "{some:?}");
    refused(stage.ask::<CreateRefund>(&bob, refund(2001)).await, "at most 20.00 USD of one payment");
    stage.ask::<CreateRefund>(&bob, refund(1500)).await.unwrap();
    refused(stage.ask::<CreateRefund>(&bob, refund(501)).await, "you refunded 15.00 USD");
    // What others refund does not count, and has no such limit.
    let amy = stage.member(Role::Admin).await;
    stage.ask::<CreateRefund>(&amy, refund(2100)).await.unwrap();
    stage.ask::<CreateRefund>(&bob, refund(500)).await.unwrap();
    refused(stage.ask::<CreateRefund>(&bob, refund(1)).await, "you refunded 20.00 USD");

    ada.post("/settings/organization/limits/remove", &[("remove", "usd")])
        .await
        .leads_to("/settings/organization?notice=removed");
    refused(stage.ask::<CreateRefund>(&bob, refund(1)).await, "the owner has set no limit");
    stage.create(CHARGE, 300).await.data(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_that_a_member_asks_for_at_once_stay_within_the_limit_together() {
    let stage = Stage::new().await;
    let owner = stage.member(Role::Owner).await;
    let bob = stage.member(Role::Member).await;
    let limits = json!({ "memberLimits": { "usd": 1000 } });
    stage.ask::<UpdateOrganization>(&owner, limits).await.unwrap();
    let answers =
        futures_util::future::join_all((0..8).map(|n| stage.ask::<CreateRefund>(&bob, refund(300 + n)))).await;
    let made: i64 = answers.iter().flatten().map(|refund| refund.amount.minor()).sum();
    assert!((900..=1000).contains(&made), "{answers:?}");
    assert_eq!(stage.refunded_at_stripe(CHARGE).await.0, made);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_duplicate_window_is_the_organizations() {
    let stage = Stage::new().await;
    let ada = Visitor::signed_in(&stage, OWNER).await;
    let id = stage.create(CHARGE, 100).await.data(201)["id"].as_str().unwrap().to_owned();
    stage.until(&id, "completed").await;
    stage.create(CHARGE, 100).await.error(409, "refund_already_processed");
    let save = async |hours: &str| {
        ada.post("/settings/organization", &[("name", "Acme Ltd"), ("duplicateWindowHours", hours)]).await
    };
    for wrong in ["721", "-1", "a day", "1.5", ""] {
        let page = save(wrong).await;
        page.has(400, &["Acme Ltd"]).wrong("duplicateWindowHours");
    }
    save("0").await.leads_to("/settings/organization?notice=saved");
    ada.get("/settings/organization").await.has(200, &["Acme Ltd"]);
    stage.create(CHARGE, 100).await.data(201);
    save("24").await.leads_to("/settings/organization?notice=saved");
    stage.create(CHARGE, 100).await.error(409, "refund_already_processed");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_set_by_currency_and_others_stay() {
    let stage = Stage::new().await;
    let owner = stage.member(Role::Owner).await;
    let set = async |limits: Value| stage.ask::<UpdateOrganization>(&owner, json!({ "memberLimits": limits })).await;
    set(json!({ "usd": 1000, "EUR": 2000 })).await.unwrap();
    let after = set(json!({ "usd": 0, "jpy": 500 })).await.unwrap();
    let after: Vec<_> =
        after.member_limits.iter().map(|(currency, limit)| (currency.as_str(), limit.minor())).collect();
    assert_eq!(after, [("eur", 2000), ("jpy", 500)]);
    let error = set(json!({ "usd": -1 })).await.unwrap_err();
    assert_eq!(error.field_name(), Some("memberLimits.usd"));
}
