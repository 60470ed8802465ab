//! Accidents: what the caller sees, and what really happened.

use refundkit_sandbox::{Fault, FaultPlan, FaultRule, FaultRuleError, Method, Response};

use crate::support::{CHARGE, Stripe, json, stripe};

/// One refund of 1.00 struck by the fault: the answer, and what is refunded afterwards.
fn struck(stripe: &mut Stripe, fault: Fault) -> (Response, i64) {
    stripe.model.add_fault(FaultRule::once(Method::Post, "/v1/refunds", fault)).unwrap();
    let response = stripe.post_once("/v1/refunds", &format!("charge={CHARGE}&amount=100"), "K");
    (response, refunded(stripe))
}

fn refunded(stripe: &Stripe) -> i64 {
    stripe.model.ledger().iter().find(|entry| entry.charge == CHARGE).unwrap().amount_refunded
}

fn retry(stripe: &mut Stripe) -> Response {
    stripe.post_once("/v1/refunds", &format!("charge={CHARGE}&amount=100"), "K")
}

#[test]
fn a_connection_cut_after_the_effect_has_made_the_refund() {
    let mut stripe = stripe();
    let (response, after) = struck(&mut stripe, Fault::DropAfterEffect);
    assert!(response.transport.cut);
    assert_eq!(after, 100);
    assert_eq!(retry(&mut stripe).headers["Idempotent-Replayed"], "true");
    assert_eq!(refunded(&stripe), 100);
    let log: Vec<_> = stripe.model.requests().collect();
    assert_eq!((log[0].status, log[0].fault.as_deref()), (None, Some("drop_after_effect")));
    assert!(log[0].effects.iter().any(|id| id.starts_with("re_")));
    assert!(log[1].replayed);
}

#[test]
fn a_connection_cut_before_the_effect_has_made_nothing() {
    let mut stripe = stripe();
    let (response, after) = struck(&mut stripe, Fault::DropBeforeEffect);
    assert!(response.transport.cut);
    assert_eq!(after, 0);
    assert!(!retry(&mut stripe).headers.contains_key("Idempotent-Replayed"));
    assert_eq!(refunded(&stripe), 100);
}

#[test]
fn an_error_before_and_an_error_after_look_alike() {
    let mut before = stripe();
    let (first, after) = struck(&mut before, Fault::ErrorBefore { status: 503, stored: false });
    assert_eq!((first.status, after), (503, 0));
    let mut behind = stripe();
    let (second, after) = struck(&mut behind, Fault::ErrorAfter { status: 503, stored: false });
    assert_eq!((second.status, after), (503, 100));
    assert_eq!(first.body, second.body);
    assert_eq!(retry(&mut behind).status, 200);
    assert_eq!(refunded(&behind), 100);
}

#[test]
fn an_error_remembered_after_the_effect_hides_the_refund_for_good() {
    let mut stripe = stripe();
    let (response, after) = struck(&mut stripe, Fault::ErrorAfter { status: 500, stored: true });
    assert_eq!((response.status, after), (500, 100));
    let again = retry(&mut stripe);
    assert_eq!((again.status, again.body), (500, response.body));
}

#[test]
fn rate_limits_and_locks_are_told_apart_by_a_header() {
    let mut stripe = stripe();
    let limited = Fault::RateLimit { retry_after: Some(2), reason: Some("global-rate".to_owned()) };
    let (response, after) = struck(&mut stripe, limited);
    assert_eq!((response.status, after), (429, 0));
    assert_eq!(json(&response)["error"]["code"], "rate_limit");
    assert_eq!(response.headers["Retry-After"], "2");
    assert_eq!(response.headers["Stripe-Rate-Limited-Reason"], "global-rate");
    let (response, after) = struck(&mut stripe, Fault::LockTimeout);
    assert_eq!((response.status, after), (429, 0));
    assert_eq!(json(&response)["error"]["code"], "lock_timeout");
    assert!(!response.headers.contains_key("Stripe-Rate-Limited-Reason"));
}

#[test]
fn an_unreadable_answer_is_a_success_nobody_can_read() {
    let mut stripe = stripe();
    let (response, after) = struck(&mut stripe, Fault::Unreadable);
    assert_eq!((response.status, after), (200, 100));
    assert!(serde_json::from_str::<serde_json::Value>(&response.body).is_err());
}

#[test]
fn rules_strike_only_what_fits_and_as_often_as_they_say() {
    let mut stripe = stripe();
    stripe.control(
        "/_sandbox/faults",
        "{\"method\":\"GET\",\"path_prefix\":\"/v1/refunds\",\"times\":2,\"fault\":{\"kind\":\"lock_timeout\"}}",
    );
    assert_eq!(stripe.post("/v1/refunds", &format!("charge={CHARGE}&amount=1")).status, 200);
    assert_eq!(stripe.get(&format!("/v1/charges/{CHARGE}")).status, 200);
    let statuses: Vec<u16> = (0..3).map(|_| stripe.get("/v1/refunds").status).collect();
    assert_eq!(statuses, [429, 429, 200]);
}

#[test]
fn a_plan_strikes_by_the_seed_and_the_same_way_every_time() {
    let run = || {
        let mut stripe = stripe();
        let faults = vec![Fault::DropAfterEffect, Fault::ErrorBefore { status: 500, stored: false }];
        let plan = FaultPlan { requests_per_mille: 300, faults, ..FaultPlan::default() };
        stripe.model.set_fault_plan(plan).unwrap();
        (0..40)
            .map(|_| {
                let response = stripe.post("/v1/refunds", &format!("charge={CHARGE}&amount=1"));
                (response.status, response.transport.cut, response.body)
            })
            .collect::<Vec<_>>()
    };
    let answers = run();
    assert_eq!(answers, run());
    let struck = answers.iter().filter(|(status, cut, _)| *cut || *status == 500).count();
    assert!((4..=20).contains(&struck), "{struck}");
}

#[test]
fn faults_out_of_range_are_refused() {
    let mut stripe = stripe();
    let mut add = |fault| stripe.model.add_fault(FaultRule::once(Method::Get, "/", fault));
    assert_eq!(add(Fault::Delay { ms: 3_600_000 }), Err(FaultRuleError::DelayTooLong));
    assert_eq!(add(Fault::ErrorBefore { status: 200, stored: false }), Err(FaultRuleError::NotAServerError));
    let unknown =
        refundkit_sandbox::Request::new(Method::Post, "/_sandbox/faults", "{\"fault\":{\"kind\":\"meteor\"}}");
    assert_eq!(stripe.send(&unknown).status, 400);
    assert_eq!(stripe.get("/_sandbox/nonsense").status, 404);
}
