//! Events, endpoints and deliveries.

use hmac::{Hmac, KeyInit, Mac};
use refundkit_sandbox::{DeliveryOutcome, DueDelivery};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{CHARGE, DELAY_MS, Stripe, stripe, text};

/// An endpoint for these types; its id and secret.
fn listen(stripe: &mut Stripe, events: &str) -> (String, String) {
    let endpoint = stripe.make("/v1/webhook_endpoints", &format!("url=http://127.0.0.1:9/hook&{events}"));
    (text(&endpoint["id"]), text(&endpoint["secret"]))
}

fn due(stripe: &mut Stripe) -> Vec<DueDelivery> {
    stripe.model.take_due_deliveries(stripe.now_ms)
}

fn kinds(deliveries: &[DueDelivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| delivery.event_type.as_str()).collect()
}

#[test]
fn a_refund_is_announced_before_its_charge_and_signed_with_the_whole_secret() {
    let mut stripe = stripe();
    let (_, secret) = listen(&mut stripe, "enabled_events[]=*");
    let response = stripe.post_once("/v1/refunds", &format!("charge={CHARGE}&amount=100"), "K");
    let deliveries = due(&mut stripe);
    assert_eq!(kinds(&deliveries), ["refund.created", "charge.refunded"]);
    for delivery in &deliveries {
        let (stamp, signature) = delivery.signature.split_once(',').unwrap();
        assert_eq!(stamp, format!("t={}", stripe.now_ms / 1000));
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{}.{}", stripe.now_ms / 1000, delivery.body).as_bytes());
        assert_eq!(signature, format!("v1={}", hex::encode(mac.finalize().into_bytes())));
    }
    let event: Value = serde_json::from_str(&deliveries[1].body).unwrap();
    assert_eq!(event["data"]["object"]["amount_refunded"], 100);
    assert_eq!(event["data"]["previous_attributes"]["amount_refunded"], 0);
    assert_eq!(event["request"], json!({ "id": response.headers["Request-Id"], "idempotency_key": "K" }));
    assert_eq!(event["pending_webhooks"], 1);
}

#[test]
fn an_endpoint_gets_only_what_it_listens_to_and_nothing_while_disabled() {
    let mut stripe = stripe();
    let (id, _) = listen(&mut stripe, "enabled_events[]=refund.created&enabled_events[]=refund.failed");
    stripe.make("/v1/refunds", &format!("charge={CHARGE}&amount=100"));
    assert_eq!(kinds(&due(&mut stripe)), ["refund.created"]);
    stripe.make(&format!("/v1/webhook_endpoints/{id}"), "disabled=true");
    stripe.make("/v1/refunds", &format!("charge={CHARGE}&amount=100"));
    assert!(due(&mut stripe).is_empty());
}

#[test]
fn the_secret_is_told_once() {
    let mut stripe = stripe();
    let (id, secret) = listen(&mut stripe, "enabled_events[]=*");
    assert!(secret.starts_with("whsec_"));
    let path = format!("/v1/webhook_endpoints/{id}");
    let endpoint = stripe.read(&path);
    assert!(endpoint.get("secret").is_none());
    assert_eq!((&endpoint["status"], &endpoint["enabled_events"]), (&json!("enabled"), &json!(["*"])));
    assert_eq!(stripe.make(&path, "url=https://example.com/new")["url"], "https://example.com/new");
    assert_eq!(stripe.read("/v1/webhook_endpoints")["data"][0]["id"], json!(id));
    let delete = stripe.request(refundkit_sandbox::Method::Delete, &path, "");
    assert_eq!(stripe.send(&delete).status, 200);
    assert_eq!(stripe.get(&path).status, 404);
}

#[test]
fn endpoints_need_an_address_and_events_and_there_are_sixteen_at_most() {
    let mut stripe = stripe();
    let create = "/v1/webhook_endpoints";
    assert_eq!(stripe.refused(create, "enabled_events[]=*", 400)["param"], "url");
    assert_eq!(stripe.refused(create, "url=http://x", 400)["param"], "enabled_events");
    assert_eq!(stripe.refused(create, "url=example.com&enabled_events[]=*", 400)["param"], "url");
    for _ in 0..16 {
        listen(&mut stripe, "enabled_events[]=*");
    }
    assert_eq!(stripe.post(create, "url=http://x&enabled_events[]=*").status, 400);
}

