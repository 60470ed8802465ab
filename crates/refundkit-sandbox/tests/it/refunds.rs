//! What refunds look like and how they move on.

use refundkit_sandbox::DEV_ACCOUNT;
use serde_json::{Value, json};

use crate::support::{CHARGE, DELAY_MS, Stripe, stripe, text};

fn status(stripe: &mut Stripe, refund: &Value) -> Value {
    stripe.read(&format!("/v1/refunds/{}", text(&refund["id"])))
}

#[test]
fn a_card_refund_succeeds_at_once_and_shows_no_more_than_stripe_shows() {
    let mut stripe = stripe();
    let refund = stripe.make("/v1/refunds", &format!("charge={CHARGE}&amount=2500&reason=duplicate&metadata[a]=b"));
    assert!(text(&refund["id"]).starts_with("re_"));
    assert_eq!(
        (&refund["status"], &refund["amount"], &refund["currency"], &refund["reason"], &refund["metadata"]),
        (&json!("succeeded"), &json!(2500), &json!("usd"), &json!("duplicate"), &json!({ "a": "b" }))
    );
    assert_eq!(
        refund["destination_details"],
        json!({
            "card": {
                "reference_status": "pending",
                "reference_type": "acquirer_reference_number",
                "type": "refund",
            },
            "type": "card",
        })
    );
    let absent = [
        "livemode",
        "description",
        "failure_reason",
        "instructions_email",
        "next_action",
        "presentment_details",
        "pending_reason",
    ];
    for key in absent {
        assert!(refund.get(key).is_none(), "{key}");
    }
    for key in ["receipt_number", "customer_account", "transfer_reversal", "source_transfer_reversal"] {
        assert_eq!(refund.get(key), Some(&Value::Null), "{key}");
    }
    let charge = stripe.read(&format!("/v1/charges/{CHARGE}"));
    assert_eq!((&charge["amount_refunded"], &charge["refunded"]), (&json!(2500), &json!(false)));
}

#[test]
fn without_an_amount_the_rest_is_refunded() {
    let mut stripe = stripe();
    stripe.make("/v1/refunds", &format!("charge={CHARGE}&amount=2500"));
    assert_eq!(stripe.make("/v1/refunds", &format!("charge={CHARGE}"))["amount"], 7500);
    assert_eq!(stripe.read(&format!("/v1/charges/{CHARGE}"))["refunded"], true);
}

#[test]
fn the_bank_reference_comes_later_and_is_announced() {
    let mut stripe = stripe();
    let refund = stripe.make("/v1/refunds", &format!("charge={CHARGE}"));
    let seen = stripe.event_count();
    stripe.wait(DELAY_MS);
    let card = status(&mut stripe, &refund)["destination_details"]["card"].clone();
    assert_eq!(card["reference_status"], "available");
    assert_eq!(text(&card["reference"]).len(), 23);
    assert_eq!(stripe.events(seen), ["refund.updated", "charge.refund.updated"]);
}

#[test]
fn a_pending_refund_succeeds_after_the_delay() {
    let mut stripe = stripe();
    let refund = stripe.make("/v1/refunds", "charge=ch_1SandboxPending");
    assert_eq!((&refund["status"], &refund["pending_reason"]), (&json!("pending"), &json!("processing")));
    let seen = stripe.event_count();
    stripe.wait(DELAY_MS - 1);
    assert_eq!(status(&mut stripe, &refund)["status"], "pending");
    stripe.wait(1);
    assert_eq!(status(&mut stripe, &refund)["status"], "succeeded");
    assert_eq!(stripe.events(seen), ["refund.updated", "charge.refund.updated"]);
    let event = &stripe.read("/v1/events?type=refund.updated&limit=1")["data"][0];
    assert_eq!(event["data"]["previous_attributes"], json!({ "status": "pending" }));
    assert_eq!(event["request"], json!({ "id": null, "idempotency_key": null }));
}

#[test]
fn a_failing_refund_succeeds_first_and_gives_its_share_back() {
    let mut stripe = stripe();
    let refund = stripe.make("/v1/refunds", "charge=ch_1SandboxFails");
    assert_eq!(refund["status"], "succeeded");
    let seen = stripe.event_count();
    stripe.wait(DELAY_MS);
    let failed = status(&mut stripe, &refund);
    assert_eq!((&failed["status"], &failed["failure_reason"]), (&json!("failed"), &json!("expired_or_canceled_card")));
    assert!(text(&failed["failure_balance_transaction"]).starts_with("txn_"));
    assert_eq!(stripe.events(seen), ["refund.updated", "charge.refund.updated", "refund.failed"]);
    let charge = stripe.read("/v1/charges/ch_1SandboxFails");
    assert_eq!((&charge["amount_refunded"], &charge["refunded"]), (&json!(0), &json!(false)));
}

