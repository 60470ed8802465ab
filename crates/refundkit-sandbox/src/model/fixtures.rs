//! Payments a world begins with: made by the same code as any other, only with ids that were chosen beforehand.

use super::charges::{ChargeOrder, PaymentDetails};
use super::payment_intents::{PaymentIntent, PaymentIntentStatus};
use super::payment_methods::TestPayment;
use super::refund_creation::{RefundOrder, Target};
use super::{Cause, Model, Place, Scope};
use crate::params::MetadataChange;

/// A payment with a chosen id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fixture {
    pub(crate) id: &'static str,
    pub(crate) amount: i64,
    pub(crate) currency: &'static str,
    pub(crate) payment: Payment,
}

/// How it came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payment {
    Charge { token: &'static str },
    PartlyRefunded { token: &'static str, refunded: i64 },
    Intent { token: &'static str, charge: &'static str, capture_later: bool },
}

impl Model {
    /// Adds the payment as of `at_ms`.
    pub(crate) fn add_fixture(&mut self, account: &str, livemode: bool, fixture: &Fixture, at_ms: i64) {
        let place = Place { account: account.to_owned(), livemode };
        let Some(mut scope) = self.scope(&place, Cause::default(), at_ms) else { return };
        match fixture.payment {
            Payment::Charge { token } => scope.add_charge(fixture, token),
            Payment::PartlyRefunded { token, refunded } => {
                scope.add_charge(fixture, token);
                scope.add_refund(fixture.id, refunded);
            }
            Payment::Intent { token, charge, capture_later } => {
                scope.add_intent(fixture, token, charge, capture_later);
            }
        }
    }
}

impl Scope<'_> {
    fn add_charge(&mut self, fixture: &Fixture, token: &str) {
        let payment_method = self.ids.object("card_");
        self.take_payment(
            fixture.id.to_owned(),
            ChargeOrder {
                amount: fixture.amount,
                currency: fixture.currency.to_owned(),
                payment: TestPayment::named(token).unwrap_or(TestPayment::CARD),
                payment_method,
                capture: true,
                payment_intent: None,
                details: PaymentDetails::default(),
            },
        );
    }

    fn add_intent(&mut self, fixture: &Fixture, payment_method: &str, charge: &str, capture_later: bool) {
        let intent = PaymentIntent {
            id: fixture.id.to_owned(),
            amount: fixture.amount,
            amount_received: 0,
            created: self.now(),
            currency: fixture.currency.to_owned(),
            status: PaymentIntentStatus::RequiresConfirmation,
            capture_later,
            latest_charge: None,
            payment_method: Some(payment_method.to_owned()),
            canceled_at: None,
            cancellation_reason: None,
            details: PaymentDetails::default(),
        };
        let paid = self.pay_intent(intent, charge.to_owned());
        debug_assert!(paid.is_ok(), "fixtures name known payment methods: {paid:?}");
    }

    fn add_refund(&mut self, charge: &str, amount: i64) {
        let refunded = self.create_refund(RefundOrder {
            target: Target::Charge(charge.to_owned()),
            amount: Some(amount),
            currency: None,
            reason: None,
            metadata: MetadataChange::default(),
            instructions_email: None,
            reverse_transfer: false,
            refund_application_fee: false,
        });
        debug_assert!(refunded.is_ok(), "fixtures refund what is there: {refunded:?}");
    }
}
