//! One key, one effect, one answer.

use refundkit_sandbox::{Fault, FaultRule, Method};

use crate::support::{CHARGE, json, stripe};

const HOUR_MS: i64 = 60 * 60 * 1000;

#[test]
fn a_repeated_post_gets_the_first_answer_and_refunds_once() {
    let mut stripe = stripe();
    let body = format!("charge={CHARGE}&amount=1000&metadata[order]=7");
    let first = stripe.post_once("/v1/refunds", &body, "key-1");
    stripe.now_ms += 1;
    let same = "metadata[order]=7&amount=1000&charge=ch_1N4HbSKz9cXRvFYr";
    let again = stripe.post_once("/v1/refunds", same, "key-1");
    assert_eq!((first.status, &first.body), (again.status, &again.body));
    assert_eq!(again.headers["Idempotent-Replayed"], "true");
    assert_eq!(again.headers["Idempotency-Key"], "key-1");
    assert_eq!(again.headers["Original-Request"], first.headers["Request-Id"]);
    assert_ne!(again.headers["Request-Id"], first.headers["Request-Id"]);
    assert!(!first.headers.contains_key("Idempotent-Replayed"));
    assert_eq!(stripe.read(&format!("/v1/charges/{CHARGE}"))["amount_refunded"], 1000);
}

#[test]
fn other_parameters_and_other_endpoints_are_refused() {
    let mut stripe = stripe();
    let refund = json(&stripe.post_once("/v1/refunds", &format!("charge={CHARGE}&amount=1000"), "K"));
    let response = stripe.post_once("/v1/refunds", &format!("charge={CHARGE}&amount=1001"), "K");
    assert_eq!(response.status, 400);
    let error = &json(&response)["error"];
    assert_eq!(error["type"], "idempotency_error");
    assert_eq!(
        error["message"],
        "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using \
         a key other than 'K' if you meant to execute a different request."
    );
    assert_eq!(response.headers["Stripe-Should-Retry"], "false");
    let path = format!("/v1/refunds/{}", refund["id"].as_str().unwrap());
    let response = stripe.post_once(&path, "metadata[a]=b", "K");
    let message = json(&response)["error"]["message"].as_str().unwrap().to_owned();
    assert!(
        message.starts_with(&format!(
            "Keys for idempotent requests can only be used for the same endpoint they were first used for ('{path}' \
             vs '/v1/refunds')."
        )),
        "{message}"
    );
}

#[test]
fn an_answer_of_the_endpoint_is_remembered_even_when_it_is_a_refusal() {
    let mut stripe = stripe();
    let first = stripe.post_once("/v1/refunds", &format!("charge={CHARGE}&amount=20000"), "K");
    let again = stripe.post_once("/v1/refunds", &format!("charge={CHARGE}&amount=20000"), "K");
    assert_eq!((first.status, again.status), (400, 400));
    assert_eq!(again.headers["Idempotent-Replayed"], "true");
}

#[test]
fn a_parameter_error_leaves_the_key_unused() {
    let mut stripe = stripe();
    for bad in ["amount=abc", "amount=0", "reason=none", "foo=bar"] {
        let response = stripe.post_once("/v1/refunds", &format!("charge={CHARGE}&{bad}"), "K");
        assert_eq!(response.status, 400);
    }
    assert_eq!(stripe.post_once("/v1/refunds", &format!("charge={CHARGE}&amount=10"), "K").status, 200);
}

#[test]
fn a_stored_accident_is_replayed() {
    let mut stripe = stripe();
    let fault = Fault::ErrorBefore { status: 500, stored: true };
    stripe.model.add_fault(FaultRule::once(Method::Post, "/v1/refunds", fault)).unwrap();
    let body = format!("charge={CHARGE}");
    let first = stripe.post_once("/v1/refunds", &body, "K");
    let again = stripe.post_once("/v1/refunds", &body, "K");
    assert_eq!((first.status, again.status), (500, 500));
    assert_eq!(first.body, again.body);
    assert_eq!(again.headers["Idempotent-Replayed"], "true");
    assert_eq!(stripe.read(&format!("/v1/charges/{CHARGE}"))["amount_refunded"], 0);
}

#[test]
fn a_key_whose_request_is_still_under_way_is_in_use() {
    let mut stripe = stripe();
    let slow = FaultRule::once(Method::Post, "/v1/refunds", Fault::Delay { ms: 3_000 });
    stripe.model.add_fault(slow).unwrap();
    let body = format!("charge={CHARGE}&amount=10");
    let first = stripe.post_once("/v1/refunds", &body, "K");
    assert_eq!(first.transport.delay_ms, 3_000);
    stripe.now_ms += 1_000;
    let meanwhile = stripe.post_once("/v1/refunds", &body, "K");
    assert_eq!(meanwhile.status, 409);
    assert_eq!(json(&meanwhile)["error"]["code"], "idempotency_key_in_use");
    assert_eq!(meanwhile.headers["Stripe-Should-Retry"], "true");
    stripe.now_ms += 2_000;
    let later = stripe.post_once("/v1/refunds", &body, "K");
    assert_eq!((later.status, &later.body), (200, &first.body));
}

#[test]
fn a_key_is_forgotten_after_a_day_and_then_refunds_again() {
    let mut stripe = stripe();
    let body = format!("charge={CHARGE}&amount=10");
    let first = json(&stripe.post_once("/v1/refunds", &body, "K"));
    stripe.now_ms += 23 * HOUR_MS;
    assert_eq!(json(&stripe.post_once("/v1/refunds", &body, "K"))["id"], first["id"]);
    stripe.now_ms += HOUR_MS;
    assert_ne!(json(&stripe.post_once("/v1/refunds", &body, "K"))["id"], first["id"]);
}

#[test]
fn keys_mean_nothing_to_reads_and_belong_to_one_account_and_mode() {
    let mut stripe = stripe();
    let read = stripe.request(Method::Get, "/v1/refunds", "").with_idempotency_key("K");
    assert!(!stripe.send(&read).headers.contains_key("Idempotency-Key"));
    stripe.post_once("/v1/refunds", &format!("charge={CHARGE}&amount=10"), "K");
    stripe.key = refundkit_sandbox::DEV_LIVE_KEY;
    let live = format!("charge={}", refundkit_sandbox::DEV_LIVE_CHARGE);
    assert_eq!(stripe.post_once("/v1/refunds", &live, "K").status, 200);
    assert_eq!(stripe.post_once("/v1/refunds", &live, &"k".repeat(256)).status, 400);
}