#[test]
fn a_refund_that_requires_action_can_be_canceled() {
    let mut stripe = stripe();
    let refund = stripe.make("/v1/refunds", "charge=py_1SandboxActionNeeded&instructions_email=a@example.com");
    assert!(text(&refund["id"]).starts_with("pyr_"));
    assert_eq!(refund["status"], "requires_action");
    assert_eq!(refund["next_action"]["display_details"]["email_sent"]["email_sent_to"], "a@example.com");
    stripe.wait(10 * DELAY_MS);
    let canceled = stripe.make(&format!("/v1/refunds/{}/cancel", text(&refund["id"])), "");
    assert_eq!(canceled["status"], "canceled");
    assert_eq!(canceled["failure_reason"], "merchant_request");
    assert!(canceled.get("next_action").is_none());
    assert_eq!(stripe.read("/v1/charges/py_1SandboxActionNeeded")["amount_refunded"], 0);
}

#[test]
fn a_refund_that_requires_action_can_expire() {
    let mut stripe = stripe();
    let refund = stripe.make("/v1/refunds", "charge=py_1SandboxActionNeeded");
    let path = format!("/v1/test_helpers/refunds/{}/expire", text(&refund["id"]));
    assert_eq!(stripe.make(&path, "")["status"], "failed");
    assert_eq!(stripe.post(&path, "").status, 400);
}

#[test]
fn a_customer_who_answers_moves_the_refund_on() {
    let mut stripe = stripe();
    let charge = stripe.make("/v1/charges", "amount=900&currency=jpy&source=tok_sandbox_requiresAction");
    let refund = stripe.make("/v1/refunds", &format!("charge={}", text(&charge["id"])));
    let mut seen = vec![refund["status"].clone()];
    for _ in 0..2 {
        stripe.wait(DELAY_MS);
        seen.push(status(&mut stripe, &refund)["status"].clone());
    }
    assert_eq!(seen, ["requires_action", "pending", "succeeded"]);
}

#[test]
fn a_refund_moved_by_hand_is_left_alone_by_its_timer() {
    let mut stripe = stripe();
    let refund = stripe.make("/v1/refunds", "charge=ch_1SandboxPending");
    stripe.control(&format!("/_sandbox/refunds/{}/cancel", text(&refund["id"])), "");
    stripe.wait(2 * DELAY_MS);
    assert_eq!(status(&mut stripe, &refund)["status"], "canceled");
}

#[test]
fn every_state_can_be_imitated_even_one_stripe_does_not_have() {
    let mut stripe = stripe();
    let refund = stripe.make("/v1/refunds", &format!("charge={CHARGE}"));
    let path = |action: &str| format!("/_sandbox/refunds/{}/{action}", text(&refund["id"]));
    assert_eq!(stripe.control(&path("pend"), "{\"reason\":\"charge_pending\"}")["pending_reason"], "charge_pending");
    let short = "{\"reason\":\"insufficient_funds\"}";
    assert_eq!(stripe.control(&path("pend"), short)["pending_reason"], "insufficient_funds");
    assert_eq!(stripe.control(&path("require_action"), "")["status"], "requires_action");
    assert_eq!(stripe.control(&path("fail"), "{\"reason\":\"declined\"}")["failure_reason"], "declined");
    assert_eq!(stripe.control(&path("succeed"), "")["status"], "succeeded");
    assert_eq!(stripe.control(&path("status"), "{\"status\":\"under_review\"}")["status"], "under_review");
    assert_eq!(status(&mut stripe, &refund)["status"], "under_review");
}

#[test]
fn a_dead_refund_cannot_come_alive_when_its_share_is_taken() {
    let mut stripe = stripe();
    let refund = stripe.make("/v1/refunds", &format!("charge={CHARGE}"));
    stripe.control(&format!("/_sandbox/refunds/{}/fail", text(&refund["id"])), "");
    stripe.make("/v1/refunds", &format!("charge={CHARGE}"));
    let path = format!("/_sandbox/refunds/{}/succeed", text(&refund["id"]));
    assert_eq!(stripe.post(&path, "").status, 400);
}

