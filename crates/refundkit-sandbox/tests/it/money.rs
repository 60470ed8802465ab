//! The one promise that matters: whatever is asked for, no more is refunded than was captured.

use proptest::prelude::*;
use refundkit_sandbox::{Fault, FaultRule, Method};

use crate::support::{Stripe, stripe};

const CHARGES: [&str; 4] = ["ch_1N4HbSKz9cXRvFYr", "ch_1SandboxFails", "ch_1SandboxPending", "py_1SandboxActionNeeded"];

#[derive(Debug, Clone)]
enum Step {
    Refund { charge: usize, amount: Option<i64>, key: Option<u8> },
    Dashboard { charge: usize, amount: i64 },
    Move { refund: usize, action: &'static str },
    Wait { ms: i64 },
    Fault { fault: Fault },
}

fn step() -> impl Strategy<Value = Step> {
    let amount = prop_oneof![Just(None), (-5i64..12_000).prop_map(Some)];
    let refund = (0..CHARGES.len(), amount, proptest::option::of(0u8..4))
        .prop_map(|(charge, amount, key)| Step::Refund { charge, amount, key });
    let actions = vec!["succeed", "fail", "cancel", "pend", "require_action"];
    prop_oneof![
        4 => refund,
        1 => (0..CHARGES.len(), 1i64..6_000).prop_map(|(charge, amount)| Step::Dashboard { charge, amount }),
        2 => (0usize..8, prop::sample::select(actions)).prop_map(|(refund, action)| Step::Move { refund, action }),
        1 => (0i64..12_000).prop_map(|ms| Step::Wait { ms }),
        1 => prop::sample::select(vec![
            Fault::DropAfterEffect,
            Fault::DropBeforeEffect,
            Fault::ErrorAfter { status: 500, stored: true },
            Fault::Delay { ms: 2_000 },
        ])
        .prop_map(|fault| Step::Fault { fault }),
    ]
}

fn take(stripe: &mut Stripe, step: Step) {
    match step {
        Step::Refund { charge, amount, key } => {
            let amount = amount.map(|amount| format!("&amount={amount}")).unwrap_or_default();
            let body = format!("charge={}{amount}", CHARGES[charge]);
            match key {
                Some(key) => stripe.post_once("/v1/refunds", &body, &format!("key-{key}")),
                None => stripe.post("/v1/refunds", &body),
            };
        }
        Step::Dashboard { charge, amount } => {
            let body = format!("{{\"charge\":\"{}\",\"amount\":{amount}}}", CHARGES[charge]);
            stripe.post("/_sandbox/refunds", &body);
        }
        Step::Move { refund, action } => {
            let made: Vec<String> =
                stripe.model.ledger().into_iter().flat_map(|charge| charge.refunds).map(|row| row.refund).collect();
            if let Some(id) = made.get(refund) {
                stripe.post(&format!("/_sandbox/refunds/{id}/{action}"), "");
            }
        }
        Step::Wait { ms } => stripe.wait(ms),
        Step::Fault { fault } => {
            stripe.model.add_fault(FaultRule::once(Method::Post, "/v1/refunds", fault)).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn live_refunds_never_exceed_what_was_captured(steps in prop::collection::vec(step(), 1..40)) {
        let mut stripe = stripe();
        let money_before: i64 = balance_and_refunds(&mut stripe);
        for step in steps {
            take(&mut stripe, step);
            for charge in stripe.model.ledger() {
                prop_assert!(
                    charge.amount_refunded <= charge.amount_captured,
                    "{} of {} refunded", charge.amount_refunded, charge.amount_captured
                );
            }
        }
        for charge in stripe.model.ledger().into_iter().filter(|charge| !charge.livemode) {
            let shown = stripe.read(&format!("/v1/charges/{}", charge.charge));
            prop_assert_eq!(shown["amount_refunded"].as_i64(), Some(charge.amount_refunded));
        }
        prop_assert_eq!(balance_and_refunds(&mut stripe), money_before);
    }
}

/// Dollars on the balance plus dollars refunded: constant while nothing else is paid.
fn balance_and_refunds(stripe: &mut Stripe) -> i64 {
    let balance = stripe.read("/v1/balance");
    let usd = balance["available"].as_array().unwrap().iter().find(|row| row["currency"] == "usd").unwrap();
    let ledger = stripe.model.ledger();
    let refunded = ledger.iter().filter(|charge| charge.currency == "usd" && !charge.livemode);
    usd["amount"].as_i64().unwrap() + refunded.map(|charge| charge.amount_refunded).sum::<i64>()
}
