//! How refunds move on: by themselves after a while, and by hand through the control endpoints.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::payment_methods::{Rail, RefundBehaviour};
use super::refunds::{Refund, RefundStatus};
use super::{Place, Scope};
use crate::errors::StripeError;

/// Something that will happen to a refund, provided it is still where it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RefundTimer {
    pub(crate) place: Place,
    refund: String,
    only_from: RefundStatus,
    step: RefundStep,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RefundStep {
    /// The customer gave their bank details.
    Resume,
    Succeed,
    Fail,
    /// The bank named the reference the customer can ask for.
    NameReference,
}

/// A new state for a refund, and why.
#[derive(Debug, Clone)]
pub(crate) struct RefundMove {
    pub(crate) status: RefundStatus,
    pub(crate) pending_reason: Option<String>,
    pub(crate) failure_reason: Option<String>,
}

impl RefundMove {
    pub(crate) fn to(status: RefundStatus) -> RefundMove {
        RefundMove { status, pending_reason: None, failure_reason: None }
    }
}

impl Scope<'_> {
    /// Arms what happens next to a refund that was just made.
    pub(crate) fn arm_refund(&mut self, refund: &Refund, behaviour: RefundBehaviour) {
        let step = match behaviour {
            RefundBehaviour::Immediate if refund.rail == Rail::Card && !refund.releases_authorization => {
                RefundStep::NameReference
            }
            RefundBehaviour::PendingFirst => RefundStep::Succeed,
            RefundBehaviour::FailsLater => RefundStep::Fail,
            RefundBehaviour::RequiresAction => RefundStep::Resume,
            RefundBehaviour::Immediate | RefundBehaviour::RequiresActionHeld => return,
        };
        self.arm(&refund.id, refund.status.clone(), step);
    }

    fn arm(&mut self, refund: &str, only_from: RefundStatus, step: RefundStep) {
        let timer = RefundTimer { place: self.place.clone(), refund: refund.to_owned(), only_from, step };
        self.timers.add(self.now_ms.saturating_add(self.settings.refund_delay_ms), timer);
    }

    /// Runs a timer that came due; a refund that has moved meanwhile is left alone.
    pub(crate) fn run_refund_timer(&mut self, timer: &RefundTimer) {
        let Some(refund) = self.books.refunds.get(&timer.refund) else { return };
        if refund.status != timer.only_from {
            return;
        }
        let id = timer.refund.as_str();
        let moved = match timer.step {
            RefundStep::Resume => {
                let pending_reason = Some("processing".to_owned());
                let result =
                    self.move_refund(id, RefundMove { pending_reason, ..RefundMove::to(RefundStatus::Pending) });
                self.arm(id, RefundStatus::Pending, RefundStep::Succeed);
                result
            }
            RefundStep::Succeed => self.move_refund(id, RefundMove::to(RefundStatus::Succeeded)),
            RefundStep::Fail => self.fail_refund(id, "expired_or_canceled_card"),
            RefundStep::NameReference => {
                self.name_reference(id);
                return;
            }
        };
        debug_assert!(moved.is_ok(), "a live refund can always move: {moved:?}");
    }

    /// Fails a refund, with a reason in Stripe's words.
    pub(crate) fn fail_refund(&mut self, id: &str, reason: &str) -> Result<(), StripeError> {
        let failure_reason = Some(reason.to_owned());
        self.move_refund(id, RefundMove { failure_reason, ..RefundMove::to(RefundStatus::Failed) })
    }

    /// Cancels a refund, as the API or the Dashboard does.
    pub(crate) fn cancel_refund(&mut self, id: &str) -> Result<(), StripeError> {
        let failure_reason = Some("merchant_request".to_owned());
        self.move_refund(id, RefundMove { failure_reason, ..RefundMove::to(RefundStatus::Canceled) })
    }

    /// Moves a refund to another state: its share of the charge, its money and its events follow.
    ///
    /// Refused only when a dead refund would come alive and the charge has no room for it any more.
    pub(crate) fn move_refund(&mut self, id: &str, to: RefundMove) -> Result<(), StripeError> {
        let mut refund = self.refund(id, "refund")?.clone();
        let was = refund.status.clone();
        if was == to.status && refund.pending_reason == to.pending_reason && refund.failure_reason == to.failure_reason
        {
            return Ok(());
        }
        self.adjust_charge(&refund, &to.status)?;
        self.adjust_balance(&mut refund, &to.status);
        refund.status = to.status;
        refund.pending_reason = to.pending_reason;
        refund.failure_reason = to.failure_reason;
        self.books.waiting_for_funds.retain(|waiting| waiting != id);
        self.put_refund(refund.clone());
        self.emit_refund_changed(&refund, json!({ "status": was.as_str() }));
        if refund.status == RefundStatus::Failed {
            self.emit("refund.failed", refund.show(), None);
        }
        Ok(())
    }

    /// Pays refunds that wait for the balance, oldest first, as far as it goes. True when one was paid.
    pub(crate) fn pay_waiting_refunds(&mut self) -> bool {
        let mut paid = false;
        for id in self.books.waiting_for_funds.clone() {
            let Some(refund) = self.books.refunds.get(&id) else { continue };
            if self.books.balance.covers(refund.amount, &refund.currency) {
                paid |= self.move_refund(&id, RefundMove::to(RefundStatus::Succeeded)).is_ok();
            }
        }
        paid
    }

    fn adjust_charge(&mut self, refund: &Refund, to: &RefundStatus) -> Result<(), StripeError> {
        let mut charge = self.charge(&refund.charge, "charge")?.clone();
        match (refund.status.is_live(), to.is_live()) {
            (true, false) => charge.amount_refunded -= refund.amount,
            (false, true) if refund.amount > charge.unrefunded() => {
                return Err(StripeError::state(format!(
                    "Charge {} has no room for {} any more.",
                    charge.id, refund.id
                )));
            }
            (false, true) => charge.amount_refunded += refund.amount,
            (true, true) | (false, false) => return Ok(()),
        }
        self.put_charge(charge);
        Ok(())
    }

    fn adjust_balance(&mut self, refund: &mut Refund, to: &RefundStatus) {
        if refund.releases_authorization {
            return;
        }
        let taken = refund.balance_transaction.is_some() && refund.failure_balance_transaction.is_none();
        if taken && !to.is_live() {
            refund.failure_balance_transaction = Some(self.ids.object("txn_"));
            self.books.balance.add(refund.amount, &refund.currency);
        } else if !taken && to.is_live() {
            refund.balance_transaction = Some(self.ids.object("txn_"));
            refund.failure_balance_transaction = None;
            self.books.balance.add(-refund.amount, &refund.currency);
        }
    }

    fn name_reference(&mut self, id: &str) {
        let Some(refund) = self.books.refunds.get(id) else { return };
        let mut refund = refund.clone();
        let before = json!({ "destination_details": refund.show()["destination_details"] });
        let digits: String = (0..23).map(|_| char::from(b'0' + self.draw_digit())).collect();
        refund.bank_reference = Some(digits);
        self.put_refund(refund.clone());
        self.emit_refund_changed(&refund, before);
    }

    fn draw_digit(&mut self) -> u8 {
        u8::try_from(self.ids.draw_below(10)).unwrap_or(0)
    }

    fn emit_refund_changed(&mut self, refund: &Refund, before: Value) {
        self.emit("refund.updated", refund.show(), Some(before.clone()));
        self.emit("charge.refund.updated", refund.show(), Some(before));
    }
}
