//! Stripe's test payment methods, and a few of the sandbox's own for what Stripe has no test card for.
//!
//! <https://docs.stripe.com/testing>. Tokens (`tok_visa`) and payment methods (`pm_card_visa`) of one name behave alike.
//! The sandbox's own, as `pm_sandbox_*` or `tok_sandbox_*`:
//!
//! - `requiresAction`: a Konbini payment; its refund waits for the customer, then goes on to `pending` and `succeeded`.
//! - `requiresActionHeld`: the same, but the customer never answers: cancel it, expire it, or move it on by hand.
//! - `sepaDebit`: a bank debit, so its charge is a `py_` and its refunds are `pyr_`.

use serde::{Deserialize, Serialize};

/// How a charge was paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Rail {
    Card,
    Konbini,
    SepaDebit,
}

impl Rail {
    pub(crate) fn charge_prefix(self) -> &'static str {
        match self {
            Rail::Card => "ch_",
            Rail::Konbini | Rail::SepaDebit => "py_",
        }
    }
}

/// What becomes of a refund of this payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RefundBehaviour {
    /// `succeeded` at once, for good.
    Immediate,
    /// `pending`, later `succeeded`.
    PendingFirst,
    /// `succeeded`, later `failed`.
    FailsLater,
    /// `requires_action`, later `pending`, later `succeeded`.
    RequiresAction,
    /// `requires_action` until somebody moves it.
    RequiresActionHeld,
}

/// What becomes of the payment itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PaymentOutcome {
    Succeeds,
    Declined(&'static str),
    Disputed { reason: &'static str, inquiry: bool },
}

/// One test payment method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TestPayment {
    pub(crate) rail: Rail,
    pub(crate) refunds: RefundBehaviour,
    pub(crate) outcome: PaymentOutcome,
}

impl TestPayment {
    pub(crate) const CARD: TestPayment =
        TestPayment { rail: Rail::Card, refunds: RefundBehaviour::Immediate, outcome: PaymentOutcome::Succeeds };

    /// The test payment method with this name, such as `pm_card_visa` or `tok_visa`.
    pub(crate) fn named(name: &str) -> Option<TestPayment> {
        let own = name.strip_prefix("pm_sandbox_").or_else(|| name.strip_prefix("tok_sandbox_"));
        if let Some(own) = own {
            return TestPayment::sandbox(own);
        }
        let card = name.strip_prefix("pm_card_").or_else(|| name.strip_prefix("tok_"))?;
        TestPayment::card(card)
    }

    fn card(name: &str) -> Option<TestPayment> {
        let refunding = |refunds| TestPayment { refunds, ..TestPayment::CARD };
        let ending = |outcome| TestPayment { outcome, ..TestPayment::CARD };
        let disputed = |reason, inquiry| ending(PaymentOutcome::Disputed { reason, inquiry });
        Some(match name {
            "visa" | "visa_debit" | "visa_prepaid" | "mastercard" | "mastercard_debit" | "mastercard_prepaid"
            | "amex" | "discover" | "diners" | "jcb" | "unionpay" | "us" | "gb" | "de" | "fr" | "jp"
            | "bypassPending" => TestPayment::CARD,
            "pendingRefund" => refunding(RefundBehaviour::PendingFirst),
            "refundFail" => refunding(RefundBehaviour::FailsLater),
            "createDispute" => disputed("fraudulent", false),
            "createDisputeProductNotReceived" => disputed("product_not_received", false),
            "createDisputeInquiry" => disputed("fraudulent", true),
            "chargeDeclined" | "visa_chargeDeclined" => ending(PaymentOutcome::Declined("generic_decline")),
            "chargeDeclinedInsufficientFunds" | "visa_chargeDeclinedInsufficientFunds" => {
                ending(PaymentOutcome::Declined("insufficient_funds"))
            }
            "chargeDeclinedLostCard" | "visa_chargeDeclinedLostCard" => ending(PaymentOutcome::Declined("lost_card")),
            "chargeDeclinedStolenCard" | "visa_chargeDeclinedStolenCard" => {
                ending(PaymentOutcome::Declined("stolen_card"))
            }
            _ => return None,
        })
    }

    fn sandbox(name: &str) -> Option<TestPayment> {
        let outcome = PaymentOutcome::Succeeds;
        Some(match name {
            "requiresAction" => TestPayment { rail: Rail::Konbini, refunds: RefundBehaviour::RequiresAction, outcome },
            "requiresActionHeld" => {
                TestPayment { rail: Rail::Konbini, refunds: RefundBehaviour::RequiresActionHeld, outcome }
            }
            "sepaDebit" => TestPayment { rail: Rail::SepaDebit, refunds: RefundBehaviour::Immediate, outcome },
            _ => return None,
        })
    }
}
