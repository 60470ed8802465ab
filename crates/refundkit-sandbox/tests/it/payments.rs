//! Charges and PaymentIntents: how payments come to be.

use refundkit_sandbox::DEV_CONNECTED_ACCOUNT;
use serde_json::json;

use crate::support::{json as body, stripe, text};

#[test]
fn a_token_pays_a_charge() {
    let mut stripe = stripe();
    let charge = stripe.make("/v1/charges", "amount=2000&currency=USD&source=tok_visa&customer=cus_1&metadata[a]=b");
    assert!(text(&charge["id"]).starts_with("ch_"));
    assert_eq!(
        (&charge["status"], &charge["paid"], &charge["captured"], &charge["amount_captured"], &charge["currency"]),
        (&json!("succeeded"), &json!(true), &json!(true), &json!(2000), &json!("usd"))
    );
    let refund = stripe.make("/v1/refunds", &format!("charge={}", text(&charge["id"])));
    assert_eq!((&refund["customer"], &refund["metadata"]), (&json!("cus_1"), &json!({})));
}

#[test]
fn a_held_charge_is_captured_in_part_and_refunded_up_to_that() {
    let mut stripe = stripe();
    let charge = stripe.make("/v1/charges", "amount=2000&currency=usd&source=tok_visa&capture=false");
    assert_eq!((&charge["captured"], &charge["paid"]), (&json!(false), &json!(true)));
    let id = text(&charge["id"]);
    stripe.make(&format!("/v1/charges/{id}/capture"), "amount=1500");
    let again = stripe.refused(&format!("/v1/charges/{id}/capture"), "", 400);
    assert_eq!(again["code"], "charge_already_captured");
    let error = stripe.refused("/v1/refunds", &format!("charge={id}&amount=1501"), 400);
    assert_eq!(error["message"], "Refund amount ($15.01) is greater than unrefunded amount on charge ($15.00)");
    assert_eq!(stripe.make("/v1/refunds", &format!("charge={id}"))["amount"], 1500);
}

#[test]
fn refunding_a_held_charge_gives_the_authorization_back_whole() {
    let mut stripe = stripe();
    let charge = stripe.make("/v1/charges", "amount=2000&currency=usd&source=tok_visa&capture=false");
    let id = text(&charge["id"]);
    assert_eq!(stripe.post("/v1/refunds", &format!("charge={id}&amount=100")).status, 400);
    let refund = stripe.make("/v1/refunds", &format!("charge={id}"));
    assert_eq!(refund["destination_details"]["card"]["type"], "reversal");
    assert_eq!(stripe.read(&format!("/v1/charges/{id}"))["refunded"], true);
}

#[test]
fn a_declined_card_leaves_a_failed_charge_behind() {
    let mut stripe = stripe();
    let response = stripe.post("/v1/charges", "amount=2000&currency=usd&source=tok_chargeDeclined");
    assert_eq!(response.status, 402);
    let error = &body(&response)["error"];
    assert_eq!((&error["type"], &error["code"]), (&json!("card_error"), &json!("card_declined")));
    let charge = stripe.read(&format!("/v1/charges/{}", text(&error["charge"])));
    assert_eq!((&charge["status"], &charge["paid"]), (&json!("failed"), &json!(false)));
    let refused = stripe.refused("/v1/refunds", &format!("charge={}", text(&charge["id"])), 400);
    assert_eq!(refused["code"], "charge_not_refundable");
}

#[test]
fn a_payment_intent_is_confirmed_into_a_charge() {
    let mut stripe = stripe();
    let intent = stripe.make(
        "/v1/payment_intents",
        "amount=2000&currency=usd&payment_method=pm_card_visa&confirm=true&automatic_payment_methods[enabled]=true",
    );
    assert_eq!((&intent["status"], &intent["amount_received"]), (&json!("succeeded"), &json!(2000)));
    let charge = stripe.read(&format!("/v1/charges/{}", text(&intent["latest_charge"])));
    assert_eq!(charge["payment_intent"], intent["id"]);
    let refund = stripe.make("/v1/refunds", &format!("charge={}", text(&charge["id"])));
    assert_eq!(refund["payment_intent"], intent["id"]);
}