#[test]
fn a_refund_made_in_the_dashboard_has_no_request() {
    let mut stripe = stripe();
    let body = format!("{{\"charge\":\"{CHARGE}\",\"amount\":400,\"metadata\":{{\"by\":\"hand\"}}}}");
    let refund = stripe.control("/_sandbox/refunds", &body);
    assert_eq!((&refund["amount"], &refund["metadata"]["by"]), (&json!(400), &json!("hand")));
    let event = &stripe.read("/v1/events?type=refund.created&limit=1")["data"][0];
    assert_eq!(event["data"]["object"]["id"], refund["id"]);
    assert_eq!(event["request"]["id"], Value::Null);
}

#[test]
fn metadata_is_merged_and_empty_values_remove_their_keys() {
    let mut stripe = stripe();
    let refund = stripe.make("/v1/refunds", &format!("charge={CHARGE}&metadata[a]=1&metadata[b]=2"));
    let path = format!("/v1/refunds/{}", text(&refund["id"]));
    assert_eq!(stripe.make(&path, "metadata[a]=&metadata[c]=3")["metadata"], json!({ "b": "2", "c": "3" }));
    assert_eq!(stripe.make(&path, "metadata=")["metadata"], json!({}));
    assert_eq!(stripe.refused(&path, "amount=5", 400)["message"], "Received unknown parameter: amount");
}

#[test]
fn a_card_refund_waits_for_the_balance_and_other_methods_fail() {
    let mut stripe = stripe();
    let set = |available: i64, currency: &str| {
        format!("{{\"account\":\"{DEV_ACCOUNT}\",\"currency\":\"{currency}\",\"available\":{available}}}")
    };
    stripe.control("/_sandbox/balance", &set(99, "usd"));
    stripe.control("/_sandbox/balance", &set(0, "eur"));
    let refund = stripe.make("/v1/refunds", &format!("charge={CHARGE}&amount=100"));
    assert_eq!((&refund["status"], &refund["pending_reason"]), (&json!("pending"), &json!("insufficient_funds")));
    let failed = stripe.make("/v1/refunds", "charge=py_1SandboxSepaDebit");
    assert_eq!((&failed["status"], &failed["failure_reason"]), (&json!("failed"), &json!("insufficient_funds")));
    stripe.wait(DELAY_MS);
    assert_eq!(status(&mut stripe, &refund)["status"], "pending");
    stripe.control("/_sandbox/balance", &set(100, "usd"));
    assert_eq!(status(&mut stripe, &refund)["status"], "succeeded");
    let balance = stripe.read("/v1/balance");
    let usd = balance["available"].as_array().unwrap().iter().find(|row| row["currency"] == "usd").unwrap();
    assert_eq!(usd["amount"], 0);
}

#[test]
fn a_won_dispute_makes_the_charge_refundable_again() {
    let mut stripe = stripe();
    let dispute = text(&stripe.read("/v1/disputes?charge=ch_1SandboxDisputed")["data"][0]["id"]);
    assert_eq!(stripe.post("/v1/refunds", "charge=ch_1SandboxDisputed").status, 400);
    stripe.control(&format!("/_sandbox/disputes/{dispute}/win"), "");
    assert_eq!(stripe.read("/v1/charges/ch_1SandboxDisputed")["disputed"], true);
    stripe.make("/v1/refunds", "charge=ch_1SandboxDisputed");
}

#[test]
fn an_inquiry_leaves_the_charge_refundable() {
    let mut stripe = stripe();
    stripe.control(&format!("/_sandbox/charges/{CHARGE}/dispute"), "{\"inquiry\":true}");
    stripe.make("/v1/refunds", &format!("charge={CHARGE}"));
}

#[test]
fn the_older_endpoints_still_refund() {
    let mut stripe = stripe();
    let refund = stripe.make(&format!("/v1/charges/{CHARGE}/refunds"), "amount=10");
    assert_eq!(refund["object"], "refund");
    let charge = stripe.make(&format!("/v1/charges/{CHARGE}/refund"), "amount=10");
    assert_eq!((&charge["object"], &charge["amount_refunded"]), (&json!("charge"), &json!(20)));
}

#[test]
fn a_dispute_fails_the_refunds_that_are_still_pending() {
    let mut stripe = stripe();
    let refund = stripe.make("/v1/refunds", "charge=ch_1SandboxPending&amount=100");
    stripe.control("/_sandbox/charges/ch_1SandboxPending/dispute", "");
    let failed = status(&mut stripe, &refund);
    assert_eq!(failed["status"], "failed");
    assert_eq!(failed["failure_reason"], "charge_for_pending_refund_disputed");
}
