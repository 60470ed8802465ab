//! Pages, cursors and filters.

use crate::support::{CHARGE, Stripe, ids, json, stripe, text};

/// Five refunds of one charge, one second apart; oldest first.
fn five_refunds(stripe: &mut Stripe) -> Vec<String> {
    (0..5)
        .map(|_| {
            stripe.now_ms += 1_000;
            text(&stripe.make("/v1/refunds", &format!("charge={CHARGE}&amount=100"))["id"])
        })
        .collect()
}

#[test]
fn lists_are_newest_first_and_cursors_walk_both_ways() {
    let mut stripe = stripe();
    let mut made = five_refunds(&mut stripe);
    made.reverse();
    let all = stripe.read(&format!("/v1/refunds?charge={CHARGE}"));
    assert_eq!(ids(&all), made);
    assert_eq!((&all["object"], &all["has_more"], &all["url"]), (&"list".into(), &false.into(), &"/v1/refunds".into()));
    let page = stripe.read("/v1/refunds?limit=2");
    assert_eq!((ids(&page), &page["has_more"]), (made[..2].to_vec(), &true.into()));
    let page = stripe.read(&format!("/v1/refunds?charge={CHARGE}&limit=3&starting_after={}", made[1]));
    assert_eq!((ids(&page), &page["has_more"]), (made[2..].to_vec(), &false.into()));
    let page = stripe.read(&format!("/v1/refunds?limit=2&ending_before={}", made[3]));
    assert_eq!((ids(&page), &page["has_more"]), (made[1..3].to_vec(), &true.into()));
}

#[test]
fn limits_and_cursors_are_checked() {
    let mut stripe = stripe();
    for (query, code) in [
        ("limit=0", Some("parameter_invalid_integer")),
        ("limit=101", Some("parameter_invalid_integer")),
        ("limit=x", Some("parameter_invalid_integer")),
        ("starting_after=re_x", Some("resource_missing")),
        ("starting_after=re_x&ending_before=re_y", Some("parameters_exclusive")),
    ] {
        let response = stripe.get(&format!("/v1/refunds?{query}"));
        assert_eq!(response.status, 400, "{query}");
        assert_eq!(json(&response)["error"]["code"].as_str(), code, "{query}");
    }
}

#[test]
fn refunds_are_filtered_by_charge_payment_intent_and_creation() {
    let mut stripe = stripe();
    let made = five_refunds(&mut stripe);
    let of_intent = stripe.make("/v1/refunds", "payment_intent=pi_1SandboxIntent&amount=100");
    assert_eq!(ids(&stripe.read("/v1/refunds?payment_intent=pi_1SandboxIntent")), [text(&of_intent["id"])]);
    assert_eq!(of_intent["charge"], "ch_1SandboxOfIntent");
    let created = stripe.read(&format!("/v1/refunds/{}", made[2]))["created"].as_i64().unwrap();
    let count =
        |stripe: &mut Stripe, filter: String| ids(&stripe.read(&format!("/v1/refunds?charge={CHARGE}&{filter}"))).len();
    assert_eq!(count(&mut stripe, format!("created={created}")), 1);
    assert_eq!(count(&mut stripe, format!("created[gt]={created}")), 2);
    assert_eq!(count(&mut stripe, format!("created[gte]={created}")), 3);
    assert_eq!(count(&mut stripe, format!("created[lt]={created}")), 2);
    assert_eq!(count(&mut stripe, format!("created[lte]={created}&created[gt]={}", created - 2)), 2);
}

#[test]
fn a_charge_shows_its_ten_newest_refunds_only_when_asked() {
    let mut stripe = stripe();
    assert!(stripe.read(&format!("/v1/charges/{CHARGE}")).get("refunds").is_none());
    for _ in 0..11 {
        stripe.make("/v1/refunds", &format!("charge={CHARGE}&amount=100"));
    }
    let charge = stripe.read(&format!("/v1/charges/{CHARGE}?expand[]=refunds"));
    assert_eq!(charge["refunds"]["data"].as_array().unwrap().len(), 10);
    assert_eq!(charge["refunds"]["has_more"], true);
    assert_eq!(charge["refunds"]["url"], format!("/v1/charges/{CHARGE}/refunds"));
    let newest = stripe.read("/v1/refunds?limit=1");
    assert_eq!(charge["refunds"]["data"][0]["id"], newest["data"][0]["id"]);
    assert_eq!(ids(&stripe.read(&format!("/v1/charges/{CHARGE}/refunds?limit=100"))).len(), 11);
}

#[test]
fn references_expand_through_objects_and_lists() {
    let mut stripe = stripe();
    stripe.make("/v1/refunds", "payment_intent=pi_1SandboxIntent&amount=100");
    let intent = stripe.read("/v1/payment_intents/pi_1SandboxIntent");
    assert_eq!(intent["latest_charge"], "ch_1SandboxOfIntent");
    let intent = stripe.read("/v1/payment_intents/pi_1SandboxIntent?expand[]=latest_charge.refunds");
    assert_eq!(intent["latest_charge"]["refunds"]["data"][0]["amount"], 100);
    let list = stripe.read("/v1/refunds?limit=1&expand[]=data.charge&expand[]=data.payment_intent");
    assert_eq!(list["data"][0]["charge"]["object"], "charge");
    assert_eq!(list["data"][0]["payment_intent"]["object"], "payment_intent");
}

#[test]
fn charges_payment_intents_and_disputes_are_listed_too() {
    let mut stripe = stripe();
    assert_eq!(ids(&stripe.read("/v1/charges?payment_intent=pi_1SandboxIntent")), ["ch_1SandboxOfIntent"]);
    assert_eq!(ids(&stripe.read("/v1/payment_intents?limit=1")), ["pi_1SandboxUncaptured"]);
    let disputes = stripe.read("/v1/disputes?charge=ch_1SandboxDisputed");
    let dispute = stripe.read(&format!("/v1/disputes/{}", text(&disputes["data"][0]["id"])));
    assert_eq!(dispute["is_charge_refundable"], false);
}