#[test]
fn a_manual_payment_intent_is_captured_or_canceled() {
    let mut stripe = stripe();
    let create = "amount=2000&currency=usd&payment_method=pm_card_visa&confirm=true&capture_method=manual";
    let intent = text(&stripe.make("/v1/payment_intents", create)["id"]);
    let captured = stripe.make(&format!("/v1/payment_intents/{intent}/capture"), "amount_to_capture=1200");
    assert_eq!((&captured["status"], &captured["amount_received"]), (&json!("succeeded"), &json!(1200)));
    let error = stripe.refused(&format!("/v1/payment_intents/{intent}/cancel"), "", 400);
    assert_eq!(error["code"], "payment_intent_unexpected_state");
    let intent = stripe.make("/v1/payment_intents", create);
    let canceled = stripe.make(&format!("/v1/payment_intents/{}/cancel", text(&intent["id"])), "");
    assert_eq!(canceled["status"], "canceled");
    assert_eq!(stripe.read(&format!("/v1/charges/{}", text(&intent["latest_charge"])))["refunded"], true);
    assert_eq!(stripe.post("/v1/refunds", &format!("payment_intent={}", text(&intent["id"]))).status, 400);
}

#[test]
fn a_payment_intent_takes_its_payment_method_later() {
    let mut stripe = stripe();
    let intent = stripe.make("/v1/payment_intents", "amount=2000&currency=usd");
    assert_eq!(intent["status"], "requires_payment_method");
    let id = text(&intent["id"]);
    let error = stripe.refused("/v1/refunds", &format!("payment_intent={id}"), 400);
    let message = format!("This PaymentIntent ({id}) does not have a successful charge to refund.");
    assert_eq!(error["message"], message);
    let confirm = format!("/v1/payment_intents/{id}/confirm");
    let error = stripe.refused(&confirm, "payment_method=pm_card_chargeDeclined", 402);
    assert_eq!(error["payment_intent"]["status"], "requires_payment_method");
    assert_eq!(stripe.make(&confirm, "payment_method=pm_card_visa")["status"], "succeeded");
}

#[test]
fn a_disputing_card_disputes_inside_the_payment() {
    let mut stripe = stripe();
    let seen = stripe.event_count();
    stripe.make("/v1/payment_intents", "amount=2000&currency=usd&payment_method=pm_card_createDispute&confirm=true");
    assert_eq!(
        stripe.events(seen),
        [
            "payment_intent.created",
            "charge.succeeded",
            "charge.dispute.created",
            "charge.dispute.funds_withdrawn",
            "payment_intent.succeeded",
        ]
    );
}

#[test]
fn a_destination_charge_can_have_its_transfer_reversed() {
    let mut stripe = stripe();
    let create = format!(
        "amount=2000&currency=usd&source=tok_visa&transfer_data[destination]={DEV_CONNECTED_ACCOUNT}&\
         application_fee_amount=100"
    );
    let charge = stripe.make("/v1/charges", &create);
    assert_eq!(charge["transfer_data"]["destination"], DEV_CONNECTED_ACCOUNT);
    let refund = format!("charge={}&reverse_transfer=true&refund_application_fee=true", text(&charge["id"]));
    assert!(text(&stripe.make("/v1/refunds", &refund)["transfer_reversal"]).starts_with("trr_"));
}

#[test]
fn payments_need_an_amount_a_currency_and_a_known_method() {
    let mut stripe = stripe();
    let missing = stripe.refused("/v1/charges", "currency=usd&source=tok_visa", 400);
    assert_eq!((&missing["code"], &missing["param"]), (&json!("parameter_missing"), &json!("amount")));
    let large = stripe.refused("/v1/charges", "amount=100000000&currency=usd&source=tok_visa", 400);
    assert_eq!(large["code"], "amount_too_large");
    let unknown = stripe.refused("/v1/payment_intents", "amount=10&currency=usd&payment_method=pm_x", 400);
    assert_eq!(unknown["message"], "No such PaymentMethod: 'pm_x'");
    assert_eq!(stripe.refused("/v1/charges", "amount=1&currency=dollars&source=tok_visa", 400)["param"], "currency");
}