#[test]
fn a_delivery_is_tried_three_times_and_the_event_stays_undelivered() {
    let mut stripe = stripe();
    listen(&mut stripe, "enabled_events[]=refund.created");
    stripe.make("/v1/refunds", &format!("charge={CHARGE}&amount=100"));
    for attempt in 1..=3 {
        let deliveries = due(&mut stripe);
        assert_eq!(deliveries.len(), 1, "attempt {attempt}");
        stripe.model.record_delivery(&deliveries[0].id, DeliveryOutcome::Failed, stripe.now_ms);
        assert!(due(&mut stripe).is_empty());
        stripe.wait(attempt * DELAY_MS);
    }
    assert!(due(&mut stripe).is_empty());
    let undelivered = stripe.read("/v1/events?delivery_success=false");
    assert_eq!(undelivered["data"].as_array().unwrap().len(), 1);
}

#[test]
fn a_delivery_that_arrived_counts_and_one_that_was_never_reported_comes_again() {
    let mut stripe = stripe();
    listen(&mut stripe, "enabled_events[]=refund.created&enabled_events[]=charge.refunded");
    stripe.make("/v1/refunds", &format!("charge={CHARGE}&amount=100"));
    let deliveries = due(&mut stripe);
    stripe.model.record_delivery(&deliveries[0].id, DeliveryOutcome::Delivered, stripe.now_ms);
    stripe.now_ms += 60_000;
    let again = due(&mut stripe);
    assert_eq!(kinds(&again), ["charge.refunded"]);
    assert_eq!(stripe.read("/v1/events?delivery_success=false")["data"].as_array().unwrap().len(), 1);
    let delivered = stripe.read("/v1/events?delivery_success=true&type=refund.created");
    assert_eq!(delivered["data"][0]["pending_webhooks"], 0);
}

#[test]
fn events_are_filtered_by_several_types() {
    let mut stripe = stripe();
    stripe.make("/v1/refunds", &format!("charge={CHARGE}&amount=100"));
    let list = stripe.read("/v1/events?types[]=refund.created&types[]=charge.refunded&limit=2");
    let event = stripe.read(&format!("/v1/events/{}", text(&list["data"][0]["id"])));
    assert_eq!((&event["type"], &event["object"]), (&json!("charge.refunded"), &json!("event")));
    assert_eq!(list["data"][1]["type"], "refund.created");
}

#[test]
fn webhooks_can_be_doubled_delayed_reordered_and_lost() {
    let mut stripe = stripe();
    listen(&mut stripe, "enabled_events[]=refund.created&enabled_events[]=charge.refunded");
    let refund = format!("charge={CHARGE}&amount=100");
    let faulty = |stripe: &mut Stripe, fault: &str| {
        stripe.control("/_sandbox/webhook_faults", &format!("{{\"event_type\":\"refund.*\",\"fault\":{fault}}}"));
        stripe.make("/v1/refunds", &refund);
        due(stripe)
    };
    let doubled = faulty(&mut stripe, "{\"kind\":\"duplicate\"}");
    assert_eq!(kinds(&doubled), ["refund.created", "refund.created", "charge.refunded"]);
    assert_eq!(doubled[0].body, doubled[1].body);
    assert_eq!(kinds(&faulty(&mut stripe, "{\"kind\":\"dropped\"}")), ["charge.refunded"]);
    assert_eq!(kinds(&faulty(&mut stripe, "{\"kind\":\"reordered\"}")), ["charge.refunded"]);
    stripe.now_ms += 1_000;
    assert_eq!(kinds(&due(&mut stripe)), ["refund.created"]);
    assert_eq!(kinds(&faulty(&mut stripe, "{\"kind\":\"late\",\"ms\":30000}")), ["charge.refunded"]);
    stripe.now_ms += 30_000;
    assert_eq!(kinds(&due(&mut stripe)), ["refund.created"]);
}
