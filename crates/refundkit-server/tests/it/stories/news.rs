//! News from Stripe: believed when signed, followed by a look, harmless when they come twice, late, early or never.

use std::time::Duration;

use refundkit_sandbox::{Fault, FaultRule, Method as SandboxMethod};
use refundkit_server::limits;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Setting, Stage,
    stripe_webhooks::{SECRET, signature, snapshot, thin},
};

/// Real time: a completed refund is looked at a day later, so that what is seen now was seen because of news.
const REAL_TIME: u32 = 1;

async fn in_real_time() -> Stage {
    Stage::with(Setting { speedup: REAL_TIME, ..Setting::default() }).await
}

/// A stage whose connection believes what is signed with [`SECRET`].
async fn listening(speedup: u32) -> Stage {
    let stage = Stage::with(Setting { speedup, ..Setting::default() }).await;
    stage.save_webhook_secret(SECRET).await;
    stage
}

/// Makes a refund; answers its ids here and at Stripe.
async fn refunded(stage: &Stage, charge: &str, amount: i64) -> (String, String) {
    let answer = stage.create(charge, amount).await;
    let refund = answer.data(201);
    (refund["id"].as_str().unwrap().to_owned(), refund["externalRefundId"].as_str().unwrap().to_owned())
}

async fn at_stripe(stage: &Stage, external: &str) -> Value {
    stage.at_stripe(Method::GET, &format!("/v1/refunds/{external}"), "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_failure_is_known_at_once_when_stripe_tells() {
    let stage = in_real_time().await;
    stage.listen_to_stripe().await;
    let (id, _) = refunded(&stage, "ch_1SandboxFails", 7000).await;
    let failed = stage.until(&id, "failed").await;
    assert_eq!(failed["failure"]["code"], "expired_or_canceled_card");
    let (pending, _) = refunded(&stage, "ch_1SandboxPending", 6000).await;
    stage.until(&pending, "completed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_says_what_is_known_costs_no_call() {
    let stage = in_real_time().await;
    stage.listen_to_stripe().await;
    let before = stage.calls("GET", "/v1/refunds").await;
    refunded(&stage, "ch_1SandboxFirstRefund", 4200).await;
    // refund.created, charge.refunded, and refund.updated when the bank names its reference.
    stage.until_outcomes(&[("agrees", 3)]).await;
    assert_eq!((stage.calls("GET", "/v1/charges").await, stage.calls("POST", "/v1/refunds").await), (1, 1));
    assert_eq!(stage.calls("GET", "/v1/refunds").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_now_by_a_valid_secret_is_refused_and_changes_nothing() {
    let stage = listening(REAL_TIME).await;
    let (id, external) = refunded(&stage, "ch_1SandboxFirstRefund", 4200).await;
    stage.control(Method::POST, &format!("/_sandbox/refunds/{external}/fail"), None).await;
    let body = snapshot("evt_forged", "refund.failed", &at_stripe(&stage, &external).await).to_string();
    let (path, now) = (stage.webhook_path().await, stage.app.env.now().as_seconds());
    let right = signature(SECRET, &body, now);
    let large = format!("{body}{}", " ".repeat(1024 * 1024));
    let unknown = path.replace("conn_0", "conn_1");
    for (path, header, body, status, code) in [
        (&path, None, &body, 400, "validation_error"),
        (&path, Some("garbage".to_owned()), &body, 400, "validation_error"),
        (&path, Some(signature("whsec_anotherEndpointsSecret", &body, now)), &body, 400, "validation_error"),
        (&path, Some(signature(SECRET, &body, now - 301)), &body, 400, "validation_error"),
        (&path, Some(right.clone()), &body.replace("4200", "4201"), 400, "validation_error"),
        (&path, Some(signature(SECRET, "{}", now)), &"{}".to_owned(), 400, "validation_error"),
        (&path, Some(signature(SECRET, &large, now)), &large, 413, "request_too_large"),
        (&unknown, Some(right.clone()), &body, 404, "not_found"),
        (&"/webhooks/stripe/nonsense".to_owned(), Some(right.clone()), &body, 404, "not_found"),
        (&"/webhooks/stripe/%ff".to_owned(), Some(right.clone()), &body, 404, "not_found"),
    ] {
        stage.deliver(path, header.as_deref(), body.clone()).await.error(status, code);
    }
    assert_eq!(stage.outcomes().await, []);
    assert_eq!(stage.get(&format!("/v1/refunds/{id}")).await.data(200)["status"], "completed");
    // The same bytes, signed as they should be, and stamped five minutes ago.
    stage.deliver(&path, Some(&signature(SECRET, &body, now - 290)), body).await.data(200);
    stage.until(&id, "failed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_secret_nothing_is_believed() {
    let stage = in_real_time().await;
    let answer = stage.notify(&thin("evt_1", "v1.refund.updated", "re_1")).await;
    let error = answer.error(400, "validation_error");
    assert!(error["hint"].as_str().unwrap().contains("webhookSecret"), "{error}");
    for wrong in ["", "sk_test_4242424242424242", "whsec_short", "whsec_with a blank in it 4242"] {
        let answer = stage.put("/v1/processors/stripe", json!({ "webhookSecret": wrong })).await;
        assert_eq!(answer.error(400, "validation_error")["field"], "webhookSecret", "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_concern_us_is_recorded_and_means_nothing() {
    let stage = listening(REAL_TIME).await;
    let made = json!({ "charge": "ch_1N4HbSKz9cXRvFYr", "amount": 500 });
    let foreign = stage.control(Method::POST, "/_sandbox/refunds", Some(made)).await;
    let mut live = snapshot("evt_live", "refund.updated", &foreign);
    live["livemode"] = json!(true);
    let mut elsewhere = snapshot("evt_elsewhere", "refund.updated", &foreign);
    elsewhere["account"] = json!("acct_somebodyElse");
    let before = stage.asked_of_stripe().await.len();
    for event in [
        live,
        elsewhere,
        snapshot("evt_payout", "payout.paid", &json!({ "id": "po_1", "object": "payout" })),
        snapshot("evt_new", "invented.later", &json!({})),
        snapshot("evt_foreign", "refund.updated", &foreign),
        snapshot("evt_charge", "charge.refunded", &json!({ "id": "ch_1N4HbSKz9cXRvFYr", "object": "charge" })),
    ] {
        stage.notify(&event).await.data(200);
    }
    stage.until_outcomes(&[("foreign", 2), ("other_account", 1), ("other_mode", 1), ("unknown_type", 2)]).await;
    assert_eq!(stage.asked_of_stripe().await.len(), before);
    assert_eq!(stage.get("/v1/refunds").await.data(200), &json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_and_old_events_in_any_order_end_at_the_truth() {
    let stage = listening(REAL_TIME).await;
    let (id, external) = refunded(&stage, "ch_1SandboxFirstRefund", 4200).await;
    let created = snapshot("evt_created", "refund.created", &at_stripe(&stage, &external).await);
    stage.control(Method::POST, &format!("/_sandbox/refunds/{external}/fail"), None).await;
    let failed = snapshot("evt_failed", "refund.failed", &at_stripe(&stage, &external).await);
    let calls = stage.calls("GET", "/v1/refunds").await;
    for event in [&failed, &failed, &created, &failed, &created] {
        assert_eq!(stage.notify(event).await.data(200), &json!({ "received": true }));
    }
    stage.until(&id, "failed").await;
    assert_eq!(stage.outcomes().await.iter().map(|(_, count)| count).sum::<i64>(), 2, "each is kept once");
    assert_eq!(stage.calls("GET", "/v1/refunds").await, calls + 1, "one look for all of them");
    assert_eq!(stage.trail(&id).await, ["refund.created", "refund.completed", "refund.failed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_cannot_make_a_refund_what_stripe_does_not_say_it_is() {
    let stage = listening(REAL_TIME).await;
    let (id, external) = refunded(&stage, "ch_1SandboxFirstRefund", 4200).await;
    let mut lie = at_stripe(&stage, &external).await;
    lie["status"] = json!("failed");
    let calls = stage.calls("GET", "/v1/refunds").await;
    stage.notify(&snapshot("evt_lie", "refund.failed", &lie)).await.data(200);
    while stage.calls("GET", "/v1/refunds").await == calls {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(stage.get(&format!("/v1/refunds/{id}")).await.data(200)["status"], "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_news_of_one_refund_are_one_look_now_and_one_later() {
    // A minute becomes two seconds.
    let stage = listening(30).await;
    let (id, external) = refunded(&stage, "ch_1SandboxFirstRefund", 4200).await;
    let looks = stage.calls("GET", &format!("/v1/refunds/{external}")).await;
    stage.notify(&thin("evt_0", "v1.refund.updated", &external)).await.data(200);
    while stage.calls("GET", &format!("/v1/refunds/{external}")).await == looks {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stage.control(Method::POST, &format!("/_sandbox/refunds/{external}/fail"), None).await;
    for number in 1..20 {
        stage.notify(&thin(&format!("evt_{number}"), "v1.refund.updated", &external)).await.data(200);
    }
    // Put off, not forgotten.
    stage.until(&id, "failed").await;
    assert_eq!(stage.calls("GET", &format!("/v1/refunds/{external}")).await, looks + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thin_event_about_a_stranger_is_asked_about_once() {
    let stage = listening(30).await;
    let made = json!({ "charge": "ch_1N4HbSKz9cXRvFYr", "amount": 500 });
    let foreign = stage.control(Method::POST, "/_sandbox/refunds", Some(made)).await;
    let external = foreign["id"].as_str().unwrap();
    stage.notify(&thin("evt_1", "v1.refund.created", external)).await.data(200);
    stage.notify(&thin("evt_2", "v1.refund.created", "re_doesNotExist")).await.data(200);
    stage.until_outcomes(&[("foreign", 1), ("not_shown", 1)]).await;
    assert_eq!(stage.calls("GET", &format!("/v1/refunds/{external}")).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_rolled_without_losing_an_event() {
    let stage = listening(REAL_TIME).await;
    let shown = stage.get("/v1/processors").await.data(200)[0].clone();
    assert_eq!(shown["webhookSecretHint"], "whsec_…4242");
    assert!(!shown.to_string().contains(SECRET));
    let (path, now) = (stage.webhook_path().await, stage.app.env.now().as_seconds());
    let deliver = async |secret: &str, id: &str| {
        let body = thin(id, "v1.refund.updated", "re_1").to_string();
        stage.deliver(&path, Some(&signature(secret, &body, now)), body).await.status
    };
    let (second, third) = ("whsec_theSecondSigningSecret0002", "whsec_theThirdSigningSecret0003");
    stage.save_webhook_secret(second).await;
    assert_eq!((deliver(SECRET, "evt_1").await, deliver(second, "evt_2").await), (200, 200));
    // Saving it again rolls nothing.
    stage.save_webhook_secret(second).await;
    assert_eq!(deliver(SECRET, "evt_3").await, 200);
    stage.save_webhook_secret(third).await;
    // Replaced twice within a day: the first one keeps its day.
    assert_eq!(deliver(SECRET, "evt_4").await, 200);
    assert_eq!((deliver(second, "evt_5").await, deliver(third, "evt_6").await), (200, 200));
    // A key that is saved alone keeps all.
    stage.put("/v1/processors/stripe", json!({ "secretKey": refundkit_sandbox::DEV_SECRET_KEY })).await.data(200);
    assert_eq!((deliver(second, "evt_7").await, deliver(third, "evt_8").await), (200, 200));

    // A day later the replaced ones are worth nothing any more.
    stage.a_day_passes_for_replaced_secrets().await;
    assert_eq!((deliver(SECRET, "evt_9").await, deliver(second, "evt_10").await), (400, 400));
    assert_eq!(deliver(third, "evt_11").await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_replaced_secret_ends_early_however_often_it_is_replaced() {
    let stage = listening(REAL_TIME).await;
    let secrets: Vec<_> =
        (0..=limits::WEBHOOK_SECRETS_REPLACED_MAX).map(|n| format!("whsec_secretNumber{n:04}")).collect();
    let (last, allowed) = secrets.split_last().unwrap();
    for secret in allowed {
        stage.save_webhook_secret(secret).await;
    }
    let refused = stage.put("/v1/processors/stripe", json!({ "webhookSecret": last })).await;
    assert!(refused.error(409, "conflict")["hint"].as_str().unwrap().starts_with("Replace it after 2"));
    let (path, now) = (stage.webhook_path().await, stage.app.env.now().as_seconds());
    for (n, secret) in allowed.iter().map(String::as_str).chain([SECRET]).enumerate() {
        let body = thin(&format!("evt_{n}"), "v1.refund.updated", "re_1").to_string();
        assert_eq!(stage.deliver(&path, Some(&signature(secret, &body, now)), body).await.status, 200, "{secret}");
    }
    // One of them may come back, and is then not counted among the replaced.
    stage.save_webhook_secret(&secrets[0]).await;
    stage.put("/v1/processors/stripe", json!({ "webhookSecret": last })).await.error(409, "conflict");
    stage.a_day_passes_for_replaced_secrets().await;
    stage.save_webhook_secret(last).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_overtakes_our_own_commit_is_welcome_and_costs_nothing() {
    let stage =
        Stage::with(Setting { speedup: REAL_TIME, submit_deadline: Duration::from_millis(100), ..Setting::default() })
            .await;
    stage.listen_to_stripe().await;
    stage.fault(&FaultRule::once(SandboxMethod::Post, "/v1/refunds", Fault::Delay { ms: 1500 })).await;
    let before = stage.calls("GET", "/v1/refunds").await;
    let answer = stage.create("ch_1SandboxFirstRefund", 4200).await;
    let id = answer.data(202)["id"].as_str().unwrap().to_owned();
    stage.until_outcomes(&[("waiting", 2)]).await;
    stage.until(&id, "completed").await;
    stage.until_outcomes(&[("agrees", 3)]).await;
    assert_eq!(stage.calls("GET", "/v1/refunds").await, before);
    assert_eq!(stage.refunded_at_stripe("ch_1SandboxFirstRefund").await, (4200, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_ends_the_doubt_about_an_answer_that_was_lost() {
    let stage = in_real_time().await;
    stage.listen_to_stripe().await;
    // Every answer is lost, and every look for the refund fails for a while: the schedule alone would take its time.
    let rule = FaultRule::once(SandboxMethod::Post, "/v1/refunds", Fault::DropAfterEffect);
    stage.fault(&FaultRule { times: 3, ..rule }).await;
    let answer = stage.create("ch_1SandboxFirstRefund", 4200).await;
    assert_eq!(answer.data(202)["stage"], "outcome_unknown");
    stage.until(answer.data(202)["id"].as_str().unwrap(), "completed").await;
    assert_eq!(stage.refunded_at_stripe("ch_1SandboxFirstRefund").await, (4200, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn news_of_a_refund_that_our_books_have_as_failed_raise_a_contradiction() {
    let stage = listening(30).await;
    let (id, external) = refunded(&stage, "ch_1SandboxFirstRefund", 4200).await;
    stage.control(Method::POST, &format!("/_sandbox/refunds/{external}/fail"), None).await;
    stage.notify(&thin("evt_1", "v1.refund.failed", &external)).await.data(200);
    stage.until(&id, "failed").await;
    stage.control(Method::POST, &format!("/_sandbox/refunds/{external}/succeed"), None).await;
    let revived = snapshot("evt_2", "refund.updated", &at_stripe(&stage, &external).await);
    stage.notify(&revived).await.data(200);
    stage.until_outcomes(&[("look_wanted", 1), ("looked", 1)]).await;
    assert_eq!(stage.trail(&id).await.last().unwrap(), "refund.contradicted");
    assert_eq!(stage.get(&format!("/v1/refunds/{id}")).await.data(200)["status"], "failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_about_a_charge_has_its_open_refunds_looked_at() {
    let stage = listening(REAL_TIME).await;
    let (id, external) = refunded(&stage, "py_1SandboxActionNeeded", 8000).await;
    stage.control(Method::POST, &format!("/_sandbox/refunds/{external}/succeed"), None).await;
    let charge = json!({ "id": "py_1SandboxActionNeeded", "object": "charge", "amount_refunded": 8000 });
    stage.notify(&snapshot("evt_1", "charge.refunded", &charge)).await.data(200);
    stage.until(&id, "completed").await;
}
