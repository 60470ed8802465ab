//! Keys and connections: what is shown once, what is refused, what is never shown.

use std::time::Duration;

use refundkit_sandbox::{DEV_SECRET_KEY, Fault, FaultRule, Method as StripeMethod};
use reqwest::Method;
use serde_json::json;

use crate::support::{Setting, Stage, send};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_shown_once_works_at_once_and_is_revoked_at_once() {
    let stage = Stage::new().await;
    let request = || {
        stage
            .request(Method::POST, "/v1/api-keys", &stage.admin_key)
            .header("Idempotency-Key", "k1")
            .json(&json!({ "name": "shop", "scope": "read" }))
    };
    let made = send(request()).await;
    let (id, key) = (made.data(201)["id"].as_str().unwrap(), made.data(201)["key"].as_str().unwrap());
    let repeat = send(request()).await;
    assert_eq!((&repeat.data(201)["id"], &repeat.data(201)["key"]), (&json!(id), &json!(null)));

    let me = send(stage.request(Method::GET, "/v1/me", key)).await;
    assert_eq!((&me.data(200)["scope"], &me.data(200)["environment"]), (&json!("read"), &json!("test")));
    stage.delete(&format!("/v1/api-keys/{id}")).await.data(200);
    send(stage.request(Method::GET, "/v1/me", key)).await.error(401, "invalid_api_key");
    let listed = stage.get("/v1/api-keys").await;
    assert!(!listed.body.to_string().contains(key), "{}", listed.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_admin_key_stays() {
    let stage = Stage::new().await;
    let id = stage.get("/v1/me").await.data(200)["keyId"].as_str().unwrap().to_owned();
    stage.delete(&format!("/v1/api-keys/{id}")).await.error(409, "conflict");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_are_told_what_they_are_and_never_repeated() {
    let stage = Stage::new().await;
    for (key, hint) in [
        ("sk_test_your_stripe_secret_key", "PUT /v1/processors/stripe"),
        ("rk_test_51HabcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "restricted keys begin with rk_"),
        ("nonsense", "rk_test_ or rk_live_"),
    ] {
        let refused = send(stage.request(Method::GET, "/v1/me", key)).await;
        let error = refused.error(401, "invalid_api_key");
        assert!(error["hint"].as_str().unwrap().contains(hint), "{error}");
        assert!(!refused.body.to_string().contains(key), "{}", refused.body);
        assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_taken_away_while_a_create_reads_its_charge_refunds_nothing() {
    let stage = Stage::new().await;
    // So that everything about the connection is remembered already.
    stage.create("ch_1N4HbSKz9cXRvFYr", 100).await.data(201);
    stage.fault(&FaultRule::once(StripeMethod::Get, "/v1/charges", Fault::Delay { ms: 2000 })).await;
    let (created, ()) = tokio::join!(stage.create("ch_1N4HbSKz9cXRvFYr", 200), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        stage.delete("/v1/processors/stripe").await.data(200);
    });
    created.error(422, "processor_not_connected");
    assert_eq!(stage.refunded_at_stripe("ch_1N4HbSKz9cXRvFYr").await, (100, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn stripe_keys_of_the_wrong_kind_are_refused_in_words_that_help() {
    let stage = Stage::with(Setting { connected: false, ..Setting::default() }).await;
    stage.create("ch_1N4HbSKz9cXRvFYr", 100).await.error(422, "processor_not_connected");
    for (key, status, code) in [
        ("pk_test_51HabcdefghijklmnopqrstuvwxyzABCDEF", 400, "validation_error"),
        ("sk_live_51HabcdefghijklmnopqrstuvwxyzABCDEF", 400, "environment_mismatch"),
        ("whsec_abcdefghijklmnopqrstuvwxyzABCDEF", 400, "validation_error"),
        (stage.admin_key.as_str(), 400, "validation_error"),
        ("sk_test_nobody_knows_this_key_1234", 422, "processor_error"),
        ("sk_test_sandbox_expired", 422, "processor_error"),
    ] {
        let asked = stage.asked_of_stripe().await.len();
        let refused = stage.put("/v1/processors/stripe", json!({ "secretKey": key })).await;
        refused.error(status, code);
        assert!(!refused.body.to_string().contains(key), "{}", refused.body);
        if status == 400 {
            assert_eq!(stage.asked_of_stripe().await.len(), asked, "nothing may be sent with {code}");
        }
    }
    let connected = stage.put("/v1/processors/stripe", json!({ "secretKey": DEV_SECRET_KEY })).await;
    let connection = connected.data(200);
    assert_eq!(connection["secretKeyHint"], "sk_test_…_key");
    assert_eq!(connection["status"], "active");
    assert!(!stage.get("/v1/processors").await.body.to_string().contains(DEV_SECRET_KEY));
    assert!(!stage.get("/v1/logs").await.body.to_string().contains(DEV_SECRET_KEY));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_of_unknown_outcome_keeps_its_account_too() {
    let stage = Stage::new().await;
    let lost = FaultRule { times: 3, ..FaultRule::once(StripeMethod::Post, "/v1/refunds", Fault::DropAfterEffect) };
    stage.fault(&lost).await;
    // Nothing looks for it while the account is changed.
    let unreadable =
        FaultRule { times: 50, ..FaultRule::once(StripeMethod::Get, "/v1/refunds", Fault::DropBeforeEffect) };
    let answer = stage.create("ch_1SandboxFirstRefund", 777).await;
    assert_eq!(answer.data(202)["stage"], "outcome_unknown");
    stage.fault(&unreadable).await;
    let other_account = json!({ "connect": { "account": refundkit_sandbox::DEV_CONNECTED_ACCOUNT } });
    // Either the new settings cannot read the charge, or Stripe does not answer: never are they taken.
    let refused = stage.put("/v1/processors/stripe", other_account).await;
    assert!(refused.status == 409 || refused.status == 502, "{}", refused.body);
    stage.control(Method::DELETE, "/_sandbox/faults", None).await;
    let id = answer.data(202)["id"].as_str().unwrap();
    stage.until(id, "completed").await;
    assert_eq!(stage.refunded_at_stripe("ch_1SandboxFirstRefund").await, (777, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnecting_waits_for_open_refunds_unless_forced_and_they_are_followed_all_the_same() {
    let stage = Stage::new().await;
    let answer = stage.create("py_1SandboxActionNeeded", 8000).await;
    let (id, external) =
        (answer.data(201)["id"].as_str().unwrap(), answer.data(201)["externalRefundId"].as_str().unwrap());
    stage.delete("/v1/processors/stripe").await.error(409, "conflict");
    assert_eq!(stage.delete("/v1/processors/stripe?force=true").await.data(200)["status"], "disconnected");
    stage.create("ch_1N4HbSKz9cXRvFYr", 100).await.error(422, "processor_not_connected");
    stage.control(Method::POST, &format!("/_sandbox/refunds/{external}/succeed"), None).await;
    stage.until(id, "completed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_account_cannot_replace_one_with_open_refunds() {
    let stage = Stage::new().await;
    stage.create("py_1SandboxActionNeeded", 8000).await.data(201);
    let other = json!({ "secret": "sk_test_other_account_key", "account": "acct_1Other" });
    stage.control(Method::POST, "/_sandbox/api_keys", Some(other)).await;
    let replace = json!({ "secretKey": "sk_test_other_account_key" });
    let refused = stage.put("/v1/processors/stripe", replace.clone()).await;
    assert!(refused.error(409, "conflict")["message"].as_str().unwrap().contains("another Stripe account"));
    // Newer refunds that were never sent do not hide the one that the key cannot read.
    let limited = Fault::RateLimit { retry_after: Some(600), reason: None };
    stage.fault(&FaultRule { times: 1000, ..FaultRule::once(StripeMethod::Post, "/v1/refunds", limited) }).await;
    for amount in 1..=12 {
        stage.create("ch_1N4HbSKz9cXRvFYr", amount).await.data(202);
    }
    stage.put("/v1/processors/stripe", replace.clone()).await.error(409, "conflict");
    let mut forced = replace;
    forced["force"] = json!(true);
    stage.put("/v1/processors/stripe", forced).await.data(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_are_told_when_to_come_back() {
    let stage = Stage::with(Setting { rate_limit: 10, connected: false, ..Setting::default() }).await;
    let mut refused = None;
    for _ in 0..15 {
        let answer = stage.get("/v1/me").await;
        if answer.status != 200 {
            refused = Some(answer);
        }
    }
    let refused = refused.unwrap();
    refused.error(429, "rate_limited");
    assert_eq!(refused.header("ratelimit-limit"), Some("10"));
    assert!(refused.header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_are_not_given_are_kept() {
    let stage = Stage::new().await;
    let account = json!({ "connect": { "account": "acct_1SandboxConnected" } });
    stage.put("/v1/processors/stripe", account).await.data(200);
    let answer = stage.put("/v1/processors/stripe", json!({ "connect": { "reverseTransfer": true } })).await;
    let connect = &answer.data(200)["connect"];
    assert_eq!(connect["account"], "acct_1SandboxConnected", "{connect}");
    assert_eq!(connect["reverseTransfer"], true, "{connect}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_pasted_anywhere_is_in_no_log_and_in_no_answer() {
    let stage = Stage::new().await;
    let secret = "sk_live_51HpastedInTheWrongPlace";
    let get = |path: String| stage.request(Method::GET, &path, &stage.admin_key);
    let post = |body| stage.request(Method::POST, "/v1/refunds", &stage.admin_key).json(&body);
    for request in [
        get(format!("/v1/refunds/{secret}")),
        get(format!("/v1/refunds?{secret}=1")),
        get(format!("/v1/refunds?status={secret}")),
        post(json!({ "transactionId": "ch_1", "reason": secret })),
        post(json!({ "transactionId": "ch_1", "reason": "other", secret: 1 })),
        post(json!({ "transactionId": "ch_1", "reason": "other", "metadata": { "note": secret } })),
        post(json!({ "transactionId": "ch_1", "reason": "other" })).header("Idempotency-Key", secret),
        get("/v1/me".to_owned()).header("RefundKit-Client", format!("sdk; {secret}; 1")),
    ] {
        let answer = send(request).await;
        assert!(!answer.body.to_string().contains(secret), "{}", answer.body);
    }
    let waited = std::time::Instant::now();
    loop {
        let log = stage.get("/v1/logs?limit=100").await.body.to_string();
        assert!(!log.contains(secret), "{log}");
        if log.matches("sk_live_***").count() >= 8 {
            break;
        }
        assert!(waited.elapsed().as_secs() < 10, "{log}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
