//! The worlds a sandbox begins with, and the model as plain data.

use refundkit_sandbox::{DEV_CHARGES, DEV_READ_ONLY_KEY, DEV_SECRET_KEY, Method, Model, Request, World};

use crate::support::{CHARGE, START_MS, json, stripe};

#[test]
fn every_charge_of_the_development_world_is_what_its_row_says() {
    let mut stripe = stripe();
    for charge in DEV_CHARGES {
        let path = if charge.id.starts_with("pi_") { "payment_intents" } else { "charges" };
        let object = stripe.read(&format!("/v1/{path}/{}", charge.id));
        assert_eq!(object["amount"], charge.amount, "{}", charge.id);
        assert_eq!(object["currency"], charge.currency, "{}", charge.id);
        assert!(!charge.shows.is_empty());
    }
    assert_eq!(DEV_CHARGES[0].id, CHARGE);
    assert_eq!(stripe.key, "sk_test_your_stripe_secret_key");
}

#[test]
fn the_refundable_charges_refund_and_the_others_do_not() {
    for charge in DEV_CHARGES {
        let param = if charge.id.starts_with("pi_") { "payment_intent" } else { "charge" };
        let status = stripe().post("/v1/refunds", &format!("{param}={}", charge.id)).status;
        let refused = ["pi_1SandboxUnpaid", "pi_1SandboxUncaptured", "ch_1SandboxDisputed"].contains(&charge.id);
        assert_eq!(status, if refused { 400 } else { 200 }, "{}", charge.id);
    }
}

#[test]
fn the_empty_world_has_keys_and_no_payments() {
    let mut model = World::Empty.build(1, START_MS);
    for key in [DEV_SECRET_KEY, DEV_READ_ONLY_KEY] {
        let request = Request::new(Method::Get, "/v1/charges", "").with_api_key(key);
        assert_eq!(json(&model.apply(&request, START_MS))["data"].as_array().unwrap().len(), 0);
    }
}

#[test]
fn a_model_read_back_goes_on_exactly_like_the_original() {
    let mut stripe = stripe();
    stripe.make("/v1/webhook_endpoints", "url=http://127.0.0.1:9/&enabled_events[]=*");
    stripe.post_once("/v1/refunds", "charge=ch_1SandboxPending&amount=100", "K");
    let saved = serde_json::to_string(&stripe.model).unwrap();
    let mut copy: Model = serde_json::from_str(&saved).unwrap();
    assert_eq!(serde_json::to_string(&copy).unwrap(), saved);
    let later_ms = START_MS + 6_000;
    stripe.model.advance(later_ms);
    copy.advance(later_ms);
    let replay =
        stripe.request(Method::Post, "/v1/refunds", "charge=ch_1SandboxPending&amount=100").with_idempotency_key("K");
    assert_eq!(stripe.model.apply(&replay, later_ms), copy.apply(&replay, later_ms));
    assert_eq!(stripe.model.take_due_deliveries(later_ms), copy.take_due_deliveries(later_ms));
    assert_eq!(serde_json::to_string(&stripe.model).unwrap(), serde_json::to_string(&copy).unwrap());
}

#[test]
fn the_clock_can_be_moved_and_delays_changed() {
    let mut stripe = stripe();
    stripe.control("/_sandbox/settings", "{\"refund_delay_ms\":100000}");
    let refund = stripe.make("/v1/refunds", "charge=ch_1SandboxPending");
    stripe.control("/_sandbox/clock", "{\"advance_ms\":99999}");
    let path = format!("/v1/refunds/{}", refund["id"].as_str().unwrap());
    assert_eq!(stripe.read(&path)["status"], "pending");
    stripe.control("/_sandbox/clock", "{\"advance_ms\":1}");
    assert_eq!(stripe.read(&path)["status"], "succeeded");
}

#[test]
fn the_log_and_the_ledger_tell_what_happened_without_keys() {
    let mut stripe = stripe();
    stripe.post_once("/v1/refunds", &format!("charge={CHARGE}&amount=100&metadata[a]=b"), "K");
    let log = json(&stripe.get("/_sandbox/requests"));
    let request = &log["data"][0];
    assert_eq!((&request["method"], &request["status"]), (&"POST".into(), &200.into()));
    assert_eq!(request["idempotency_key"], "K");
    assert!(request["body"].as_str().unwrap().contains("metadata[a]=b"));
    assert!(!log.to_string().contains("sk_test_"));
    let ledger = json(&stripe.get("/_sandbox/ledger"));
    let row = ledger["data"].as_array().unwrap().iter().find(|row| row["charge"] == CHARGE).unwrap();
    assert_eq!((&row["amount_captured"], &row["amount_refunded"]), (&10_000.into(), &100.into()));
    assert_eq!(row["refunds"][0]["metadata"]["a"], "b");
}

#[test]
fn account_and_balance_tell_who_and_in_which_mode() {
    let mut stripe = stripe();
    let account = stripe.read("/v1/account");
    assert!(account.get("livemode").is_none());
    assert_eq!((&account["object"], &account["charges_enabled"]), (&"account".into(), &true.into()));
    assert_eq!(stripe.read("/v1/balance")["livemode"], false);
}
