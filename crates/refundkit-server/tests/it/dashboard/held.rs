//! Requests that somebody holds open to act later, as what they no longer are.

use refundkit::{
    ErrorCode,
    operations::{CreateApiKey, CreateRefund},
};
use refundkit_server::caller::{Caller, Role};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{
    people::id_of,
    visitor::{OWNER, Visitor},
};
use crate::support::Stage;

/// The idempotency key of a form.
const KEY: &str = "dashboard-0123456789abcdef0123456789abcdef";

/// Sends the head of a form and the first bytes of it, does something else, sends the rest, and reads the answer.
async fn hold(stage: &Stage, who: &Visitor<'_>, path: &str, fields: &[(&str, &str)], meanwhile: impl Future) -> String {
    let (head, form) = who.head_of_form(path, fields);
    let (first, rest) = form.split_at(form.len() / 2);
    let mut stream = TcpStream::connect(stage.url.strip_prefix("http://").unwrap()).await.unwrap();
    stream.write_all(format!("{head}{first}").as_bytes()).await.unwrap();
    meanwhile.await;
    stream.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_while_a_form_is_held_back_is_nobody_when_it_arrives() {
    let stage = Stage::new().await;
    let ada = Visitor::signed_in(&stage, OWNER).await;
    let amy = Visitor::of_role(&stage, Role::Admin).await;
    let id = id_of(&stage, "admin@acme.example").await;
    let fields = [("environment", "test"), ("name", "Amy's way back"), ("scope", "admin"), ("idempotencyKey", KEY)];
    let answer = hold(&stage, &amy, "/settings/api-keys", &fields, async {
        ada.get("/settings/team").await.has(200, &[]);
        ada.post(&format!("/settings/team/{id}/remove"), &[]).await.leads_to("/settings/team?notice=removed");
    });
    let answer = answer.await;
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("You were signed out meanwhile."), "{answer}");
    let keys = stage.get("/v1/api-keys").await.data(200).to_string();
    assert!(!keys.contains("way back"), "{keys}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_asks_who_somebody_is_by_now_and_not_who_it_was() {
    let stage = Stage::new().await;
    let ada = Visitor::signed_in(&stage, OWNER).await;
    // Both were admins when they came, and their requests are still on their way.
    let (removed, demoted) = (stage.member(Role::Admin).await, stage.member(Role::Admin).await);
    let id = |caller: &Caller| caller.user().unwrap().0;
    ada.post(&format!("/settings/team/{}/remove", id(&removed)), &[]).await.leads_to("/settings/team?notice=removed");
    let role = format!("/settings/team/{}/role", id(&demoted));
    ada.post(&role, &[("role", "member")]).await.leads_to("/settings/team?notice=role");

    let refund = json!({ "transactionId": "ch_1N4HbSKz9cXRvFYr", "amount": 100, "reason": "other" });
    let key = json!({ "name": "a way back", "scope": "admin" });
    for (caller, words) in [(&removed, "no longer a member"), (&demoted, "Members cannot refund in USD")] {
        let error = stage.ask::<CreateRefund>(caller, refund.clone()).await.unwrap_err();
        assert!(error.code() == ErrorCode::Unauthorized && error.to_string().contains(words), "{error}");
    }
    for (caller, words) in [(&removed, "no longer a member"), (&demoted, "you are member")] {
        let error = stage.ask::<CreateApiKey>(caller, key.clone()).await.unwrap_err();
        assert!(error.code() == ErrorCode::Unauthorized && error.to_string().contains(words), "{error}");
    }
    assert_eq!(stage.refunded_at_stripe("ch_1N4HbSKz9cXRvFYr").await.0, 0);
}
