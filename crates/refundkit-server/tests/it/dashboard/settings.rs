//! The settings: Stripe is connected and taken away, keys are made and revoked, and the log is read.

use std::time::{Duration, Instant};

use refundkit::Environment;
use refundkit_sandbox::{DEV_EXPIRED_KEY, DEV_READ_ONLY_KEY, DEV_SECRET_KEY};
use refundkit_server::caller::Role;
use serde_json::{Value, json};

use super::browser::Browser;
use crate::support::{Setting, Stage, stripe_webhooks};

const STRIPE: &str = "/settings/processors/stripe";
const PATIENCE: Duration = Duration::from_secs(20);

/// An idempotency key as forms have it.
const KEY: &str = "dashboard-0123456789abcdef0123456789abcdef";

async fn unconnected() -> Stage {
    Stage::with(Setting { connected: false, ..Setting::default() }).await
}

async fn connections(stage: &Stage) -> Value {
    stage.get("/v1/processors").await.data(200).clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn stripe_is_connected_replaced_tested_and_disconnected() {
    let stage = unconnected().await;
    let owner = Browser::of(&stage, Role::Owner).await;
    owner.get("/settings/processors").await.has(
        200,
        &["Connect Stripe", "Charges and Refunds: Write", "permissions%5B%5D=rak_charge_write", "name=\"secretKey\""],
    );
    let page = owner.done(STRIPE, &[("secretKey", DEV_SECRET_KEY), ("webhookSecret", "")]).await;
    page.has(200, &["Stripe is connected", "RefundKit Sandbox", "sk_test_…_key", "/webhooks/stripe/conn_"]);
    page.has_not(&[DEV_SECRET_KEY, "lacks permissions"]);

    let page = owner.done(STRIPE, &[("secretKey", DEV_READ_ONLY_KEY)]).await;
    page.has(
        200,
        &["rk_test_…only", "lacks permissions", "Charges and Refunds: Write", "<code>rak_charge_write</code>"],
    );
    page.has_not(&[DEV_READ_ONLY_KEY, "PaymentIntents: Read"]);
    // The right was given meanwhile: a test finds that out.
    let whole = json!({ "secret": DEV_READ_ONLY_KEY, "account": connections(&stage).await[0]["account"]
        .as_str().unwrap_or(refundkit_sandbox::DEV_ACCOUNT) });
    stage.control(reqwest::Method::POST, "/_sandbox/api_keys", Some(whole)).await;
    owner.done("/settings/processors/stripe/test", &[]).await.has(200, &["accepts the key"]).has_not(&["lacks perm"]);

    let settings = [("account", "acct_1SandboxConnected"), ("reverseTransfer", "false")];
    owner.done("/settings/processors/stripe/connect", &settings).await.has(200, &["acct_1SandboxConnected"]);
    // Emptied, the account is taken away; what else was chosen stays.
    let page = owner.done("/settings/processors/stripe/connect", &[("account", ""), ("reverseTransfer", "")]).await;
    page.has(200, &["<option value=\"false\" selected>No: the platform pays</option>"]);
    page.has_not(&["acct_1SandboxConnected"]);
    assert_eq!(connections(&stage).await[0]["connect"]["reverseTransfer"], false);

    owner.done("/settings/processors/stripe/disconnect", &[]).await.has(200, &["was disconnected", "Connect Stripe"]);
    assert_eq!(connections(&stage).await[0]["status"], "disconnected");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_fails_is_explained_beside_the_field_and_kept_nowhere() {
    let stage = unconnected().await;
    let owner = Browser::of(&stage, Role::Owner).await;
    let live = "sk_live_51HabcdefghijklmnopqrstuvwxYZ";
    for (key, status, words) in [
        (DEV_EXPIRED_KEY, 422, "Expired API Key provided"),
        ("sk_test_51HnobodyKnowsThisKeyAtAll", 422, "Invalid API Key provided"),
        (live, 400, "is a live key, but the environment is test"),
        ("pk_test_51Habcdefghijkl", 400, "publishable key"),
        ("whsec_abcdefghijklmnop", 400, "webhook signing secret"),
        ("", 400, "is empty"),
        (&stage.admin_key, 400, "a key of RefundKit"),
    ] {
        let page = owner.post(STRIPE, &[("secretKey", key)]).await;
        assert!(page.has(status, &["Connect Stripe"]).wrong("secretKey").contains(words), "{}", page.text);
        assert!(key.is_empty() || !page.text.contains(key), "{}", page.text);
    }
    let page = owner.post(STRIPE, &[("secretKey", DEV_SECRET_KEY), ("webhookSecret", "whsec_short")]).await;
    assert!(page.has(400, &[]).wrong("webhookSecret").contains("not a signing secret"), "{}", page.text);
    page.has_not(&["whsec_short"]);
    assert_eq!(connections(&stage).await, json!([]), "nothing was saved");
    until_logged(&stage, "connect_stripe", 8).await;
    let log = stage.get("/v1/logs?limit=100").await.body.to_string();
    for secret in [DEV_EXPIRED_KEY, live, DEV_SECRET_KEY, &stage.admin_key] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnecting_with_open_refunds_asks_again() {
    let stage = Stage::new().await;
    let owner = Browser::of(&stage, Role::Owner).await;
    let made = stage.create("py_1SandboxActionNeeded", 100).await;
    assert!(made.status < 300, "{}", made.body);
    let disconnect = "/settings/processors/stripe/disconnect";
    owner.get("/settings/processors").await.has(200, &["Disconnect"]).has_not(&["name=\"force\""]);
    let page = owner.post(disconnect, &[]).await;
    page.has(409, &["still open", "name=\"force\"", "<details class=\"card\" open>"]);
    assert_eq!(connections(&stage).await[0]["status"], "active");
    owner.done(disconnect, &[("force", "true")]).await.has(200, &["was disconnected"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_account_is_taken_only_when_somebody_insists() {
    let stage = Stage::new().await;
    let owner = Browser::of(&stage, Role::Owner).await;
    let made = stage.create("py_1SandboxActionNeeded", 100).await;
    assert!(made.status < 300, "{}", made.body);
    let other = "sk_test_other_account_key";
    let known = json!({ "secret": other, "account": "acct_1Other" });
    stage.control(reqwest::Method::POST, "/_sandbox/api_keys", Some(known)).await;
    let page = owner.post(STRIPE, &[("secretKey", other)]).await;
    page.has(409, &["another Stripe account", "name=\"force\""]).has_not(&[other]);
    owner.done(STRIPE, &[("secretKey", other), ("force", "true")]).await.has(200, &["acct_1Other"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_sees_the_connection_and_changes_nothing() {
    let stage = Stage::new().await;
    let member = Browser::of(&stage, Role::Member).await;
    let page = member.get("/settings/processors").await;
    page.has(200, &["sk_test_…_key", "An admin or owner"]).has_not(&["name=\"secretKey\"", "Disconnect"]);
    for (path, fields) in [
        (STRIPE, &[("secretKey", DEV_SECRET_KEY)][..]),
        ("/settings/processors/stripe/test", &[]),
        ("/settings/processors/stripe/disconnect", &[]),
        ("/settings/processors/stripe/webhook-secret", &[("webhookSecret", stripe_webhooks::SECRET)]),
        ("/settings/api-keys", &[("name", "mine"), ("scope", "read"), ("idempotencyKey", KEY)]),
    ] {
        member.post(path, fields).await.has(403, &["Only an admin or owner"]);
    }
    for path in ["/settings/api-keys", "/logs", "/logs/req_00000000000000000000000000"] {
        member.get(path).await.has(403, &["Only an admin or owner"]);
    }
    assert_eq!(connections(&stage).await[0]["status"], "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_form_does_nothing() {
    let stage = Stage::new().await;
    let owner = Browser::of(&stage, Role::Owner).await;
    let path = "/settings/processors/stripe/disconnect";
    let forged = |name, value| owner.form(path, &[("force", "true")]).header(name, value);
    for request in [
        forged("sec-fetch-site", "cross-site"),
        forged("origin", "https://evil.example"),
        owner.form(path, &[("force", "true")]),
    ] {
        owner.send(request).await.has(403, &["did not come from a page of this server"]);
    }
    owner.post_in("live", path, &[("force", "true")]).await.has(400, &["belongs to the live environment"]);
    assert_eq!(connections(&stage).await[0]["status"], "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_shown_as_they_arrive_while_somebody_is_signed_in() {
    let stage = Stage::new().await;
    let owner = Browser::of(&stage, Role::Owner).await;
    owner.get("/settings/processors").await.has(200, &["refused until the signing secret is saved"]);
    let path = "/settings/processors/stripe/webhook-secret";
    let page = owner.done(path, &[("webhookSecret", stripe_webhooks::SECRET)]).await;
    page.has(200, &["whsec_…4242", "hx-sse:connect=\"/settings/processors/live\"", "No event has arrived yet"]);

    let mut live = owner.open("/settings/processors/live").await;
    assert_eq!(live.headers()["content-type"], "text/event-stream");
    let refund = json!({ "id": "re_1Foreign", "object": "refund", "status": "succeeded", "metadata": {} });
    let mut told = String::new();
    until(&mut live, &mut told, "No event has arrived yet").await;
    stage.notify(&stripe_webhooks::snapshot("evt_1", "refund.updated", &refund)).await.data(200);
    until(&mut live, &mut told, "refund.updated").await;

    // Somebody who signs out sees no more, here and in no new stream.
    owner.post("/logout", &[]).await.has(303, &[]);
    until(&mut live, &mut told, "event: ended").await;
    owner.get("/settings/processors/live").await.has(200, &["event: ended"]).has_not(&["refund.updated"]);
}

/// Reads a stream until these words were in it.
async fn until(live: &mut reqwest::Response, told: &mut String, words: &str) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !told.contains(words) {
            let piece = live.chunk().await.unwrap().unwrap_or_else(|| panic!("it ended without '{words}': {told}"));
            told.push_str(&String::from_utf8_lossy(&piece));
        }
    });
    waited.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_shown_once_and_a_reload_makes_no_second() {
    let stage = Stage::new().await;
    let owner = Browser::of(&stage, Role::Owner).await;
    let page = owner.get("/settings/api-keys").await;
    let form_key = page.has(200, &["name=\"name\"", "name=\"scope\""]).value("idempotencyKey").to_owned();
    let fields = [("name", "Support agent"), ("scope", "write"), ("idempotencyKey", form_key.as_str())];
    let page = owner.post("/settings/api-keys", &fields).await;
    let key = page.has(200, &["shown this once"]).text.split_once("export REFUNDKIT_API_KEY=").unwrap().1;
    let key = key.split('<').next().unwrap();
    assert_ne!(page.value("idempotencyKey").to_owned(), form_key, "the next form makes another key");
    let me = crate::support::send(stage.request(reqwest::Method::GET, "/v1/me", key)).await;
    assert_eq!(me.data(200)["scope"], "write");

    owner.post("/settings/api-keys", &fields).await.has(200, &["No second key was made"]).has_not(&[key]);
    owner.get("/settings/api-keys").await.has(200, &["Support agent", &key[..16]]).has_not(&[key]);
    let keys = stage.get("/v1/api-keys").await.data(200).clone();
    assert_eq!(keys.as_array().unwrap().iter().filter(|key| key["name"] == "Support agent").count(), 1);

    let changed = [("name", "Another"), ("scope", "write"), ("idempotencyKey", form_key.as_str())];
    owner.post("/settings/api-keys", &changed).await.has(422, &["was used for another request", "value=\"Another\""]);
    for foreign in ["", "k2", "dashboard-1", "a-program's-own-key", &form_key.replace("dashboard-", "dashboard_")] {
        let fields = [("name", "Foreign"), ("scope", "read"), ("idempotencyKey", foreign)];
        owner.post("/settings/api-keys", &fields).await.has(400, &["No key was made"]);
    }
    let nameless = [("name", ""), ("scope", "read"), ("idempotencyKey", KEY)];
    let page = owner.post("/settings/api-keys", &nameless).await;
    assert!(page.has(400, &["<option value=\"read\" selected>"]).wrong("name").contains("1 to 100"), "{}", page.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_revoked_after_a_question_and_the_last_admin_key_is_not() {
    let stage = Stage::new().await;
    let owner = Browser::of(&stage, Role::Owner).await;
    let doomed = stage.key("read").await;
    let keys = stage.get("/v1/api-keys").await.data(200).clone();
    let id = |scope: &str| {
        let found = keys.as_array().unwrap().iter().find(|key| key["scope"] == scope).unwrap();
        format!("/settings/api-keys/{}/revoke", found["id"].as_str().unwrap())
    };
    owner.get(&id("read")).await.has(200, &["Revoke read?", "Revoke the key"]);
    owner.done(&id("read"), &[]).await.has(200, &["The key is revoked"]);
    let me = crate::support::send(stage.request(reqwest::Method::GET, "/v1/me", &doomed)).await;
    me.error(401, "invalid_api_key");
    owner.get(&id("read")).await.has(404, &[]);
    owner.post(&id("admin"), &[]).await.has(409, &["the last admin key", "Make another admin key first"]);
    owner.get("/settings/api-keys/nothing/revoke").await.has(404, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_filtered_and_shows_a_call_in_full() {
    let stage = Stage::new().await;
    let owner = Browser::of(&stage, Role::Owner).await;
    stage.get("/v1/refunds/ref_00000000000000000000000000").await.error(404, "not_found");
    let made = stage.create("ch_1SandboxFirstRefund", 100).await;
    let refund = made.data(201)["id"].as_str().unwrap().to_owned();
    stage.get(&format!("/v1/refunds/{refund}")).await.data(200);
    owner.done(STRIPE, &[("secretKey", DEV_SECRET_KEY)]).await;
    until_logged(&stage, "connect_stripe", 2).await;

    let all = owner.get("/logs").await;
    all.has(200, &["create_refund", "get_refund", "owner@acme.example", "Dashboard", "not_found"]);
    let errors = owner.get("/logs?onlyErrors=true&operation=&through=").await;
    errors.has(200, &["404", "<a href=\"/logs/req_"]).has_not(&[">create_refund</a>"]);
    let people = owner.get("/logs?through=dashboard").await;
    people.has(200, &[">connect_stripe</a>"]).has_not(&[">get_refund</a>"]);
    owner.get("/logs?operation=cancel_refund").await.has(200, &["No such call", "Clear"]);

    stage.create("ch_1SandboxFirstRefund", 100).await.error(409, "refund_already_processed");
    until_logged(&stage, "create_refund", 2).await;
    let entries = stage.get("/v1/logs?limit=100").await.data(200).clone();
    let find = |operation: &str, status: u16| {
        let entries = entries.as_array().unwrap();
        let found = entries.iter().find(|entry| entry["operation"] == operation && entry["status"] == status);
        format!("/logs/{}", found.unwrap()["id"].as_str().unwrap())
    };
    owner.get(&find("get_refund", 200)).await.has(200, &[&format!("href=\"/refunds/{refund}\"")]);
    let call = owner.get(&find("connect_stripe", 200)).await;
    call.has(200, &["***", "PUT "]).has_not(&[DEV_SECRET_KEY, "/refunds/ref_"]);
    let its_refund = format!("href=\"/refunds/{refund}\"");
    owner.get(&find("create_refund", 201)).await.has(200, &["&#34;amount&#34;: 100", &its_refund]);
    owner.get(&find("create_refund", 409)).await.has(200, &[&its_refund]);
    owner.get("/logs/nothing").await.has(404, &[]);

    // What happens in one environment is not seen in the other.
    let live = [("switchTo", "live"), ("next", "/logs")];
    owner.post("/environment", &live).await.has(303, &[]);
    owner.get("/logs").await.has(200, &["No call yet"]).has_not(&["create_refund</a>"]);
    owner.get(&find("create_refund", 201)).await.has(404, &[]);
    assert_eq!(stage.tenant().await.environment, Environment::Test);
}

/// Waits until the log, which is written behind the answers, has so many calls of an operation.
async fn until_logged(stage: &Stage, operation: &str, calls: usize) {
    let waited = Instant::now();
    loop {
        let entries = stage.get("/v1/logs?limit=100").await.data(200).clone();
        let found = entries.as_array().unwrap().iter().filter(|entry| entry["operation"] == operation).count();
        if found >= calls {
            return;
        }
        assert!(waited.elapsed() < PATIENCE, "{entries}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
